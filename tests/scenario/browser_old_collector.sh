#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# A server that an older collector alone feeds, in a real browser: the twelve documents of its
# last ten minutes show in our pages where they say the same, and all of them on the page of data.
# timeout: 300

. "$(dirname "$0")/lib.sh"
need_pga
need node
chromium=$(command -v chromium) || skip_all "no chromium here (BROWSER=1 make deps)"
[ -d "$ROOT/web/node_modules/playwright-core" ] && [ -d "$ROOT/web/node_modules/axe-core" ]
ok $? "the tools of the user interface are there (make web-check)" || done_testing

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
enrol_secret "$T/secret"
python3 "$TOOL/oldcollector.py" --url "$SERVER_URL" --secret-file "$T/secret"
ok $? "an older collector has sent eleven rounds of its documents" || done_testing
PGA_URL=$SERVER_URL PGA_USER=owner PGA_PASSWORD=$OWNER_PASSWORD PGA_CHROMIUM=$chromium \
    node "$ROOT/tests/browser/old.mjs" >"$T/browser" 2>&1
tap_from "$T/browser"
done_testing
