#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# A store in PostgreSQL that has a hard time: two servers share it, one directly and one through a
# pooler by transaction, as a role whose settings are against us. Collectors push to both through a
# bad network while a server is killed (at named points of ingest, of adding names, of moving, of
# making and of dropping partitions), the leader sleeps longer than its lease, backends are
# terminated and PostgreSQL is started again. Nothing acknowledged is lost, nothing is doubled,
# the tables for people hold what the readings say, and the leader's work goes on.
#
# KILLS: kills at named points (default 5, full 200; with a log of each in build/kills-pg.log).
# A full run also kills a server every 5 s for ROUND_S (default 120) on PostgreSQL 13 and 18 and
# on TimescaleDB, each directly and with both servers behind the pooler. STORE_PG_VERSION and
# ROUND_VERSIONS name others.
# timeout: 400, full 10800

. "$(dirname "$0")/lib.sh"
need_pga
need pgbouncer
[ "$PGA_FULL" = 0 ] || KILLS=${KILLS:-200}
KILLS=${KILLS:-5}
ROUND_S=${ROUND_S:-120}
VERSION=${STORE_PG_VERSION:-system}
KILL_LOG=$ROOT/build/kills-pg.log
FAKES=3
FAULTS=('seed 7' 'drop_answer 0.03' 'cut_answer 0.03' 'duplicate 0.03' 'twin 0.03'
    'cut_request 0.02' 'drop_request 0.02')

# --- the parts ---------------------------------------------------------------------------

store_sql() { PGDATABASE=pga_store sql "$1"; }

# The administrator's settings for the role, each of which would break a session that trusts them.
make_store() { # a database of a role that is no superuser
    sql 'create role pga_store login'
    sql 'create database pga_store owner pga_store'
    # On PostgreSQL 13 and 14 as on newer ones: the owner of a database may use its schema.
    PGDATABASE=pga_store sql 'grant all on schema public to pga_store'
    sql "alter role pga_store set statement_timeout = '1s'"
    sql "alter role pga_store set idle_in_transaction_session_timeout = '5ms'"
    sql 'alter role pga_store set default_transaction_read_only = on'
    sql "alter role pga_store set bytea_output = 'escape'"
    sql "alter role pga_store set timezone = 'Pacific/Chatham'"
    sql "alter role pga_store set datestyle = 'SQL, DMY'"
    sql 'alter role pga_store set synchronous_commit = off'
    sql 'alter role pga_store set extra_float_digits = 0'
    [ "$PGVERSION" -lt 140000 ] || sql "alter role pga_store set idle_session_timeout = '1s'"
    [ "$PGVERSION" -lt 170000 ] || sql "alter role pga_store set transaction_timeout = '1s'"
    DIRECT=postgres://pga_store@127.0.0.1:$PGPORT/pga_store
}

start_pooler() { # in front of the PostgreSQL in use; sets POOLED
    local port user=() dir=$T/pooler
    port=$(free_port)
    mkdir -p "$dir"
    printf '"pga_store" ""\n' >"$dir/users"
    cat >"$dir/ini" <<END
[databases]
pga_store = host=127.0.0.1 port=$PGPORT dbname=pga_store
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = trust
auth_file = $dir/users
pool_mode = transaction
default_pool_size = 4
server_login_retry = 1
log_connections = 0
log_disconnections = 0
END
    chmod -R a+rX "$dir"
    [ "$(id -u)" != 0 ] || user=(setpriv --reuid nobody --regid nogroup --clear-groups)
    spawn pooler "${user[@]}" pgbouncer "$dir/ini"
    POOLED=postgres://pga_store@127.0.0.1:$port/pga_store
    poll 20 psql -qAtX "$POOLED" -c 'select 1'
}

start_fakes() {
    local i
    for ((i = 1; i <= FAKES; i++)); do
        spawn "fake$i" python3 "$TOOL/fakeagent.py" --url "$PROXY_URL" --register "$SERVER_URL" \
            --secret-file "$T/fake.secret" --name "fake$i" --rate "${RATE:-15}" --described \
            --churn 10
    done
}

