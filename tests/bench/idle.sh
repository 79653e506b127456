#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# idle: latency of a page beside 1000 idle keep-alive connections.
# Peer: the same page of the same server without them, in turns.

# shellcheck source-path=SCRIPTDIR/../scenario
. "$(dirname "$0")/../scenario/lib.sh"
[ -x "$PGA" ] || { echo "bench idle: $PGA is not built" >&2; exit 1; }
idle=${IDLE:-1000}

start_server server || exit 1
python3 "$ROOT/tests/bench/idle.py" --port "$SERVER_PORT" --pid "$(pid_of server)" \
    --idle "$idle" >"$T/result" || exit 1
python3 - "$T/result" "$idle" <<'P'
import json, sys
r, idle = json.load(open(sys.argv[1])), int(sys.argv[2])
for p in ("p50", "p99"):
    value, peer = r["beside_%s_ms" % p], r["alone_%s_ms" % p]
    print("bench name=page_beside_idle_%s value=%.2f unit=ms peer=%.2f peer_name=no_idle "
          "ratio=%.2f idle=%d grown_kib=%d" % (p, value, peer, value / peer, idle, r["grown_kib"]))
P
TEST_ENDED=1
