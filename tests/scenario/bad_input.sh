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
python3 "$TOOL/badtable.py" --url "$SERVER_URL" --secret-file "$T/secret" \
    --token-file "$T/token" --table "$ROOT/tests/scenario/expect/bad_requests.tsv" >"$T/table" 2>&1
tap_from "$T/table" "table: "
like "$(tail -1 "$T/table")" '^1\.\.2[0-9][0-9]$' "the whole table ran"
unlike "$(cat "$T/log/server")" 'Z (error|fatal) ' "the log has no error"
is_running "$(pid_of server)"
ok $? "the server still runs"
unlike "$(cat "$T/log/server")" 'EVIL' "the log holds no raw input"
unlike "$(cat "$T/log/server")" 'Sanitizer|runtime error' "no sanitizer report"
stop server
ok $? "the server ends cleanly"
done_testing
