#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# ingest: samples per CPU second of the server, native pushes of 1000 samples over HTTP, gzip.
# Peer: the CPU of a PostgreSQL back end that takes the same samples by COPY, 1000 a transaction.

# shellcheck source-path=SCRIPTDIR/../scenario
. "$(dirname "$0")/../scenario/lib.sh"
[ -x "$PGA" ] || { echo "bench ingest: $PGA is not built" >&2; exit 1; }
agents=${AGENTS:-20} steps=${STEPS:-120}

start_server server || exit 1
set_up_owner || exit 1
enrol_secret "$T/secret" "$agents" || exit 1
python3 "$ROOT/tests/bench/push.py" --url "$SERVER_URL" --secret-file "$T/secret" \
    --agents "$agents" --steps "$steps" --pid "$(pid_of server)" >"$T/result" || exit 1
start_pg pg system || exit 1
peer=$(python3 - "$T/result" <<'P'
import json, os, random, subprocess, sys
sys.path.insert(0, "")
PUSHES = 300
psql = subprocess.Popen(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, text=True, bufsize=1 << 20)
psql.stdin.write("create table s(series int4, ts timestamptz, value float8);\n"
                 "select pg_backend_pid();\n")
psql.stdin.flush()
pid = int(psql.stdout.readline())
def cpu():
    words = open("/proc/%d/stat" % pid).read().rsplit(") ", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
start = cpu()
for push in range(PUSHES):
    psql.stdin.write("copy s from stdin;\n")
    psql.stdin.write("".join("%d\t2026-01-01 %02d:%02d:00+00\t%d\n" % (
        i, push // 60, push % 60, random.randrange(10 ** 6)) for i in range(1000)))
    psql.stdin.write("\\.\n")
psql.stdin.write("select 1;\n")
psql.stdin.flush()
psql.stdout.readline()
print(round(PUSHES * 1000 / (cpu() - start)))
psql.stdin.close()
psql.wait()
P
)
python3 - "$T/result" "$peer" <<'P'
import json, sys
r = json.load(open(sys.argv[1]))
value, peer = r["samples"] / max(r["cpu_s"], 0.01), float(sys.argv[2])
print("bench name=ingest value=%d unit=samples/cpu_s peer=%d peer_name=postgresql_copy ratio=%.2f "
      "samples=%d cpu_s=%.2f wall_s=%.2f" % (value, peer, value / peer, r["samples"], r["cpu_s"],
                                            r["wall_s"]))
print("bench name=push_latency_p95 value=%.2f unit=ms peer=%.2f peer_name=p50 ratio=%.2f" % (
    r["p95_ms"], r["p50_ms"], r["p95_ms"] / r["p50_ms"]))
print("bench name=push_bytes value=%.3f unit=B/sample peer=%.3f peer_name=entropy ratio=%.2f" % (
    r["bytes"] / r["samples"], r["entropy_bytes"] / r["samples"], r["bytes"] / r["entropy_bytes"]))
P
TEST_ENDED=1
