#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# TLS of the server, from outside: versions and suites (T1), certificates of agents (T2), no tickets
# (T3), silent and dripping sockets and the caps of handshakes (T5, T6), certificates that change
# while connections live (T7), and what a listener beyond loopback needs.
# timeout: 240, full 900

. "$(dirname "$0")/lib.sh"
need openssl curl
need_pga
. "$TOOL/certs.sh"

clients() { # PORT STAGE [OPTION...]: their tests become ours
    local port=$1
    shift
    nice -n 5 python3 "$TOOL/tlscrowd.py" --port "$port" --ca "$CERTS/ca.crt" --certs "$CERTS" \
        "$@" >"$T/out-$1" 2>&1
    tap_from "$T/out-$1" "$1: "
}

https() { # PORT PATH [CURL OPTION...]: body and status of an answer
    local port=$1 path=$2
    shift 2
    curl -sS --cacert "$CERTS/ca.crt" -w ' %{http_code}' "$@" "https://localhost:$port$path" 2>&1
}

make_ca ca
make_ca ca2
make_ca other ca # another key under the same name
make_cert server ca server
make_cert server2 ca server
make_cert agent ca client
make_cert agent2 ca2 client
make_cert other-ca other client
make_cert expired ca client expired
make_cert early ca client early
make_cert server-use ca server
make_cert no-use ca none
make_cert ca-leaf ca ca
make_cert by-agent agent client
make_cert rsa ca client rsa
make_cert sha1 ca client sha1
tamper_cert tampered agent
openssl req -x509 -config "$CERTS/openssl.cnf" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$CERTS/self-signed.key" -out "$CERTS/self-signed.crt" -subj /CN=agent -days 30 \
    2>>"$T/log/openssl"
[ "$(find "$CERTS" -name '*.crt' -size +0 | wc -l)" = 18 ]
ok $? "certificates were made" || done_testing

# --- what a listener needs ---

refused() { # NAME REGEX LINE...: the server does not start, and says why
    local name=$1 want=$2
    shift 2
    printf '%s\n' '[server]' "state_dir = \"$T/never\"" "$@" >"$T/never.toml"
    like "$("$PGA" server --config "$T/never.toml" 2>&1)" "$want" "$name"
}

port=$(free_port)
refused "a certificate without its key is refused" \
    'tls_certificate and server.tls_key go together' \
    "listen = [\"0.0.0.0:$port\"]" "tls_certificate = \"$CERTS/server.crt\""
refused "plain HTTP beyond loopback cannot be had" 'plain HTTP is for loopback' \
    "listen = [\"http://0.0.0.0:$port\"]"
chmod 644 "$CERTS/rsa.key"
refused "a key that others can read is refused" 'server.tls_key: .*chmod 600' \
    "listen = [\":$port\"]" "tls_certificate = \"$CERTS/rsa.crt\"" "tls_key = \"$CERTS/rsa.key\""
refused "a key of another certificate is refused" 'does not belong' \
    "listen = [\":$port\"]" "tls_certificate = \"$CERTS/server.crt\"" \
    "tls_key = \"$CERTS/agent.key\""

# --- a server with the three kinds of listeners ---

secure=$(free_port)
agents=$(free_port)
for file in crt key; do cp -p "$CERTS/server.$file" "$CERTS/now.$file"; done
cp "$CERTS/ca.crt" "$CERTS/agents.crt"
mkdir -p "$T/main"
cat >"$T/main/server.toml" <<END
[server]
listen = ["127.0.0.1:$(free_port)", "https://127.0.0.1:$secure"]
agent_listen = ["127.0.0.1:$agents"]
tls_certificate = "$CERTS/now.crt"
tls_key = "$CERTS/now.key"
agent_ca = "$CERTS/agents.crt"
state_dir = "$T/main/state"
END
SERVER=main
SERVER_PORT=$(sed -n 's/^listen = \["127.0.0.1:\([0-9]*\)".*/\1/p' "$T/main/server.toml")
SERVER_URL=http://127.0.0.1:$SERVER_PORT
restart_server main
ok $? "a server with three kinds of listeners is ready" || done_testing

clients "$agents" agents # first: the log stops telling after some
clients "$secure" versions
clients "$secure" shapes
clients "$secure" resume
clients "$agents" resume
for key in 'requested the server to resume' 'New Session Ticket arrived' \
    'Early data was accepted'; do
    unlike "$(openssl s_client -connect "127.0.0.1:$secure" -msg </dev/null 2>&1)" "$key" \
        "no \"$key\""
done
like "$(grep 'TLS handshake' "$T/log/main")" 'failed: .*(no certificate|not correctly signed)' \
    "the log says why an agent was not let in"

# --- what only TLS has ---

set_up_owner
like "$(https "$secure" /healthz -D -)" 'Strict-Transport-Security: max-age=' "HSTS over TLS"
unlike "$(curl -sS -D - "$SERVER_URL/healthz")" 'Strict-Transport' "none over plain HTTP"
out=$(https "$secure" /api/v1/auth/login -D - -c "$T/jar" -H 'Content-Type: application/json' \
    -d "{\"username\":\"owner\",\"password\":\"$OWNER_PASSWORD\"}")
want='Set-Cookie: __Host-pga=[^;]+; Path=/; HttpOnly; SameSite=Strict; Max-Age=[0-9]+; Secure'
like "$out" "$want" "the cookie over TLS has the __Host- form"
like "$(https "$secure" /api/v1/auth/me -b "$T/jar")" '"owner".* 200$' "and signs in"
like "$(https "$agents" /api/v1/auth/me -b "$T/jar" --cert "$CERTS/agent.crt" \
    --key "$CERTS/agent.key")" ' 404$' "routes of people are not on the agents' listener"

# --- new certificates, unfinished handshakes, many connections ---

pid=$(pid_of main)
reloads=20 silent=300 drip=300 seconds=2 keep=100
[ "$PGA_FULL" = 0 ] || reloads=1000 silent=1000 drip=1000 seconds=60 keep=1000
clients "$secure" reload --pid "$pid" --agents "$agents" --log "$T/log/main" --reloads "$reloads"
clients "$secure" crowd --silent "$silent" --drip "$drip" --seconds "$seconds"
clients "$secure" caps
# 200 MB for a thousand; the sanitizers' own memory is not ours to bound.
each=200
! grep -qa '__[at]san_init' "$PGA" || each=2000
clients "$agents" memory --cert agent2 --pid "$pid" --keep "$keep" --kib-each "$each"
clients "$secure" memory --pid "$pid" --keep "$keep" --kib-each "$each"
counted() { curl -sS "$SERVER_URL/metrics" | sed -n "s/^pga_tls_handshakes$1 //p"; }
le 100 "$(counted _finished_total)" "finished handshakes are counted"
le 12 "$(counted _failed_total)" "so are those that failed"
le 20 "$(counted _dropped_total)" "and those that gave way"
soon_is 60 'counted ""' 0 "none is left"
stop main
ok $? "the server ends cleanly"
unlike "$(cat "$T/log/main")" 'Sanitizer|runtime error' "no sanitizer report"
done_testing
