#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# What pga stored lies between what psql and /proc said before and after, for each counter of
# the four sources, on the system's PostgreSQL and on 17 (a full run: on 10 to 18).
# timeout: 600, full 2400

. "$(dirname "$0")/lib.sh"
need_pga
versions="15 17"
[ "$PGA_FULL" = 0 ] || versions="10 11 12 13 14 15 16 17 18"

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
for version in $versions; do
    start_pg "pg$version" "$version" || { fail "PostgreSQL $version starts"; continue; }
    spawn "load$version" "$TOOL/load.sh" 600 2
    start_agent "agent$version" "$SERVER_URL" "$DSN" 'statements_every = "5s"'
    poll 60 eval 'api GET servers; [[ $BODY =~ agent$version-db ]]'
    ok $? "$version: the agent enrols and its database appears" || continue
    ids=$(python3 -c 'import json,sys
rows = json.load(sys.stdin)["data"]
db = next(r for r in rows if r["name"] == sys.argv[1])
host = next(r for r in rows if r["kind"] == "host" and r["collector_id"] == db["collector_id"])
print(db["id"], host["id"])' "agent$version-db" <<<"$BODY")
    python3 "$TOOL/sandwich.py" --url "$SERVER_URL" --token-file "$T/token" \
        --database "${ids% *}" --host "${ids#* }" >"$T/out" 2>&1
    tap_from "$T/out" "$version: "
    stop "agent$version"
    stop "load$version"
    stop_pg "pg$version"
    log_in
done
done_testing
