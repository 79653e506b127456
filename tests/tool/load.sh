#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# tests/tool/load.sh SECONDS [CLIENTS]   a mixed load on the PostgreSQL server of PGHOST/PGPORT
#
# pgbench with short writes, reads by key, an aggregate that works the CPU, lock waits on one
# hot row, and sessions that stay idle in a transaction. Ends after SECONDS and leaves no
# session behind. Uses the database pgaload, which it makes when absent.

set -euo pipefail
seconds=$1
clients=${2:-4}
work=$(mktemp -d)
pids=()

clean_up() {
    [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

psql -qAtX -d postgres -c "select 1 from pg_database where datname = 'pgaload'" | grep -q 1 ||
    psql -qX -d postgres -c 'create database pgaload'
export PGDATABASE=pgaload
psql -qAtX -c "select to_regclass('pgbench_accounts')" | grep -q pgbench_accounts ||
    pgbench -i -q -s 2 >/dev/null 2>&1

cat >"$work/read.sql" <<'S'
\set aid random(1, 200000)
select abalance from pgbench_accounts where aid = :aid;
S
cat >"$work/cpu.sql" <<'S'
select count(*), sum(abalance) from pgbench_accounts where aid % 7 = 3;
S
cat >"$work/lock.sql" <<'S'
begin;
update pgbench_branches set bbalance = bbalance + 1 where bid = 1;
select pg_sleep(0.05);
end;
S
cat >"$work/idle.sql" <<'S'
begin;
select 1;
\sleep 3 s
end;
\sleep 1 s
S

run() { # NAME CLIENTS RATE OPTION...: one pgbench of that application name
    local name=$1 count=$2 rate=$3
    shift 3
    PGAPPNAME=$name pgbench -n -c "$count" -j 1 -T "$seconds" -R "$rate" "$@" \
        >"$work/$name.log" 2>&1 &
    pids+=($!)
}

run load_tpcb "$clients" 60
run load_read "$clients" 200 -f "$work/read.sql"
run load_cpu 1 5 -f "$work/cpu.sql"
run load_lock 3 40 -f "$work/lock.sql"
run load_idle 2 2 -f "$work/idle.sql"
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
pids=()
[ "$status" = 0 ] || cat "$work"/*.log >&2
exit "$status"
