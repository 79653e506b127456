# SPDX-License-Identifier: PostgreSQL
# shellcheck shell=bash disable=SC2034
#
# peer_servers.sh: Debian's VictoriaMetrics and Prometheus for benchmarks beside them; source it
# after tests/scenario/lib.sh. They are fetched once; one that cannot be is "not compared".
#
# start_peer NAME (victoriametrics, prometheus): sets PEER_PORT PEER_PID PEER_VERSION PEER_API;
# settle_victoriametrics: everything is written and merged; stop_peer NAME: sets PEER_BYTES (all)
# and PEER_RAW_BYTES (without the index).

cache=${PGA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pga}/peers

package() { # NAME: its files, from this machine's own Debian; prints the folder
    local dir=$cache/$1
    if [ ! -d "$dir/usr" ]; then
        mkdir -p "$dir"
        (cd "$dir" && apt-get download -q "$1" >/dev/null 2>&1 && dpkg -x ./*.deb .) ||
            return 1
    fi
    echo "$dir"
}

cpu_of() { # PID: user and system seconds
    awk -v hz="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print ($12 + $13) / hz}' "/proc/$1/stat"
}

size_of() { # FOLDER [FIND_TEST...]: bytes
    find "$@" -type f -printf '%s\n' | awk '{n += $1} END {print n + 0}'
}

quiet() { # PID: waits until it has used little for a while (merges, checkpoints)
    local before after
    before=$(cpu_of "$1")
    for _ in {1..60}; do
        sleep 2
        after=$(cpu_of "$1")
        awk -v a="$before" -v b="$after" 'BEGIN {exit !(b - a < 0.1)}' && return
        before=$after
    done
}

start_victoriametrics() {
    local dir bin
    dir=$(package victoria-metrics) || return 1
    bin=$(find "$dir/usr/bin" -name 'victoria-metrics' | head -1)
    spawn victoriametrics "$bin" -httpListenAddr="127.0.0.1:$PEER_PORT" \
        -storageDataPath="$T/vm-data" -retentionPeriod=1 -search.disableCache \
        -search.latencyOffset=0s
    poll 30 curl -fsS "http://127.0.0.1:$PEER_PORT/health" || return 1
    PEER_VERSION=$(dpkg-deb -f "$dir"/*.deb Version)
}

start_prometheus() {
    local dir
    dir=$(package prometheus) || return 1
    echo 'global: {}' >"$T/prometheus.yml"
    spawn prometheus "$dir/usr/bin/prometheus" --config.file="$T/prometheus.yml" \
        --web.listen-address="127.0.0.1:$PEER_PORT" --storage.tsdb.path="$T/prom-data" \
        --web.enable-remote-write-receiver --web.enable-admin-api --log.level=warn
    poll 30 curl -fsS "http://127.0.0.1:$PEER_PORT/-/ready" || return 1
    PEER_VERSION=$(dpkg-deb -f "$dir"/*.deb Version)
}

start_peer() { # NAME
    PEER_PORT=$(free_port)
    PEER_API=http://127.0.0.1:$PEER_PORT/api/v1
    "start_$1" && PEER_PID=$(pid_of "$1")
}

settle_victoriametrics() {
    curl -fsS "http://127.0.0.1:$PEER_PORT/internal/force_flush" >/dev/null
    curl -fsS "http://127.0.0.1:$PEER_PORT/internal/force_merge" >/dev/null
    quiet "$PEER_PID"
}

# VictoriaMetrics has all on the disk when it ends; Prometheus has a snapshot made of its head.
stop_peer() { # NAME: sets PEER_BYTES PEER_RAW_BYTES
    case $1 in
        victoriametrics)
            stop victoriametrics TERM 60
            PEER_BYTES=$(size_of "$T/vm-data" ! -path '*cache*')
            PEER_RAW_BYTES=$(size_of "$T/vm-data/data")
            rm -rf "$T/vm-data"
            ;;
        prometheus)
            curl -fsS -XPOST "$PEER_API/admin/tsdb/snapshot" >/dev/null
            PEER_BYTES=$(size_of "$T/prom-data/snapshots")
            PEER_RAW_BYTES=$(size_of "$T/prom-data/snapshots" -path '*chunks*')
            stop prometheus TERM 60
            rm -rf "$T/prom-data"
            ;;
    esac
}
