#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# peers: the same samples pushed to pga and to Debian's VictoriaMetrics and Prometheus, one after
# the other: samples per CPU second of the server, memory, bytes a sample on disk once everything
# is written and merged, and the time of three queries. `disk` is readings, their index and what
# names them; `disk_of_all_files` all of the store but roll-ups, which are stated apart: also pga's
# list of acknowledged records, users, events. KEEP=DIR keeps pga's store. AGENTS (100),
# STEPS (360), and PEERS, the ones to run ("pga pga_objects victoriametrics prometheus"). A peer
# that cannot be fetched is "not compared". SHAPE=rows: one agent of 10000 rows with two columns
# instead of 100 of 50 rows with 20. CLIENTS (16) connections: with one or two a commit is for one
# push alone, which costs pga about 100 us of CPU more for each push.

# shellcheck source-path=SCRIPTDIR/../scenario
. "$(dirname "$0")/../scenario/lib.sh"
. "$(dirname "$0")/peer_servers.sh"
[ -x "$PGA" ] || { echo "bench peers: $PGA is not built" >&2; exit 1; }
shape=${SHAPE:-agents} form_of_agent=() samples_a_push=1000
if [ "$shape" = rows ]; then
    AGENTS=1 form_of_agent=(--rows 10000 --columns 8-9) samples_a_push=20000
fi
agents=${AGENTS:-100} steps=${STEPS:-360} clients=${CLIENTS:-16}
peers=${PEERS:-pga pga_objects victoriametrics prometheus}
end=$(($(date +%s) / 60 * 60)) # the last step; pga takes what is at most two days old
start_ms=$(((end - (steps - 1) * 60) * 1000))

cc -std=c17 -D_GNU_SOURCE -O2 "$ROOT/tests/bench/load.c" -lpthread -o "$T/load" || exit 1

memory_of() { awk '/^VmHWM/ {print int($2 / 1024)}' "/proc/$1/status"; }

note() { # NAME VALUE: a figure of the peer at hand
    printf '%s %s %s\n' "$peer" "$1" "$2" >>"$T/figures"
}

send() { # FORM PORT PID [OPTION...]
    local form=$1 port=$2 pid=$3 before
    shift 3
    before=$(cpu_of "$pid")
    "$T/load" --form "$form" --port "$port" --agents "$agents" --steps "$steps" \
        --clients "$clients" --start-ms "$start_ms" "${form_of_agent[@]}" "$@" >"$T/load.json" ||
        return 1
    note push_cpu_s "$(awk -v a="$before" -v b="$(cpu_of "$pid")" 'BEGIN {print b - a}')"
    quiet "$pid"
    note cpu_s "$(awk -v a="$before" -v b="$(cpu_of "$pid")" 'BEGIN {print b - a}')"
    note memory_mb "$(memory_of "$pid")"
    note load "$(tr -d ' ' <"$T/load.json")"
}

ask() { # BASE PID [OPTION...]
    local base=$1 pid=$2
    shift 2
    python3 "$ROOT/tests/bench/queries.py" --base "$base" --pid "$pid" --end "$end" \
        --steps "$steps" --shape "$shape" "$@" >"$T/queries" &&
        note queries "$(tr -d ' ' <"$T/queries")"
}

names_of() { # STORE: bytes of what names relations, groups and objects, with its indexes
    python3 - "$1/ingest.db" <<'P'
import sqlite3
import sys
pages = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute(
    "SELECT name, sum(pgsize) FROM dbstat GROUP BY name")
print(sum(n for name, n in pages if "object" in name or "grp" in name or "relation" in name))
P
}

compact() { # as happens by itself 26 h after the end of a day
    local _
    for _ in {1..10}; do
        api POST store/compact
        [ "$STATUS" = 200 ] && return
        [ "$STATUS" = 202 ] || return 1
    done
    return 1
}

run_pga() { # NAME FORM
    start_server "$1" && set_up_owner && enrol_secret "$T/secret" "$agents" || return 1
    python3 "$ROOT/tests/bench/collectors.py" "$SERVER_URL" "$T/secret" "$agents" \
        >"$T/collectors" || return 1
    send "$2" "$SERVER_PORT" "$(pid_of "$1")" --collectors "$T/collectors" || return 1
    [ "$2" != native ] ||
        ask "$SERVER_URL/prometheus/api/v1" "$(pid_of "$1")" --token-file "$T/token"
    note uncompacted "$(size_of "$T/$1/state/store" ! -path '*tier*')"
    compact || return 1
    stop "$1" TERM 120
    note disk "$(size_of "$T/$1/state/store" ! -path '*tier*')"
    note disk_raw "$(size_of "$T/$1/state/store" -path '*raw*')"
    note disk_rollups "$(size_of "$T/$1/state/store" -path '*tier*')"
    note disk_named \
        "$(($(size_of "$T/$1/state/store" -path '*raw*') + $(names_of "$T/$1/state/store")))"
    [ -z "${KEEP:-}" ] || cp -a "$T/$1/state/store" "$KEEP"
    rm -f "$T/token"
}

