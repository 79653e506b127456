#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# A probe that fails costs only its own rows, and says so in the doctor and in the API that the
# page shows: a function that may not be called, a catalogue that is locked, a database that
# cannot be entered.
# timeout: 240, full 900

. "$(dirname "$0")/lib.sh"
need_pga

probe() { # NAME MEMBER: of the probe's state in the API
    api GET "servers/$target"
    python3 -c 'import json,sys
found = next((p for p in json.load(sys.stdin)["probes"] if p["probe"] == sys.argv[1]), {})
print(found.get(sys.argv[2]))' "$@" <<<"$BODY"
}

last() { # RELATION [SCOPE]: flags and time of its newest reading
    api GET "servers/$target"
    python3 -c 'import json,sys
found = next(r for r in json.load(sys.stdin)["relations"] if r["name"] == sys.argv[1])
if len(sys.argv) > 2:
    found = next(s for s in found["scopes"] if s["scope"] == sys.argv[2])
print(found["last_t_ms"], found["last_flags"], found.get("reason"))' "$@" <<<"$BODY" 2>/dev/null
}

goes_on() { # RELATION [SCOPE]: whether a complete reading comes after now
    local now
    now=$(last "$@" | cut -d' ' -f1)
    poll 15 eval "[[ \$(last $*) == *complete* ]] && [ \"\$(last $* | cut -d' ' -f1)\" -gt $now ]"
}

doctor() { # sets OUT and STATUS
    STATUS=0
    OUT=$("$PGA" agent doctor --dsn "$DSN" 2>/dev/null) || STATUS=$?
}

check_denied_function() { # a function of the catalogue may not be called any more
    sql 'revoke execute on function pg_stat_get_db_xact_commit(oid) from public'
    poll 20 eval '[ "$(probe pg_stat_database state)" = denied ]'
    ok $? "$version: no right to call a function: the API says denied"
    like "$(probe pg_stat_database reason)" 'pg_stat_get_db_xact_commit' \
        "$version: and names the function"
    goes_on pg_instance && goes_on pg_stat_user_tables app
    ok $? "$version: the other probes go on"
    is "$(probe pg_instance state)" ok "$version: and are ok"
    doctor
    is "$STATUS" 7 "$version: the doctor ends with 7"
    like "$OUT" '^pg_stat_database +denied +.*pg_stat_get_db_xact_commit' \
        "$version: and says which probe and why"
    like "$OUT" '^pg_instance +OK' "$version: and that the others are well"
    sql 'grant execute on function pg_stat_get_db_xact_commit(oid) to public'
    kill -HUP "$(pid_of "agent$version")" # it would ask again in an hour
    poll 20 eval '[ "$(probe pg_stat_database state)" = ok ]'
    ok $? "$version: with the right back and a reload it is ok again"
    doctor
    is "$STATUS" 0 "$version: and so says the doctor"
}

check_locked_catalogue() { # in one database
    local lock='lock table pg_catalog.pg_namespace in access exclusive mode'
    PGDATABASE=app spawn "lock$version" psql -qAtX -c "begin; $lock; select pg_sleep(300)"
    poll 20 eval '[ "$(probe pg_stat_user_indexes state)" = error ]'
    ok $? "$version: a locked catalogue: the API says error"
    like "$(probe pg_stat_user_indexes reason)" '^app: .*(timeout|deadline)' \
        "$version: and where and why"
    like "$(last pg_stat_user_indexes app)" 'failed' "$version: the reading of that database failed"
    goes_on pg_stat_user_indexes other
    ok $? "$version: the other databases go on"
    goes_on pg_stat_database
    ok $? "$version: and the other probes"
    doctor
    is "$STATUS" 7 "$version: the doctor ends with 7"
    like "$OUT" '^pg_stat_user_indexes +error +app: .*(timeout|deadline)' "$version: and says it"
    like "$OUT" '^pg_stat_database +OK' "$version: of that probe alone"
    sql "select pg_terminate_backend(pid) from pg_locks where mode = 'AccessExclusiveLock'
        and granted and relation = 'pg_namespace'::regclass" >/dev/null
    stop "lock$version"
    poll 40 eval '[ "$(probe pg_stat_user_indexes state)" = ok ]'
    ok $? "$version: without the lock it is ok again by itself"
}

check_refused_database() {
    sql 'revoke connect on database other from public'
    poll 20 eval '[ "$(probe pg_stat_user_tables state)" = denied ]'
    ok $? "$version: a database that may not be entered: the API says denied"
    is "$(probe pg_stat_user_tables fix)" 'GRANT CONNECT ON DATABASE "other" TO "pga"' \
        "$version: and the SQL that helps"
    goes_on pg_stat_user_tables app
    ok $? "$version: the other databases go on"
    doctor
    like "$OUT" 'fix: +GRANT CONNECT ON DATABASE "other" TO "pga"' \
        "$version: and the doctor says it"
    sql "$(probe pg_stat_user_tables fix)"
    poll 20 eval '[ "$(probe pg_stat_user_tables state)" = ok ]'
    ok $? "$version: that SQL helps"
}

versions="17"
[ "$PGA_FULL" = 0 ] || versions="10 13 15 17 18"
start_server server
ok $? "the server is ready" || done_testing
set_up_owner
for version in $versions; do
    start_pg "pg$version" "$version" || { fail "PostgreSQL $version starts"; continue; }
    sql 'create database app'
    sql 'create database other'
    PGDATABASE=app sql 'create table t(x int primary key)'
    PGDATABASE=other sql 'create table t(x int primary key)'
    start_agent "agent$version" "$SERVER_URL" "$DSN" 'every = "1s"' 'databases_every = "1s"' \
        'cost_budget = 0' # such short clocks cost more than is allowed
    target=
    poll 30 eval 'api GET servers; [[ $BODY =~ agent$version-db ]]'
    target=$(python3 -c 'import json,sys
print(next(r["id"] for r in json.load(sys.stdin)["data"] if r["name"] == sys.argv[1]))' \
        "agent$version-db" <<<"$BODY")
    poll 30 eval '[ "$(probe pg_stat_user_tables state)" = ok ]'
    ok $? "$version: all is well at first" || diag "$(probe pg_stat_user_tables reason)"
    check_denied_function
    check_locked_catalogue
    check_refused_database
    stop "agent$version"
    stop_pg "pg$version"
done
done_testing
