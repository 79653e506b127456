#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# latency: how long a push takes until it is durable, while a dashboard is refreshed every second.
# AGENTS (100) push 1000 samples every PACE_MS (1000), each on a connection of its own, for DURATION
# (30) seconds; times count from when a push was due. Limits: p95 <= 2 x the p95 of append +
# fdatasync in the same run, on the same file system, + 3 ms; p99 <= 20 ms. HISTORY (60) readings of
# each agent are there before. FLUSH (1MB) of readings are held in memory, so that blocks are
# written meanwhile. FORM (native); IDLE=1 leaves the dashboard out.

# shellcheck source-path=SCRIPTDIR/../scenario
. "$(dirname "$0")/../scenario/lib.sh"
[ -x "$PGA" ] || { echo "bench latency: $PGA is not built" >&2; exit 1; }
agents=${AGENTS:-100} seconds=${DURATION:-30} pace=${PACE_MS:-1000} history=${HISTORY:-60}
pushes=$((seconds * 1000 / pace)) steps=$((history + seconds * 1000 / pace))
end=$(($(date +%s) / 60 * 60))
start_ms=$(((end - (steps - 1) * 60) * 1000))

cc -std=c17 -D_GNU_SOURCE -O2 "$ROOT/tests/bench/load.c" -lpthread -o "$T/load" || exit 1
start_server server '[store]' "flush_bytes = \"${FLUSH:-1MB}\"" || exit 1
set_up_owner && enrol_secret "$T/secret" "$agents" || exit 1
python3 "$ROOT/tests/bench/collectors.py" "$SERVER_URL" "$T/secret" "$agents" \
    >"$T/collectors" || exit 1
loads() { # STEPS OPTION...
    "$T/load" --form "${FORM:-native}" --port "$SERVER_PORT" --agents "$agents" --steps "$1" \
        --start-ms "$start_ms" --collectors "$T/collectors" "${@:2}"
}
loads "$history" >/dev/null || exit 1
log_in
sleep 2 # what the history left to do
if [ "${IDLE:-0}" = 0 ]; then
    python3 "$ROOT/tests/bench/dashboard.py" --url "$SERVER_URL" --token-file "$T/token" \
        --end "$end" --steps "$steps" --seconds "$((seconds + 1))" --form "${FORM:-native}" \
        >"$T/dashboard" &
    dashboard=$!
fi
loads "$steps" --first "$history" --pace-ms "$pace" --fsync "$T/server/state/fsync" \
    >"$T/result" || exit 1
[ -z "${dashboard:-}" ] || wait "$dashboard" || exit 1
python3 - "$T/result" "$T/dashboard" "$((agents * pushes))" <<'P'
import json, os, sys
r, fsync = (json.loads(line) for line in open(sys.argv[1]))
assert r["pushes"] == int(sys.argv[3]), r
limit = 2 * fsync["p95_ms"] + 3
for name, times, count in (("push", r, r["pushes"]), ("fsync", fsync, fsync["fsyncs"])):
    print("# %s: p50 %.2f, p95 %.2f, p99 %.2f ms of %d" % (
        name, times["p50_ms"], times["p95_ms"], times["p99_ms"], count))
if os.path.exists(sys.argv[2]):
    print("# dashboard: %s" % open(sys.argv[2]).read().strip())
print("bench name=push_p95_paced value=%.2f unit=ms peer=%.2f peer_name=2_fsync_p95_plus_3ms "
      "ratio=%.2f goal=<=%.2f" % (r["p95_ms"], limit, r["p95_ms"] / limit, limit))
print("bench name=push_p99_paced value=%.2f unit=ms peer=%.2f peer_name=fsync_p99 ratio=%.2f "
      "goal=<=20" % (r["p99_ms"], fsync["p99_ms"], r["p99_ms"] / fsync["p99_ms"]))
P
TEST_ENDED=1
