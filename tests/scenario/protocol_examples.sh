#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Every example of packaging/doc/protocol.md gets the answer that the page promises, and what
# the examples stored can be read back.
# timeout: 60

. "$(dirname "$0")/lib.sh"
need_pga

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
enrol_secret "$T/secret"
python3 "$TOOL/examples.py" --url "$SERVER_URL" --secret-file "$T/secret" \
    --page "$ROOT/packaging/doc/protocol.md" >"$T/examples" 2>&1
tap_from "$T/examples"

db=33333333-3333-4333-8333-333333333333
now=$(sed -n 's/^# now=//p' "$T/examples")
read_back() { # COLUMN FROM TO AGG KEYFILTER
    local window="from=$2&to=$3&step=1000"
    api GET "servers/$db/metrics?relation=pg_stat_database&column=$1&$window&agg=$4&$5"
}
read_back xact_commit $((now - 20500)) $((now - 19500)) last key.datname=app
is "$(member series.0.values)" "[9007199254740993]" "a counter beyond 2^53 comes back exactly"
read_back numbackends $((now - 10500)) $((now - 9500)) last key.datname=postgres
unlike "$BODY" '"values": ?\[[0-9]' "a null value is absent, not zero"
read_back xact_commit $((now - 20500)) $((now - 9500)) count key.datname=postgres
is "$(python3 -c 'import json,sys
print(sum(v or 0 for s in json.load(sys.stdin)["series"] for v in s["values"]))' \
    <<<"$BODY")" 2 "the duplicate push stored nothing"
window="from=$((now - 11000))&to=$now&step=11000"
api GET "servers/$db/metrics?relation=pg_session_history&column=samples&$window&agg=sum&\
by=wait_event_type"
is "$(python3 -c 'import json,sys
d = json.load(sys.stdin)
total = {s["labels"]["wait_event_type"]: sum(v or 0 for v in s["values"]) for s in d["series"]}
print(sorted(total.items()))' \
    <<<"$BODY")" "[('', 31), ('Lock', 4)]" "session history comes back by wait type"
poll 10 eval 'api GET "events?kind=database_dropped"; [ "$(member "data.#")" = 1 ]'
ok $? "the event is stored once" || diag "$BODY"
api GET "servers/$db"
is "$(member attributes.version)" 17.6 "the target has its attributes"
done_testing
