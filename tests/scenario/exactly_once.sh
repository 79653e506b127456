#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# A network that drops, cuts, delays, repeats and replays three pushes of ten: every record is
# stored exactly once. PUSHES: default 1000, in a full run 20000.
# timeout: 300, full 3600

. "$(dirname "$0")/lib.sh"
need_pga
pushes=${PUSHES:-1000}
[ "$PGA_FULL" = 0 ] || pushes=${PUSHES:-20000}

start_server server '[store]' 'flush_bytes = 65536' 'flush_age = "3s"'
ok $? "the server is ready" || done_testing
set_up_owner
enrol_secret "$T/fake.secret"
start_proxy
proxy_says 'seed 3' 'drop_answer 0.05' 'cut_answer 0.05' 'duplicate 0.05' 'replay 0.05' \
    'twin 0.05' 'cut_request 0.05' 'drop_request 0.05' 'delay 0.01' 'delay_s 0.5'
for fake in fake1 fake2 fake3 fake4; do
    spawn "$fake" python3 "$TOOL/fakeagent.py" --url "$PROXY_URL" --register "$SERVER_URL" \
        --secret-file "$T/fake.secret" --name "$fake" --rate 50
done
wait_acks "$pushes" $((pushes / 10 + 60))
ok $? "$pushes pushes are acknowledged"
proxy_says 'mode pass'
for fake in fake1 fake2 fake3 fake4; do
    kill -TERM "$(pid_of "$fake")"
    reap "$fake" 70
    is $? 0 "$fake delivered everything"
done
log_in
oracle
ok $? "lost 0, doubled 0, no gap"
stop server TERM 30
ok $? "the server ends cleanly"
restart_server server && log_in && oracle
ok $? "and after flush and start again: lost 0, doubled 0"
done_testing
