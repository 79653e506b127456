#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# A store in PostgreSQL: an agent and fast fake ones push through a bad network to two servers
# that share one database; servers are started again, killed at random moments and at named fault
# points, one of two for good: nothing acknowledged is lost, nothing is doubled. Views show the
# values with their labels. KILLS sets the number of random kills (default 2, full 60); a full run
# tries every fault point. At the end a dump of the database becomes a store of its own.
# timeout: 240, full 3600

. "$(dirname "$0")/lib.sh"
need_pga
[ "$PGA_FULL" = 0 ] || KILLS=${KILLS:-60}
KILLS=${KILLS:-2}
POINTS='^(pgstore\.move_commit|tsdb\.after_commit)$'
[ "$PGA_FULL" = 0 ] || POINTS='^(pgstore\.(move|names)|tsdb\.(before|after)_commit$)'
VERSION=${STORE_PG_VERSION:-system}

start_pg store "$VERSION"
ok $? "PostgreSQL is started" || done_testing
sql 'create database pga_store'
STORE=postgres://$PGUSER@127.0.0.1:$PGPORT/pga_store
store_sql() { PGDATABASE=pga_store sql "$1"; }
out=$(timeout 20 "$PGA" server --store "$STORE" --state-dir "$T/early" \
    --listen "127.0.0.1:$(free_port)" --agent-listen "127.0.0.1:$(free_port)" 2>&1)
is $? 1 "a server does not start before somebody migrates the database"
like "$out" 'run pga migrate up' "and says what to do"
"$PGA" migrate --store "$STORE" up >"$T/log/migrate" 2>&1
ok $? "pga migrate up"
start_server node1 "store = \"$STORE\""
ok $? "then it is ready" || done_testing
set_up_owner
NODE1=$SERVER_PORT
mkdir -p "$T/node2/state"
cp -r "$T/node1/state/keys" "$T/node2/state/" # every server of a store has its master key
start_server node2 "store = \"$STORE\""
ok $? "and a second one on the same database" || done_testing
NODE2=$SERVER_PORT
use_server node1

start_proxy
faults=('seed 5' 'drop_answer 0.05' 'cut_answer 0.05' 'duplicate 0.05' 'replay 0.05'
    'twin 0.05' 'cut_request 0.02' 'drop_request 0.02')
proxy_says "${faults[@]}" "nodes $NODE1,$NODE2"
start_agent agent "$PROXY_URL" "host=$PGHOST port=$PGPORT user=pga dbname=postgres"
enrol_secret "$T/fake.secret"
for fake in fake1 fake2 fake3; do
    spawn "$fake" python3 "$TOOL/fakeagent.py" --url "$PROXY_URL" --register "$SERVER_URL" \
        --secret-file "$T/fake.secret" --name "$fake" --rate 30
done
wait_acks 100 60
ok $? "agents push to both" || done_testing

TEST=$ROOT/build/unit/test # meanwhile: the engine against that in SQLite
compare=
for name in engines engines_rollup engines_texts engines_tables; do
    [ -x "$TEST/test_tsdb_$name" ] || continue
    compare+=" $name"
    spawn "compare_$name" env PGA_TEST_PG="postgres://$PGUSER@127.0.0.1:$PGPORT/postgres" \
        CMOCKA_MESSAGE_OUTPUT=TAP "$TEST/test_tsdb_$name"
done

killed=0
for ((k = 0; k < KILLS; k++)); do
    random_sleep 1000
    node=node$((k % 2 + 1))
    use_server "$node"
    stop "$node" KILL
    wait_acks 5 60 || break # the other one goes on meanwhile
    restart_server "$node" || break
    killed=$((killed + 1))
done
is "$killed" "$KILLS" \
    "each of $KILLS times that one is killed the other one goes on, and it comes back"

if [ -x "$PGA_FAULTY" ]; then
    use_server node2
    for point in $(fault_points server | grep -E "$POINTS"); do
        stop node2 KILL
        FAULT=$point SERVER_PGA=$PGA_FAULTY launch_server node2
        if [ "$point" = pgstore.names_commit ]; then # something new, to that node alone
            proxy_says "nodes $NODE2"
            spawn fake4 python3 "$TOOL/fakeagent.py" --url "$PROXY_URL" \
                --register "http://127.0.0.1:$NODE1" \
                --secret-file "$T/fake.secret" --name fake4 --rate 5
        fi
        reap node2 40
        is $? 137 "a server dies at $point"
        proxy_says "${faults[@]}" "nodes $NODE1,$NODE2"
        restart_server node2
        ok $? "and is ready again"
    done
