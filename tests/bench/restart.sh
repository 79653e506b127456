#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# restart: a server whose journal has grown to MIB (64) MB without a flush is killed and started
# again: CPU seconds until /readyz says ready, and wall time. Peers: SQLite handing over all rows
# of the same journal in the same run (CPU), and the goal of 2 s (wall).

# shellcheck source-path=SCRIPTDIR/../scenario
. "$(dirname "$0")/../scenario/lib.sh"
[ -x "$PGA" ] || { echo "bench restart: $PGA is not built" >&2; exit 1; }
agents=${AGENTS:-100} mib=${MIB:-64} step=20 first=0
start_ms=$((($(date +%s) / 60 - 1000) * 60000))

journal_mib() {
    api GET monitoring
    echo $(($(member store.journal_bytes) / 1048576))
}

cpu_of() { # PID: user and system seconds
    awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print ($12 + $13) / hz}' "/proc/$1/stat"
}

cc -std=c17 -D_GNU_SOURCE -O2 "$ROOT/tests/bench/load.c" -lpthread -o "$T/load" || exit 1
start_server server '[store]' 'flush_bytes = "900MB"' 'journal_bytes = "1GB"' 'flush_age = "24h"' &&
    set_up_owner && enrol_secret "$T/secret" "$agents" || exit 1
python3 "$ROOT/tests/bench/collectors.py" "$SERVER_URL" "$T/secret" "$agents" >"$T/collectors" ||
    exit 1
while [ "$(journal_mib)" -lt "$mib" ]; do
    "$T/load" --form native --port "$SERVER_PORT" --agents "$agents" --first "$first" \
        --steps $((first + step)) --clients 8 --start-ms "$start_ms" \
        --collectors "$T/collectors" >"$T/load.json" || exit 1
    first=$((first + step))
done
size=$(journal_mib)
stop server KILL
cp "$T/server/state/store/ingest.db"* "$T"
floor=$(python3 - "$T/ingest.db" <<'P'
import sqlite3, sys, time
start = time.process_time()
rows = sum(len(r[0]) for r in sqlite3.connect(sys.argv[1]).execute("SELECT slices FROM journal"))
print("%.3f" % (time.process_time() - start))
P
) || exit 1
sed -i '/^\[store\]/,$d' "$T/server/server.toml" # the usual bounds again
begin=$(date +%s%3N)
launch_server server
pid=$(pid_of server)
for _ in {1..6000}; do
    curl -fsS "$SERVER_URL/readyz" >/dev/null 2>&1 && break
    sleep 0.01
done
cpu=$(cpu_of "$pid")
wall=$(($(date +%s%3N) - begin))
grep -o 'store opened.*' "$T/log/server" | tail -1
about="samples=$((first * agents * 1000))"
about="$about memory_kb=$(awk '/^VmHWM/ {print $2}' "/proc/$pid/status")"
awk -v cpu="$cpu" -v floor="$floor" -v wall="$wall" -v size="$size" -v about="$about" 'BEGIN {
    printf "bench name=restart_cpu value=%.2f unit=cpu_s peer=%.3f ", cpu, floor
    printf "peer_name=sqlite_rows ratio=%.2f ", cpu / (floor > 0 ? floor : 0.001)
    printf "journal_mib=%d %s\n", size, about
    printf "bench name=restart_wall value=%.2f unit=s peer=2.00 peer_name=goal ", wall / 1000
    printf "ratio=%.2f\n", wall / 2000
}'
TEST_ENDED=1
