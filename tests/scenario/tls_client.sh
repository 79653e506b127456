#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# pga ctl over TLS (T4): it talks to the server that its authority vouches for, and gives not one
# byte to any other; there is no switch that turns this off.
# timeout: 120

. "$(dirname "$0")/lib.sh"
need openssl
need_pga
. "$TOOL/certs.sh"
export XDG_CONFIG_HOME=$T/config
ctl() { "$PGA" ctl "$@"; }

make_ca ca
make_ca other ca # another key under the same name
make_cert server ca server
make_cert wrong-name ca server name=another.example
make_cert expired ca server expired
make_cert early ca server early
make_cert client-use ca client name=localhost
make_cert sha1 ca server sha1
make_cert other-ca other server
openssl req -x509 -config "$CERTS/openssl.cnf" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$CERTS/self-signed.key" -out "$CERTS/self-signed.crt" -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -days 30 2>>"$T/log/openssl"
[ "$(find "$CERTS" -name '*.crt' -size +0 | wc -l)" = 10 ]
ok $? "certificates were made" || done_testing

# --- servers that are not ours ---

n=0
try() { # NAME [OPTION...]: what ctl says to a server with that certificate, and what it gave away
    local cert=$1 port
    shift
    n=$((n + 1))
    port=$(free_port)
    spawn "fake$n" python3 "$TOOL/tlsserver.py" --port "$port" --cert "$CERTS/$cert.crt" \
        --key "$CERTS/$cert.key" "$@"
    poll 20 grep -q ready "$T/log/fake$n"
    SAID=$(PGA_TOKEN=planted-secret ctl user list --server "https://localhost:$port" \
        --ca-file "$CERTS/ca.crt" 2>&1)
    EXIT=$?
    poll 20 grep -qE 'payload|failed' "$T/log/fake$n"
    GAVE=$(awk '/^payload/ { n += $2 } END { print n + 0 }' "$T/log/fake$n")
    stop "fake$n"
}

refused() { # NAME REGEX [OPTION...]
    local name=$1 want=$2
    shift 2
    try "$name" "$@"
    like "$EXIT:$SAID" "$want" "$name${2:+ TLS $2}: refused, with the reason"
    is "${GAVE:-0}" 0 "$name${2:+ TLS $2}: not one byte of the request was sent"
}

try server
le 100 "${GAVE:-0}" "the good certificate gets a request, so that the others could have got one"
refused wrong-name '^4:.*(CN|Common Name)'
refused other-ca '^4:.*not correctly signed'
refused self-signed '^4:.*not correctly signed'
refused expired '^4:.*expired'
refused early '^4:.*future'
refused client-use '^[1-9].*([Uu]sage|[Cc]ertificate)'
refused sha1 '^4:.*(hash|MD|signed with|algorithm)'
refused server '^[1-9]' --version 1.2

# --- our own ---

secure=$(free_port)
start_server main "tls_certificate = \"$CERTS/server.crt\"" "tls_key = \"$CERTS/server.key\"" \
    'public_url = "https://localhost"'
sed -i "s/^listen = \[/&\"https:\/\/127.0.0.1:$secure\", /" "$T/main/server.toml"
stop main
restart_server main
ok $? "a server with an https listener is ready" || done_testing
set_up_owner
printf '%s' "$OWNER_PASSWORD" >"$T/password"
chmod 600 "$T/password"
url=https://localhost:$secure
like "$(ctl login --server "$url" --username owner --password-file "$T/password" 2>&1)" \
    'name the authority.*--ca-file' "without an authority nothing is asked"
cp "$CERTS/ca.crt" "$T/ca.crt"
(cd "$T" && ctl login --server "$url" --ca-file ca.crt --username owner \
    --password-file "$T/password") >"$T/out" 2>&1
ok $? "a login over TLS" || diag "$(cat "$T/out")"
like "$(ctl user list 2>&1)" owner "the context keeps server and authority"
like "$(cat "$XDG_CONFIG_HOME/pga/contexts.toml")" "ca_file = \"/.*/ca.crt\"" "as a whole path"
like "$(PGA_CA_FILE=$CERTS/other.crt ctl user list 2>&1)" 'not correctly signed' \
    "another authority does not vouch for it"
out=$(PGA_TOKEN=x ctl user list --server "http://192.0.2.1:8080" 2>&1)
like "$out" 'plain http goes to loopback' "plain http beyond loopback stays refused"
like "$(ctl user list --ca-file /nowhere 2>&1)" '/nowhere' "a file that is not there is named"
for word in insecure no-verify skip-verify; do
    like "$(ctl user list --$word 2>&1)" 'unknown option' "there is no --$word"
done
unlike "$(cat "$T"/log/*)" planted-secret "no token in any log"
done_testing
