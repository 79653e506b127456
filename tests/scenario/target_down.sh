#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# A PostgreSQL that does not answer is down, and says why, as long as its agent delivers; its
# host is not. When it answers again it is live again. With the agent gone nothing is known: stale.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga

export XDG_CONFIG_HOME=$T/config HOME=$T PGA_TOKEN_FILE=$T/token
ctl() { PGA_SERVER=$SERVER_URL "$PGA" ctl "$@" 2>&1; }

state() { # [MEMBER] [KIND]: of the target in the list
    api GET servers
    python3 -c 'import json,sys
print(next((s[sys.argv[1]] for s in json.load(sys.stdin)["data"]
            if s["kind"] == sys.argv[2]), ""))' \
        "${1:-state}" "${2:-postgresql}" <<<"$BODY"
}
goes_on() { # whether readings come after now
    local now
    now=$(state last_sample_ms)
    poll 20 eval "[ \"\$(state last_sample_ms)\" -gt $now ]"
}

start_server server && set_up_owner && start_pg pg system
ok $? "servers run" || done_testing
start_agent agent "$SERVER_URL" "$DSN" 'every = "1s"'
soon_is 40 state live "with PostgreSQL there it is live"
is "$(state reason)" None "and there is no reason"
id=$(target_id postgresql)

stop_pg pg
ok $? "PostgreSQL is stopped"
soon_is 40 state down "it is down"
soon_like 20 'state reason' 'connect' "and the reason is what the agent was told"
goes_on
ok $? "readings of it go on: the agent delivers"
is "$(state)" down "and it is down still"
is "$(state state host)" live "the host is live"
api GET "servers/$id"
is "$(member state)" down "one target: down"
like "$(member reason)" 'connect' "and the reason"
like "$(ctl target list)" 'agent-db +postgresql +down .*connect' "ctl target list says both"
like "$(ctl target show agent-db)" 'down' "ctl target show, too"
out=$(ctl doctor)
is $? 7 "ctl doctor ends with 7"
like "$out" '^fail +target +agent-db is down: .*connect' "and says which and why"

restart_server_with_history() { # what is read from the files is the same
    stop server && restart_server server
}
stop agent
restart_server_with_history
ok $? "the server starts again"
soon_is 20 state down "after a restart of the server it is down as before"
restart_agent agent

"$ROOT/tests/pg/server" restart "$T/pg/pg" >>"$T/log/pg-pg" 2>&1
ok $? "PostgreSQL runs again"
soon_is 60 state live "it is live again"
is "$(state reason)" None "without a reason"
ctl doctor >"$T/doctor"
is $? 0 "and ctl doctor is content" || diag "$(cat "$T/doctor")"

stop_pg pg
soon_is 40 state down "down once more"
stop agent
soon_like 60 state 'stale|offline' "with the agent gone, too, nothing is known: stale"
is "$(state reason)" None "and what the last heartbeat said is no reason for that"
done_testing
