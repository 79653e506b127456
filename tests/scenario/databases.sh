#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Tables and indexes are read in each database, and lie between what psql says before and after,
# with `pga agent --once` and in the server. A database that cannot be entered is a reason for
# itself alone; a reading that was cut says truncated; a dropped database's rows end.
# timeout: 600, full 1500

. "$(dirname "$0")/lib.sh"
need_pga

scope() { # RELATION DATABASE MEMBER: of the newest reading of that database
    api GET "servers/$target"
    python3 -c 'import json,sys
relation = next(r for r in json.load(sys.stdin)["relations"] if r["name"] == sys.argv[1])
found = next((s for s in relation["scopes"] if s["scope"] == sys.argv[2]), {})
print(json.dumps(found.get(sys.argv[3])).strip("\""))' "$@" <<<"$BODY" 2>/dev/null
}

probe() { # NAME MEMBER
    api GET "servers/$target"
    python3 -c 'import json,sys
found = next((p for p in json.load(sys.stdin)["probes"] if p["probe"] == sys.argv[1]), {})
print(found.get(sys.argv[2]))' "$@" <<<"$BODY"
}

# --- one collection ----------------------------------------------------------------------------

versions="13 17"
[ "$PGA_FULL" = 0 ] || versions="10 11 12 13 14 15 16 17 18"
for version in $versions; do
    start_pg "pg$version" "$version" || { fail "PostgreSQL $version starts"; continue; }
    spawn "load$version" "$TOOL/load.sh" 60 1
    poll 30 eval "PGDATABASE=pgaload sql 'select 1 from pgbench_history limit 1' | grep -q 1"
    PGDATABASE=pgaload sql 'create temp table passing(x int); create table empty(x int, y text);
        create table parts(x int) partition by range (x);
        create table part1 partition of parts for values from (0) to (10)'
    # What is locked exclusively must neither delay the reading nor be missing from it.
    PGDATABASE=pgaload spawn "lock$version" psql -qAtX \
        -c 'begin; lock table empty in access exclusive mode; select pg_sleep(60)'
    poll 10 eval "PGDATABASE=pgaload sql \"select 1 from pg_locks where mode = 'AccessExclusiveLock'
        and relation = 'empty'::regclass and granted\" | grep -q 1"
    python3 "$TOOL/tables.py" --database pgaload --once "$PGA" --dsn "$DSN" >"$T/out" 2>&1
    tap_from "$T/out" "$version: "
    stop "lock$version"
    stop "load$version"
    stop_pg "pg$version"
done

# --- in the server -----------------------------------------------------------------------------

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
start_pg pg 17 || { fail "PostgreSQL starts"; done_testing; }
spawn load "$TOOL/load.sh" 600 1
sql 'create database denied'
sql 'revoke connect on database denied from public'
sql 'create database crowded connection limit 0'
sql 'create database vanished'
sql 'create database dropped'
sql 'create database unwanted'
sql 'create database many'
PGDATABASE=dropped sql 'create table t(x int primary key)'
PGDATABASE=many sql "do \$\$ begin for i in 1..5001 loop
    execute format('create table t%s()', i);
    if i % 500 = 0 then commit; end if; end loop; end \$\$"
# As if it were dropped after it was listed: the row is there, the files are not.
oid=$(sql "select oid from pg_database where datname = 'vanished'")
mv "$T/pg/pg/data/base/$oid" "$T/vanished"

start_agent agent "$SERVER_URL" "$DSN" 'databases_every = "2s"' \
    'databases_exclude = ["unw*"]' \
    'cost_budget = 0' # so short a clock costs more than is allowed
target=$(target_id postgresql)
poll 30 eval '[ "$(scope pg_stat_user_tables pgaload last_flags)" != null ]'
ok $? "the server has the tables of a database"
python3 "$TOOL/tables.py" --database pgaload --url "$SERVER_URL" --token-file "$T/token" \
    --target "$target" >"$T/out" 2>&1
tap_from "$T/out" "in the server: "

for relation in pg_stat_user_tables pg_stat_user_indexes; do
    soon_like 30 "scope $relation denied reason" 'no right to connect' \
        "$relation: no right is a reason"
    soon_like 30 "scope $relation crowded reason" 'too many connections' \
        "$relation: a connection limit is a reason"
    soon_like 30 "scope $relation vanished reason" "does not exist" \
        "$relation: gone meanwhile is a reason"
    is "$(scope $relation denied last_flags)" '["failed"]' "$relation: and the reading failed"
    soon_like 30 "scope $relation pgaload last_flags" complete "$relation: the others are kept"
    soon_like 30 "scope $relation postgres last_flags" complete "$relation: and the connected one"
    # The state of a probe is of a whole walk and is told after it.
    soon_like 30 "probe $relation reason" '^(crowded|denied|vanished): .*and 2 more of 7' \
        "$relation: the probe names one and counts the others"
    like "$(probe $relation state)" '^(error|denied)$' "$relation: the probe's state says so"
    is "$(scope $relation unwanted reason)" null "$relation: what is excluded is not read"
done
soon_is 30 "scope pg_stat_user_tables many truncated" true \
    "5001 tables: the reading says truncated"
like "$(scope pg_stat_user_tables many reason)" 'more than 5000 rows' "and why"
is "$(scope pg_stat_user_tables pgaload truncated)" false "a whole reading does not"
poll 10 eval "[ \"\$(sql \"select count(*) from pg_stat_activity where application_name = 'pga'
    and datname <> 'postgres'\")\" = 0 ]"
ok $? "between walks no session stays in another database"

rows() { # DATABASE: rows of its tables in the last seconds
    local of=relation=pg_stat_user_tables\&column=n_tup_ins\&key.datname=$1
    api GET "servers/$target/metrics?$of&agg=last&from=-6s&step=2s"
    python3 -c 'import json,sys
print(sum(s["values"][-1] is not None for s in json.load(sys.stdin)["series"]))' <<<"$BODY"
}
poll 10 eval '[ "$(rows dropped)" = 1 ]'
ok $? "the table of a database is there"
sql 'drop database dropped'
poll 30 eval '[ "$(rows dropped)" = 0 ]'
ok $? "the rows of a dropped database end"

sql 'grant connect on database denied to pga'
poll 20 eval '[[ $(scope pg_stat_user_tables denied last_flags) == *complete* ]]'
ok $? "after the grant the database is read"
done_testing
