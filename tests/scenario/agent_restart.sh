#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The agent knows where it stopped: calls of statements made while it was down arrive exactly
# when it ended by SIGTERM. When it was killed, or its file is damaged, the start is not known:
# calls may be missing, and are never counted twice.
# timeout: 400

. "$(dirname "$0")/lib.sh"
need_pga
need python3 psql
statements="relation=pg_stat_statements&column=calls&from=-3h&to=now&step=10800000&agg=sum"

calls() { # NUMBER: of the statement we count
    local i
    for ((i = 0; i < $1; i++)); do
        echo "select 'pga marker' as marker;"
    done | psql -qAtX >/dev/null
}

called() { sql "select coalesce(sum(calls), 0) from pg_stat_statements where query like '$1'"; }

read_calls() { # QUERYID
    api GET "servers/$db/metrics?$statements&by=queryid&key.queryid=$1"
    [ "$STATUS" = 200 ]
}

delivered() { # QUERY: sets DELIVERED
    poll 30 read_calls \
        "$(sql "select queryid from pg_stat_statements where query like '$1' limit 1")"
    DELIVERED=$(python3 -c 'import json,sys
print(sum(v or 0 for s in json.load(sys.stdin)["series"] for v in s["values"]))' <<<"$BODY")
}

is_delivered() { delivered "$1" && [ "$DELIVERED" = "$2" ]; } # QUERY NUMBER

has_kept() { [ -n "$(ls "$T/$agent/state/keep" 2>/dev/null)" ]; }

has_read_again() { # the file is newer than this moment
    touch "$T/moment"
    poll 20 eval "[ -n \"\$(find '$T/$agent/state/keep' -name '*.keep' -newer '$T/moment')\" ]"
}

for version in 15 17; do
    agent=agent$version
    start_server "server$version" && set_up_owner && start_pg "pg$version" "$version"
    ok $? "PostgreSQL $version: servers run" || done_testing
    marker='select $1 as marker'
    fresh='select count(*) from pg_am where amname = $1'
    start_agent "$agent" "$SERVER_URL" "$DSN" 'statements_every = "2s"' 'sessions_every = "1s"'
    poll 30 has_kept
    ok $? "PostgreSQL $version: the first reading is kept" || done_testing
    db=$(target_id postgresql) # the file is kept before the server has the record
    like "$db" . "PostgreSQL $version: the server knows the target" || done_testing
    calls 10
    poll 30 is_delivered "$marker" 10
    ok $? "PostgreSQL $version: calls arrive" || diag "$DELIVERED of 10"

    stop "$agent"
    ok $? "PostgreSQL $version: the agent ends cleanly"
    calls 37
    for _ in 1 2 3 4 5; do sql "select count(*) from pg_am where amname = 'none'" >/dev/null; done
    sleep 3
    restart_agent "$agent"
    poll 30 is_delivered "$marker" 47
    has_read_again
    has_read_again
    delivered "$marker"
    is "$DELIVERED" 47 "PostgreSQL $version: calls made while the agent was down arrive exactly"
    delivered "$fresh"
    is "$DELIVERED" 5 "PostgreSQL $version: so do those of a statement that was new then"

    stop "$agent"
    calls 11
    for file in "$T/$agent/state/keep"/*.keep; do
        is "$(stat -c %a "$file")" 600 "PostgreSQL $version: the file is for the agent alone"
        printf 'X' | dd of="$file" bs=1 seek=80 conv=notrunc status=none
    done
    restart_agent "$agent"
    poll 30 grep -q 'not used: the file is damaged' "$T/log/$agent"
    ok $? "PostgreSQL $version: a damaged file is not used, and the log says so"
    has_read_again
    calls 3
    poll 30 is_delivered "$marker" 50
    ok $? "PostgreSQL $version: then the start is not known: 11 calls are left out, 3 arrive" ||
        diag "$DELIVERED of 50"

    for kill in 1 2 3 4 5 6; do
        calls 5
        random_sleep 3000
        stop "$agent" KILL
        calls 5
        restart_agent "$agent"
    done
    if [ -x "$PGA_FAULTY" ]; then
        stop "$agent" KILL
        FAULT=agent.before_keep AGENT_PGA=$PGA_FAULTY restart_agent "$agent"
        reap "$agent" 30
        is $? 137 "PostgreSQL $version: killed between the record and the file"
        calls 5
        restart_agent "$agent"
    else
        skip "killed between the record and the file" "$PGA_FAULTY is not built (make fault)"
    fi
    has_read_again
    before=$(called "$marker")
    has_read_again
    delivered "$marker"
    missing=$((before - DELIVERED))
    le "$DELIVERED" "$before" "PostgreSQL $version: kills double nothing"
    diag "after $kill kills $DELIVERED of $before calls"
    calls 7
    poll 30 is_delivered "$marker" $((before + 7 - missing))
    ok $? "PostgreSQL $version: counts on exactly after that" || diag "$DELIVERED"
    stop "$agent"
    stop "server$version"
    stop_pg "pg$version"
done
done_testing
