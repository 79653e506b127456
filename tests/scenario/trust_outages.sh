#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# An agent with a certificate through outages and wrong clocks, with the real programs: the server
# is away for 20 hours and for 10 days while the agent goes on reading, with a rotation of the
# authority meanwhile; the clock of the agent, of the server and of both jumps by hours, there and
# back. Whenever the server can be reached the agent gets in again by itself, it says what is the
# matter until then, and what it read is delivered: no number is missing, no reading is left out.
# Server and agent each have a clock that the test moves. In full runs only: after a failure an
# agent waits up to a minute before it asks for a certificate again.
# timeout: 60, full 1500

. "$(dirname "$0")/lib.sh"
[ "$PGA_FULL" = 1 ] || skip_all "outages under a moved clock take minutes (--full)"
need openssl
need_pga
export SERVER_PGA=$PGA_FAULTY

# --- two clocks ---

turn() { # NAME HOURS: the clock of the server or the agent shows so many more
    echo $(($2 * 3600)) >"$T/clock.$1.new"
    mv "$T/clock.$1.new" "$T/clock.$1"
}
hours=0
pass_hours() { # NUMBER: for both
    hours=$((hours + $1))
    turn server "$hours"
    turn agent "$hours"
}
pass_hours 0
export PGA_CLOCK=$T/clock.server

# --- a server of its own authority, and an agent ---

configure() { # NAME: a server of that name on ports of its own, and the one state there is
    SERVER_PORT=$(free_port)
    secure=$(free_port)
    mkdir -p "$T/$1"
    cat >"$T/$1/server.toml" <<END
[server]
listen = ["127.0.0.1:$SERVER_PORT", "https://127.0.0.1:$secure"]
agent_listen = ["127.0.0.1:$(free_port)"]
state_dir = "$T/state"
health_check_interval = "2s"
END
}
configure other
configure main
SERVER=main
SERVER_URL=http://127.0.0.1:$SERVER_PORT
up() {
    restart_server main && log_in
}
restart_server main
ok $? "the server is ready" || done_testing
set_up_owner
api POST registration-secrets '{"name":"one"}'
(umask 077 && member secret >"$T/secret")
printf '[agent]\nname = "db1"\n' >"$T/enrol.toml"
id=$(PGA_CLOCK=$T/clock.agent "$PGA_FAULTY" agent enroll --state-dir "$T/a1" \
    --server "https://127.0.0.1:$secure" --secret-file "$T/secret" \
    --ca-fingerprint "$(member ca_fingerprint)" --config "$T/enrol.toml" 2>&1 |
    sed -n 's/^enrolled as //p')
like "$id" '^[0-9a-f-]{36}$' "an agent is enrolled" || done_testing
cat >"$T/agent.toml" <<END
[agent]
name = "db1"
state_dir = "$T/a1"
[server]
url = "https://127.0.0.1:$secure"
[host]
enabled = true
END
start_live() {
    spawn live env PGA_CLOCK="$T/clock.agent" "$PGA_FAULTY" agent --config "$T/agent.toml"
}

# --- what is seen ---

serial() { openssl x509 -in "$T/a1/agent.pem" -noout -serial; }
log_lines() { wc -l <"$T/log/live"; }
said() { tail -n +$((mark + 1)) "$T/log/live"; } # since the mark
now_ms() { echo $((($(date +%s) + $1 * 3600) * 1000)); } # by a clock of so many hours
facts() { # [MS]: as streams.py says
    python3 "$TOOL/streams.py" --url "$SERVER_URL" --token-file "$T/token" --collector "$id" \
        --since "${1:-0}" 2>&1
}
has() { # NUMBER MS: so many records with readings of that time or later
    local n
    n=$(facts "$2" | sed 's/.*since=//')
    [ "${n:-0}" -ge "$1" ]
}
status() {
    api GET "collectors/$id"
    member status
}
delivers() { # NAME HOURS: readings of now arrive, by a clock of so many hours
    local from
    from=$(now_ms "$2")
    poll 150 has 1 "$from"
    ok $? "$1: readings arrive"
    soon_is 60 status active "$1: the agent is active"
}
whole() { # NAME STEPS: nothing is missing; clocks have jumped so often
    local got
    got=$(facts)
    diag "$1: $got"
    like "$got" ' holes=0 gaps=0 ' "$1: no number is missing, and no gap was made"
    like "$got" " steps=$2 " "$1: no reading is missing but where a clock jumped"
}
renewed() { # NAME
    poll 150 eval '[ "$(serial)" != "$was" ]'
    ok $? "$1: the certificate was renewed"
    was=$(serial)
}
says() { # REGEX NAME
    soon_like 150 said "$1" "$2"
}
keeps() { # NAME: what is read waits on disk, and is not lost with the process
    local from=$kept
    poll 60 eval '[ "$(spooled)" -gt "$from" ]'
    ok $? "$1: readings go to the spool"
    kill -KILL "$(pid_of live)"
    reap live 10
    start_live
    touch "$T/restarted" # not by size: what is older than two days goes meanwhile
    poll 60 eval '[ -n "$(find "$T/a1/spool" -name "seg-*" -newer "$T/restarted")" ]'
    kept=$(spooled)
    ok $? "$1: so they do after kill -9 and a new start"
}
spooled() { find "$T/a1/spool" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }'; }

