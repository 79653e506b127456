#!/bin/sh
# types: the TypeScript of web/ has no type error. Needs web/node_modules (made by the build)
# or a Makefile with web-check; web sources with neither are an error, not a pass.
set -eu
cd "${1:-.}"
[ -f web/tsconfig.json ] || exit 0
status=0
if [ -x web/node_modules/.bin/tsc ]; then
    found=$(cd web && node_modules/.bin/tsc --noEmit --pretty false 2>&1) || status=$?
elif [ -f Makefile ] && grep -q '^web-check:' Makefile; then
    found=$(make -s --no-print-directory web-check 2>&1) || status=$?
else
    echo "web/node_modules is missing: run make build, which installs the compiler"
    exit 2
fi
[ "$status" -ne 0 ] || exit 0
printf '%s\n' "$found" | sed -E 's|^([^ (]+)\(([0-9]+),[0-9]+\): |web/\1:\2: |'
exit 1
