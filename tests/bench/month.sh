#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# month: DAYS (93) days of a clock of its own (month.c): a line for each day, what grew from one
# month to the next, and whether roll-ups say what readings say; then a real server on the store
# that is left: wall and CPU of queries over 30 days, of which 7 have readings, and whether both say
# the same. TARGETS (3) x ROWS (50) objects x 5 columns a minute. The store lies in memory
# (/dev/shm) where there is one: a day has some hundred fsyncs, and they are not what is measured.

# shellcheck source-path=SCRIPTDIR/../scenario
. "$(dirname "$0")/../scenario/lib.sh"
bench=$ROOT/build/release/month-bench
[ -x "$bench" ] || { echo "bench month: $bench is not built" >&2; exit 1; }
days=${DAYS:-93} targets=${TARGETS:-3} rows=${ROWS:-50}
place=$T
[ -w /dev/shm ] && place=$(mktemp -d /dev/shm/pga-month.XXXXXX)
mkdir -p "$T/server/state" "$place/store"
ln -s "$place/store" "$T/server/state/store"
status=0
"$bench" "$place/store" "$days" "$targets" "$rows" || status=1
if start_server server '[store]' 'retention_days = 7' 'retention_slow_days = 7' \
    'rollup_5m_days = 14' 'rollup_1h_days = 31' 'event_days = 30' 'text_days = 20' &&
    set_up_owner; then
    python3 "$ROOT/tests/bench/month.py" --base "$SERVER_URL/prometheus/api/v1" \
        --pid "$(pid_of server)" --token-file "$T/token" || status=1
else
    status=1
fi
stop server TERM 60
[ "$place" = "$T" ] || rm -rf "$place"
TEST_ENDED=1
exit "$status"
