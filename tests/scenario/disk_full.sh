#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The disk is full, first under the agent's spool, then under the server's store (each on a small
# tmpfs of its own): the state is clear, nothing is acknowledged that is not kept, both go on by
# themselves once there is room again, and what was lost is accounted for to the record.
# timeout: 240

if [ -z "${PGA_OWN_MOUNTS:-}" ] && unshare -m --propagation private true 2>/dev/null; then
    PGA_OWN_MOUNTS=1 exec unshare -m --propagation private bash "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
need_pga
mkdir -p "$T/small" "$T/store"
trap 'kept=$?; umount -l "$T/small" "$T/store" 2>/dev/null; (exit $kept); clean_up' EXIT
if [ -z "${PGA_OWN_MOUNTS:-}" ] || ! mount -t tmpfs -o size=12m,mode=755 none "$T/small" ||
    ! mount -t tmpfs -o size=24m,mode=755 none "$T/store"; then
    skip_all "a tmpfs needs root and a mount namespace of its own"
fi

available() { df --output=avail -k "$1" | tail -1; } # FOLDER: kB
fill() { # FOLDER [KB]: to the last byte, or so that this much is left
    local i room
    for i in 1 2 3; do # what runs meanwhile may give something back
        room=$(($(available "$1") - ${2:-0}))
        [ "$room" -le 0 ] || head -c "${room}k" /dev/zero >>"$1/filler" 2>/dev/null
        sleep 0.3
    done
    [ "$(available "$1")" -le "$((${2:-0} + 64))" ]
}

start_server server "store = \"sqlite:$T/store/data\"" '[store]' 'flush_bytes = "2MB"' \
    'journal_bytes = "4MB"'
ok $? "the server is ready" || done_testing
set_up_owner
start_pg pg system
start_proxy
spawn load "$TOOL/load.sh" 600 2
mkdir -p "$T/agent"
enrol_secret "$T/agent/secret"
cat >"$T/agent/agent.toml" <<C
[agent]
name = "agent"
state_dir = "$T/small/agent"
[server]
url = "$PROXY_URL"
registration_secret_file = "$T/agent/secret"
[[target]]
name = "agent-db"
dsn = "$DSN"
every = "1s"
statements_every = "2s"
[spool]
live_after = "1h"
C
restart_agent agent
wait_acks 4 60
ok $? "the agent pushes" || done_testing

# --- the spool ----------------------------------------------------------------------------

stop server
sleep 3
fill "$T/small"
ok $? "the agent's disk is full and the server is away"
poll 30 grep -qE 'No space left|disk is full' "$T/log/agent"
ok $? "the agent says so"
poll 10 grep -q 'a record was lost' "$T/log/agent"
like "$(grep 'a record was lost' "$T/log/agent")" 'No space left.*free space on that file system' \
    "and what to do"
sleep 5
is_running "$(pid_of agent)"
ok $? "and goes on"
rm "$T/small/filler"
restart_server server && log_in
ok $? "there is room again, and the server is back"
wait_acks 3 60
ok $? "the agent delivers again by itself"
is "$(find "$T/small/agent/spool/bad" -type f 2>/dev/null | wc -l)" 0 "no damaged bytes were left"

# --- the store ----------------------------------------------------------------------------

fill "$T/store" 2500
ok $? "the store's disk has less room than the server wants to keep free"
unwell() { [ "$(http_status GET /api/v1/health)" = 503 ]; }
poll 20 unwell
ok $? "health is 503"
api GET health
like "$BODY" '"status": *"degraded"' "and says degraded"
like "$BODY" 'full|disk' "and of what"
like "$(grep 'store is full' "$T/log/server")" 'kB left on the file system of .*free space there' \
    "the server's log says what, where and what to do"
poll 20 grep -q '"status": 503' "$T/acks"
ok $? "a push is refused with 503"
api GET servers
is "$STATUS" 200 "what was stored can be read"
fill "$T/store"
ok $? "then somebody takes the rest"
full_from=$(wc -l <"$T/acks")
sleep 6
tail -n "+$((full_from + 1))" "$T/acks" | grep '"status": 200' >"$T/false" || true
is "$(wc -l <"$T/false")" 0 "nothing is acknowledged while the disk is full"
is_running "$(pid_of agent)" && is_running "$(pid_of server)"
ok $? "both go on"
rm "$T/store/filler"
wait_acks 3 60
ok $? "with room again pushes are taken, by themselves"
well() { [ "$(http_status GET /api/v1/health)" = 200 ]; }
poll 10 well
ok $? "and health is 200"

# --- the sum ------------------------------------------------------------------------------

sleep 2
stop agent
is $? 0 "the agent ends"
oracle --allow-gaps
ok $? "what was acknowledged is stored once and unchanged"
stop server
is $? 0 "the server ends"
PGA_CHECK=$("$PGA" migrate --store "sqlite:$T/store/data" verify 2>&1)
is $? 0 "its store is whole" || diag "$PGA_CHECK"
done_testing
