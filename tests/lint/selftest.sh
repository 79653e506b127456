#!/bin/bash
# selftest.sh [RULE]...: each rule passes on the clean sample and fails on each of its seeded
# violations (bad/RULE/*.seed), for the reason the seed names. Ends with `N passed, N failed`.
set -u
export PATH=/usr/bin:/bin:$PATH # wrappers of version managers start slowly
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PGA_CACHE=$work/cache
rules=("$@")
[ ${#rules[@]} -gt 0 ] || mapfile -t rules <"$here/rules.list"

# judge NAME PROBLEM: reports one test; an empty problem is a success.
judge() {
    if [ -z "$2" ]; then echo "ok $1"; else printf 'selftest %s: %s\n' "$1" "$2"; fi
}

# plant TREE: the clean sample, with the web compiler of this tree if there is one.
plant() {
    mkdir -p "$1"
    "$here/unpack.py" "$here/bad/clean.seed" "$1" >/dev/null
    if [ -x "$top/web/node_modules/.bin/tsc" ]; then
        ln -s "$top/web/node_modules" "$1/web/node_modules"
    fi
}

# Without the compiler, web sources must be an error of the rule `types`: that is all that
# can be shown, for the clean sample as for the seed.
no_compiler() {
    [ "$1" = types ] && [ ! -x "$top/web/node_modules/.bin/tsc" ]
}

# A tool that may be absent leaves nothing to fail.
cannot_fail() {
    [ "$1" = cppcheck ] && ! command -v cppcheck >/dev/null
}

# try RULE NAME STATUS TEXT: the rule's status over the planted tree, and text in its output.
try() {
    local program out status=0
    program=$(echo "$here/$1".[ps][yh])
    out=$("$program" "$work/$1/$2" 2>&1) || status=$?
    if [ "$status" -ne "$3" ]; then
        judge "$1/$2" "status $status, not $3: $out"
    elif [[ $out != *"$4"* ]]; then
        judge "$1/$2" "does not say \"$4\": $out"
    else
        judge "$1/$2" ""
    fi
}

# try_seed RULE SEED: the clean sample with one violation on top must fail as the seed says.
try_seed() {
    local name expect
    name=$(basename "$2" .seed)
    plant "$work/$1/$name"
    expect=$("$here/unpack.py" "$2" "$work/$1/$name")
    try "$1" "$name" 1 "${expect:?seed without expect: $2}"
}

# The program of a rule is absent: that must be said with its package, and never be a pass.
try_without_tool() {
    case $1 in
        format | headers | shellcheck | symbols | tidy) ;;
        *) return ;;
    esac
    mkdir -p "$work/$1/bin"
    ln -s "$(command -v python3)" "$work/$1/bin/python3"
    plant "$work/$1/no-tool"
    PATH=$work/$1/bin try "$1" no-tool 2 "is missing: install the package"
}

try_rule() {
    local seed
    plant "$work/$1/clean"
    if no_compiler "$1"; then
        try "$1" clean 2 "web/node_modules is missing"
        return
    fi
    try "$1" clean 0 ""
    try_without_tool "$1"
    cannot_fail "$1" && return
    [ -d "$here/bad/$1" ] || judge "$1" "has no seeded violation"
    for seed in "$here/bad/$1"/*.seed; do
        try_seed "$1" "$seed"
    done
}

# try_filter NAME STATUS EXCEPTION: what becomes of one finding and one warning.
try_filter() {
    local status=0
    echo "$3" >"$work/exceptions"
    printf 'src/a.c:1: long_run has 84 lines\nwarning: src/b.c:1: x\n' |
        "$here/filter.py" sizes "$work/exceptions" >"$work/filter" 2>&1 || status=$?
    if [ "$status" -eq "$2" ]; then
        judge "exceptions/$1" ""
    else
        judge "exceptions/$1" "status $status, not $2: $(cat "$work/filter")"
    fi
}

{
    try_filter none 1 "# none"
    try_filter excepted 0 "sizes src/a.c:long_run a state machine in one place"
    try_filter other-function 1 "sizes src/a.c:long a state machine in one place"
    try_filter other-rule 1 "form src/a.c a state machine in one place"
    try_filter without-reason 1 "sizes src/a.c:long_run"
    try_filter not-needed 1 "sizes src/c.c gone long ago"
} >"$work/exceptions.out"

# Rules run side by side; what each says is counted at the end.
for rule in "${rules[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
    try_rule "$rule" >"$work/$rule.out" 2>&1 &
done
wait
cat "$work"/*.out >"$work/all"
grep -v '^ok ' "$work/all"
passed=$(grep -c '^ok ' "$work/all")
failed=$(grep -c '^selftest ' "$work/all")
[ "$passed" -ge $((2 * ${#rules[@]} - 2)) ] || failed=$((failed + 1))
echo "lint selftest: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
