#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# TOML 1.0: documents and what they say, documents that are none and where the mistake stands, and
# mutants of them that another parser judges as well; the decoder talks as the public suite expects.
# timeout: 120 full 600

. "$(dirname "$0")/lib.sh"
decoder=${TOML_DECODE:-$(dirname "$PGA")/toml-decode}
[ -x "$decoder" ] || { fail "$decoder is built (make build)"; done_testing; }

mutants=2000
[ "$PGA_FULL" = 0 ] || mutants=50000
python3 "$TOOL/tomlcases.py" "$decoder" --mutants "$mutants" --seed "${SEED:-1}" >"$T/cases" 2>&1
tap_from "$T/cases"

is "$(printf 'a = [1, "x"]\n' | "$decoder")" \
    '{"a":[{"type":"integer","value":"1"},{"type":"string","value":"x"}]}' \
    "the answer is tagged JSON in one line"
printf 'a = 1\nb = \n' | "$decoder" >"$T/out" 2>"$T/err"
is $? 1 "a document that is no TOML ends with status 1"
is "$(wc -c <"$T/out")" 0 "and prints nothing but a message"
like "$(cat "$T/err")" 'line 2, column 5' "that says where"
head -c 2000000 /dev/zero | tr '\0' '\n' | "$decoder" >"$T/out" 2>"$T/err"
is $? 1 "more than a configuration may hold is refused"
done_testing
