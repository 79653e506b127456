#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# tests/promql/run.sh PROMQL-TEST: the cases of this folder, and those that have to fail.
# Last line: "N passed, N failed".
set -u
here=$(cd "$(dirname "$0")" && pwd)
tool=$1
out=$(mktemp)
trap 'rm -f "$out"' EXIT

"$tool" "$here"/*.test >"$out"
status=$?
sed '$d' "$out"
read -r passed _ failed _ < <(tail -n 1 "$out")
[ "$status" -le 1 ] || failed=$((failed + 1))

# One command is the load that the others are about.
wrong=$(($(grep -cE '^(eval|evil|load)' "$here/must_fail.script") - 1))
"$tool" "$here/must_fail.script" >"$out"
status=$?
if [ "$status" -eq 1 ] && [ "$(tail -n 1 "$out")" = "0 passed, $wrong failed" ]; then
    passed=$((passed + 1))
else
    echo "FAILED must_fail.script: $wrong cases should fail: $(tail -n 1 "$out")"
    grep -oE '^FAILED [^ ]+' "$out"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
