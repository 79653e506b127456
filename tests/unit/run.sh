#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
# Runs the unit test programs given as arguments, two at a time (JOBS), and tells of them in order;
# last line: "N passed, N failed". A program that crashes, or says nothing, counts as one failure.
# One that ends with 77 and says why needs what is only there elsewhere (a PostgreSQL:
# tests/scenario/store_pg.sh runs it there).
set -u
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
passed=0
failed=0
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-suppressions=$(dirname "$0")/../tsan.supp}

run() { # PROGRAM: its output and, at the end, its status
    timeout "${PGA_UNIT_TIMEOUT:-300}" "$1" >"$out/${1##*/}" 2>&1 </dev/null
    echo $? >"$out/${1##*/}.status"
}

tell() { # PROGRAM: what came of it
    local name=${1##*/} status ok skipped bad
    local text=$out/$name
    status=$(cat "$text.status")
    ok=$(grep -cE '^ok [0-9]' "$text")
    # cmocka writes "not ok 3 # SKIP name" of a test that says it cannot run here.
    skipped=$(grep -cE '^not ok [0-9]+ # SKIP' "$text")
    bad=$(($(grep -cE '^not ok [0-9]' "$text") - skipped))
    if [ "$status" -eq 77 ] && [ "$ok" -eq 0 ] && [ "$bad" -eq 0 ] && [ -s "$text" ]; then
        echo "--     $name: $(tail -n 1 "$text")"
        return
    fi
    if [ "$bad" -eq 0 ] && { [ "$status" -ne 0 ] || [ "$ok" -eq 0 ]; }; then
        bad=1
    fi
    if [ "$bad" -ne 0 ]; then
        echo "FAILED $name (exit status $status)"
        sed 's/^/    /' "$text"
    else
        echo "ok     $name ($ok)"
        [ "$skipped" -eq 0 ] || echo "--     $name: $skipped tests cannot run here"
    fi
    passed=$((passed + ok))
    failed=$((failed + bad))
}

running=0
for program in "$@"; do
    if [ "$running" -ge "${JOBS:-2}" ]; then
        wait -n
        running=$((running - 1))
    fi
    run "$program" &
    running=$((running + 1))
done
wait
for program in "$@"; do
    tell "$program"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
