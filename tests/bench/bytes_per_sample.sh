#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# bytes_per_sample: the files of the store after a clean end (everything flushed), divided by the
# samples pushed. Peer: the order-0 entropy of the differences of each series, which no codec of
# single series can beat.

# shellcheck source-path=SCRIPTDIR/../scenario
. "$(dirname "$0")/../scenario/lib.sh"
[ -x "$PGA" ] || { echo "bench bytes_per_sample: $PGA is not built" >&2; exit 1; }
agents=${AGENTS:-10} steps=${STEPS:-360}

start_server server || exit 1
set_up_owner || exit 1
enrol_secret "$T/secret" "$agents" || exit 1
python3 "$ROOT/tests/bench/push.py" --url "$SERVER_URL" --secret-file "$T/secret" \
    --agents "$agents" --steps "$steps" --pid "$(pid_of server)" >"$T/result" || exit 1
stop server TERM 60 || { echo "bench bytes_per_sample: the server did not end" >&2; exit 1; }
bytes_of() { # FIND_TEST...
    find "$T/server/state" "$@" -type f -printf "%s\n" | awk "{n += \$1} END {print n + 0}"
}
blocks=$(bytes_of -path '*raw*')
all=$(bytes_of)
python3 - "$T/result" "$blocks" "$all" <<'P'
import json, sys
r = json.load(open(sys.argv[1]))
floor = r["entropy_bytes"] / r["samples"]
for name, size in (("bytes_per_sample", sys.argv[2]), ("bytes_per_sample_all_files", sys.argv[3])):
    value = int(size) / r["samples"]
    print("bench name=%s value=%.3f unit=B/sample peer=%.3f peer_name=entropy ratio=%.2f samples=%d"
          % (name, value, floor, value / floor, r["samples"]))
P
TEST_ENDED=1
