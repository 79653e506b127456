#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Collectors: counters that survive a restart and roll, silence that is noticed once and its end,
# paging by number.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga

start_server server 'health_check_interval = "8s"'
ok $? "the server is ready" || done_testing
set_up_owner
ok $? "the first owner" || done_testing
start_agent agent "$SERVER_URL" "host=127.0.0.1 port=1 user=nobody"
ok $? "an agent" || done_testing

look() { # [PATH]: a member of the first collector
    api GET collectors
    member "data.0.${1:-status}"
}
poll 30 eval '[ "$(look)" = active ]'
ok $? "an agent that delivers is active"
id=$(look id)
poll 40 eval '[ "$(look metrics_count_total)" -gt 0 ]'
ok $? "what it delivers is counted"
is "$(look health_check_interval)" 8 "the interval is that of the server"
stop agent
poll 40 eval '[ "$(look)" = offline ]'
ok $? "silent, it is offline"
total=$(look metrics_count_total)
is "$(look metrics_count_24h)" "$total" "all of it is of the last day"
poll 10 eval 'api GET "events?kind=collector_offline&from=-1h"; [ "$(member data.#)" = 1 ]'
is "$(member data.#) $(member data.0.severity) $(member data.0.body.collector)" "1 warning $id" \
    "an event says so, once"
api GET "monitoring"
stored=$(python3 -c 'import json, sys
print(sum(s["samples"] for s in json.load(sys.stdin)["streams"]))' <<<"$BODY")
is "$total" "$stored" "the count is that of the store"

stop server
restart_server server
ok $? "the server starts again" || done_testing
is "$(look metrics_count_total) $(look metrics_count_24h) $(look)" "$total $total offline" \
    "counters and state survive"
stop server
python3 - "$T/server/state/store/meta.db" <<'P'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("UPDATE collector_slot SET slot = slot - 288")
db.commit()
P
restart_server server
is "$(look metrics_count_total) $(look metrics_count_24h)" "$total 0" \
    "a day later none is of the day"

restart_agent agent
poll 40 eval '[ "$(look)" = active ]'
ok $? "heard again, it is active"
poll 10 eval 'api GET "events?kind=collector_online&from=-1h"; [ "$(member data.#)" = 1 ]'
is "$(member data.#) $(member data.0.severity)" "1 info" "an event says so, once"
api GET "events?kind=collector_offline&from=-1h"
is "$(member data.#)" 1 "and nothing else was told"
is "$(look id)" "$id" "it kept its identity"

for n in 1 2 3 4; do
    anonymous POST collectors/register "{\"name\":\"h$n\",\"hostname\":\"h$n\"}" \
        --header "X-Registration-Secret: $(cat "$T/agent/secret")"
done
api GET 'collectors?page=1&page_size=2'
first=$(member data.0.id)
is "$(member data.#) $(member total) $(member page) $(member page_size) $(member total_pages)" \
    "2 5 1 2 3" "a page has its members"
api GET 'collectors?page=3&page_size=2'
is "$(member data.#) $(member page)" "1 3" "the last page has the rest"
[ "$(member data.0.id)" != "$first" ]
ok $? "which is another"
api GET 'collectors?page=0'
is "$STATUS" 400 "pages count from 1"
api GET "collectors/$id"
is "$STATUS $(member status)" "200 active" "one collector"
done_testing
