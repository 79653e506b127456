#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Connections that have nothing to say hold no worker: beside 1000 idle keep-alive connections and
# 200 that drip a byte a second a good client is answered. Deadlines and caps end the waiting, and
# the server stops with all of them open.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga
crowd() { # STAGE [OPTION...]: its tests become ours
    python3 "$TOOL/crowd.py" --port "$SERVER_PORT" --pid "$(pid_of "$SERVER")" "$@" \
        >"$T/out-$1" 2>&1
    tap_from "$T/out-$1" "$1: "
}
# The sanitizers' own memory is not ours to bound.
each=8
! grep -qa '__[at]san_init' "$PGA" || each=64

start_server server
ok $? "the server is ready" || done_testing
crowd shapes
crowd crowd --kib-each "$each"
crowd stop
reap server 30
is $? 0 "the server ends by itself, with status 0"
unlike "$(cat "$T/log/server")" 'Sanitizer|runtime error' "no sanitizer report"

start_server small 'max_connections = 64' 'max_connections_per_address = 16'
ok $? "a server with small caps is ready" || done_testing
crowd caps
stop small
ok $? "it ends cleanly"
done_testing
