#!/bin/bash
# run.sh [--only RULE]... [DIR]: every lint rule over a tree (default: this one).
# Prints `lint RULE: ok` or the findings of the rule; exit 1 on any finding. The self-test of
# the chosen rules runs first: a rule that cannot fail proves nothing.
set -u
export PATH=/usr/bin:/bin:$PATH # wrappers of version managers start slowly
here=$(cd "$(dirname "$0")" && pwd)
rules=() dir=

usage() {
    echo "usage: run.sh [--only RULE]... [DIR]"
    echo "rules: $(tr '\n' ' ' <"$here/rules.list")"
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
        --only)
            grep -qxF -- "${2:-none}" "$here/rules.list" || usage
            rules+=("$2")
            shift 2
            ;;
        -*) usage ;;
        *)
            if [ ! -d "$1" ] || [ -n "$dir" ]; then usage; fi
            dir=$1
            shift
            ;;
    esac
done
[ ${#rules[@]} -gt 0 ] || mapfile -t rules <"$here/rules.list"
top=$(cd "$here/../.." && pwd)
dir=$(cd "${dir:-$top}" && pwd)
exceptions=/dev/null
[ "$dir" != "$top" ] || exceptions=$here/exceptions

# run_rule RULE: its findings after the exceptions. Status 0 clean, 1 findings or broken.
run_rule() {
    local rule=$1 program found status=0 left=0
    program=$(echo "$here/$rule".[ps][yh])
    found=$("$program" "$dir" 2>&1) || status=$?
    if [ "$status" -gt 1 ] || { [ "$status" -eq 1 ] && [ -z "$found" ]; }; then
        printf '%s\nlint %s: could not run (status %s)\n' "$found" "$rule" "$status"
        return 1
    fi
    printf '%s' "$found" | "$here/filter.py" "$rule" "$exceptions" || left=1
    if [ "$left" -eq 0 ]; then echo "lint $rule: ok"; else echo "lint $rule: FAILED"; fi
    return "$left"
}

failed=0
"$here/selftest.sh" "${rules[@]}" || failed=1
for rule in "${rules[@]}"; do
    run_rule "$rule" || failed=1
done
[ "$failed" -eq 0 ] || echo "lint: FAILED"
exit "$failed"
