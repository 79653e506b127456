#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Pushes in every form that older collectors use: their twelve documents read back with the right
# numbers, loose samples, items refused one by one, identical bodies taken once (also after a kill
# between answer and resend), encodings, chunks, bounds, and the door that is closed by default.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga

forms() { # PART [FILE]
    python3 "$TOOL/pushforms.py" --url "$SERVER_URL" --secret-file "$T/secret" \
        --token-file "$T/token" "$@"
}

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
enrol_secret "$T/secret"
forms forms >"$T/forms" 2>&1
tap_from "$T/forms"
forms transport >"$T/transport" 2>&1
tap_from "$T/transport"

# An answer that is lost because the server is killed: the collector sends the same body again.
forms body "$T/body"
is "$(forms send "$T/body" | python3 -c 'import json,sys
print(json.load(sys.stdin)[1]["duplicate"])')" False "the body is new"
kill -9 "$(pid_of server)"
reap server 10 >/dev/null
restart_server server
ok $? "the server is back after kill -9"
is "$(forms send "$T/body" | python3 -c 'import json,sys
answer = json.load(sys.stdin)[1]
print(answer["duplicate"], answer["metrics_inserted"])')" "True 0" "the body sent again is known"
log_in
db=$(target_id postgresql)
api GET "servers/$db/metrics?relation=killed&column=value&from=-1h&step=3600000&agg=count"
is "$(python3 -c 'import json,sys
print(sum(v or 0 for s in json.load(sys.stdin)["series"] for v in s["values"]))' \
    <<<"$BODY")" 1 "its value is stored once"
poll 10 eval 'api GET "events?kind=pg_log_killed"; [ "$(member "data.#")" = 1 ]'
ok $? "and its entry is an event once" || diag "$BODY"
stop server
restart_server server
ok $? "the server is back after a clean stop"
is "$(forms send "$T/body" | python3 -c 'import json,sys
print(json.load(sys.stdin)[1]["duplicate"])')" True "the body is known after a clean stop too"

# The door: a push without a token.
knock() { # COLLECTOR: a push in its name, without a token
    anonymous POST metrics/push \
        "{\"collector_id\": \"$1\", \"metrics\": [{\"type\": \"door\", \"value\": 1}]}"
}
read -r collector _ <"$T/collector"
knock "$collector"
is "$STATUS" 401 "a push without a token is refused by default"
stop server
sed -i 's/^\[ingest\]$/&\nopen_ingest = true/' "$T/server/server.toml"
restart_server server
ok $? "the server is back with ingest.open_ingest"
like "$(cat "$T/log/server")" 'open_ingest is on' "it warns of the open door"
knock "$collector"
is "$STATUS" 200 "the push is taken for the collector that it names"
knock 99999999-9999-4999-8999-999999999999
is "$STATUS" 401 "a collector that is not registered stays outside"
unlike "$(cat "$T/log/server")" 'Sanitizer|runtime error' "no sanitizer report"
done_testing
