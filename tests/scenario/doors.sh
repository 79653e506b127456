#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The compatibility doors: shut by default, and then each flow of the published API (register,
# refresh-token, push, config) is refused with words that help; open, each works, over plain
# loopback and over TLS; what is bound to a certificate stays bound; log, audit and health tell.
# timeout: 120

. "$(dirname "$0")/lib.sh"
need openssl curl
need_pga

plain=$(free_port)
secure=$(free_port)
agents=$(free_port)
mkdir -p "$T/main"
server() { # [LINE...]: starts it (again); with no line, the doors are as by default
    stop main
    : >"$T/log/main"
    {
        printf '%s\n' '[server]' "listen = [\"127.0.0.1:$plain\", \"https://127.0.0.1:$secure\"]" \
            "agent_listen = [\"127.0.0.1:$agents\"]" "state_dir = \"$T/main/state\"" \
            'trusted_proxies = ["127.0.0.9"]' "$@"
    } >"$T/main/server.toml"
    restart_server main
}
SERVER=main
SERVER_PORT=$plain
SERVER_URL=http://127.0.0.1:$plain
server
ok $? "a server with its defaults is ready" || done_testing
set_up_owner
enrol_secret "$T/secret"
anonymous GET ca
member ca >"$T/ca.pem"
fingerprint=$(member fingerprint)

# --- the published flows, as its clients speak them ---