start_all() { # LINK1 LINK2: the store, two servers, collectors that push to both
    "$PGA" migrate --store "$1" up >"$T/log/migrate" 2>&1
    ok $? "pga migrate up" || done_testing
    start_server node1 "store = \"$1\""
    ok $? "a server is ready" || done_testing
    set_up_owner
    NODE1=$SERVER_PORT
    mkdir -p "$T/node2/state"
    cp -r "$T/node1/state/keys" "$T/node2/state/" # every server of a store has its master key
    start_server node2 "store = \"$2\""
    ok $? "and a second one on the same database" || done_testing
    NODE2=$SERVER_PORT
    use_server node1
    rm -f "$T/acks"
    start_proxy
    proxy_says "${FAULTS[@]}" "nodes $NODE1,$NODE2"
    enrol_secret "$T/fake.secret"
    start_fakes
    wait_acks 60 60
    ok $? "collectors push to both" || done_testing
}

other_of() { echo "node$((3 - ${1#node}))"; } # NODE

leader() { # prints node1, node2 or nothing
    local name node
    name=$(store_sql 'select n.name from ts_leader l join ts_node n on n.id = l.holder
        where l.until > clock_timestamp()')
    for node in node1 node2; do
        [ -z "$name" ] || [ "${name##*:}" != "$(pid_of $node)" ] || echo $node
    done
}

term() { store_sql 'select term from ts_leader'; }

# Something for the leader to do: a day ahead has no partitions, one of long ago has some.
give_work() {
    store_sql "set client_min_messages = error;
        do \$\$
        declare ahead bigint := extract(epoch from current_date + 3) / 86400;
            t record;
        begin
            perform set_config('lock_timeout', '5s', true);
            for t in select c.relname from pg_class c where c.relkind = 'r'
                and c.relname like 'ts\\_%\\_' || to_char(current_date + 3, 'YYYYMMDD')
            loop execute format('drop table %I', t.relname); end loop;
            delete from ts_day where day = ahead;
            execute format('create table if not exists ts_slice_19991231 partition of ts_slice
                for values from (%s) to (%s)', 10956 * 86400000::bigint, 10957 * 86400000::bigint);
            execute 'create table if not exists ts_extra_19991231 partition of ts_extra
                for values from (''1999-12-31 00:00Z'') to (''2000-01-01 00:00Z'')';
            alter table ts_slice_19991231 owner to pga_store;
            alter table ts_extra_19991231 owner to pga_store;
            insert into ts_day values (10956) on conflict do nothing;
            update ts_state set wide = wide + 1;
        end \$\$"
}

work_done() { # what give_work wanted: the day ahead, the old one gone (by a leader that is new)
    store_sql "select count(*) filter (where day = 10956) = 0
        and count(*) filter (where day = (extract(epoch from current_date + 3) / 86400)::bigint) = 1
        and to_regclass('ts_slice_19991231') is null
        and to_regclass('ts_slice_' || to_char(current_date + 3, 'YYYYMMDD')) is not null
        from ts_day"
}

# --- what must be true at the end --------------------------------------------------------

tables_agree() { # TOTALS: sums of the tables for people against those of the acknowledged records
    local relation column count sum got cast bad=0
    while read -r relation column count sum; do
        cast="$column::numeric"
        [ "$column" != x ] || cast="round($column::numeric * 1000000)"
        got=$(store_sql "select count($column) || ' ' || coalesce(sum($cast), 0)
            from metric_$relation")
        [ "$got" = "$count $sum" ] && continue
        diag "$relation.$column: the table has $got, the records $count $sum"
        bad=1
    done <"$1"
    [ -s "$1" ] && [ "$bad" = 0 ]
}

settle() { # the collectors deliver everything and end; then the store is compared
    local i node
    proxy_says "nodes $NODE1,$NODE2"
    for ((i = 1; i <= FAKES; i++)); do kill -TERM "$(pid_of "fake$i")"; done
    for ((i = 1; i <= FAKES; i++)); do
        reap "fake$i" 70
        is $? 0 "fake$i delivered everything"
    done
    soon_is 60 'store_sql "select count(*) from ts_journal"' 0 "no journal row is left behind"
    is "$(store_sql 'select count(*) from (select 1 from ts_slice group by grp, t_ms
        having count(*) > 1) d')" 0 "no reading is stored twice"
    for node in node1 node2; do
        use_server $node
        log_in
        cp -p "$T/token" "$T/token.$node" # the next log_in takes it away
        spawn "oracle.$node" python3 "$TOOL/oracle.py" --url "$SERVER_URL" --log "$T/acks" \
            --token-file "$T/token.$node" --totals "$T/totals.$node"
    done
    for node in node1 node2; do
        reap "oracle.$node" 300
        ok $? "lost 0, doubled 0, says $node"
        diag "$(tail -20 "$T/log/oracle.$node")"
    done
    tables_agree "$T/totals.node1"
    ok $? "readings and tables agree in counts and sums"
    is "$(store_sql "select sum(row_count) from metric_reading where relation = 'fake_rows'")" \
        "$(store_sql 'select count(*) from metric_fake_rows')" "and in rows"
    is "$(store_sql 'select count(*) from ts_extra')" 0 "nothing went beside the tables"
    unlike "$(cat "$T/log/node1" "$T/log/node2")" \
        'read-only transaction|does not exist|already exists|is damaged|prepared statement' \
        "no session was in another state than it should be"
}

# --- one phase after the other -----------------------------------------------------------

# Points of a phase: ingest, names, moving, tables, retention; in a full run roll-up.
POINTS=('tsdb.before_commit tsdb.after_commit tsdb.before_answer' 'pgstore.names_commit'
    'pgstore.tables_known pgstore.move_copied pgstore.move_commit pgstore.moved'
    'pgstore.tables_commit' 'pgstore.retain_part')
PHASES=(ingest names moving tables retention)
[ "$PGA_FULL" = 0 ] || {
    POINTS+=('pgstore.rollup_writing pgstore.rollup_written')
    PHASES+=(roll-up)
}

# The hour before this one is to be rolled up again, as if readings of it came late.
give_marks() {
    store_sql "insert into ts_dirty select r.open_hour - 1, g.id, 0 from ts_rollup r,
        (select id from ts_group order by id limit 3) g on conflict do nothing"
}

point_of() { # PHASE: a point of it, and which passage
    local list
    read -r -a list <<<"${POINTS[$1]}"
    case $1 in
        0) echo "${list[RANDOM % ${#list[@]}]}:$((RANDOM % 30 + 1))" ;;
        [12]) echo "${list[RANDOM % ${#list[@]}]}:$((RANDOM % 3 + 1))" ;;
        3) echo "${list[0]}:$((RANDOM % 4 + 1))" ;;
        4) echo "${list[0]}:$((RANDOM % 2 + 1))" ;;
        5) echo "${list[RANDOM % ${#list[@]}]}:$((RANDOM % 2 + 1))" ;;
    esac
}

