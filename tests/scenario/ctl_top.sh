#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# pga ctl top in a real terminal: load, sessions, queries, a real lock wait; keys, resize, colours,
# a server that goes away, and a terminal that is as before whatever ends the program.
# timeout: 300

. "$(dirname "$0")/lib.sh"
need_pga
need tmux psql
export XDG_CONFIG_HOME=$T/config HOME=$T
unset PGA_SERVER PGA_TOKEN PGA_TOKEN_FILE NO_COLOR

start_server server
ok $? "the server is ready" || done_testing
printf '%s' "$OWNER_PASSWORD" >"$T/password"
chmod 600 "$T/password"
"$PGA" ctl --server "$SERVER_URL" setup --code-file "$T/server/code" --username owner \
    --password-file "$T/password" >/dev/null
"$PGA" ctl --server "$SERVER_URL" login --username owner --password-file "$T/password" >/dev/null
ok $? "login" || done_testing
log_in
start_pg pg system
ok $? "PostgreSQL" || done_testing
spawn load "$TOOL/load.sh" 280 3
sql 'create table held (id int primary key); insert into held values (1)'
# One session holds a row, one waits for it, and one that is older waits behind that one; all of
# it before the agent looks, for a chain is shown as it began.
session() { # NAME CONDITION: is there one like that?
    [ "$(sql "select count(*) from pg_stat_activity
        where application_name = '$1' and $2")" = 1 ]
}
mkfifo "$T/one" "$T/two"
spawn holder bash -c 'exec psql -qAtX <"$0"' "$T/one"
exec 7>"$T/one"
echo "set application_name = 'holder'; begin; update held set id = 1;" >&7
poll 10 session holder "state = 'idle in transaction'"
spawn waiter2 env PGAPPNAME=waiter2 bash -c 'exec psql -qAtX <"$0"' "$T/two"
exec 8>"$T/two"
poll 10 session waiter2 true
spawn waiter1 env PGAPPNAME=waiter1 psql -qAtX -c 'update held set id = 1'
poll 10 session waiter1 "wait_event_type = 'Lock'"
echo 'update held set id = 1;' >&8
poll 10 session waiter2 "wait_event_type = 'Lock'"
ok $? "a chain of two lock waits" || done_testing
start_agent agent "$SERVER_URL" "$DSN"
like "$(target_id postgresql)" '^[0-9a-f-]{36}$' "a target is known" || done_testing

mux() { tmux -L "pga-top-$$" -f /dev/null "$@"; }
screen() { mux capture-pane -p -t top 2>/dev/null; }
shows() { # SECONDS REGEX NAME
    poll "$1" eval "screen | grep -qE -- '$2'"
    ok $? "$3" || diag "$(screen)"
}
key() { mux send-keys -t top "$@"; }

mux new-session -d -s top -x 120 -y 40 "PS1='ready> ' bash --norc --noprofile"
poll 10 eval 'screen | grep -q "ready>"'
key -l "stty -a >$T/stty.before" && key Enter
sleep 0.5
start_top() { key -l "$PGA ctl top --target agent-db $*" && key Enter; }

# --- what it shows ---------------------------------------------------------------------------

start_top --every 1s
shows 20 '^agent-db +PostgreSQL [0-9.]+ .*(live|new)' "the head names target, version and state"
shows 60 '^ +0\.0 .*[CILW]' "the load strip has letters of wait classes"
shows 60 'now +.*(CPU|Lock|IO|Client) [0-9]+\.[0-9]+' "and their values of now"
shows 60 '^postgres +active +client backend +[0-9]+' "sessions, counted"
shows 30 'Lock [1-9][0-9]*\.[0-9]' "the lock waits are load of class Lock"
like "$(mux capture-pane -p -e -t top)" $'\033\\[3[0-9]m' "in colours"
key 2
shows 90 '[0-9.]+% +[0-9]+ .*(UPDATE|update|SELECT|select|INSERT)' "queries with their share"
key s
shows 10 'sort: total_exec_time' "s sorts by the next column"
key /
key -l 'pgbench_tellers'
key Enter
shows 10 'filter: pgbench_tellers' "/ filters"
sleep 1
unlike "$(screen)" 'pgbench_accounts' "and leaves out what does not fit"
key /
key Escape
sleep 1
unlike "$(screen)" 'filter:' "Escape drops the filter"
key 3
shows 60 'blocks [12] for' "the lock tree has the blocker"
shows 10 'holder' "by its application's name"
shows 10 '^  └ [0-9]+ .*waiter1' "and who waits for it"
shows 10 '^     └ [0-9]+ .*waiter2' "and who waits behind that one"
like "$(screen | grep -oE '(holder|waiter[12])' | tr '\n' ' ')" 'holder waiter1 waiter2' \
    "each below whom it waits for"
stop load # it makes lock waits of its own
echo 'commit;' >&7
shows 60 'nobody blocks anybody' "and is empty when the lock is gone"
key Tab
shows 10 '\[1 Sessions\]' "Tab goes on to the first view"
key '?'
shows 10 'sort by the next column' "? shows the keys"
key '?'
key Space
shows 10 'paused' "Space pauses"
before=$(screen | head -1)
sleep 3
is "$(screen | head -1)" "$before" "and nothing moves"
key Space
poll 10 eval '! screen | grep -q paused'
ok $? "Space goes on"
key '['
shows 10 '1 min ago' "[ goes back in time"
key ']'
poll 10 eval '! screen | grep -q "min ago"'
ok $? "] comes back"
mux resize-window -t top -x 80 -y 24
sleep 3
like "$(screen | tail -1)" 'q quit' "after a resize the keys are in the last line"
is "$(screen | awk 'length > 80' | wc -l)" 0 "and no line is too long"
mux resize-window -t top -x 120 -y 40
stop server
shows 20 'server|refused|connect' "a server that goes away is told on the screen"
restart_server server
shows 20 '^agent-db .* live' "and comes back by itself"
key q
shows 10 'ready>' "q ends it"

# --- the terminal afterwards -------------------------------------------------------------------

restored() { # NAME
    sleep 0.5
    key -l "stty -a >$T/stty.after; echo same again" && key Enter
    shows 10 '^same again' "$1: the terminal echoes"
    is "$(cat "$T/stty.after")" "$(cat "$T/stty.before")" "$1: its settings are as before"
    is "$(mux display -p -t top '#{alternate_on}#{cursor_flag}')" 01 "$1: screen and cursor too"
    key C-l
}
top_pid() { pgrep -P "$(mux display -p -t top '#{pane_pid}')" -f "ctl top"; }
restored "q"
for signal in TERM INT HUP QUIT SEGV; do
    start_top
    shows 20 '^agent-db' "top runs"
    kill -$signal "$(top_pid)"
    restored "SIG$signal"
done
start_top
shows 20 '^agent-db' "top runs"
key C-c
restored "Ctrl-C"

# --- without colours, and without a terminal ----------------------------------------------------

key -l "NO_COLOR=1 $PGA ctl top" && key Enter
shows 20 '^agent-db' "top runs with NO_COLOR"
shows 20 '^ +0\.0 .*[CILWN]' "and has its letters"
unlike "$(mux capture-pane -p -e -t top)" $'\033\\[3[0-9]m' "and no colour"
key q
mux kill-server
"$PGA" ctl top --view queries >"$T/once" 2>&1 </dev/null
is $? 0 "into a pipe it writes one frame"
unlike "$(cat "$T/once")" $'\033' "without any escape"
like "$(cat "$T/once")" '^agent-db' "with its head"
exec 7>&-
done_testing
