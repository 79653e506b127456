#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Agents with certificates: the secret goes to no server but the one of the fingerprint; enrolment,
# pushes over mutual TLS, tokens bound to certificates, renewal, outages of 20 hours and 10 days,
# 31 days, rotation of the authority, approval, revocation. Server and agent read one clock, which
# the test moves.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need openssl curl
need_pga
export SERVER_PGA=$PGA_FAULTY AGENT_PGA=$PGA_FAULTY PGA_CLOCK=$T/clock
echo 0 >"$PGA_CLOCK"
hours=0
pass_hours() { # NUMBER: time goes on at once
    hours=$((hours + $1))
    echo $((hours * 3600)) >"$PGA_CLOCK.new"
    mv "$PGA_CLOCK.new" "$PGA_CLOCK"
}
export XDG_CONFIG_HOME=$T/config
ctl() { # COMMAND...: as the owner, who logs in anew: sessions are old after a jump
    "$SERVER_PGA" ctl --server "$SERVER_URL" login --username owner --password-file "$T/password" \
        >/dev/null 2>&1 </dev/null
    "$SERVER_PGA" ctl "$@" 2>&1 </dev/null
}
(umask 077 && printf '%s' "$OWNER_PASSWORD" >"$T/password")

secure=$(free_port)
agents=$(free_port)
mkdir -p "$T/main"
plain=$(free_port)
cat >"$T/main/server.toml" <<END
[server]
listen = ["127.0.0.1:$plain", "https://127.0.0.1:$secure"]
agent_listen = ["127.0.0.1:$agents"]
state_dir = "$T/main/state"
health_check_interval = "2s"
END
SERVER=main
SERVER_PORT=$plain
SERVER_URL=http://127.0.0.1:$plain
restart_server main
ok $? "a server with listeners of its own authority is ready" || done_testing
set_up_owner
API=https://127.0.0.1:$secure
anonymous GET ca
is "$STATUS" 200 "anyone may read what is to be believed"
member ca >"$T/ca.pem"
printf '%s' "$BODY" >"$T/ca.json"
fingerprint=$(member fingerprint)
sha256_of() {
    openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr A-F a-f
}
awk '/BEGIN/ { one = "" } { one = one $0 "\n" } END { printf "%s", one }' "$T/ca.pem" >"$T/root.pem"
is "$(sha256_of "$T/root.pem")" "$fingerprint" "its root has the fingerprint"

# --- whom the secret is sent to ---

new_secret() { # FILE [MEMBERS]: for one agent
    api POST registration-secrets "{\"name\":\"one\"${2:-}}"
    (umask 077 && member secret >"$1")
}
enrol() { # NAME URL FINGERPRINT
    "$AGENT_PGA" agent enroll --state-dir "$T/$1" --server "$2" --secret-file "$T/secret" \
        --ca-fingerprint "$3" --config "$T/enrol.toml" 2>&1
}
printf '[agent]\nname = "db1"\n' >"$T/enrol.toml"
new_secret "$T/secret"
is "$(member ca_fingerprint)" "$fingerprint" "the secret comes with the fingerprint"
out=$(enrol a1 "$API" "${fingerprint/[0-9a-f]/0}0")
like "$out" '64 hexadecimal digits' "half a fingerprint is none"
wrong=$(tr 0-9a-f 1-9a-f0 <<<"$fingerprint")
out=$(enrol a1 "$API" "$wrong")
is $? 4 "a server of another root is refused"
like "$out" 'not the one of the fingerprint' "and the agent says why"
out=$("$AGENT_PGA" agent enroll --state-dir "$T/a1" --server "$API" --secret-file "$T/secret" 2>&1)
like "$out" 'whose authority is known' "without a fingerprint nothing is sent over TLS"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/mitm.key" \
    -out "$T/mitm.crt" -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -days 2 2>/dev/null
mitm=$(free_port)
spawn mitm python3 "$TOOL/certserver.py" --port "$mitm" --cert "$T/mitm.crt" --key "$T/mitm.key" \
    --ca "$T/ca.json" --log "$T/seen"
poll 10 curl -ks -o /dev/null "https://127.0.0.1:$mitm/api/v1/ca"
out=$(enrol a1 "https://127.0.0.1:$mitm" "$fingerprint")
like "$out" "certificate is not taken" "who repeats our authorities is not believed for it"
like "$(grep -c '^GET /api/v1/ca' "$T/seen")" '^[2-9]' "it was asked for authorities"
unlike "$(cat "$T/seen")" 'X-Registration-Secret|^POST|pgar_' "and saw neither secret nor request"
api GET registration-secrets
is "$(member data.0.total_registrations)" 0 "the secret was used by nobody"

# --- enrolment ---

out=$(enrol a1 "$API" "$fingerprint")
is $? 0 "the right fingerprint enrols"
id=$(sed -n 's/^enrolled as //p' <<<"$out")
is "$(cd "$T/a1" && stat -c '%n %a' agent.pem ca.pem identity.json | tr '\n' ' ')" \
    "agent.pem 600 ca.pem 600 identity.json 600 " "keys and tokens are 0600"
