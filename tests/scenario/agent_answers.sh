#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# What the agent does with each kind of answer: it frees nothing without a whole 200, waits when
# told to, isolates a record that is refused, gets a new token, and re-sends to a restored server.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga

port=$(free_port)
says() { # JSON: how the fake server behaves from now on
    echo "${1:-"{}"}" >"$T/fake.new"
    mv "$T/fake.new" "$T/fake.control"
    since=$(date +%s.%N)
}
says
spawn fake python3 "$TOOL/fakeserver.py" --listen "$port" --log "$T/fake.log" \
    --control "$T/fake.control"
poll 5 grep -q ready "$T/log/fake"
start_pg pg system
mkdir -p "$T/agent"
(umask 077 && echo pgar_test >"$T/agent/secret")
start_agent agent "http://127.0.0.1:$port" "$DSN" 'every = "1s"' '[spool]' 'live_after = "10m"'

facts() { python3 "$TOOL/facts.py" "$T/fake.log" "${1:-0}"; }
number() { facts "${2:-0}" | sed -n "s/^$1 //p"; } # NAME SINCE
more() { # NAME NUMBER SECONDS: until that many of it since the last wish
    poll "$3" eval '[ "$(number "'"$1"'" "$since")" -ge '"$2"' ]'
}
last_seq() { facts | sed -n 's/^stream 0 from 1 to \([0-9]*\) .*/\1/p'; }

more 'status 200' 3 40
ok $? "pushes are taken" || diag "$(facts)"
is "$(number register)" 1 "the agent registered once"
grep -q '"relations"' "$T/fake.log" && grep -q '"targets"' "$T/fake.log"
ok $? "relations and targets are described"

says '{"status": 503, "retry_after": 3}'
more 'status 503' 3 30
ok $? "503: it tries again"
ge "$(number least_pause_ms "$since")" 2900 "but not before Retry-After"
says
more 'status 200' 2 30
ok $? "afterwards everything gets through"
unlike "$(facts)" 'HOLES' "without a hole"

says '{"garbage": true}'
more 'status 200' 2 90
says
more 'status 200' 3 90
ok $? "half an answer: it goes on afterwards"
is "$(number changed)" 0 "what is sent again is the same record"

poison=$(($(last_seq) + 3))
says "{\"poison\": $poison}"
poll 90 eval 'facts | grep -q "^gap $poison quarantined"'
ok $? "a record that is refused alone becomes a gap with its reason" || diag "$(facts "$since")"
poll 30 eval '[ "$(last_seq)" -gt $((poison + 2)) ]'
ok $? "and those around it are delivered"
is "$(facts | grep -c '^gap')" 1 "no other record is given up"

says '{"expired": 1}'
more 'status 200' 2 60
ok $? "401: it gets a new token and goes on"
is "$(number refresh-token)" 1 "by one refresh"
is "$(number register)" 1 "and not by registering again"

restored=$(($(last_seq) - 4))
says "{\"epoch\": \"bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb\", \"forget\": $restored}"
poll 60 eval 'facts "$since" | grep -q "from $restored to"'
ok $? "a restored server gets again what it lost" || diag "$(facts "$since")"
more 'status 200' 2 30
is "$(number changed)" 0 "the same records"
unlike "$(facts | grep gap)" 'restored' "and no gap, for they were kept"

says '{"status": 500}'
sleep 3
stop agent
ok $? "the agent ends cleanly while the server fails"
last=$(last_seq)
says
restart_agent agent
more 'status 200' 2 40
ok $? "after a restart it goes on"
unlike "$(facts)" 'HOLES' "where it was"
[ "$(last_seq)" -gt "$last" ]
ok $? "in the same stream"
is "$(number register)" 1 "with the same identity"
is "$(number changed)" 0 "and nothing sent twice differs"
done_testing
