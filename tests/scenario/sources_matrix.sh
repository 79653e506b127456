#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Every source yields what expect/sources.tsv says, by version, by right (superuser, pg_monitor,
# login only), on a primary and on its standby: rows where rows are due, else the stated reason.
# timeout: 400, full 1500

. "$(dirname "$0")/lib.sh"
need_pga
versions="10 15 18"
[ "$PGA_FULL" = 0 ] || versions="10 11 12 13 14 15 16 17 18"
root=$(cd "$(dirname "$0")/../.." && pwd)
table=$root/tests/scenario/expect/sources.tsv

hold() { # NAME SQL: a session that runs it and then stays as it is
    mkfifo "$T/$1.in"
    PGAPPNAME=$1 spawn "$1" psql -qAtX -f "$T/$1.in"
    eval "exec {fd}>\"$T/$1.in\"" # never closed: the session ends with the server
    # shellcheck disable=SC2154
    printf '%s\n' "$2" >&"$fd"
}

set_up() { # VERSION: a primary with something in every relation, and its standby
    start_pg "pg$1" "$1" 'max_prepared_transactions = 4' \
        'archive_mode = on' "archive_command = 'cp literal-secret %p'" || return
    sql "create role guest login" || return
    sql "create database closed" && sql "revoke connect on database closed from public" || return
    sql "create table hot (id int primary key, word text); insert into hot values (1, 'first')"
    sql "select pg_create_physical_replication_slot('standby', true)" >/dev/null || return
    sql "select pg_create_physical_replication_slot('unused', true)" >/dev/null
    "$root/tests/pg/server" standby "$T/pg/standby$1" "$T/pg/pg$1" 'password=literal-secret' \
        standby >"$T/log/standby$1" 2>&1 || return
    use_pg "standby$1"
    hold "reader$1" "select pg_sleep(900);"
    sql "select pg_create_physical_replication_slot('cascade', true)" >/dev/null || return
    use_pg "pg$1"
    sql "begin; insert into hot values (2, 'x'); prepare transaction 'p'" || return
    hold "old$1" "begin isolation level repeatable read; update hot set word = 'y' where id = 1;"
    sleep 0.5
    hold "waits$1" "update hot set word = 'z' where id = 1;"
}

check() { # VERSION PLACE RIGHT ROLE
    PGAPPNAME=pga "$PGA" agent --once \
        --dsn "host=$PGHOST port=$PGPORT user=$4 dbname=postgres" >"$T/once.json" 2>"$T/log/once"
    is $? 0 "$1 $2, $3: the agent reads" || return
    python3 "$TOOL/expect.py" --table "$table" --reference "$T/reference.md" \
        --batch "$T/once.json" --version "$1" --place "$2" --right "$3" >"$T/out" 2>&1
    tap_from "$T/out" "$1 $2, $3: "
    grep -q literal-secret "$T/once.json"
    is $? 1 "$1 $2, $3: no secret of a setting or connection is in it"
}

"$PGA" agent --source-reference >"$T/reference.md"
ready=
for version in $versions; do
    set_up "$version"
    ok $? "PostgreSQL $version and its standby are set up" && ready="$ready $version"
done
sleep 60 # so that the transactions left open count as long
for version in $ready; do
    for place in primary standby; do
        if [ "$place" = primary ]; then use_pg "pg$version"; else use_pg "standby$version"; fi
        check "$version" "$place" superuser postgres
        check "$version" "$place" monitor pga
        check "$version" "$place" login guest
    done
done
done_testing
