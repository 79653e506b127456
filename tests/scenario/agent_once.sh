#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# pga agent --once prints one collection as JSON with no server and no configuration; its exit
# status tells an unreachable database from a refused login.
# timeout: 120

. "$(dirname "$0")/lib.sh"
need_pga

once() { # DSN: sets BODY and STATUS
    STATUS=0
    BODY=$(cd "$T" && env -i "$PGA" agent --once --dsn "$1" 2>"$T/log/once") || STATUS=$?
}

for version in system 17; do
    start_pg "pg$version" "$version" || { fail "PostgreSQL $version"; continue; }
    once "$DSN"
    is "$STATUS" 0 "$version: exit status"
    printf '%s' "$BODY" >"$T/batch.json"
    python3 - "$T/batch.json" >"$T/facts" 2>&1 <<'P'
import json, sys
batch = json.load(open(sys.argv[1]))
record = batch.get("record", batch)
if "records" in batch:
    record = {"relations": [], "slices": [], "targets": []}
    for item in batch["records"]:
        for name in record:
            record[name] += item["record"].get(name, [])
described = {r["name"] for r in record["relations"]}
kinds = sorted(t["kind"] for t in record["targets"])
print("targets", *kinds)
for piece in record["slices"]:
    lengths = {len(v) for v in piece.get("columns", {}).values()}
    lengths |= {len(v) for v in piece.get("keys", {}).values()}
    whole = lengths <= {piece["rows"]} and piece["relation"] in described
    print("slice", piece["relation"], "whole" if whole else "BROKEN", *piece["flags"])
for probe in batch["probes"]:
    print("probe", probe["probe"], probe["state"], probe.get("reason") or "")
P
    facts=$(cat "$T/facts")
    like "$facts" '^targets .*host.*postgresql' "$version: host and database are targets"
    for relation in pg_stat_database pg_instance host_cpu host_memory pg_session_ticks; do
        like "$facts" "^slice $relation whole .*complete" "$version: a complete $relation"
    done
    unlike "$facts" 'BROKEN|Traceback' "$version: every slice is whole and described"
    for probe in pg_instance pg_stat_database statements sessions host; do
        like "$facts" "^probe $probe ok" "$version: probe $probe is ok"
    done
    unlike "$facts" '^probe .* (error|denied)' "$version: no probe failed"
    is "$(sql "select count(*) from pg_stat_activity where application_name = 'pga'")" 0 \
        "$version: no session stays behind"
    is "$(cd "$T" && find . -name '*pool*' | wc -l)" 0 "$version: no file is made"
done

once "host=127.0.0.1 port=$PGPORT user=no_such_role dbname=postgres"
is "$STATUS" 4 "a refused login exits with 4"
like "$(cat "$T/log/once")" 'no_such_role' "and is told"
once "host=127.0.0.1 port=1 user=pga dbname=postgres"
is "$STATUS" 6 "an unreachable database exits with 6"
once "$DSN sslmode=verify-full"
unlike "$STATUS" '^0$' "a mode that verifies is refused with nothing to trust"
like "$(cat "$T/log/once")" 'sslmode=verify-full needs .*: write sslrootcert=FILE' \
    "with the key to write"
once "$DSN password=hunter2secret"
unlike "$BODY$(cat "$T/log/once")" 'hunter2secret' "a password is never printed"
done_testing
