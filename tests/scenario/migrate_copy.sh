#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# pga migrate copy: a store that agents filled goes from SQLite to PostgreSQL and back, killed on
# the way at fault points and at random moments; servers on each of them, where agents go on:
# nothing acknowledged is lost or doubled. What is refused, and what is damaged. KILLS sets the
# number of random kills each way (default none, full 20); a full run tries every fault point.
# timeout: 240, full 3600

. "$(dirname "$0")/lib.sh"
need_pga
[ "$PGA_FULL" = 0 ] || KILLS=${KILLS:-20}
KILLS=${KILLS:-0}
# in the order in which a copy comes by: each goes on where the one before was killed
TO_POINTS='transfer.batch:2'
BACK_POINTS='transfer.batch_mark:2'
if [ "$PGA_FULL" = 1 ]; then
    TO_POINTS='transfer.table transfer.table:9 pgstore.names_commit transfer.step
        pgstore.tables_commit:3 transfer.batch transfer.batch:3 transfer.step'
    BACK_POINTS='transfer.table transfer.table:5 transfer.table_mark:2 transfer.names:2
        transfer.step tsdb.flush_day_written tsdb.flush_before_applied tsdb.flush_after_applied
        transfer.batch_mark transfer.batch_mark:4 transfer.step transfer.finish'
fi

copy() { # FROM TO [OPTION...]: sets OUT (both outputs) and the status
    local from=$1 to=$2
    shift 2
    OUT=$("${COPY_PGA:-$PGA}" migrate copy --from "$from" --to "$to" "$@" 2>&1)
}
COMPLETE=
kill_at_random() { # FROM TO: COMPLETE is set when a copy was too fast
    local k pid killed=0
    COMPLETE=
    for ((k = 0; k < KILLS; k++)); do
        "${COPY_PGA:-$PGA}" migrate copy --from "$1" --to "$2" >"$T/log/killed" 2>&1 &
        pid=$!
        random_sleep 600
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
        case $? in
        137) killed=$((killed + 1)) ;;
        0) COMPLETE=1 && return ;;
        esac
    done
    diag "$killed of $KILLS copies were killed at random"
}
kill_at_points() { # FROM TO POINT...
    local from=$1 to=$2 point
    shift 2
    if [ ! -x "$PGA_FAULTY" ]; then
        skip "kills at named fault points" "$PGA_FAULTY is not built (make fault)"
        return
    fi
    for point in "$@"; do
        COPY_PGA=$PGA_FAULTY PGA_FAULT=$point copy "$from" "$to"
        is $? 137 "killed at $point" || diag "$OUT"
    done
}
finish() { # FROM TO NAME
    if [ -n "$COMPLETE" ]; then
        pass "$3 (before it could be killed)"
        return
    fi
    copy "$1" "$2"
    is $? 0 "$3" || diag "$OUT"
    like "$OUT" 'the copy is complete, and the same as the source' "$3: and says so"
    diag "$(grep -E 'fake_rows|pg_stat_database |^event|^record' <<<"$OUT")"
}
database() { sql "create database $1" && echo "postgres://$PGUSER@127.0.0.1:$PGPORT/$1"; }

start_pg store system
ok $? "PostgreSQL is started" || done_testing
DSN_AGENT="host=$PGHOST port=$PGPORT user=pga dbname=postgres"
TEST=$ROOT/build/unit/test/test_transfer # meanwhile
if [ -x "$TEST" ]; then
    spawn unit env PGA_TEST_PG="postgres://$PGUSER@127.0.0.1:$PGPORT/postgres" \
        CMOCKA_MESSAGE_OUTPUT=TAP "$TEST"
fi
MIDDLE=$(database pga_copy)
LITE=sqlite:$T/server/state/store
start_server server '[store]' 'flush_bytes = 65536' 'flush_age = "1s"'
ok $? "a server on SQLite" || done_testing
set_up_owner
start_proxy
start_agent agent "$PROXY_URL" "$DSN_AGENT" 'every = "1s"'
enrol_secret "$T/fake.secret"
for fake in fake1 fake2; do
    spawn "$fake" python3 "$TOOL/fakeagent.py" --url "$PROXY_URL" --register "$SERVER_URL" \
        --secret-file "$T/fake.secret" --name "$fake" --rate 30
done
# Batches have 8 kB here: of what agents tell at their start alone there are two or three.
wait_acks $((PGA_FULL ? 400 : 100)) 60
ok $? "agents push to it" || done_testing

# --- what is refused ----------------------------------------------------------------------------