[ ! -e "$T/a1/agent.new" ]
ok $? "no key waits any more"
openssl x509 -in "$T/a1/agent.pem" -out "$T/a1.crt"
like "$(openssl x509 -in "$T/a1.crt" -noout -ext subjectAltName)" \
    "URI:pga://[0-9a-f-]{36}/agent/$id" "the certificate names the agent"
like "$(openssl verify -purpose sslclient -CAfile "$T/ca.pem" "$T/a1.crt" 2>&1)" ': OK' \
    "openssl finds the chain good"
out=$(enrol a1 "$API" "$fingerprint")
like "$out" 'used up' "a second key needs a further use of the secret"

# --- what a certificate opens ---

call() { # STATE PATH [CURL OPTION...]: status of an answer to the agent of that state folder
    local state=$1 path=$2
    shift 2
    curl -sS -o "$T/body" -w '%{http_code}' --cacert "$T/ca.pem" --cert "$T/$state/agent.pem" \
        "$@" "https://127.0.0.1:$agents$path" 2>&1
}
token() { python3 "$TOOL/api.py" --get token <"$T/$1/identity.json"; }
bearer() { printf 'Authorization: Bearer %s' "$(token "$1")"; }
mine=/api/v1/config/$id
report=(-X POST -H 'Content-Type: application/json' -d '{"applied":0,"failed":0,"error":""}')
is "$(call a1 /api/v1/config/report -H "$(bearer a1)" "${report[@]}")" 200 "certificate and token"
is "$(call a1 "$mine")" 401 "a certificate without a token pushes nothing"
is "$(curl -s -o /dev/null -w '%{http_code}' -H "$(bearer a1)" "${report[@]}" \
    "$SERVER_URL/api/v1/config/report")" 401 "a bound token without its certificate is refused"
is "$(curl -s -o /dev/null -w '%{http_code}' -X POST -H "$(bearer a1)" \
    "$SERVER_URL/api/v1/collectors/refresh-token")" 401 "and is not renewed there"
new_secret "$T/secret"
printf '[agent]\nname = "db2"\n' >"$T/enrol.toml"
out=$(enrol a2 "$API" "$fingerprint")
id2=$(sed -n 's/^enrolled as //p' <<<"$out")
like "$id2" '^[0-9a-f-]{36}$' "a second agent"
is "$(call a2 /api/v1/config/report -H "$(bearer a1)" "${report[@]}")" 401 \
    "with the token of another agent: refused"
like "$(cat "$T/log/main")" "token of agent $id came from .* with another certificate" \
    "and the log says so"
is "$(call a2 "$mine" -H "$(bearer a2)")" 404 "Z2: the configuration of another agent is not there"
is "$(call a1 /api/v1/servers -H "$(bearer a1)")" 404 "Z4: routes of people are not there"
is "$(curl -s -o /dev/null -w '%{http_code}' -H "$(bearer a1)" "$SERVER_URL/api/v1/servers")" 401 \
    "Z4: an agent's token is no person's"
is "$(call a1 /api/v1/metrics/push -H "Authorization: Bearer $(cat "$T/token")" \
    -H 'Content-Type: application/json' -d '{}')" 401 "Z4: nor a person's an agent's"

# A connection that waits for nothing ends with its agent, not when it is idle for too long (75 s).
idle='import socket, ssl, sys
port, ca, pem = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(pem)
sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port)),
                           server_hostname="127.0.0.1")
ask = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port
sock.sendall(ask)
print(sock.recv(4096).split(b"\r\n")[0].decode(), flush=True)
sock.settimeout(1 if sys.argv[4] == "a1" else None) # a1 asks again, so that it is never idle long
while True:
    try:
        if not sock.recv(4096):
            break
    except TimeoutError:
        sock.sendall(ask)
print("the server closed it", flush=True)'
for name in a1 a2; do
    spawn "idle-$name" python3 -c "$idle" "$agents" "$T/ca.pem" "$T/$name/agent.pem" "$name"
    soon_like 30 "cat '$T/log/idle-$name'" '200 OK' "a connection of $name that stays open"
done
api DELETE "collectors/$id2"
is "$STATUS" 204 "the second agent is revoked"
end=$((SECONDS + 60)) # no longer: then every idle connection ends
while [ "$SECONDS" -lt "$end" ] && ! grep -q closed "$T/log/idle-a2"; do sleep 0.2; done
like "$(cat "$T/log/idle-a2")" 'the server closed it' "and its open connection ends with it"
unlike "$(cat "$T/log/idle-a1")" 'closed' "that of the other agent does not"
stop idle-a1

# --- a life, by the clock of the test ---

