#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# tests/all.sh [--full]   what `make test` and `make full` run, stage by stage
#
# Each stage ends with a line `N passed, N failed`; the last line here is their sum. A stage that
# fails without such a line counts as one failure. Output of each stage: build/test/<stage>.log.
set -u
cd "$(dirname "$0")/.." || exit 1
mkdir -p build/test
passed=0 failed=0 full=0
[ "${1:-}" != --full ] || full=1

stage() { # NAME COMMAND...
    local name=$1 log=build/test/$1.log start=$SECONDS status line good=0 bad=0
    shift
    echo "== $name"
    "$@" </dev/null >"$log" 2>&1
    status=$?
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
    if [ -n "$line" ]; then
        good=${line%% *}
        bad=${line#*, }
        bad=${bad%% *}
    fi
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    # A stage without counts of its own is one test: it ended well.
    if [ -z "$line" ] && [ "$status" -eq 0 ]; then
        good=1
    fi
    if [ "$bad" -ne 0 ]; then
        tail -n 150 "$log"
    else
        grep -E '^(ok|not ok|    skipped:) |skipped$' "$log" | tail -n 80
    fi
    echo "== $name: $good passed, $bad failed, $((SECONDS - start)) s"
    passed=$((passed + good)) failed=$((failed + bad))
}

exists() { compgen -G "$1" >/dev/null; }

# Full scenarios run one after the other and mostly wait; what only computes runs beside them, on
# the other processor. Its report is printed when it has ended.
compute() {
    passed=0 failed=0
    stage unit-clang make unit-clang
    stage unit-tsan make unit-tsan
    if exists 'tests/fuzz/fuzz_*.c'; then stage fuzz make fuzz; fi
    echo "$passed $failed" >build/test/compute.count
}
compute_begin() {
    rm -f build/test/compute.count
    compute >build/test/compute.report 2>&1 &
    compute_pid=$!
}
compute_end() {
    local good=0 bad=1
    wait "$compute_pid"
    cat build/test/compute.report
    read -r good bad <build/test/compute.count
    passed=$((passed + good)) failed=$((failed + bad))
}

stage build make build
[ "$full" -eq 0 ] || stage lint make lint
# The long forms of power cuts and kills are for this stage alone.
if [ "$full" -eq 1 ]; then
    stage unit env PGA_POWER_CUTS=10000 PGA_KILLS=200 PGA_UNIT_TIMEOUT=900 make unit
else
    stage unit make unit
fi
stage promql make promql
if [ "$full" -eq 1 ]; then
    stage promql-compare tests/tool/promql_compare.py --count 5000 --fetch --required
else
    stage promql-compare tests/tool/promql_compare.py --count 300
fi
stage unit-asan make unit-asan
stage promql-asan make promql VARIANT=asan
if exists 'tests/fuzz/fuzz_*.c'; then stage corpus make fuzz-replay; fi
if [ -f web/package.json ]; then stage web make web-check; fi
if [ -x tests/golden/run.sh ]; then stage golden tests/golden/run.sh; fi
if [ -x tests/scenario/run.sh ]; then
    stage fault make fault
    if [ "$full" -eq 1 ]; then
        compute_begin
        stage scenario tests/scenario/run.sh --full
        stage scenario-asan make scenario-asan
        compute_end
        stage dist vendor/dist --twice
    else
        stage scenario tests/scenario/run.sh
    fi
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
