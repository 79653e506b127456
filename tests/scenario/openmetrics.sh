#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# What Prometheus reads: /metrics of the server and of `pga agent --listen`, both forms read by a
# strict parser, the numbers held against PostgreSQL, and who may read.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
ok $? "the first owner" || done_testing
start_pg pg system
ok $? "PostgreSQL" || done_testing

scrape() { # URL FORM FILE: fetches in one of the forms; HEADERS is the head
    local accept=text/plain
    [ "$2" = 1 ] && accept='application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1'
    HEADERS=$(curl -sS -D - -H "Accept: $accept" -o "$3" "$1")
}
value() { # FILE SERIES: prints nothing when there is no such series
    local out
    out=$(python3 "$TOOL/openmetrics.py" --form 1 --get "$2" <"$1") && echo "$out"
}

# --- the server -----------------------------------------------------------------------------

spawn load "$TOOL/load.sh" 240 2
LISTEN=$(free_port)
mkdir -p "$T/agent" && enrol_secret "$T/agent/secret"
start_agent agent "$SERVER_URL" "$DSN"
stop agent
sed -i "s/^\[agent\]/[agent]\nlisten = \"127.0.0.1:$LISTEN\"/" "$T/agent/agent.toml"
sql "create database \"quote\"\"back\\slash\""
restart_agent agent
poll 60 eval 'scrape "$SERVER_URL/metrics" 1 "$T/server.1";
    [ "$(value "$T/server.1" pga_ingest_samples_total)" -gt 0 ]'
ok $? "samples that were pushed are counted"
for form in 1 004; do
    scrape "$SERVER_URL/metrics" $form "$T/server.$form"
    out=$(python3 "$TOOL/openmetrics.py" --form $form <"$T/server.$form")
    ok $? "the server's metrics are well formed in form $form" || diag "$out"
    diag "$out"
done
like "$HEADERS" 'Content-Type: text/plain; version=0.0.4' "the older form says so"
scrape "$SERVER_URL/metrics" 1 "$T/server.1"
like "$HEADERS" 'Content-Type: application/openmetrics-text; version=1.0.0' "and the newer one"
api GET health
api GET health
scrape "$SERVER_URL/metrics" 1 "$T/server.2"
before=$(value "$T/server.1" 'pga_http_requests_total{route="/api/v1/health",status="200"}')
after=$(value "$T/server.2" 'pga_http_requests_total{route="/api/v1/health",status="200"}')
is "$((after - ${before:-0}))" 2 "requests are counted by route and status"
api POST nothing-here '{}'
scrape "$SERVER_URL/metrics" 1 "$T/server.2"
unknown=$(value "$T/server.2" 'pga_http_requests_total{route="",status="404"}')
ge "$unknown" 1 "unknown addresses too"
fds=$(find "/proc/$(pid_of server)/fd" -type l | wc -l)
within $((fds - 20)) "$(value "$T/server.2" process_open_fds)" $((fds + 20)) "open files are real"
rss=$(($(awk '{print $2}' "/proc/$(pid_of server)/statm") * $(getconf PAGESIZE)))
within $((rss / 2)) "$(value "$T/server.2" process_resident_memory_bytes)" $((rss * 2)) \
    "memory is real"
api GET monitoring
ge "$(member store.disk_bytes)" "$(value "$T/server.2" pga_store_journal_bytes)" "store bytes"

# --- the agent ------------------------------------------------------------------------------

agent=http://127.0.0.1:$LISTEN
poll 60 eval 'scrape "$agent/metrics" 1 "$T/agent.1";
    [ -n "$(value "$T/agent.1" "pg_stat_database_xact_commit_total{datname=\"postgres\"}")" ]'
ok $? "the agent shows what it read"
for form in 1 004; do
    scrape "$agent/metrics" $form "$T/agent.$form"
    out=$(python3 "$TOOL/openmetrics.py" --form $form <"$T/agent.$form")
    ok $? "the agent's metrics are well formed in form $form" || diag "$out"
    diag "$out"
done
low=$(value "$T/agent.1" 'pg_stat_database_xact_commit_total{datname="postgres"}')
now=$(sql "select xact_commit from pg_stat_database where datname = 'postgres'")
within 1 "$low" "$now" "a counter is PostgreSQL's own"
ge "$(value "$T/agent.1" 'pg_stat_database_numbackends{datname="quote\"back\\slash"}')" 0 \
    "a name with quote and backslash is escaped"
is "$(value "$T/agent.1" 'pga_probe_ok{probe="pg_stat_database",state="ok"}')" 1 \
    "the state of a probe"
ge "$(value "$T/agent.1" 'pga_agent_pushes_total{result="stored"}')" 1 "results of pushes"
ge "$(value "$T/agent.1" pga_agent_spool_bytes)" 1 "bytes of the spool"
is "$(curl -sS -o /dev/null -w '%{http_code}' "$agent/healthz")" 200 "/healthz"
is "$(curl -sS -o /dev/null -w '%{http_code}' "$agent/etc")" 404 "nothing else is there"
is "$(curl -sS -o /dev/null -w '%{http_code}' -X POST -d x "$agent/metrics")" 405 "only GET"
stop_pg pg
poll 60 eval 'scrape "$agent/metrics" 1 "$T/agent.2";
    [ -z "$(value "$T/agent.2" "pg_stat_database_xact_commit_total{datname=\"postgres\"}")" ] &&
    [ "$(value "$T/agent.2" pg_instance_up)" = 0 ]'
ok $? "a server that is gone shows no old numbers, and pg_instance_up 0"
python3 "$TOOL/openmetrics.py" --form 1 <"$T/agent.2" >/dev/null
ok $? "and the text is still well formed"
kill -HUP "$(pid_of agent)"
sleep 2
scrape "$agent/metrics" 1 "$T/agent.2"
python3 "$TOOL/openmetrics.py" --form 1 <"$T/agent.2" >/dev/null
ok $? "after a reload as well"
stop agent
ok $? "the agent stops in time"
out=$("$PGA" agent --state-dir "$T/other" --listen 0.0.0.0:9187 2>&1)
like "$?:$out" '^[1-9].*plain HTTP is for loopback' "another address than loopback is refused"

if command -v promtool >/dev/null; then
    for file in server agent; do
        # Names of relations and their columns are what they are everywhere in pga.
        out=$(promtool check metrics <"$T/$file.004" 2>&1 |
            grep -vE 'abbreviated units|non-counter metrics should not have "_total"')
        is "$out" '' "promtool finds nothing in the metrics of the $file"
    done
fi

# --- who may read ---------------------------------------------------------------------------

for access in off user anyone; do
    stop server
    sed -i '/^\[metrics\]/,$d' "$T/server/server.toml"
    printf '[metrics]\naccess = "%s"\n' $access >>"$T/server/server.toml"
    restart_server server
    anonymous GET /metrics
    nobody=$STATUS
    api GET /metrics
    case $access in
        off) want=404,404 ;;
        user) want=404,200 ;;
        *) want=200,200 ;;
    esac
    is "$nobody,$STATUS" "$want" "metrics.access = $access"
done
done_testing
