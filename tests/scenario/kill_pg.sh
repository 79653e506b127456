#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# A server of a store in PostgreSQL is killed again and again during start, ingest, new names,
# moving, changes of tables, roll-up, retention and copies to SQLite and back (the program is
# tests/fault/test_tsdb_kills_pg.c): after each kill another one takes over, and what is there is
# compared with what was acknowledged. KILLS of each (default 20, full 200; with a log of each in
# build/kills-pg-phases.log); KILL_PHASES names some of them.
# timeout: 240, full 3600

. "$(dirname "$0")/lib.sh"
[ "$PGA_FULL" = 0 ] || KILLS=${KILLS:-200}
KILLS=${KILLS:-20}
PHASES=${KILL_PHASES:-copy_to_pg rollup copy_to_sqlite tables retention start ingest names move}
TEST=$ROOT/build/unit/test/test_tsdb_kills_pg
LANES=3

[ -x "$TEST" ] || { skip "kills in each phase" "make unit builds it"; done_testing; }
start_pg kills "${STORE_PG_VERSION:-system}" 'max_connections = 150'
ok $? "PostgreSQL is started" || done_testing
LOG=
[ "$KILLS" -le 20 ] || LOG=$ROOT/build/kills-pg-phases.log

begin() { # PHASE
    spawn "kills_$1" env PGA_TEST_PG="postgres://$PGUSER@127.0.0.1:$PGPORT/postgres" \
        PGA_KILLS="$KILLS" PGA_KILLS_PHASE="test_kills_during_$1" PGA_KILLS_LOG="$LOG" \
        CMOCKA_MESSAGE_OUTPUT=TAP "$TEST"
}

finish() { # PHASE
    reap "kills_$1" $((60 + 10 * KILLS))
    is $? 0 "$KILLS kills during $1"
    like "$(cat "$T/log/kills_$1")" ": $KILLS kills, .* lost 0, doubled 0, wrong 0" \
        "lost 0, doubled 0"
}

read -r -a phases <<<"$PHASES"
for ((i = 0; i < ${#phases[@]}; i++)); do
    [ "$i" -lt "$LANES" ] || finish "${phases[i - LANES]}"
    begin "${phases[i]}"
done
for ((i = ${#phases[@]} > LANES ? ${#phases[@]} - LANES : 0; i < ${#phases[@]}; i++)); do
    finish "${phases[i]}"
done
done_testing
