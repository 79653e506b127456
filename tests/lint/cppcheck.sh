#!/bin/sh
# cppcheck: a second opinion over src/ where the program is installed; clang-tidy is the rule
# that must run. Left out: shifting a negative number right, which our compilers define, and
# uninitialised variables, which the analyser follows better. A folder for each tree is the cache.
set -eu
cd "${1:-.}"
if ! command -v cppcheck >/dev/null; then
    echo "note: cppcheck is not installed; tidy covers the static analysis"
    exit 0
fi
[ -n "$(find src -name '*.c' 2>/dev/null | head -n 1)" ] || exit 0
cache=${PGA_CACHE:-$HOME/.cache/pga}/lint/cppcheck-$(pwd | cksum | cut -d ' ' -f 1)
mkdir -p "$cache"
status=0
found=$(cppcheck --quiet --enable=warning,portability --inline-suppr --std=c11 -D_GNU_SOURCE \
    --suppress=missingInclude --suppress=unknownMacro --suppress=shiftTooManyBitsSigned \
    --suppress=uninitvar --suppress='*:build/*' \
    --cppcheck-build-dir="$cache" -j "$(nproc)" -Isrc --error-exitcode=1 \
    --template='{file}:{line}: {message} [{id}]' src 2>&1) || status=$?
[ -z "$found" ] || printf '%s\n' "$found"
[ "$status" -eq 0 ] || exit 1
