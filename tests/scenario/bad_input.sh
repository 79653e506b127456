#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Malformed pushes and requests are refused with the right status and a problem document, tell
# nothing of the inside, and the server takes a good push afterwards.
# timeout: 120

. "$(dirname "$0")/lib.sh"
need_pga

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
enrol_secret "$T/secret"
python3 "$TOOL/badinput.py" --url "$SERVER_URL" --secret-file "$T/secret" --token-file "$T/token" \
    >"$T/out" 2>&1
tap_from "$T/out"
is_running "$(pid_of server)"
ok $? "the server still runs"
unlike "$(cat "$T/log/server")" 'EVIL' "the log holds no raw input"
unlike "$(cat "$T/log/server")" 'Sanitizer|runtime error' "no sanitizer report"
stop server
ok $? "the server ends cleanly"
done_testing