run_pga_objects() { run_pga pga_objects objects; }

run_peer() { # NAME
    start_peer "$1" || return 1
    note version "$PEER_VERSION"
    send remote "$PEER_PORT" "$PEER_PID" || return 1
    [ "$1" != victoriametrics ] || settle_victoriametrics
    ask "$PEER_API" "$PEER_PID"
    stop_peer "$1"
    note disk "$PEER_BYTES"
    note disk_named "$PEER_BYTES"
    note disk_raw "$PEER_RAW_BYTES"
}

: >"$T/figures"
for peer in $peers; do
    case $peer in
    pga) run_pga pga native ;;
    pga_objects) run_pga_objects ;;
    *) run_peer "$peer" ;;
    esac || echo "bench peers: $peer is not compared" >&2
done
python3 - "$T/figures" "$((agents * steps * samples_a_push))" <<'P'
import json, sys
samples = int(sys.argv[2])
figures = {}
for line in open(sys.argv[1]):
    peer, name, value = line.split(None, 2)
    figures.setdefault(peer, {})[name] = value.strip()
# At 100 agents and 360 steps.
GOALS = {"ingest": ">=4000000", "ingest_objects": ">=2000000",
         "disk": "<=0.65", "memory_peak": "<=64",
         "query_one_series": "<=0.5", "query_sum_by_db": "<=80", "query_top_20_by_rate": "<=2"}
rows = {}  # (figure, unit): {peer: value}
for peer, f in figures.items():
    load = json.loads(f.get("load", "{}") or "{}")
    if load:
        assert load["samples"] == samples, (peer, load)
        rows.setdefault(("ingest", "samples/cpu_s"), {})[peer] = (
            samples / max(float(f["cpu_s"]), .01))
        rows.setdefault(("ingest_push_only", "samples/cpu_s"), {})[peer] = (
            samples / max(float(f["push_cpu_s"]), .01))
        rows.setdefault(("push_p95", "ms"), {})[peer] = load["p95_ms"]
        rows.setdefault(("push_p99", "ms"), {})[peer] = load["p99_ms"]
    if "memory_mb" in f:
        rows.setdefault(("memory_peak", "MB"), {})[peer] = float(f["memory_mb"])
    for name, figure in (("disk_named", "disk"), ("disk", "disk_of_all_files"),
                         ("disk_raw", "disk_without_index"),
                         ("uncompacted", "disk_before_compaction"),
                         ("disk_rollups", "disk_rollups_beside")):
        if f.get(name):
            rows.setdefault((figure, "B/sample"), {})[peer] = int(f[name]) / samples
    queries = json.loads(f.get("queries") or "{}")
    for name, q in queries.items():
        rows.setdefault(("query_" + name, "ms"), {})[peer] = q["median_ms"]
        rows.setdefault(("query_%s_cpu" % name, "cpu_ms"), {})[peer] = q["cpu_ms"]
    if queries:
        print("# %s %s: %s" % (peer, f.get("version", ""), json.dumps(queries)))
if "pga_objects" in rows.get(("ingest", "samples/cpu_s"), {}):  # beside the same peers
    values = dict(rows["ingest", "samples/cpu_s"])
    values.pop("pga", None)
    values["pga"] = values.pop("pga_objects")
    rows["ingest_objects", "samples/cpu_s"] = values
for (figure, unit), values in rows.items():
    ours = values.get("pga")
    for peer, value in values.items():
        ratio = " ratio=%.2f" % (ours / value) if ours and value and peer != "pga" else ""
        pair = " peer=%.3f peer_name=%s" % (value, peer) if peer != "pga" else ""
        goal = " goal=%s" % GOALS[figure] if figure in GOALS else ""
        if peer != "pga" or len(values) == 1:
            print("bench name=%s value=%s unit=%s%s%s%s" % (
                figure, "%.3f" % ours if ours else "none", unit, pair, ratio, goal))
P
TEST_ENDED=1
