#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The API does what its description says: /openapi.json is sound, each GET route of it answers
# with the members described and no others, and /swagger shows every route.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
ok $? "the first owner" || done_testing
start_pg pg system
ok $? "PostgreSQL" || done_testing
spawn load "$TOOL/load.sh" 240 2
start_agent agent "$SERVER_URL" "$DSN"
server=$(target_id postgresql)
like "$server" '^[0-9a-f-]{36}$' "a target is known" || done_testing
api GET collectors
collector=$(member data.0.id)
api GET monitoring
stream=$(member streams.0.stream)
api GET registration-secrets
secret=$(member data.0.id)
api PUT "config/$collector" '# nothing'
is "$STATUS" 200 "a configuration for the agent"
api POST managed-instances \
    '{"name":"far","endpoint":"db.invalid","master_username":"x","paused":true}'
managed=$(member id)
# Wait for rows of statements and session history, so that lists are not empty.
has_data() {
    api GET "servers/$server/queries/top?from=-1h"
    [ "$(member data.#)" -gt 0 ] || return 1
    api GET "servers/$server/sessions/load?from=-1h"
    [ "$(member series.#)" -gt 0 ]
}
poll 130 has_data
ok $? "there are statements and sessions"

python3 "$TOOL/contract.py" --url "$SERVER_URL" --token-file "$T/token" \
    --param "id=$server" --param "server.id=$server" --param "collector.id=$collector" \
    --param "newest.id=$collector" \
    --param "managed.id=$managed" --param "secret.id=$secret" \
    --param "collector_id=$collector" --param user.id=1 \
    --param config.id=1 --param "cardinality.id=$collector" \
    --param breakdown.by=wait_event,usename \
    --param "collector=$collector" --param "stream=$stream" --param relation=pg_stat_database \
    --param prometheus.query=pg_instance_up --param prometheus.start="$(($(date +%s) - 60))" \
    --param prometheus.end="$(date +%s)" --param prometheus.step=10 --param prometheus.name=job \
    --param "prometheus.match[]=pg_instance_up" \
    >"$T/contract" 2>&1
tap_from "$T/contract" "contract: "

anonymous GET /openapi.json
is "$STATUS" 200 "anyone on this machine may read the description"
anonymous GET /swagger
is "$STATUS" 200 "and its page"
printf '%s' "$BODY" >"$T/page"
api GET /openapi.json
printf '%s' "$BODY" >"$T/openapi"
python3 - "$T/page" "$T/openapi" <<'P'
import html, json, re, sys
page = open(sys.argv[1]).read()
document = json.load(open(sys.argv[2]))
want = {(m.upper(), p) for p, item in document["paths"].items() for m in item}
have = set(re.findall(r'<b class="\w+">(\w+)</b> <code>([^<]+)</code>', page))
print("#", want ^ have)
inline = re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page)
sys.exit(want != have or inline is not None)
P
ok $? "the page shows every route, and has no script or style inside"
for file in swagger.css swagger.js; do
    api GET "/$file"
    is "$STATUS" 200 "/$file is there"
done
done_testing
