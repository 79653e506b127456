#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The newest rows of a collector, by kind: an older collector that sends its twelve documents, an
# agent's relations with known numbers, and a real agent, side by side under one server. Each kind
# has the right rows of the right reading, in order, by page and by database.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
start_pg pg system "shared_preload_libraries = 'pg_stat_statements'"
ok $? "PostgreSQL" || done_testing
sql 'create extension if not exists pg_stat_statements'
spawn load "$TOOL/load.sh" 200 2
start_agent agent "$SERVER_URL" "$DSN"
target_id postgresql >/dev/null
api GET collectors
agent=$(member data.0.id)
has_statements() {
    api GET "collectors/$agent/queries/slow"
    [ "$(member total)" -gt 3 ]
}
poll 130 has_statements
ok $? "the agent has delivered statements" || diag "$BODY"
enrol_secret "$T/secret"
python3 "$TOOL/newestrows.py" --url "$SERVER_URL" --secret-file "$T/secret" \
    --token-file "$T/token" --agent "$agent" >"$T/rows" 2>&1
tap_from "$T/rows"
unlike "$(cat "$T/log/server")" 'Sanitizer|runtime error' "no sanitizer report"
done_testing
