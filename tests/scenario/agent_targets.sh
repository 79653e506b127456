#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Several targets in one agent: each its own section and its own way to the password (a file,
# pgpass, a systemd credential, none), over IPv4 and IPv6; one that cannot be entered costs only
# itself and says why; a reload takes targets away.
# timeout: 120

. "$(dirname "$0")/lib.sh"
need_pga

cat >"$T/hba.conf" <<'H'
local all all trust
host all watcher 0.0.0.0/0 scram-sha-256
host all watcher ::1/128 scram-sha-256
host all all 0.0.0.0/0 trust
H
chmod 644 "$T/hba.conf"
v6=0
[ ! -e /proc/net/if_inet6 ] || ! grep -q ' lo$' /proc/net/if_inet6 || v6=1
listen="listen_addresses = '127.0.0.1'"
[ $v6 = 0 ] || listen="listen_addresses = '127.0.0.1, ::1'"
start_pg main system "hba_file = '$T/hba.conf'" "$listen" "password_encryption = 'scram-sha-256'"
ok $? "a server that asks for a password"
sql "CREATE ROLE watcher LOGIN PASSWORD 'a \\ b''c' IN ROLE pg_monitor"

mkdir "$T/credentials"
(
    umask 077
    printf '%s\n' "a \\ b'c" >"$T/password"
    printf '%s' "a \\ b'c" >"$T/credentials/db-password"
    printf '%s\n' 'wrong' >"$T/wrong"
    printf '%s\n' "127.0.0.1:$PGPORT:*:watcher:a \\\\ b'c" >"$T/pgpass"
)
export PGPASSFILE=$T/pgpass CREDENTIALS_DIRECTORY=$T/credentials

start_server server && set_up_owner
ok $? "the server"
third='127.0.0.1'
[ $v6 = 0 ] || third='::1'
targets() { # the sections of the agent's file
    local section
    for section in "name = \"file\"|host = \"127.0.0.1\"|password_file = \"$T/password\"" \
        "name = \"pgpass\"|host = \"127.0.0.1\"" \
        "name = \"credential\"|host = \"$third\"|password_file = \"db-password\"" \
        "name = \"wrong\"|host = \"127.0.0.1\"|password_file = \"$T/wrong\"" \
        "name = \"nobody\"|host = \"127.0.0.1\"|password_file = \"no-such-credential\""; do
        printf '[[target]]\nport = %s\nuser = "watcher"\n' "$PGPORT"
        printf 'dbname = "postgres"\nevery = "1s"\n'
        tr '|' '\n' <<<"$section"
    done
}
start_agent agent "$SERVER_URL" "host=$PGSOCKET port=$PGPORT user=pga dbname=postgres" \
    'every = "1s"' "$(targets)"

state_of() { # TARGET PROBE: state and reason
    api GET servers
    local id
    id=$(python3 -c 'import json,sys
print(next((s["id"] for s in json.load(sys.stdin)["data"] if s["name"] == sys.argv[1]), ""))' \
        "$1" <<<"$BODY")
    [ -n "$id" ] || return 1
    api GET "servers/$id"
    python3 -c 'import json,sys
for p in json.load(sys.stdin)["probes"]:
    if p["probe"] == sys.argv[1]:
        print(p["state"], p.get("reason") or "")' "$2" <<<"$BODY"
}
is_state() { [[ $(state_of "$1" pg_stat_database) =~ $2 ]]; }

for name in agent-db file pgpass credential; do
    poll 20 is_state "$name" '^ok'
    ok $? "the target \"$name\" is read" || diag "$(state_of "$name" pg_stat_database)"
done
poll 20 is_state wrong 'password authentication failed|login'
ok $? "a wrong password is told as the reason" || diag "$(state_of wrong pg_stat_database)"
poll 20 is_state nobody 'no-such-credential'
ok $? "a missing file is named" || diag "$(state_of nobody pg_stat_database)"
unlike "$(cat "$T/log/agent" "$T/agent/agent.toml")" "a \\\\ b'c" \
    "no password in the log or the file"

python3 - "$T/agent/agent.toml" <<'P'
import sys
path = sys.argv[1]
parts = open(path).read().split("[[target]]\n")
with open(path, "w") as f:
    f.write(parts[0] + "".join("[[target]]\n" + p for p in parts[1:]
                               if '"wrong"' not in p and '"nobody"' not in p))
P
"$PGA" agent --config "$T/agent/agent.toml" --check-config >/dev/null
is $? 0 "the file with fewer targets is good"
kill -HUP "$(pid_of agent)"
poll 10 grep -q 'configuration read again: 5 targets' "$T/log/agent"
ok $? "a reload leaves four servers and the host"
printf '[[target]]\nname = "file"\n' >>"$T/agent/agent.toml"
kill -HUP "$(pid_of agent)"
poll 10 grep -q 'two targets of this name' "$T/log/agent"
ok $? "a reload of a bad file is refused with its reason"
poll 10 is_state pgpass '^ok'
ok $? "and what was read is read on"
stop agent
is $? 0 "the agent ends"
done_testing
