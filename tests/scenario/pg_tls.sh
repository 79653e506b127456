#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# TLS to PostgreSQL by our libpq over Mbed TLS, against real servers: what each sslmode makes of
# good and bad certificates, client certificates and keys, passwords with channel binding, versions,
# direct negotiation, cancelling, much data, pgbouncer, and peers that do not keep to the protocol.
# An agent collects over a verified link, and refuses one that it cannot verify with the key to
# write.
# A full run has all versions from 10 on, and asks Debian's psql over OpenSSL the same.
# timeout: 180, full 900

. "$(dirname "$0")/lib.sh"
need_pga
need openssl pgbouncer
driver=$(dirname "$PGA")/pq-tls
[ -x "$driver" ] || { fail "$driver is built (make build)"; done_testing; }
chmod 711 "$T"

tls() { # NAME OPTION... PART...: those parts of the tool, as tests of this scenario
    local name=$1
    shift
    python3 "$TOOL/pg_tls.py" --driver "$driver" --pki "$T/pki" "$@" >"$T/tls.$name" 2>&1
    tap_from "$T/tls.$name" "$name: "
}

check_link() { # NAME DSN WANT: what a collection over that link says of it
    "$PGA" agent --once --dsn "$2" >"$T/once" 2>"$T/log/once"
    is "$?" 0 "$1: the agent collects"
    is "$(python3 -c 'import json,sys
t = next(t for t in json.load(open(sys.argv[1]))["targets"] if t["kind"] == "postgresql")
print(t["attributes"]["sslmode"], t["attributes"]["tls"])' "$T/once" 2>&1)" "$3" "$1: and says how"
}

refused() { # NAME DSN PATTERN
    "$PGA" agent --once --dsn "$2" >"$T/once" 2>"$T/log/once"
    unlike "$?" '^0$' "$1: nothing is collected"
    like "$(cat "$T/log/once")" "$3" "$1: the reason names what to write"
}

export HOME=$T/home
unset PGSSLMODE PGSSLROOTCERT PGSSLCERT PGSSLKEY
mkdir "$HOME"
tls pki pki
tls peers peers
versions=17
options=()
if [ "$PGA_FULL" = 1 ]; then
    versions="10 11 12 13 14 15 16 18 system 17"
    options=(--psql --mb 100 --up 32)
fi
for version in $versions; do
    start_pg "pg$version" "$version" || { fail "PostgreSQL $version starts"; continue; }
    parts=(matrix files client auth weak versions big pooler)
    [ "$version" != system ] || parts=(matrix files client auth versions big pooler)
    tls "$version" "${options[@]}" --pg "$T/pg/pg$version" "${parts[@]}"
    [ "$version" = 17 ] || stop_pg "pg$version"
done
use_pg pg17

# The agent: the server shows the certificate that `pooler` left, a good one.
here="host=localhost hostaddr=127.0.0.1 port=$PGPORT user=pga dbname=postgres"
check_link "verified" "$here sslmode=verify-full sslrootcert=$T/pki/ca.crt" "verify-full TLSv1.3"
check_link "no word about it, on the loopback" "$here" "prefer TLSv1.3"
check_link "open" "$here sslmode=disable" "disable "
refused "another authority" "$here sslmode=verify-full sslrootcert=$T/pki/other.crt" \
    'not signed by a trusted authority; write sslrootcert='
refused "another name" "host=db.example ${here#host=localhost } sslrootcert=$T/pki/ca.crt" \
    'does not match host name .*; write host=NAME'
refused "a host that is not local" "host=db.invalid user=pga dbname=postgres" \
    'db.invalid is not local.*sslrootcert=FILE.*sslrootcert=system.*sslmode=require or prefer'

# A client certificate with an encrypted key, by the keys of agent.toml.
sql 'grant pg_monitor to alice' >/dev/null
install -m 600 "$T/pki/key.password" "$T/key.password"
start_server server && set_up_owner
ok $? "the server is ready" || done_testing
start_agent agent "$SERVER_URL" "${here/user=pga/user=alice}" 'sslmode = "verify-full"' \
    "sslrootcert = \"$T/pki/ca.crt\"" "sslcrl = \"$T/pki/ca.crl\"" \
    "sslcert = \"$T/pki/alice.crt\"" "sslkey = \"$T/pki/alice.pk8\"" \
    "sslpassword_file = \"$T/key.password\""
ok $? "an agent with a client certificate starts"
links() { # how the server's users see the link of the agent's target
    api GET "servers/$(target_id postgresql)"
    echo "$(member attributes.sslmode) $(member attributes.tls)"
}
soon_is 30 links "verify-full TLSv1.3" "readings arrive, and the link is shown"
stop agent

sql 'alter system set ssl = off' >/dev/null
sql 'select pg_reload_conf()' >/dev/null
poll 30 eval '[ "$(sql "show ssl")" = off ]'
refused "a server without TLS" "${here/host=localhost/host=db.example} sslrootcert=$T/pki/ca.crt" \
    'does not support SSL.*; to accept a link without TLS write sslmode=prefer'
check_link "which can be written" \
    "${here/host=localhost/host=db.example} sslrootcert=$T/pki/ca.crt sslmode=prefer" "prefer "
done_testing
