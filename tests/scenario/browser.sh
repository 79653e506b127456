#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The user interface in a real browser, on a demo under load and on a server without agents: every
# page, the keyboard, both themes, a phone, a role that may not, an outage, a silent agent.
# timeout: 900

. "$(dirname "$0")/lib.sh"
need_pga
need node
need zbarimg
chromium=$(command -v chromium) || skip_all "no chromium here (BROWSER=1 make deps)"
[ -d "$ROOT/web/node_modules/playwright-core" ] && [ -d "$ROOT/web/node_modules/axe-core" ]
ok $? "the tools of the user interface are there (make web-check)" || done_testing

SERVER_PORT=$(free_port)
mkdir -p "$T/tmp"
chmod 1777 "$T/tmp"
spawn demo env TMPDIR="$T/tmp" PGA_DEMO_INFO="$T/info" "$PGA" demo --listen "127.0.0.1:$SERVER_PORT"
poll 90 test -s "$T/info"
ok $? "the demo is ready" || done_testing
OWNER_PASSWORD=$(python3 "$TOOL/api.py" --get password <"$T/info")
start_server empty '[login]' 'totp_required = ["operator"]'
set_up_owner
ok $? "a server without agents is ready" || done_testing
PGA_DEMO_INFO=$T/info PGA_EMPTY_URL=$SERVER_URL PGA_CHROMIUM=$chromium \
    PGA_SHOTS=$T/shots node "$ROOT/tests/browser/run.mjs" >"$T/tap" 2>"$T/log/browser"
status=$?
tap_from "$T/tap"
ge "$(grep -c '^ok ' "$T/tap")" 150 "the browser did everything"
is "$(grep -c '# SKIP' "$T/tap")" 0 "and left nothing out"
ok $status "it ended well" || {
    diag "$(tail -5 "$T/log/browser")"
    mkdir -p "$ROOT/build/scenario/browser" && cp -r "$T/shots/." "$ROOT/build/scenario/browser/"
}
kill -INT "$(pid_of demo)"
reap demo 60
is $? 0 "the demo ends cleanly"
done_testing
