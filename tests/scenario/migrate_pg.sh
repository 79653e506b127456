#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# pga migrate on PostgreSQL, the system's and others: pending, applied once, also by two at a time,
# verified; a changed hash and a changed table are found; no password is shown. Then the unit tests
# of sqldb and store run on the same servers.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga
MIGRATIONS=$(find "$ROOT/src/store/migrations" -name '*.pg.sql' | wc -l)

PASSWORD=s3cret-of-the-store
migrate() { OUT=$("$PGA" migrate --store "$STORE" "$@" 2>&1); }
log_into() { printf '%s\n' "$OUT" >>"$T/log/output"; } # everything that was said
new_store() { # NAME: an empty database of that name
    sql "create database $1"
    STORE=postgres://store:$PASSWORD@127.0.0.1:$PGPORT/$1
    sql "alter database $1 owner to store"
    export PGDATABASE=$1
}

first_steps() { # LABEL
    migrate status
    is $? 7 "$1: an empty database has migrations pending"
    like "$OUT" 'pending' "$1: and says so"
    migrate up --dry-run
    is $? 0 "$1: a dry run"
    is "$(sql "select count(*) from pg_tables where schemaname = 'public'")" 0 \
        "$1: it changes nothing"
    migrate up
    is $? 0 "$1: up"
    like "$OUT" "^$MIGRATIONS applied" "$1: applies what was pending"
    migrate up
    is $?/"$OUT" "0/0 applied" "$1: up again applies nothing"
    migrate status
    is $? 0 "$1: nothing is pending then"
    unlike "$OUT" pending "$1: status shows none"
    migrate verify
    is "$?/${OUT##*$'\n'}" "0/no damage found" "$1: verify"
}

damage() { # LABEL
    sql "alter table account drop column email; drop index collector_host; drop table audit"
    migrate verify
    is $? 7 "$1: verify finds changed tables"
    like "$OUT" 'column account.email is missing' "$1: a column"
    like "$OUT" 'table audit is missing' "$1: a table"
    like "$OUT" 'index on collector \(hostname, name\) is missing' "$1: an index"
    sql "update schema_migration set sha256 = 'no' || substr(sha256, 3)"
    for verb in status up verify; do
        migrate $verb
        is $? 7 "$1: $verb notices a hash that is not the applied one"
        like "$OUT" '0001_init.pg.sql is not the one that was applied' "$1: and names the file"
        log_into
    done
}

two_at_a_time() { # LABEL
    local round one two
    for round in 1 2 3; do
        new_store "twice_$round"
        "$PGA" migrate --store "$STORE" up >"$T/one" 2>&1 &
        one=$!
        "$PGA" migrate --store "$STORE" up >"$T/two" 2>&1
        two=$?
        wait "$one"
        is $?/$two 0/0 "$1: two at a time both succeed ($round)"
        is "$(awk '/ applied$/ {n += $1} END {print n}' "$T/one" "$T/two")" "$MIGRATIONS" \
            "$1: each step is applied by one of them ($round)"
        is "$(sql 'select count(*), count(distinct sha256) from schema_migration')" \
            "$MIGRATIONS|$MIGRATIONS" "$1: and recorded once ($round)"
    done
}

refusals() { # LABEL
    local url=$STORE
    migrate up
    sql "create role reader login password '$PASSWORD'"
    sql "grant select on all tables in schema public to reader"
    STORE=${url/store:/reader:}
    migrate status
    is $? 0 "$1: status needs no right to write"
    log_into
    STORE=${url%/*}/nowhere
    migrate status
    is $? 3 "$1: a database that does not exist"
    log_into
    STORE=postgres://store:wrong-$PASSWORD@127.0.0.1:$PGPORT/$PGDATABASE
    migrate status
    is $? 1 "$1: a wrong password"
    log_into
    STORE=postgres://store:$PASSWORD@127.0.0.1:1/x
    migrate status
    is $? 6 "$1: no server"
    log_into
    STORE=postgres://store:$PASSWORD@db.example/x
    migrate status
    is $? 1 "$1: a remote server without a word about TLS"
    log_into
    STORE=$url
    OUT=$("$PGA" migrate "$url" status 2>&1)
    is $? 2 "$1: an address without --store"
    log_into
    for arg in --check-config --dump-config; do
        OUT=$(timeout 20 "$PGA" server --store "$url" --state-dir "$T/state" $arg 2>&1)
        is $? 0 "$1: the server takes such a store $arg"
        log_into
    done
    like "$OUT" 'store = "postgres://store:\*\*\*@127.0.0.1:' \
        "$1: and dumps it without the password"
    OUT=$(timeout 20 "$PGA" server --store "mysql://x" --check-config 2>&1)
    is $?/"$OUT" "2/pga server: server.store: sqlite:DIR or postgres://..." "$1: but no other"
    [ ! -e "$T/state" ]
    ok $? "$1: it makes no state directory"
    unlike "$(cat "$T/log/output")" "$PASSWORD" "$1: the password is never shown"
}

unit_tests() { # LABEL
    local name least
    local names="test_sqldb test_store test_store_seal test_store_rotate test_store_audit"
    names+=" test_store_managed test_store_audit_kept"
    [ "$PGA_FULL" = 0 ] || names+=" test_store_trust test_store_trust_life test_store_people"
    for name in $names; do
        least=20
        [[ ! $name =~ managed|kept|people ]] || least=12
        if [ ! -x "$ROOT/build/unit/test/$name" ]; then
            skip "$1: $name" "make unit builds it"
            continue
        fi
        PGA_TEST_PG=postgres://postgres@127.0.0.1:$PGPORT/postgres CMOCKA_MESSAGE_OUTPUT=TAP \
            "$ROOT/build/unit/test/$name" >"$T/log/$name" 2>&1
        is $? 0 "$1: $name"
        ge "$(grep -c '^ok ' "$T/log/$name")" "$least" "$1: $name ran its cases on both dialects"
    done
}

versions="system 13"
[ "$PGA_FULL" = 0 ] || versions="system 13 18" # 13 is the oldest that a store may have
for version in $versions; do
    start_pg "pg$version" "$version" || { fail "PostgreSQL $version starts"; continue; }
    sql "create role store login password '$PASSWORD'"
    hba=$T/pg/pg$version/data/pg_hba.conf
    sed -i '1i host all store,reader 127.0.0.1/32 md5' "$hba"
    sql 'select pg_reload_conf()' >/dev/null
    new_store first
    first_steps "$version"
    damage "$version"
    two_at_a_time "$version"
    refusals "$version"
    export PGDATABASE=postgres
    unit_tests "$version"
    stop_pg "pg$version"
    rm -f "$T/log/output"
done
done_testing
