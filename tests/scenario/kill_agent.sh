#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# kill -9 of the agent under load, at random moments and at every named fault point: its
# streams have no hole, no record changes or comes twice, and no statement call is delivered
# twice. KILLS: default 5, in a full run 200.
# timeout: 900, full 7200

. "$(dirname "$0")/lib.sh"
need_pga
[ "$PGA_FULL" = 0 ] || KILLS=${KILLS:-200}
KILLS=${KILLS:-5}

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
start_pg pg 17
start_proxy
proxy_says 'seed 2' 'drop_answer 0.05' 'cut_answer 0.05' 'duplicate 0.05' 'cut_request 0.05'
spawn load "$TOOL/load.sh" 7200 2
start_agent agent "$PROXY_URL" "$DSN" 'statements_every = "5s"' 'sessions_every = "1s"' \
    '[spool]' 'keep_after_ack = "2s"'
wait_acks 4 60
ok $? "the agent pushes through a bad network" || done_testing
db=$(target_id postgresql)
statements="relation=pg_stat_statements&column=calls&from=-3h&to=now&step=10800000&agg=sum"
poll 60 eval 'api GET "servers/$db/metrics?$statements&by=queryid"; [[ $BODY =~ \"queryid\" ]]'
ok $? "statements arrive" || diag "$BODY"

# A statement of which we know every call, at a steady pace while the agent dies and returns.
echo "select 'pga marker' as marker;" >"$T/marker.sql"
spawn marker pgbench -n -c 1 -j 1 -R 40 -T 7200 -f "$T/marker.sql"

alive=0
for ((k = 0; k < KILLS; k++)); do
    random_sleep 3000
    stop agent KILL
    restart_agent agent
    sleep 0.3
    is_running "$(pid_of agent)" || break
    alive=$((alive + 1))
done
is "$alive" "$KILLS" "runs again after each of $KILLS kills at random moments"

if [ -x "$PGA_FAULTY" ]; then
    for point in $(fault_points agent); do
        stop agent KILL
        FAULT=$point AGENT_PGA=$PGA_FAULTY restart_agent agent
        reap agent 30
        status=$?
        if [ "$status" = 255 ]; then # perhaps a point of the shutdown
            kill -TERM "$(pid_of agent)"
            reap agent 20
            status=$?
        fi
        is "$status" 137 "the agent dies at $point"
        stop agent KILL
        restart_agent agent
    done
else
    skip "kills at named fault points" "$PGA_FAULTY is not built (make fault)"
fi
proxy_says 'mode pass'
stop marker KILL
idle="select count(*) = 0 from pg_stat_activity where query ~ 'marker' and pid <> pg_backend_pid()"
marker_is_idle() { [ "$(sql "$idle")" = t ]; }
poll 10 marker_is_idle
marked="from pg_stat_statements where query like 'select % as marker'"
called=$(sql "select sum(calls) $marked")
queryid=$(sql "select queryid $marked")
read_calls() {
    api GET "servers/$db/metrics?$statements&by=queryid&key.queryid=$queryid"
    [ "$STATUS" = 200 ]
}
delivered() { # sets DELIVERED: the calls of the marker that the server knows
    poll 30 read_calls
    DELIVERED=$(python3 -c 'import json,sys
print(sum(v or 0 for s in json.load(sys.stdin)["series"] for v in s["values"]))' <<<"$BODY")
}
sleep 13 # two more readings: what came before them is settled
delivered
diag "over the kills: $DELIVERED of $called calls delivered; the rest fell between two lives"
le "$DELIVERED" "$called" "no call is delivered twice"
before=$DELIVERED
pgbench -n -c 1 -t 500 -f "$T/marker.sql" >"$T/log/marker2" 2>&1
poll 40 eval 'delivered; [ "$DELIVERED" -ge $((before + 500)) ]'
sleep 11 # one more reading: a doubled call would show
delivered
is $((DELIVERED - before)) 500 "afterwards 500 calls are delivered as 500"
stop agent # while it pushes, the oracle's two views are of two moments
ok $? "the agent ends cleanly"
oracle
ok $? "lost 0, doubled 0"
done_testing
