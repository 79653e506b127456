#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# What the readings cost the server is measured on the agent's own sessions and told, and over the
# budget the dearest are left out, with the reason, while the heartbeat goes on.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga
need python3 psql

probes() { # prints "NAME STATE REASON" of each probe of the target
    api GET "servers/$db"
    python3 -c 'import json,sys
for p in json.load(sys.stdin)["probes"]:
    print(p["probe"], p["state"], p["reason"] or "")' <<<"$BODY"
}

shed() { probes | grep -c ' shed '; }

told_ms() { # database time of all probes that was told since the start
    local what="relation=pga_probe&column=database_ms&by=probe"
    api GET "servers/$db/metrics?$what&from=-1h&to=now&step=3600000&agg=sum"
    python3 -c 'import json,sys
print(sum(v or 0 for s in json.load(sys.stdin)["series"] for v in s["values"]))' <<<"$BODY"
}

seen_ms() { # CPU time of the agent's sessions, from the kernel
    local pid sum=0
    for pid in $(sql "select pid from pg_stat_activity where application_name like 'pga%'"); do
        read -r ns _ <"/proc/$pid/schedstat" && sum=$((sum + ns))
    done
    echo $((sum / 1000000))
}

restart_with() { # LINE of agent.toml in place of the budget
    stop agent
    sed -i "s/^cost_budget = .*/$1/" "$T/agent/agent.toml"
    restart_agent agent
}

start_server server && set_up_owner && start_pg pg 17
ok $? "servers run" || done_testing
start_agent agent "$SERVER_URL" "$DSN" 'databases = []' 'cost_budget = 0.5'
db=$(target_id postgresql)
poll 100 eval '[ "$(told_ms)" != 0 ] && compare "$(told_ms)" ">" 5'
ok $? "what the readings cost is told" || diag "$(told_ms)"
told=$(told_ms)
seen=$(seen_ms)
within $((seen / 5)) "$told" $((seen + 1)) "and is what the kernel says of the sessions"
diag "told $told ms, sessions have used $seen ms"
is "$(shed)" 0 "the usual readings are within the usual budget"

restart_with 'cost_budget = 0.0001'
poll 60 eval '[ "$(shed)" -ge 5 ]'
ok $? "over the budget readings are left out" || diag "$(probes)"
like "$(probes | grep ' shed ' | head -1)" \
    'left out for 60 min: it cost [0-9.e-]+ ms .* may cost 0.001 \(cost_budget\)' "with the reason"
unlike "$(probes)" '^pg_instance shed' "the heartbeat is not"
runs() { sql "select sum(calls) from pg_stat_statements s, pg_roles r
    where r.oid = s.userid and rolname = 'pga'"; }
poll 30 eval '[ "$(probes | grep -cE "^(pg_stat_database|sessions|statements) shed")" = 3 ]'
ok $? "nor are the dear ones read in the end" || diag "$(probes)"
before=$(runs)
sleep 10
le $(($(runs) - before)) 15 "the server has rest"
api GET "servers/$db"
is "$(member state)" live "and is known to be up"

restart_with 'cost_budget = 0'
poll 60 eval '[ "$(shed)" = 0 ]'
ok $? "0 is no limit"
done_testing
