#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The PostgreSQL servers of the tests start, answer and leave nothing behind: the system's and
# two others by default, all of 10 to 18 in a full run.
# timeout: 180

. "$(dirname "$0")/lib.sh"

versions="system 10 18"
[ "$PGA_FULL" = 0 ] || versions="system 10 11 12 13 14 15 16 17 18"

for version in $versions; do
    start_pg "pg$version" "$version" || { fail "PostgreSQL $version starts"; continue; }
    if [ "$version" != system ]; then
        is "$((PGVERSION / 10000))" "$version" "PostgreSQL $version starts and is of that version"
    else
        pass "PostgreSQL of the system starts ($PGVERSION)"
    fi
    is "$(PGUSER=pga sql 'select count(*) > 0 from pg_stat_statements')" t \
        "PostgreSQL $version counts statements and shows them to a role with pg_monitor"
    pid=$PGPID
    stop_pg "pg$version"
    wait_gone "$pid" 5
    ok $? "PostgreSQL $version is gone after stop"
done
done_testing
