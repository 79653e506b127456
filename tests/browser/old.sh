#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# tests/browser/old.sh   a server that an older collector alone feeds, in a real browser
#
# Starts a server, pushes the twelve documents of the last ten minutes, and runs old.mjs. Needs
# node, web/node_modules and Chromium; variables as in run.mjs (PGA_CHROMIUM, PGA_SHOTS).

. "$(dirname "$0")/../scenario/lib.sh"
need_pga
need node

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
enrol_secret "$T/secret"
python3 "$TOOL/oldcollector.py" --url "$SERVER_URL" --secret-file "$T/secret"
ok $? "an older collector has sent eleven rounds of its documents" || done_testing
PGA_URL=$SERVER_URL PGA_USER=owner PGA_PASSWORD=$OWNER_PASSWORD \
    node "$ROOT/tests/browser/old.mjs" >"$T/browser" 2>&1
tap_from "$T/browser"
done_testing