cat >"$T/live.toml" <<END
[agent]
name = "db1"
state_dir = "$T/a1"
[server]
url = "$API"
[host]
enabled = true
END
start_live() { spawn live "$AGENT_PGA" agent --config "$T/live.toml"; }
serial() { openssl x509 -in "$T/a1/agent.pem" -noout -serial; }
delivered() { api GET "collectors/$id"; [ "$(member metrics_count_total)" -gt "${1:-0}" ]; }
fresh() { [ "$(serial)" != "$was" ]; }
active() { api GET "collectors/$id"; [ "$(member status)" = active ]; }
renewed() { # NAME: the agent has another certificate, and delivers by it
    poll 60 fresh
    ok $? "$1: the certificate was renewed"
    api GET "collectors/$id"
    local count
    count=$(member metrics_count_total)
    poll 60 delivered "$count"
    ok $? "$1: and readings arrive"
    was=$(serial)
}
was=$(serial)
start_live
poll 60 delivered
ok $? "the agent delivers over mutual TLS"
log_in
api GET "collectors/$id"
is "$(member certificate_thumbprint)" "$(sha256_of "$T/a1.crt")" "the list shows its certificate"
pass_hours 14
log_in
renewed "after half of its life"
stop live
if [ "$PGA_FULL" = 1 ]; then # in short: test_store_trust_life
    pass_hours 20
    log_in
    start_live
    renewed "after an outage of 20 hours"
    stop live
fi
pass_hours 240
log_in
start_live
renewed "after an outage of 10 days"
like "$(cat "$T/log/live")" 'the certificate was renewed' "which the agent tells"

# --- the authority ---

api POST ca/rotate '{"kind":"root"}'
is "$STATUS" 200 "a new root"
kill -HUP "$(pid_of main)"
issuer() { openssl s_client -connect "127.0.0.1:$agents" </dev/null 2>/dev/null | grep -m1 issuer; }
soon_like 30 issuer 'pga issuing 2' "the server shows a certificate of it"
count=$(api GET "collectors/$id"; member metrics_count_total)
stop live
start_live
poll 60 delivered "$count"
ok $? "an agent that knows only the old root follows"
pass_hours 14
log_in
renewed "of the new authority"
like "$(openssl x509 -in "$T/a1/agent.pem" -noout -issuer)" 'pga issuing 2' \
    "its issuer is the new one"
[ "$(grep -c BEGIN "$T/a1/ca.pem")" -ge 5 ]
ok $? "it believes both roots by now"
like "$(ctl ca list)" 'root:2.*' "ctl lists the authorities"
stop live

# --- too late, and out ---

pass_hours $((24 * 32))
log_in
start_live
soon_like 60 "cat '$T/log/live'" 'enrol again with a new secret' "after 32 days it says what to do"
soon_like 30 "du -s '$T/a1/spool' 2>/dev/null | cut -f1" '[1-9]' "and keeps what it reads"
stop live
new_secret "$T/secret" ',"approval":"manual"'
printf '[agent]\nname = "db1"\n' >"$T/enrol.toml"
out=$(enrol a1 "$API" "$(api GET ca; member fingerprint)")
like "$out" 'let this agent in first' "with a secret that asks for approval it waits"
api GET "collectors/$id"
is "$(member status)" pending "which the list shows"
like "$(ctl agent approve "$id")" 'let in' "a person lets it in"
out=$(enrol a1 "$API" "$(api GET ca; member fingerprint)")
like "$out" "enrolled as $id" "the same question is answered now, with the same id"
late=(-k) # curl goes by the machine's clock, for which the server's certificate is not valid yet
is "$(call a1 /api/v1/config/report "${late[@]}" -H "$(bearer a1)" "${report[@]}")" 200 "it is in"
start_live
poll 60 active
ok $? "what waited is delivered"
api DELETE "collectors/$id"
is "$STATUS" 204 "revoked"
is "$(call a1 /api/v1/config/report "${late[@]}" -H "$(bearer a1)" "${report[@]}" \
    -D "$T/head")" 401 \
    "it is out with the next request"
like "$(cat "$T/head")" '[Cc]onnection: close' "and its connection is closed"
stop live
new_secret "$T/secret" ',"allowed":"192.0.2.0/24"'
like "$(enrol a3 "$API" "$(api GET ca; member fingerprint)")" 'not for this address' \
    "a secret for other addresses"

# --- files that came by a reload stay, also when the authority has something new ---

if [ "$PGA_FULL" = 1 ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9000 \
        -subj '/CN=of a file' -addext 'subjectAltName=IP:127.0.0.1' \
        -keyout "$T/file.key" -out "$T/file.pem" 2>/dev/null
    sed -i "/^agent_listen/a tls_certificate = \"$T/file.pem\"\ntls_key = \"$T/file.key\"" \
        "$T/main/server.toml"
    kill -HUP "$(pid_of main)"
    subject() {
        openssl s_client -connect "127.0.0.1:$1" </dev/null 2>/dev/null | grep -m1 subject
    }
    soon_like 30 'subject $secure' 'of a file' "a reload brings a certificate of a file"
    log_in
    api POST ca/rotate '{"kind":"root"}'
    is "$STATUS" 200 "then there is a new root"
    sleep 25 # two looks of the server at its authority
    like "$(subject "$secure")" 'of a file' "the certificate is still that of the file"
fi
unlike "$(cat "$T/log/main" "$T/log/live")" "pgar_|PRIVATE KEY|Sanitizer|runtime error" \
    "no secret in the logs"
stop main
ok $? "the server ends cleanly"
done_testing