was=$(serial)
start_live
delivers "at first" 0
mark=0

# --- 20 hours: the certificate ends meanwhile ---

pass_hours 7
log_in
delivers "seven hours later" "$hours"
is "$(serial)" "$was" "which is not half of a life"
mark=$(log_lines)
stop main
ok $? "the server goes away"
kept=$(spooled)
says 'cannot deliver, records wait in the spool' "the agent says so"
pass_hours 20
keeps "20 hours"
begin=$(now_ms "$hours")
is "$(serial)" "$was" "nobody was there to renew the certificate, which has ended"
up
ok $? "the server returns"
renewed "20 hours"
poll 60 has 1 "$begin"
delivers "20 hours" "$hours"
whole "20 hours" 2

# --- 10 days: issuing authority and root are other ones when the server returns ---

mark=$(log_lines)
stop main
kept=$(spooled)
says 'cannot deliver, records wait in the spool' "10 days: the agent says so"
poll 60 eval '[ "$(spooled)" -gt "$kept" ]' # something of today, which will be too old
pass_hours 240
keeps "10 days"
main_url=$SERVER_URL # people reach the server elsewhere, and the agent does not
SERVER=other SERVER_URL=http://127.0.0.1:$(sed -n 's/^listen = .*:\([0-9]*\)", .*/\1/p' \
    "$T/other/server.toml")
restart_server other && log_in
for kind in issuing root; do
    api POST ca/rotate "{\"kind\":\"$kind\"}"
    is "$STATUS" 200 "10 days: the authority is rotated meanwhile ($kind)"
done
stop other
SERVER=main SERVER_URL=$main_url
up
renewed "10 days"
delivers "10 days" "$hours"
like "$(openssl x509 -in "$T/a1/agent.pem" -noout -issuer)" 'pga issuing [2-9]' \
    "10 days: by the authority of today"
got=$(facts)
diag "10 days: $got"
like "$got" ' holes=0 ' "10 days: no number is missing"
events() {
    api GET 'events?limit=500'
    echo "$got $BODY"
}
like "$(events)" 'why=spool_age|"reason": *"clock"' \
    "10 days: that something was older than two days is told"

# --- the agent's clock alone ---

mark=$(log_lines)
turn agent $((hours + 5))
says "the server's clock differs from ours by -" "the agent's clock is ahead: it says so"
delivers "the agent's clock is ahead" "$hours"
turn agent "$hours"
delivers "the agent's clock is right again" "$hours"
mark=$(log_lines)
turn agent $((hours - 5))
says 'cannot deliver, records wait in the spool|clock differs from ours by [1-9]' \
    "the agent's clock is behind: it says so"
kept=$(spooled)
poll 60 eval '[ "$(spooled)" -gt "$kept" ]'
ok $? "the agent's clock is behind: it keeps on reading"
turn agent "$hours"
delivers "the agent's clock is right" "$hours"
like "$(facts)" ' holes=0 ' "the agent's clock: no number is missing"

# --- the server's clock alone: certificates end, or have not begun, before their time ---

was=$(serial)
mark=$(log_lines)
turn server $((hours + 30))
log_in
renewed "the server's clock is a day ahead"
delivers "the server's clock is a day ahead" $((hours + 30))
like "$(said)" 'the clocks may differ|may not take our certificate' "the agent says so"
mark=$(log_lines)
turn server "$hours"
log_in
renewed "the server's clock is right again"
soon_is 150 status active "the server's clock is right again: the agent is active"

# --- both, there and back ---

pass_hours 3
log_in
soon_is 150 status active "three hours later for both: the agent is active"
pass_hours -3
log_in
soon_is 150 status active "and back: the agent is active"
pass_hours 31
log_in
delivers "when that is over" "$hours"
got=$(facts)
diag "at the end: $got"
like "$got" ' holes=0 ' "at the end: no number is missing"
stop live
ok $? "the agent ends cleanly"
stop main
ok $? "the server ends cleanly"
unlike "$(cat "$T"/log/*)" 'PRIVATE KEY|Sanitizer|runtime error' "logs hold no key, no report"
done_testing