hurry_leader() { # NODE: that one gets the lease soon, and finds something to do
    local id
    id=$(store_sql "select coalesce(max(id), 0) from ts_node where name like '%:$(pid_of "$1")'")
    store_sql "update ts_leader set until = '-infinity' where holder <> $id" >/dev/null
    [ "$(work_done)" = f ] || give_work >/dev/null 2>&1
}

arm() { # NODE PHASE POINT: it is started to die there; fails when it lives on for a while
    local end=$((SECONDS + 20 * PGA_SLOW))
    [ "$2" -lt 3 ] || { give_work; hurry_leader "$1"; } >/dev/null 2>&1
    FAULT=$3 SERVER_PGA=$PGA_FAULTY launch_server "$1"
    while is_running "$(pid_of "$1")"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.3
        [ "$2" -lt 3 ] || hurry_leader "$1"
        [ "$2" -lt 5 ] || give_marks >/dev/null 2>&1
    done
}

die_at() { # NODE PHASE: it is started and dies at a point of that phase; then it is started again
    local node=$1 phase=$2 point tries=6 status
    point=$(point_of "$phase")
    stop "$node" KILL
    # Whether it becomes the leader before the other one has done the work is a matter of chance.
    until arm "$node" "$phase" "$point" || [ $((--tries)) = 0 ]; do stop "$node" KILL; done
    reap "$node" 1
    status=$?
    stop "$node" KILL
    [ "$KILLS" -le 5 ] || echo "$(date -u +%FT%TZ) $node ${PHASES[$phase]} $point: $status" \
        >>"$KILL_LOG"
    [ "$status" = 137 ] || diag "$node at $point: $status"
    use_server "$node"
    restart_server "$node" && [ "$status" = 137 ]
}

