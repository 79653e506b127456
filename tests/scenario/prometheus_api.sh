#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The routes of Prometheus: what was pushed is answered exactly, from memory and again from blocks
# after a restart; errors, forms, limits, columns. Expected answers are computed from what was
# pushed, not by pga.
# timeout: 120

. "$(dirname "$0")/lib.sh"
need_pga

prometheus() { # PART
    python3 "$TOOL/promapi.py" --url "$SERVER_URL" --secret-file "$T/secret" \
        --token-file "$T/token" --state "$T/start" "$1"
}

# The guide lists every name of an exporter that answers, and no other.
python3 - "$ROOT" <<'P'
import re, sys
table = open(sys.argv[1] + "/src/store/tsdb/series/series_alias_table.c").read()
table = table.split("series_alias_table[] = {")[1]
guide = open(sys.argv[1] + "/packaging/doc/promql.md").read().split("| name | what answers")[1]
code, told = re.findall(r'\{\s*"(\w+)",', table), re.findall(r"^\| `(\w+)` \|", guide, re.M)
print("\n".join("# only in one of the two: " + name for name in sorted(set(code) ^ set(told))))
sys.exit(code != told)
P
ok $? "the guide has the names that answer"
start_server server 'log_level = "debug"'
ok $? "the server is ready" || done_testing
set_up_owner
enrol_secret "$T/secret"
prometheus send >"$T/send" 2>&1
ok $? "readings and loose samples are pushed" || diag "$(cat "$T/send")"
prometheus check >"$T/head" 2>&1
tap_from "$T/head" "memory: "
# A query that would take its ten seconds ends when the one who asked is gone.
python3 "$TOOL/promapi.py" --url "$SERVER_URL" --token-file "$T/token" leave
poll 10 grep -q 'query_range 499' "$T/log/server"
ok $? "a query ends when its client leaves"
stop server
ok $? "the server ends, and writes blocks"
restart_server server
ok $? "it is back"
log_in
prometheus check >"$T/blocks" 2>&1
tap_from "$T/blocks" "blocks: "
done_testing