copy "$LITE" "$MIDDLE"
is $? 5 "a source whose server runs"
like "$OUT" "the source: .*in use.*$(pid_of server)" "it says which process has it"
stop server KILL # its journal comes along as well
copy "$LITE" mysql://somewhere
is $? 2 "an address that is no store's"
copy "sqlite:$T/nowhere" "$MIDDLE"
is $? 3 "no such source"
like "$OUT" "there is no store in $T/nowhere" "and says so"
[ ! -e "$T/nowhere" ]
ok $? "none is made"
copy "$LITE" "$LITE"
is $? 5 "a source that is the destination"
copy "$LITE" postgres://pga@127.0.0.1:1/x
is $? 6 "a destination that does not answer"
sql "create role nobody_special login"
sql "create database closed" && PGDATABASE=closed sql "revoke create on schema public from public"
copy "$LITE" "postgres://nobody_special@127.0.0.1:$PGPORT/closed"
is $? 1 "no right to make tables"
like "$OUT" 'permission denied' "and the server's word for it"

# --- to PostgreSQL ------------------------------------------------------------------------------

# shellcheck disable=SC2086 # a list of words
kill_at_points "$LITE" "$MIDDLE" $TO_POINTS
mkdir -p "$T/middle/state"
cp -r "$T/server/state/keys" "$T/middle/state/"
OUT=$(timeout 20 "$PGA" server --store "$MIDDLE" --state-dir "$T/middle/state" \
    --listen "127.0.0.1:$(free_port)" --agent-listen "127.0.0.1:$(free_port)" 2>&1)
is $? 1 "no server opens what is not all there"
like "$OUT" 'run pga migrate copy again' "and says what to do"
kill_at_random "$LITE" "$MIDDLE"
finish "$LITE" "$MIDDLE" "SQLite to PostgreSQL, after kills"
copy "$LITE" "$MIDDLE"
is $? 0 "a copy that is there is only compared again"

start_server middle "store = \"$MIDDLE\""
ok $? "a server on the copy" || done_testing
log_in
ok $? "takes the password of before"
proxy_says "nodes $SERVER_PORT"
wait_acks $((PGA_FULL ? 20 : 5)) 60
ok $? "agents go on with it"
back=sqlite:$T/back/state/store
copy "$MIDDLE" "$back"
is $? 5 "a database whose server runs is no source"
like "$OUT" "the source: the server .*:$(pid_of middle) has it open" "it says which"
copy "$LITE" "$MIDDLE"
is $? 5 "nor a destination"
soon_is 20 'PGDATABASE=pga_copy sql "select count(*) > $((PGA_FULL ? 100 : 40)) from ts_slice"' t \
    "readings are moved"
stop middle TERM 30
ok $? "that server ends"
copy "$LITE" "$MIDDLE"
is $? 5 "a store that has more by now is no destination"
like "$OUT" 'the destination: it is not empty' "it says that it is not empty"

# --- and back -----------------------------------------------------------------------------------

mkdir -p "$T/back/state"
cp -r "$T/server/state/keys" "$T/back/state/"
# shellcheck disable=SC2086 # a list of words
kill_at_points "$MIDDLE" "$back" $BACK_POINTS
kill_at_random "$MIDDLE" "$back"
copy "$LITE" "$back"
is $? 5 "an unfinished copy is not gone on with from another store"
finish "$MIDDLE" "$back" "PostgreSQL to SQLite, after kills"
OUT=$("$PGA" migrate --store "$back" verify 2>&1)
is $? 0 "pga migrate verify finds no damage in it" || diag "$OUT"
start_server back
ok $? "a server on it" || done_testing
log_in
proxy_says "nodes $SERVER_PORT"
wait_acks $((PGA_FULL ? 20 : 5)) 60
ok $? "agents go on with it"
for fake in fake1 fake2; do
    kill -TERM "$(pid_of "$fake")"
    reap "$fake" 70
    is $? 0 "$fake delivered everything"
done
stop agent
oracle
ok $? "lost 0, doubled 0"
stop back TERM 30

# --- damage -------------------------------------------------------------------------------------

PGDATABASE=pga_copy sql "update ts_slice s set data = '\x01ff'
    from (select grp, t_ms from ts_slice order by t_ms limit 3) d
    where s.grp = d.grp and s.t_ms = d.t_ms"
copy "$MIDDLE" "sqlite:$T/damaged" --json
is $? 7 "a source with damaged readings is copied but for these"
is "$(grep -c '^not copied: the reading of ' <<<"$OUT")" 3 "each is named"
BODY=$(grep '^{' <<<"$OUT")
is "$(member not_copied)/$(member different)" 3/0 "counted, and all else is the same"

if [ -x "$TEST" ]; then
    reap unit 120
    is $? 0 "slice by slice the same through PostgreSQL" || diag "$(grep -v info "$T/log/unit")"
    like "$(cat "$T/log/unit")" 'ok .* test_through_postgresql' "to the bit"
    like "$(cat "$T/log/unit")" 'ok .* test_rollups_through_postgresql' "roll-ups as well"
else
    skip "slice by slice the same through PostgreSQL" "make unit builds $TEST"
fi
done_testing
