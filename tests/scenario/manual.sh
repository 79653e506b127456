#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The manual pages: one of each applet with every option and command that --help has, one of each
# configuration file with every key, clean for mandoc and man, the same for the same sources, and
# put in place by make install.
# timeout: 120

. "$(dirname "$0")/lib.sh"
need_pga
need mandoc man

"$PGA" manual >"$T/pages"
is $? 0 "pga manual lists the pages"
is "$(tr '\n' ' ' <"$T/pages")" "pga.1 pga-agent.8 pga-ctl.1 pga-demo.1 pga-migrate.8 \
pga-server.8 pga-agent.toml.5 pga-server.toml.5 " "one of each applet and configuration"
mkdir "$T/man"
while read -r page; do
    "$PGA" manual "$page" >"$T/man/$page"
    is $? 0 "$page is printed"
    is "$(mandoc -T lint -W warning "$T/man/$page" 2>&1)" '' "mandoc finds nothing in it"
    is "$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$T/man/$page" 2>&1 >/dev/null)" '' \
        "nor does man"
done <"$T/pages"

# What a reader sees, in one line: name of the page, everything without line breaks.
shown() { mandoc -T utf8 -O width=300 "$T/man/$1" | sed 's/.\x08//g'; }
for applet in agent demo migrate server ctl; do
    page=$(grep "^pga-$applet\.[18]$" "$T/pages")
    shown "$page" >"$T/shown"
    "$PGA" "$applet" --help >"$T/help"
    missing=$(grep -oE '^  --[a-z-]+' "$T/help" | while read -r option; do
        grep -qE "^ +$option( |\$|\[)" "$T/shown" || echo "$option"
    done)
    is "$missing" '' "$page has every option of --help"
    ge "$(grep -cE '^  --[a-z-]+' "$T/help")" 4 "which are several"
    missing=$(sed -n '/^commands:/,/^$/s/^  \([a-z][a-z -]*[a-z]\)  .*/\1/p' "$T/help" |
        while read -r command; do
            grep -qE "^ +$command( |\$)" "$T/shown" || echo "$command"
        done)
    is "$missing" '' "and every command"
done
for applet in agent server; do
    page=pga-$applet.toml.5
    shown "$page" >"$T/shown"
    "$PGA" "$applet" --config-reference >"$T/reference"
    keys=$(sed -n '/^## Old/q; s/^- `\([a-z_]*\)` (.*/\1/p' "$T/reference")
    missing=$(for key in $keys; do
        grep -qE "^ +$key \(" "$T/shown" || echo "$key"
    done)
    is "$missing" '' "$page has every key ($(wc -w <<<"$keys"))"
    is "$(grep -cE '^ +[a-z_]+ \(' "$T/shown")" "$(wc -w <<<"$keys")" "each as often as it is one"
    missing=$(sed -n '/^## Old/,$s/^- `\(.*\)`: .*/\1/p' "$T/reference" | while read -r key; do
        grep -qF "$key" "$T/shown" || echo "$key"
    done)
    is "$missing" '' "and every old key"
done
for applet in agent server ctl demo migrate; do
    like "$(shown pga.1)" "pga-$applet\\([18]\\)" "pga(1) names pga-$applet"
done
cmp -s <("$PGA" ctl manual) <("$PGA" manual pga-ctl.1)
ok $? "pga ctl manual prints pga-ctl(1)"
like "$(SOURCE_DATE_EPOCH=86400 "$PGA" manual pga.1)" '^\.TH "pga" 1 1970-01-02' \
    "SOURCE_DATE_EPOCH is the date"
"$PGA" manual pga-nothing.1 >"$T/out" 2>"$T/err"
is "$? $(cat "$T/out")" "2 " "a page that is not there is wrong use"
like "$(cat "$T/err")" 'pga manual' "and the error says where the names are"

env -u MAKEFLAGS -u MAKELEVEL make -s -C "$ROOT" install PREFIX="$T/place" >"$T/log/install" 2>&1
ok $? "make install" || diag "$(cat "$T/log/install")"
is "$(cd "$T/place/share/man" && find . -type f | sort | tr '\n' ' ')" \
    "$(sed 's,\(.*\)\.\([0-9]\)$,./man\2/&,' "$T/pages" | sort | tr '\n' ' ')" \
    "puts every page into its section"
done_testing
