#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# memory: resident memory of the server with 100 agents x 1000 series: the peak while STEPS (120)
# readings of each are pushed as fast as they go, and what is left when all is quiet. Peer: the
# goal of 64 MB. Beside it the memory of the same server before the first push, and what the kernel
# counts as pages of files (the executable; given back under pressure).

# shellcheck source-path=SCRIPTDIR/../scenario
. "$(dirname "$0")/../scenario/lib.sh"
[ -x "$PGA" ] || { echo "bench memory: $PGA is not built" >&2; exit 1; }
agents=${AGENTS:-100} steps=${STEPS:-120} clients=${CLIENTS:-$agents}
start_ms=$((($(date +%s) / 60 - steps + 1) * 60000))

memory_of() { # PID WORD: kB
    awk -v word="$2:" '$1 == word {print $2}' "/proc/$1/status"
}

cc -std=c17 -D_GNU_SOURCE -O2 "$ROOT/tests/bench/load.c" -lpthread -o "$T/load" || exit 1
start_server server && set_up_owner && enrol_secret "$T/secret" "$agents" || exit 1
python3 "$ROOT/tests/bench/collectors.py" "$SERVER_URL" "$T/secret" "$agents" >"$T/collectors" ||
    exit 1
pid=$(pid_of server)
before=$(memory_of "$pid" VmRSS)
"$T/load" --form native --port "$SERVER_PORT" --agents "$agents" --steps "$steps" \
    --clients "$clients" --start-ms "$start_ms" --collectors "$T/collectors" >"$T/load.json" ||
    exit 1
peak=$(memory_of "$pid" VmHWM)
end=$(memory_of "$pid" VmRSS)
about="agents=$agents steps=$steps clients=$clients before=$before"
about="$about files=$(memory_of "$pid" RssFile)"
awk -v peak="$peak" -v end="$end" -v goal=65536 -v about="$about" 'BEGIN {
    form = "bench name=%s value=%d unit=kB peer=%d peer_name=goal ratio=%.2f %s\n"
    printf form, "memory_peak", peak, goal, peak / goal, about
    printf form, "memory_end", end, goal, end / goal, about
}'
TEST_ENDED=1
