#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Every page of the user interface in a real browser, on a demo under load: real numbers, no report
# of the content policy, no serious accessibility finding, both themes, a phone's width, and what
# it says when the agent is silent.
# timeout: 900

. "$(dirname "$0")/lib.sh"
need_pga
need node
browser=$(command -v chromium || command -v chromium-browser)
[ -n "$browser" ] || skip_all "no chromium here: BROWSER=1 make deps"
[ -d "$ROOT/web/node_modules/playwright-core" ] || skip_all "no playwright-core here: make web-check"

mkdir -p "$T/home" "$T/tmp"
chmod 1777 "$T/tmp"
spawn demo env -u XDG_CONFIG_HOME -u XDG_STATE_HOME -u XDG_CACHE_HOME HOME="$T/home" \
    TMPDIR="$T/tmp" PGA_DEMO_INFO="$T/info" "$PGA" demo --listen "127.0.0.1:$(free_port)"
poll 60 test -s "$T/info"
ok $? "the demo is ready" || done_testing
PGA_DEMO_INFO=$T/info PGA_CHROMIUM=$browser PGA_WAIT_S=$((180 * PGA_SLOW)) \
    timeout $((600 * PGA_SLOW)) node "$ROOT/tests/browser/run.mjs" >"$T/out" 2>&1
tap_from "$T/out"
stop demo INT 60
ok $? "the demo ends"
done_testing
