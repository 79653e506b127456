#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The server is away for longer than the live threshold (10 minutes in a full run, else 90 s
# with a threshold of 10 s), and more is waiting than one push holds: afterwards live data
# travels first in a new stream, the backlog drains behind it and closes, no reading is missing.
# timeout: 240, full 1200

. "$(dirname "$0")/lib.sh"
need_pga
away=90 threshold=10s
[ "$PGA_FULL" = 0 ] || { away=600 threshold=5m; }

DOORS=shut # and the agent pushes with a certificate, through the proxy
start_server server
ok $? "the server is ready" || done_testing
set_up_owner
start_pg pg system
start_proxy
spawn load "$TOOL/load.sh" 1200 2
lines=('every = "1s"')
for other in 2 3 4; do # several targets, so that the backlog is longer than one push
    lines+=('[[target]]' "name = \"db$other\"" "dsn = \"$DSN\"" 'every = "1s"')
done
start_agent agent "$PROXY_URL" "$DSN" "${lines[@]}" '[spool]' "live_after = \"$threshold\""
wait_acks 4 60
ok $? "the agent pushes" || done_testing
stop server
ok $? "the server goes away"
sleep "$away"
attempts=$(wc -l <"$T/acks")
returned=$(date +%s)
restart_server server && log_in
ok $? "and returns after $away s"
closed() { grep '"closes": true' "$T/acks" | grep -q '"status": 200'; }
poll 150 closed
ok $? "the backlog's stream is closed"
wait_acks 4 60
ok $? "live pushes go on"
python3 - "$T/acks" "$returned" >"$T/facts" <<'P'
import json, sys
entries = [json.loads(line) for line in open(sys.argv[1])]
after = [e for e in entries if e["time"] >= float(sys.argv[2]) and e["status"] == 200]
before = [e for e in entries if e["time"] < float(sys.argv[2]) and e["status"] == 200]
old = {e["request"]["stream"] for e in before}
# The very first answer is what tells the agent that the server is back.
backlog = [e["request"] for e in after[1:] if e["request"]["stream"] in old]
live = [e["request"] for e in after if e["request"]["stream"] not in old]
print("backlog_marked", all(p.get("backlog") for p in backlog) and len(backlog) > 0)
print("live_unmarked", not any(p.get("backlog") for p in live) and len(live) > 0)
print("streams", len(old), len({p["stream"] for p in live}))
late = [e["time"] * 1000 - i["record"]["made_ms"] for e in after[1:]
        if e["request"]["stream"] not in old for i in e["request"]["records"][-1:] if "record" in i]
print("live_delay_ms", int(max(late, default=-1)))
done = [e["time"] for e in after if e["request"].get("closes")]
print("drained_s", round(done[0] - float(sys.argv[2]), 1))
P
facts=$(cat "$T/facts")
diag "$facts"
diag "pushes tried while the server was away: $attempts"
le "$(sed -n 's/^live_delay_ms //p' "$T/facts")" 5000 "live data does not wait behind the backlog"
like "$facts" '^backlog_marked True' "the backlog is marked"
like "$facts" '^live_unmarked True' "live data is not"
like "$facts" '^streams 1 1' "one new stream took over"
stop agent # while it pushes, the oracle's two views are of two moments
oracle --max-hole 25000
ok $? "lost 0, doubled 0, and no reading is missing in between"
db=$(target_id postgresql)
api GET "servers/$db"
unlike "$BODY" '"reason": *"(spool_full|expired)' "no gap was made"
done_testing
