#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# Runs the unit test programs given as arguments; last line: "N passed, N failed". A program that
# crashes, or says nothing, counts as one failure. One that ends with 77 and says why needs what is
# only there elsewhere (a PostgreSQL: tests/scenario/store_pg.sh runs it there).
set -u
out=$(mktemp)
trap 'rm -f "$out"' EXIT
passed=0
failed=0
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
for program in "$@"; do
    timeout "${PGA_UNIT_TIMEOUT:-300}" "$program" >"$out" 2>&1 </dev/null
    status=$?
    ok=$(grep -cE '^ok [0-9]' "$out")
    # cmocka writes "not ok 3 # SKIP name" of a test that says it cannot run here.
    skipped=$(grep -cE '^not ok [0-9]+ # SKIP' "$out")
    bad=$(($(grep -cE '^not ok [0-9]' "$out") - skipped))
    if [ "$status" -eq 77 ] && [ "$ok" -eq 0 ] && [ "$bad" -eq 0 ] && [ -s "$out" ]; then
        echo "--     ${program##*/}: $(tail -n 1 "$out")"
        continue
    fi
    if [ "$bad" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$ok" -eq 0 ]; }; then
        bad=1
    fi
    if [ "$bad" -ne 0 ]; then
        echo "FAILED ${program##*/} (exit status $status)"
        sed 's/^/    /' "$out"
    else
        echo "ok     ${program##*/} ($ok)"
        [ "$skipped" -eq 0 ] || echo "--     ${program##*/}: $skipped tests cannot run here"
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