declare -A base=([plain]=http://127.0.0.1:$plain [TLS]=https://127.0.0.1:$secure
    [agents]=https://127.0.0.1:$agents)
call() { # WHERE PATH [CURL OPTION...]: sets STATUS and BODY, headers in $T/head
    local where=$1 path=$2
    shift 2
    STATUS=$(curl -sS -o "$T/body" -D "$T/head" -w '%{http_code}' --cacert "$T/ca.pem" "$@" \
        "${base[$where]}/api/v1/$path")
    BODY=$(cat "$T/body")
}
json=(-H 'Content-Type: application/json')
certificate=(--cert "$T/a1/agent.pem")
bearer() { # NAME: option lines of curl, of its token
    printf -- '-H\nAuthorization: Bearer %s\n' "$(cat "$T/token.$1")"
}
register() { # WHERE NAME
    call "$1" collectors/register "${json[@]}" -H "X-Registration-Secret: $(cat "$T/secret")" \
        -d "{\"name\":\"$2\",\"hostname\":\"$2\",\"version\":\"3.1.0\"}"
}
refresh() { # WHERE NAME: an empty body in chunks, announced
    mapfile -t token < <(bearer "$2")
    call "$1" collectors/refresh-token "${token[@]}" -X POST -d '' \
        -H 'Transfer-Encoding: chunked' -H 'Expect: 100-continue'
}
push() { # WHERE NAME [CURL OPTION...]: labelled gzip, and is none
    local where=$1 name=$2 id
    id=$(cat "$T/id.$name")
    shift 2
    mapfile -t token < <(bearer "$name")
    call "$where" metrics/push "${token[@]}" "${json[@]}" -H 'Content-Encoding: gzip' \
        -H "X-Collector-ID: $id" -H 'X-Protocol-Version: 1.0' "$@" \
        -d "{\"collector_id\":\"$id\",\"metrics\":[{\"type\":\"queue\",\"value\":$RANDOM}]}"
}
config() { # WHERE NAME
    mapfile -t token < <(bearer "$2")
    call "$1" "config/$(cat "$T/id.$2")" "${token[@]}"
}
knock() { # NAME [CURL OPTION...]: a push with nothing
    local id
    id=$(cat "$T/id.$1")
    shift
    call plain metrics/push "${json[@]}" "$@" \
        -d "{\"collector_id\":\"$id\",\"metrics\":[{\"type\":\"queue\",\"value\":$RANDOM}]}"
}
shut() { # WHAT: the last answer is the refusal of allow_bearer_push
    is "$STATUS $(member type)" "403 urn:pga:problem:door" "shut: $1 is refused"
    like "$(member detail)" 'pga agent enroll.*ingest\.allow_bearer_push' \
        "and the answer says what to do"
}
door_rows() { # how often the audit has it
    api GET 'audit?action=door.open&limit=100'
    grep -o '"action": *"door.open"' <<<"$BODY" | wc -l
}
health_of_doors() {
    api GET health
    member checks.doors.detail
}

# --- by default ---

is "$(health_of_doors)" shut "health: the doors are shut"
unlike "$(cat "$T/log/main")" 'DOOR OPEN' "nothing is shouted"
is "$(door_rows)" 0 "nothing is in the audit"
for where in plain TLS; do
    register "$where" "old-$where"
    shut "register over $where"
done
api GET registration-secrets
is "$(member data.0.total_registrations)" 0 "the secret was not used by it"
echo 99999999-9999-4999-8999-999999999999 >"$T/id.nobody"
knock nobody
is "$STATUS" 401 "shut: a push with nothing is refused"
like "$(member detail)" 'pga agent enroll.*ingest\.open_ingest' "and the answer says what to do"
printf '[agent]\nname = "a1"\n' >"$T/enrol.toml"
out=$("$PGA" agent enroll --state-dir "$T/a1" --server "${base[TLS]}" --secret-file "$T/secret" \
    --ca-fingerprint "$fingerprint" --config "$T/enrol.toml" 2>&1)
like "$out" '^enrolled as ' "an agent of pga enrols"
out=$("$PGA" agent enroll --state-dir "$T/a2" --server "${base[plain]}" \
    --secret-file "$T/secret" 2>&1)
like "$out" '^enrolled as ' "also over plain loopback, where it is not told whom to believe"
for name in a1 a2; do
    python3 "$TOOL/api.py" --get token <"$T/$name/identity.json" >"$T/token.$name"
    python3 "$TOOL/api.py" --get collector_id <"$T/$name/identity.json" >"$T/id.$name"
    push agents "$name" --cert "$T/$name/agent.pem"
    is "$STATUS" 200 "$name delivers with its certificate"
done

# --- open ---

server '[ingest]' 'allow_bearer_push = true'
ok $? "the server is back with allow_bearer_push"
like "$(cat "$T/log/main")" 'DOOR OPEN: ingest.allow_bearer_push is on' "the log shouts"
like "$(health_of_doors)" 'OPEN: ingest.allow_bearer_push' "health says so"
is "$(door_rows)" 1 "the audit has a row"
for where in plain TLS; do
    name=old-$where
    register "$where" "$name"
    is "$STATUS $(member certificate)" "201 null" "open: register over $where"
    member token >"$T/token.$name"
    member collector_id >"$T/id.$name"
    before=$(cat "$T/token.$name")
    refresh "$where" "$name"
    is "$STATUS" 200 "open: refresh-token over $where"
    member token >"$T/token.$name"
    isnt=$(cmp -s "$T/token.$name" - <<<"$before"; echo $?)
    is "$isnt" 1 "which gives another token"
    push "$where" "$name"
    is "$STATUS $(member message)" "200 Received 1 metrics" "open: push over $where"
    api PUT "config/$(cat "$T/id.$name")" '' # nothing of its own: a first version
    config "$where" "$name"
    is "$STATUS" 200 "open: config over $where"
    like "$(cat "$T/head")" '^[Xx]-[Cc]onfig-[Vv]ersion: 1' "with its version"
    config "$where" a1
    is "$STATUS" 401 "a token that is bound to a certificate reads nothing over $where"
    push "$where" a1
    is "$STATUS" 401 "and pushes nothing"
    refresh "$where" a1
    is "$STATUS" 401 "and is not renewed"
done
call plain collectors/register "${json[@]}" -H "X-Registration-Secret: $(cat "$T/secret")" \
    -d "{\"name\":\"a1\",\"hostname\":\"$(uname -n)\"}"
is "$STATUS" 401 "an agent with a certificate is not registered again without"
push agents a1 "${certificate[@]}"
is "$STATUS" 200 "agents with certificates deliver as before"
push agents old-plain "${certificate[@]}"
is "$STATUS" 401 "at their listener a token alone opens nothing"
call agents collectors/register "${certificate[@]}" "${json[@]}" \
    -H "X-Registration-Secret: $(cat "$T/secret")" -d '{"name":"x","hostname":"x"}'
is "$STATUS" 403 "nor does the published form"
knock old-plain
is "$STATUS" 401 "and a push with nothing is refused by this door"

# --- shut again: the same tokens ---

server
ok $? "the server is back with its doors shut"
for where in plain TLS; do
    refresh "$where" "old-$where"
    shut "refresh-token over $where"
    push "$where" "old-$where"
    shut "push over $where"
    config "$where" "old-$where"
    shut "config over $where"
done
push agents a1 "${certificate[@]}"
is "$STATUS" 200 "agents with certificates deliver"

# --- with nothing at all ---

server '[ingest]' 'open_ingest = true'
ok $? "the server is back with open_ingest"
like "$(cat "$T/log/main")" 'DOOR OPEN: ingest.open_ingest is on' "the log shouts"
like "$(health_of_doors)" 'OPEN: ingest.open_ingest' "health says so"
is "$(door_rows)" 2 "and the audit"
knock old-plain
is "$STATUS" 200 "a push with nothing is taken for the collector that it names"
knock nobody
is "$STATUS" 401 "of a collector that is not known it is not"
knock a1
is "$STATUS" 401 "nor of one that has a certificate"
knock old-plain --interface 127.0.0.9 -H 'X-Forwarded-For: 192.0.2.7'
is "$STATUS" 401 "nor from another machine"
push plain old-plain
shut "a token alone, by this door,"
call agents metrics/push "${certificate[@]}" "${json[@]}" \
    -d "{\"collector_id\":\"$(cat "$T/id.old-plain")\",\"metrics\":[{\"type\":\"x\",\"value\":1}]}"
is "$STATUS" 401 "and there is none at the listener of agents"
unlike "$(cat "$T/log/main")" "pgar_|Sanitizer|runtime error" "no secret in the log"
stop main
ok $? "the server ends cleanly"
done_testing
