#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# tests/scenario/run.sh [--full] [NAME...]   run the whole-program tests
#
# Runs every scenario of this folder (or the named ones), each with a time limit of its own
# (a line "# timeout: SECONDS" in it, default 300), and prints one line per scenario, each
# failed test, and at the end `N passed, N failed` counted in tests. Logs stay in
# build/scenario. A scenario that ends early, breaks its plan or exceeds its time counts as a
# failed test. --full runs the long forms; a skipped test counts as failed there.
# Variables: PGA (the binary), PGA_FAULTY (the build with fault points), KILLS, KEEP=1, PGA_SLOW
# (every time limit is multiplied by it; for sanitizers).

set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
logs=$root/build/scenario
passed=0 failed=0 skipped=0

export PGA_FULL=${PGA_FULL:-0} PGA_SLOW=${PGA_SLOW:-1}
if [ "${1:-}" = --full ]; then
    PGA_FULL=1
    shift
fi

limit_of() { # FILE: its time limit in seconds
    local limit
    limit=$(sed -n 's/^# timeout: \([0-9]*\).*/\1/p' "$1" | head -1)
    [ "$PGA_FULL" = 0 ] ||
        limit=$(sed -n 's/^# timeout: .*full \([0-9]*\).*/\1/p' "$1" | head -1 | grep . ||
            echo "$limit")
    echo $((${limit:-300} * PGA_SLOW))
}

JOBS=${JOBS:-2}

count() { grep -c -E "$1" "$2" || true; }

run_one() { # NAME
    local name=$1 file=$here/$1.sh log=$logs/$1.log start=$SECONDS status good bad skips plan
    if [ ! -f "$file" ]; then
        echo "not ok $name: no such scenario"
        echo "0 1 0" >"$logs/$name.count"
        return
    fi
    timeout --kill-after=30 "$(limit_of "$file")" bash "$file" >"$log" 2>&1 </dev/null
    status=$?
    skips=$(count '^ok .*# SKIP' "$log")
    good=$(($(count '^ok ' "$log") - skips))
    bad=$(count '^not ok ' "$log")
    plan=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$log" | tail -1)
    if [ "$PGA_FULL" = 1 ]; then bad=$((bad + skips)); fi
    if [ -z "$plan" ] || [ "$plan" != $((good + skips + $(count '^not ok ' "$log"))) ]; then
        echo "    $name ended early (status $status, plan ${plan:-none})"
        bad=$((bad + 1))
    elif [ "$status" != 0 ] && [ "$bad" = 0 ]; then
        echo "    $name: exit status $status"
        bad=1
    fi
    echo "$good $bad $skips" >"$logs/$name.count"
    printf '%s %s: %d passed, %d failed, %d skipped, %d s\n' \
        "$([ "$bad" = 0 ] && echo ok || echo 'not ok')" "$name" "$good" "$bad" "$skips" \
        $((SECONDS - start))
    sed -n 's/^ok [0-9]* \(.*# SKIP.*\)/    skipped: \1/p' "$log"
    if [ "$bad" != 0 ]; then
        grep -A6 '^not ok ' "$log" | sed 's/^/    /' | head -60
        tail -25 "$log" | sed 's/^/    | /'
    fi
}

mkdir -p "$logs"
names=("$@")
if [ ${#names[@]} = 0 ]; then
    for file in "$here"/*.sh; do
        name=$(basename "$file" .sh)
        case $name in lib | run) ;; *) names+=("$name") ;; esac
    done
fi
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
for name in "${names[@]}"; do
    while [ "$(jobs -pr | wc -l)" -ge "$JOBS" ]; do wait -n; done
    rm -f "$logs/$name.count"
    {
        run_one "$name" >"$logs/$name.result" 2>&1
        { flock 9 && cat "$logs/$name.result"; } 9>"$logs/.lock"
    } &
done
wait
for name in "${names[@]}"; do
    read -r good bad skips <"$logs/$name.count" || { good=0 bad=1 skips=0; }
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skips))
done
[ "$skipped" = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