else
    skip "kills at named fault points" "$PGA_FAULTY is not built (make fault)"
fi

use_server node1
wait_acks 20 60
stop node2 KILL # for good: its rows are taken over
proxy_says "nodes $NODE1"
for fake in fake1 fake2 fake3 fake4; do
    [ -s "$T/pid/$fake" ] || continue
    kill -TERM "$(pid_of "$fake")"
    reap "$fake" 70
    is $? 0 "$fake delivered everything to the one that is left"
done
stop agent
soon_is 60 'store_sql "select count(*) from ts_journal"' 0 \
    "the journal rows of the dead are taken over"
log_in
oracle
ok $? "lost 0, doubled 0"
soon_is 20 'store_sql "select count(*) from ts_leader l join ts_node n on n.id = l.holder
    where l.until > now() and n.seen > now() - interval \$\$5 s\$\$"' 1 \
    "the one that is left is the leader" || diag "$(store_sql 'select * from ts_leader, ts_node')"

# What people and Grafana read. Values in wide tables, or beside them, are those of the readings.
rows=$(store_sql "select sum(row_count) from metric_reading where relation = 'fake_rows'")
is "$(store_sql "select count(*) from metric_extra
    where relation = 'fake_rows' and column_name = 'n'")" \
    "$rows" "values of a relation that nobody described are in metric_extra, once each"
# Readings that came when no leader made their table for 15 s are in metric_extra instead.
is "$(store_sql "select (select count(*) from metric_pg_stat_database) + (select count(*)
        from (select distinct t, target, labels from metric_extra x
            where relation = 'pg_stat_database' and not exists (select 1
                from metric_pg_stat_database v where v.t = x.t and v.target = x.target)) b)")" \
    "$(store_sql "select sum(row_count) from metric_reading
        where relation = 'pg_stat_database'")" \
    "a view, or metric_extra, shows as many rows as readings have"
like "$(store_sql "select datname, target_name, xact_commit > 0 from metric_pg_stat_database
    where datname = 'postgres' order by t desc limit 1")" '^postgres\|.+\|t$' \
    "with labels and the target's name"

stop node1 TERM 30
ok $? "the server ends cleanly"
is "$(store_sql 'select count(*) from ts_node where seen > now() - interval $$5 s$$')" 0 \
    "and takes its row away"
restart_server node1 && log_in && oracle
ok $? "and after a start again: lost 0, doubled 0"

for name in $compare; do
    reap "compare_$name" 120
    is $? 0 "both engines do the same: $name"
    ge "$(grep -c '^ok ' "$T/log/compare_$name")" 2 "in every case"
done
[ -n "$compare" ] || skip "both engines do the same" "make unit builds it"

# Backups are PostgreSQL's own.
out=$(PGA_SERVER=$SERVER_URL PGA_TOKEN_FILE=$T/token XDG_CONFIG_HOME=$T/config \
    "$PGA" ctl backup create --to "$T" 2>&1)
refused=$?
ge "$refused" 1 "no backup of a store in PostgreSQL"
like "$out" 'pg_dump or pg_basebackup.*pga migrate restored' "but how one is made and restored"
out=$("$PGA" migrate --store "$STORE" restored 2>&1)
is $? 5 "a store in use does not become another one"
stop node1 TERM 30
bin=$("$ROOT/tests/pg/server" bin "$VERSION")
sql 'create database pga_again'
"$bin/pg_dump" -Fc -d pga_store -f "$T/dump" && "$bin/pg_restore" -d pga_again "$T/dump"
ok $? "a dump is restored into another database"
AGAIN=postgres://$PGUSER@127.0.0.1:$PGPORT/pga_again
out=$("$PGA" migrate --store "$AGAIN" restored 2>&1)
is $? 0 "pga migrate restored"
like "$out" '^a new epoch; journal rows go on after [0-9]+$' "makes it another store"
is "$(PGDATABASE=pga_again sql "select count(*) from ts_state where epoch <>
    '\\x$(store_sql "select encode(epoch, 'hex') from ts_state")'")" 1 "by its epoch"
is "$("$PGA" migrate --store "$AGAIN" verify 2>&1 | tail -n 1)" 'no damage found' "and it is sound"
mkdir -p "$T/node3/state"
cp -r "$T/node1/state/keys" "$T/node3/state/"
start_server node3 "store = \"$AGAIN\""
ok $? "a server starts on it"
log_in && oracle
ok $? "and lost 0, doubled 0"
done_testing
