#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# agent_cost: CPU of the agent for its four sources beside a program that only runs the same kind
# of queries on the same clocks over libpq (session sample 1 s, databases 10 s, statements 60 s).
# The server, a load and 1000 different statements are there. SECONDS_RUN sets the time (60).

# shellcheck source-path=SCRIPTDIR/../scenario
. "$(dirname "$0")/../scenario/lib.sh"
[ -x "$PGA" ] || { echo "bench agent_cost: $PGA is not built" >&2; exit 1; }
seconds=${SECONDS_RUN:-60}

cpu_of() { # PID: user and system seconds
    python3 - "$1" <<'P'
import os, sys
words = open("/proc/%s/stat" % sys.argv[1]).read().rsplit(") ", 1)[1].split()
print((int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK"))
P
}

cc -std=c17 -D_GNU_SOURCE -O2 -I"$(pg_config --includedir)" "$ROOT/tests/bench/floor.c" -lpq \
    -o "$T/floor" || { echo "bench agent_cost: needs libpq-dev" >&2; exit 1; }
start_server server || exit 1
set_up_owner || exit 1
start_pg pg system || exit 1
for ((i = 0; i < 1000; i++)); do echo "select $i as a$i;"; done | psql -qAtX >/dev/null
cat >"$T/queries" <<'Q'
1000 select datid, usesysid, state, wait_event, query_id from pg_stat_get_activity(null)
10000 select * from pg_stat_database
60000 select * from pg_stat_statements(false)
Q
spawn load "$ROOT/tests/tool/load.sh" $((seconds * 2 + 60)) 2
start_agent agent "$SERVER_URL" "$DSN" || exit 1
sleep 10
before=$(cpu_of "$(pid_of agent)")
sleep "$seconds"
after=$(cpu_of "$(pid_of agent)")
rss=$(awk '/^VmHWM/ {print $2}' "/proc/$(pid_of agent)/status")
stop agent
floor=$("$T/floor" "$DSN" "$seconds" "$T/queries") || exit 1
python3 - "$before" "$after" "$floor" "$seconds" "$rss" <<'P'
import sys
before, after, floor, seconds, rss = sys.argv[1:]
per = 1000 / float(seconds)
value, peer = (float(after) - float(before)) * per, float(floor.split()[0]) * per
print("bench name=agent_cost value=%.3f unit=cpu_ms/s peer=%.3f peer_name=libpq_floor ratio=%.2f "
      "seconds=%s" % (value, peer, value / max(peer, 1e-9), seconds))
print("bench name=agent_memory value=%d unit=kB peer=12288 peer_name=goal ratio=%.2f" % (
    int(rss), int(rss) / 12288))
P
TEST_ENDED=1