kill_by_phases() { # FIRST LAST NODE...: phases in turn, nodes in turn
    local k died=0 first=$1 last=$2 nodes
    shift 2
    nodes=("$@")
    for ((k = first; k < last; k++)); do
        die_at "${nodes[k % ${#nodes[@]}]}" $((k % ${#PHASES[@]})) && died=$((died + 1))
    done
    is "$died" $((last - first)) "killed at $((last - first)) named points, and ready again"
}

# The leader sleeps while others work, longer than its lease: at any moment, or (with a build that
# has named points) in the middle of a change of tables, whose term it had checked before.
pause_leader() { # COMMAND...: what happens meanwhile, with the name of the other server
    local old new before
    if [ "$1" = meanwhile ] && [ "$kills" != 0 ]; then
        old=node1
        sleep_in_change "$old"
        ok $? "the leader sleeps in the middle of its work" || return
    else
        soon_like 30 leader node "there is a leader"
        old=$(leader)
        kill -STOP "$(pid_of "$old")"
    fi
    new=$(other_of "$old")
    before=$(term)
    proxy_says "${FAULTS[@]}" "nodes $([ "$new" = node1 ] && echo "$NODE1" || echo "$NODE2")"
    use_server "$new"
    "$@" "$new"
    soon_is 40 leader "$new" "while it sleeps the other one takes over"
    [ "$(term)" -gt "$before" ]
    ok $? "with a higher term"
    [ "$(work_done)" = f ] || give_work
    wait_acks 10 60
    ok $? "and takes what collectors push"
    soon_is 60 "store_sql \"select count(*) from ts_day where day =
        (extract(epoch from current_date + 3) / 86400)::bigint\"" 1 "and makes partitions"
    before=$(term)
    kill -CONT "$(pid_of "$old")"
    soon_like 30 "cat '$T/log/$old'" 'another server became the leader|work of the leader failed' \
        "the one that awakes finds that it is the leader no more"
    sleep 1
    is "$(leader)/$(term)" "$new/$before" "and follows"
    is "$(store_sql "select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where c.relname = 'ts_slice_' || to_char(current_date + 3, 'YYYYMMDD')")" 1 \
        "the day was made once"
    proxy_says "${FAULTS[@]}" "nodes $NODE1,$NODE2"
}

sleep_in_change() { # NODE: it becomes the leader and stops before a commit of its own
    local end=$((SECONDS + $(patience 60)))
    stop "$1" KILL
    give_work
    hurry_leader "$1"
    FAULT=pgstore.tables_commit SERVER_PGA=$PGA_FAULTY PGA_FAULT_STOP=1 launch_server "$1"
    while [ "$(ps -o stat= -p "$(pid_of "$1")" | cut -c1)" != T ]; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.3
        hurry_leader "$1"
    done
}

terminate_backends() { # TIMES: all of one server's, in the middle of what they do
    local i
    for ((i = 0; i < $1; i++)); do
        random_sleep 300
        sql "select count(pg_terminate_backend(pid)) from pg_stat_activity
            where usename = 'pga_store' and random() < 0.7" >/dev/null
    done
    wait_acks 20 60
    ok $? "pushes go on after $1 times that backends were terminated"
}

restart_postgres() { # MODE
    "$ROOT/tests/pg/server" restart "$T/pg/$STORE_PG" "$1" >"$T/log/pg-restart" 2>&1
    ok $? "PostgreSQL is started again ($1)"
    use_pg "$STORE_PG"
    wait_acks 20 60
    ok $? "and pushes go on, with the same servers"
}

refused() { cat "$T"/log/fake[0-9]* | grep -c 'status 50'; }

# The names of one collector cannot be stored: that is its trouble, not that of the others.
poison_names() {
    store_sql "create function poison() returns trigger language plpgsql as \$\$
        begin if new.labels::text like '%poison%' then raise 'no such names here'; end if;
        return new; end \$\$;
        create trigger poison before insert on ts_object for each row execute function poison()"
    spawn poison python3 "$TOOL/fakeagent.py" --url "$PROXY_URL" --register "$SERVER_URL" \
        --secret-file "$T/fake.secret" --name poison --rate 20 --described --churn 5
    soon_like 60 "head -1 '$T/log/poison'" 'status 50' "names that cannot be stored are refused"
    local before
    before=$(refused)
    wait_acks 60 60
    ok $? "while other collectors push"
    is "$(($(refused) - before))" 0 "and are not refused, new names and all"
    store_sql 'drop trigger poison on ts_object; drop function poison()'
    soon_like 60 "store_sql \"select count(*) from ts_object
        where labels::text like '%poison-%'\"" \
        '^[1-9]' "and once they can be stored, they are"
    kill -TERM "$(pid_of poison)"
    reap poison 70
    is $? 0 "and that collector delivers everything"
}

# One collector's stream stays locked for a while: the others' pushes do not fail with its own.
lock_a_stream() {
    local stream others i refused=0 before=()
    stream=$(store_sql "select id from ts_stream order by pushed_ms desc limit 1")
    others="select coalesce(sum(next_seq), 0) from ts_stream where id <> $stream"
    for ((i = 1; i <= FAKES; i++)); do
        before[i]=$(grep -c 'status 50' "$T/log/fake$i")
    done
    spawn locker psql -qAtX "postgres://postgres@127.0.0.1:$PGPORT/pga_store" \
        -c "begin; select 1 from ts_stream where id = $stream for update; select pg_sleep(3)"
    soon_is 60 "store_sql \"select ($others) >= $(($(store_sql "$others") + 20))\"" t \
        "while a stream is locked others go on"
    reap locker 60
    for ((i = 1; i <= FAKES; i++)); do
        [ "$(grep -c 'status 50' "$T/log/fake$i")" = "${before[i]}" ] || refused=$((refused + 1))
    done
    le "$refused" 1 "and are not refused"
}

# --- what is run -------------------------------------------------------------------------

start_database() { # VERSION
    local conf=()
    STORE_PG=pg-$1
    [ "$1" != timescale ] || conf=("shared_preload_libraries = 'timescaledb, pg_stat_statements'"
        'timescaledb.telemetry_level = off')
    start_pg "$STORE_PG" "$1" "${conf[@]}"
    ok $? "PostgreSQL $1 is started" || done_testing
    make_store
    [ "$1" != timescale ] || {
        PGDATABASE=pga_store sql 'create extension timescaledb' 2>/dev/null
        diag "TimescaleDB $(store_sql "select extversion || ', ' || current_setting(
            'timescaledb.license') from pg_extension where extname = 'timescaledb'")"
    }
    start_pooler
    ok $? "a pooler is started" || done_testing
}

all_down() { # a new round begins with nothing
    local name
    for name in node1 node2 proxy pooler; do stop "$name" KILL; done
    stop_pg "$STORE_PG"
    rm -rf "${T:?}/pg/$STORE_PG" "$T/node1" "$T/node2" "$T/token" "$T/acks" "$T/pooler" \
        "$T"/log/{node,fake,poison,oracle}*
}

kill_every() { # SECONDS UNTIL: the servers in turn
    local end=$((SECONDS + $2)) k=0 came=0
    while [ "$SECONDS" -lt "$end" ]; do
        sleep "$1"
        use_server node$((k % 2 + 1))
        stop "$SERVER" KILL
        restart_server "$SERVER" && came=$((came + 1))
        k=$((k + 1))
    done
    is "$came" "$k" "a server was killed every $1 s, $k times, and came back"
}

round() { # VERSION LINKS: LINKS is direct or pooled
    diag "--- $1, $2"
    start_database "$1"
    if [ "$2" = direct ]; then start_all "$DIRECT" "$DIRECT"; else start_all "$POOLED" "$POOLED"; fi
    kill_every 5 "$ROUND_S"
    pause_leader true
    terminate_backends 20
    restart_postgres immediate
    [ "$1" != timescale ] ||
        is "$(store_sql 'select count(*) > 0 from timescaledb_information.hypertables')" t \
            "wide tables are hypertables"
    settle
    all_down
}

kills=0
[ ! -x "$PGA_FAULTY" ] || [ "$KILLS" -lt 5 ] || kills=$KILLS

meanwhile() { # NODE: what the one that is awake goes through
    [ "$kills" = 0 ] || kill_by_phases 0 3 "$1"
    use_server "$1"
    poison_names
    lock_a_stream
}

start_database "$VERSION"
start_all "$DIRECT" "$POOLED"
pause_leader meanwhile
if [ "$kills" != 0 ]; then
    kill_by_phases 3 "$kills" node1 node2
else
    skip "kills at named points" "$PGA_FAULTY is not built (make fault)"
fi
use_server node1
terminate_backends 3
restart_postgres fast
restart_postgres immediate
settle
if [ "$PGA_FULL" = 1 ]; then
    all_down
    for version in ${ROUND_VERSIONS:-13 18 timescale}; do
        for links in direct pooled; do round "$version" "$links"; done
    done
fi
done_testing
