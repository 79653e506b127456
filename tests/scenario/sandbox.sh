#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# What server and agent have given up while they run (security D1-D3): every thread is without
# capabilities and behind seccomp, no core dumps; what they still need works: names, the log opened
# again, a reload, the store, PostgreSQL. They say what is in force, and "off" is off.
# timeout: 180

. "$(dirname "$0")/lib.sh"
need_pga
! grep -qa '__[at]san_init' "$PGA" || skip_all "a sanitizer's runtime does not live in the sandbox"

every_thread() { # NAME FIELD: its values in all threads of that process
    cat /proc/"$(pid_of "$1")"/task/*/status | sed -n "s/^$2:[[:space:]]*//p" | sort -u |
        tr '\n' ' '
}
given_up() { # NAME
    is "$(every_thread "$1" NoNewPrivs)" "1 " "D1: every thread of the $1 has no_new_privs"
    for field in CapEff CapPrm CapInh CapBnd CapAmb; do
        is "$(every_thread "$1" $field)" "0000000000000000 " "D1: and no capabilities: $field"
    done
    is "$(every_thread "$1" Seccomp)" "2 " "D3: and a list of system calls"
    like "$(grep 'Max core' /proc/"$(pid_of "$1")"/limits)" 'size +0 +0 ' "no core dumps"
    like "$(grep 'sandbox:' "$T/log/$1$2")" \
        'no new privileges, no core dumps, system calls \(seccomp\)' "the log of the $1 says so"
}

start_server server "log_file = \"$T/server/log.txt\""
ok $? "the server is ready" || done_testing
set_up_owner
ln -s "$T/server/log.txt" "$T/log/server-file"
given_up server -file
api GET health
like "$(member checks.sandbox.detail)" 'system calls' "the health says what is in force"
is "$(member checks.sandbox.detail)" \
    "$(sed -n 's/.*sandbox: //p' "$T/server/log.txt")" "in the words of the log"
mv "$T/server/log.txt" "$T/server/log.1"
kill -USR1 "$(pid_of server)"
soon_like 10 "cat '$T/server/log.txt' 2>&1" 'opened again' \
    "the log is opened again after a rotation"
kill -HUP "$(pid_of server)"
soon_like 10 "cat '$T/server/log.txt'" 'configuration read again' "the configuration is read again"

start_pg pg system
start_agent agent "http://localhost:$SERVER_PORT" "$DSN"
poll 40 eval 'api GET servers; [ "$(grep -o "\"state\": *\"live\"" <<<"$BODY")" ]'
ok $? "the agent finds the server by its name, and its database is live" || diag "$BODY"
# One that has not enrolled yet may connect anywhere: only the server knows where it shall deliver.
unlike "$(grep 'sandbox:' "$T/log/agent")" 'TCP ports \(' \
    "D2: before it has enrolled, it connects to any port"
stop agent TERM 20
restart_agent agent
poll 40 eval '[ "$(grep -c "connected to PostgreSQL" "$T/log/agent")" = 2 ]'
ok $? "with its identity it starts again"
given_up agent ""
kill -HUP "$(pid_of agent)"
sleep 1
files=$(sed -n 's/.*sandbox:.*\(Landlock [0-9]*\).*/\1/p' "$T/log/agent")
if [ -z "$files" ]; then
    skip "D2: files and ports" "this kernel has no Landlock"
else
    pass "D2: files are limited ($files)"
fi
if grep -q 'files and TCP ports (' "$T/log/agent"; then
    sed -i 's/^dsn = .*/dsn = "host=127.0.0.1 port=19 user=pga dbname=postgres"/' \
        "$T/agent/agent.toml"
    kill -HUP "$(pid_of agent)"
    soon_like 20 "cat '$T/log/agent'" 'is at port 19, which the sandbox .* restart the agent' \
        "D2: a target at a port that was not known at start is told of"
else
    skip "D2: TCP ports" "this kernel's Landlock knows no ports"
fi
stop agent
ok $? "the agent ends cleanly"
stop server
ok $? "the server ends cleanly"

start_server open 'sandbox = "off"'
ok $? "a server without the sandbox is ready" || done_testing
is "$(every_thread open Seccomp)" "0 " "sandbox = \"off\" is off"
like "$(cat "$T/log/open")" 'sandbox: off' "and the log says so"
stop open
done_testing
