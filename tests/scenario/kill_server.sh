#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# kill -9 of the server under load, at random moments and at every named fault point, on a
# network that loses answers and repeats requests: nothing acknowledged is lost, nothing is
# doubled. KILLS sets the number of random kills (default 5, in a full run 200).
# timeout: 900, full 7200

. "$(dirname "$0")/lib.sh"
need_pga
[ "$PGA_FULL" = 0 ] || KILLS=${KILLS:-200}
KILLS=${KILLS:-5}

# A store that flushes all the time, so that kills hit flush and replay as well.
start_server server '[store]' 'flush_bytes = 65536' 'flush_age = "1s"'
ok $? "the server is ready" || done_testing
set_up_owner
start_pg pg system
start_proxy
proxy_says 'seed 1' 'drop_answer 0.05' 'cut_answer 0.05' 'duplicate 0.05' 'replay 0.05' \
    'twin 0.05' 'cut_request 0.02' 'drop_request 0.02'
spawn load "$TOOL/load.sh" 7200 2
for agent in agent1 agent2; do
    start_agent "$agent" "$PROXY_URL" "$DSN" 'statements_every = "5s"' 'sessions_every = "1s"'
done
enrol_secret "$T/fake.secret"
fake() { # NAME [OPTION...]: a fast one, so that every moment has a push under way
    spawn "$1" python3 "$TOOL/fakeagent.py" --url "$PROXY_URL" --register "$SERVER_URL" \
        --secret-file "$T/fake.secret" --name "$@"
}
fakes=(fake1 fake2)
fake fake1
fake fake2 --back-h 46 --step-ms 60000 # so that days are closed, and hours over, all the time
wait_acks 100 60
ok $? "four agents push through a bad network" || done_testing

slowest=0
ready_after() { # starts the server again and notes how long it took to be ready
    local start
    start=$(date +%s%N)
    restart_server server || return 1
    local took=$((($(date +%s%N) - start) / 1000000))
    [ "$took" -le "$slowest" ] || slowest=$took
}

killed=0
for ((k = 0; k < KILLS; k++)); do
    random_sleep 2000
    stop server KILL
    ready_after || break
    killed=$((killed + 1))
done
is "$killed" "$KILLS" "ready again after each of $KILLS kills at random moments"

if [ -x "$PGA_FAULTY" ]; then
    # Those of a deletion are tried by target_delete.sh, of a backup by backup.sh, of keys by
    # secrets.sh, of PostgreSQL by
    # store_pg.sh, retention and retirement by tsdb_retain and tsdb_kills, which tries all of them;
    # the watermark of roll-ups, which may move once an hour only, by tsdb_rollup_store.
    elsewhere='^(file|backup|keys|pgstore|tsdb\.((drop|copy|retain|retire)_|rollup_watermark))'
    # Two of compaction and roll-up here, in a full run all.
    few='^tsdb\.(compact_(begun|listed|part|unlinked|written)'
    few="$few|rollup_(hour|marks|writing))"
    [ "$PGA_FULL" = 1 ] || elsewhere="$elsewhere|$few"
    for point in $(fault_points server | grep -vE "$elsewhere"); do
        case $PGA_FULL:$point in # the one from before has caught up by now
            1:tsdb.compact_begun | 1:tsdb.compact_part | 1:tsdb.rollup_hour | 1:tsdb.rollup_writing)
                fakes+=("fake$((${#fakes[@]} + 1))")
                fake "${fakes[-1]}" --back-h 46 --step-ms 60000
                wait_acks 20 60
                ;;
        esac
        stop server KILL
        FAULT=$point SERVER_PGA=$PGA_FAULTY launch_server server
        case $point in # a compaction waits for flushes that pile up, a roll-up for an hour to end
            tsdb.compact_* | tsdb.rollup_*) reap server 240 ;; # in the background, behind all else
            *) reap server 20 ;;
        esac
        status=$?
        if [ "$status" = 255 ]; then # perhaps a point of the shutdown
            kill -TERM "$(pid_of server)"
            reap server 20
            status=$?
        fi
        is "$status" 137 "the server dies at $point"
        stop server KILL
        ready_after
        ok $? "and is ready again"
    done
    # Files are made at the first start only: a store of its own for each of those points.
    for point in $(fault_points server | grep '^file\.'); do
        FAULT=$point SERVER_PGA=$PGA_FAULTY READY_S=1 start_server "new.$point"
        reap "new.$point" 20
        is $? 137 "a new server dies at $point"
        restart_server "new.$point" && set_up_owner
        ok $? "and starts and is set up afterwards"
        stop "new.$point"
    done
else
    skip "kills at named fault points" "$PGA_FAULTY is not built (make fault)"
fi
use_server server
diag "slowest start: $slowest ms"
proxy_says 'mode pass'
for fake in "${fakes[@]}"; do
    kill -TERM "$(pid_of "$fake")"
    reap "$fake" 70
    is $? 0 "$fake delivered everything"
done
wait_acks 6 60
ok $? "pushes go on"
stop agent1 # while agents push, the oracle's two views are of two moments
stop agent2
log_in
oracle
ok $? "lost 0, doubled 0"
stop server TERM 30
ok $? "the server ends cleanly"
"$PGA" migrate --store "sqlite:$T/server/state/store" verify >"$T/log/verify" 2>&1
ok $? "the store verifies"
restart_server server && log_in && oracle
ok $? "and after a clean start again: lost 0, doubled 0"
done_testing
