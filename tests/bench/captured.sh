#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# captured: bytes a sample of what a real agent sees. `pga demo` runs MINUTES (60) on a private
# PostgreSQL under its own load; its store is compacted, measured, and read back out: every series,
# every sample, as PromQL gives them. The same samples go to VictoriaMetrics and Prometheus by
# remote write. What a sparse relation leaves out (a value that did not change) is a sample for
# them, for which they were sent one, and none for pga: so bytes are given for each stored value
# and for each sample of the export. Facts (session history), texts and events are in pga's bytes.

# shellcheck source-path=SCRIPTDIR/../scenario
. "$(dirname "$0")/../scenario/lib.sh"
. "$(dirname "$0")/peer_servers.sh"
[ -x "$PGA" ] || { echo "bench captured: $PGA is not built" >&2; exit 1; }
minutes=${MINUTES:-60}
peers=${PEERS:-victoriametrics prometheus}
mkdir -p "$T/tmp" "$T/home"
chmod 1777 "$T/tmp"
mkdir -m 711 "$T/tmp/demo"
chmod 711 "$T/home"

SERVER_PORT=$(free_port)
SERVER_URL=http://127.0.0.1:$SERVER_PORT
spawn demo env -u XDG_CONFIG_HOME -u XDG_STATE_HOME -u XDG_CACHE_HOME HOME="$T/home" \
    TMPDIR="$T/tmp" PGA_DEMO_INFO="$T/info" \
    "$PGA" demo --dir "$T/tmp/demo" --listen "127.0.0.1:$SERVER_PORT"
poll 90 test -s "$T/info" || { echo "bench captured: the demo does not start" >&2; exit 1; }
start_s=$(date +%s)

sign_in() {
    anonymous POST auth/login "{\"username\":\"$(python3 "$TOOL/api.py" --get username \
        <"$T/info")\",\"password\":\"$(python3 "$TOOL/api.py" --get password <"$T/info")\"}"
    [ "$STATUS" = 200 ] && member token >"$T/token"
}

sleep "$((minutes * 60))"
sign_in || { echo "bench captured: no login" >&2; exit 1; }
end_s=$(date +%s)
python3 "$ROOT/tests/bench/capture.py" --base "$SERVER_URL/prometheus/api/v1" \
    --token-file "$T/token" --start "$start_s" --end "$end_s" --out "$T/capture" || exit 1
for _ in {1..10}; do
    api POST store/compact
    [ "$STATUS" = 202 ] || break
done
[ "$STATUS" = 200 ] || { echo "bench captured: no compaction: $BODY" >&2; exit 1; }
api GET monitoring
stored=$(member store.samples_stored)
stop demo INT 60
store=$(find "$T/tmp/demo" -name ingest.db -printf '%h\n' | head -1)
samples=$(python3 "$ROOT/tests/bench/capture.py" --count "$T/capture")
pga=$(size_of "$store" ! -path '*tier*' ! -name '*-shm')
raw=$(size_of "$store" -path '*raw*' ! -name '*-shm')

say() { # FIGURE BYTES SAMPLES [PEER BYTES]
    awk -v name="$1" -v bytes="$2" -v n="$3" -v peer="${4:-}" -v other="${5:-0}" 'BEGIN {
        printf "bench name=captured_%s value=%.3f unit=B/sample", name, bytes / n
        if (peer != "")
            printf " peer=%.3f peer_name=%s ratio=%.2f", other / n, peer, bytes / other
        print " # " bytes " bytes, " n " samples"
    }'
}

echo "# the demo for $minutes min: $stored values stored, $samples samples exported"
find "$store" -name '*.db' -printf '# %s %P\n'
say raw_of_stored "$raw" "$stored"
say all_of_stored "$pga" "$stored"
say rollups_beside "$(size_of "$store" -path '*tier*' ! -name '*-shm')" "$stored"
for peer in $peers; do
    if ! start_peer "$peer" || ! python3 "$ROOT/tests/bench/capture.py" --send "$T/capture" \
        --to "http://127.0.0.1:$PEER_PORT/api/v1/write"; then
        echo "bench captured: $peer is not compared" >&2
        continue
    fi
    [ "$peer" != victoriametrics ] || settle_victoriametrics
    quiet "$PEER_PID"
    stop_peer "$peer"
    say raw_of_exported "$raw" "$samples" "$peer $PEER_VERSION" "$PEER_RAW_BYTES"
    say all_of_exported "$pga" "$samples" "$peer $PEER_VERSION" "$PEER_BYTES"
done
TEST_ENDED=1
