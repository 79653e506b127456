#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Compares what pga stored with what the sources say: before <= pga <= after. Prints TAP.

    sandwich.py --url URL --token-file FILE --database ID --host ID

PostgreSQL is read with psql (PGHOST, PGPORT ...), the host from /proc, pga through its API
alone. An agent must be running with short clocks. For cumulative counters the source is read
before and after the reading of pga; for deltas the sum over pga's intervals lies between the
differences of two such pairs; sessions that were made to stand still must be counted exactly
once per tick of the sampler.
"""

import argparse
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402
from examples import Tap  # noqa: E402

MARGIN_MS = 500
PATIENCE_S = 150
# Columns of pg_stat_statements that pga names as version 17 does.
RENAMED = {"blk_read_time": "shared_blk_read_time", "blk_write_time": "shared_blk_write_time",
           "total_time": "total_exec_time"}
NOT_COUNTED = {"datid", "datname", "name", "stats_reset", "checksum_last_failure"}
STATEMENT_KEYS = ("datname", "usename", "queryid", "toplevel")


def now_ms():
    return int(time.time() * 1000)


def psql(query):
    """The rows of a query as dictionaries."""
    text = "select coalesce(json_agg(x), '[]') from (%s) x" % query
    done = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text],
                          stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


class Watched:
    """One target of the server, seen through the API."""

    def __init__(self, api, target):
        self.api = api
        self.target = target

    def relation(self, name):
        server = self.api.get("servers/%s" % self.target)
        return next((r for r in server["relations"] if r["name"] == name), None)

    def wait_reading(self, name, after_ms):
        """Time of the newest reading, once there is one later than after_ms."""
        end = time.time() + PATIENCE_S
        while time.time() < end:
            relation = self.relation(name)
            if relation and (relation.get("last_t_ms") or 0) > after_ms:
                return relation["last_t_ms"]
            time.sleep(0.25)
        raise RuntimeError("no reading of %s within %d s" % (name, PATIENCE_S))

    def columns(self, name, *kinds):
        return [c["name"] for c in self.relation(name)["columns"] if c["kind"] in kinds]

    def values(self, name, columns, window, aggregate, **query):
        """{(labels..., column): value} with the window (from, to] as one bucket."""
        start, end = window
        answer = self.api.get("servers/%s/metrics" % self.target, relation=name,
                              column=",".join(columns), step=end - start, agg=aggregate,
                              **{"from": start, "to": end}, **query)
        if answer.get("truncated"):
            raise RuntimeError("%s has too many series" % name)
        found = {}
        for series in answer["series"]:
            values = [v for v in series["values"] if v is not None]
            if values:
                found[(tuple(sorted(series["labels"].items())), series["column"])] = values[-1]
        return found


def labels_of(key, names):
    labels = dict(key)
    return tuple(labels.get(n, "") for n in names)


def check_bounds(tap, name, bounds):
    """bounds: list of (what, low, value, high); one test, telling every violation."""
    wrong = ["%s: %s <= %s <= %s" % b for b in bounds if not b[1] <= b[2] <= b[3]]
    tap.ok(bool(bounds) and not wrong,
           "%s: before <= pga <= after (%d values)" % (name, len(bounds)),
           "\n".join(wrong[:20]) or "nothing to compare")


# --- pg_stat_database ----------------------------------------------------------------------


def read_databases():
    rows = psql("select *, coalesce(datname, '') as name from pg_stat_database")
    return {row["name"]: row for row in rows}


def check_databases(tap, db):
    columns = db.columns("pg_stat_database", "counter")
    before = read_databases()
    start = now_ms() + MARGIN_MS
    end = db.wait_reading("pg_stat_database", start)
    after = read_databases()
    lowest = db.values("pg_stat_database", columns, (start, end), "min")
    highest = db.values("pg_stat_database", columns, (start, end), "max")
    by_column = {}
    for (key, column), low in lowest.items():
        name = labels_of(key, ("datname",))[0]
        if name not in before or name not in after or before[name].get(column) is None:
            continue
        slack = 0.001 if isinstance(before[name][column], float) else 0
        bounds = by_column.setdefault(column, [])
        bounds.append((name + " min", before[name][column] - slack, low,
                       after[name][column] + slack))
        bounds.append((name + " max", before[name][column] - slack, highest[(key, column)],
                       after[name][column] + slack))
    for column in columns:
        if any(row.get(column) is not None for row in after.values()):
            check_bounds(tap, "pg_stat_database.%s" % column, by_column.get(column, []))
        else:
            told = [key for key in lowest if key[1] == column]
            tap.ok(not told, "pg_stat_database.%s: not known here, and not told" % column, told)
    known = set(db.columns("pg_stat_database", "counter", "gauge", "text"))
    missing = set(next(iter(before.values()))) - known - NOT_COUNTED
    tap.ok(not missing, "pg_stat_database: every counter of this version is read",
           ", ".join(missing))


# --- counters of the cluster ---------------------------------------------------------------

# Names of version 17 for what versions 13 to 16 call otherwise.
SLRU_NAMES = {"CommitTs": "commit_timestamp", "MultiXactMember": "multixact_member",
              "MultiXactOffset": "multixact_offset", "Notify": "notify",
              "Serial": "serializable", "Subtrans": "subtransaction", "Xact": "transaction"}
CHECKPOINTER_NAMES = {"checkpoints_timed": "num_timed", "checkpoints_req": "num_requested",
                      "checkpoint_write_time": "write_time", "checkpoint_sync_time": "sync_time",
                      "buffers_checkpoint": "buffers_written"}
# relation, its keys, first version, query; those that are read within PATIENCE_S
CLUSTER_SOURCES = (
    ("pg_stat_bgwriter", (), 10, "select * from pg_stat_bgwriter"),
    ("pg_stat_checkpointer", (), 17, "select * from pg_stat_checkpointer"),
    ("pg_stat_wal", (), 14, "select * from pg_stat_wal"),
    ("pg_stat_archiver", (), 10, "select * from pg_stat_archiver"),
    ("pg_stat_io", ("backend_type", "object", "context"), 16, "select * from pg_stat_io"),
    ("pg_stat_slru", ("name",), 13, "select * from pg_stat_slru"),
    ("pg_wal_position", (), 10,
     "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as current_lsn"),
)
DERIVED = {"op_bytes", "stats_reset", *CHECKPOINTER_NAMES}


def read_cluster(version):
    """{relation: {key tuple: row}} as psql sees it."""
    found = {}
    for relation, keys, first, query in CLUSTER_SOURCES:
        if version >= first:
            rows = psql(query)
            for row in rows:
                if relation == "pg_stat_slru":
                    row["name"] = SLRU_NAMES.get(row["name"], row["name"])
                if relation == "pg_stat_io" and "op_bytes" in row:
                    for what in ("read", "write", "extend"):
                        count = row[what + "s"]
                        row[what + "_bytes"] = None if count is None else count * row["op_bytes"]
            found[relation] = {tuple(row[k] for k in keys): row for row in rows}
    if version < 17:
        row = psql("select * from pg_stat_bgwriter")[0]
        found["pg_stat_checkpointer"] = {(): {CHECKPOINTER_NAMES[k]: v for k, v in row.items()
                                              if k in CHECKPOINTER_NAMES}}
    return found


def check_counters(tap, db, relation, window, pair):
    """One test for each counter of the relation, and one that none is left out."""
    keys = next(s[1] for s in CLUSTER_SOURCES if s[0] == relation)
    columns = db.columns(relation, "counter")
    before, after = pair
    lowest = db.values(relation, columns, window, "min")
    highest = db.values(relation, columns, window, "max")
    by_column = {column: [] for column in columns}
    for (key, column), low in lowest.items():
        labels = labels_of(key, keys)
        first = before.get(labels, {}).get(column)
        last = after.get(labels, {}).get(column)
        if first is None or last is None:
            by_column[column].append(("not known to PostgreSQL: %s" % (labels,), 1, low, 0))
            continue
        slack = 0.001 if isinstance(first, float) else 0
        for what, value in (("min", low), ("max", highest[(key, column)])):
            by_column[column].append(("%s %s" % (labels, what), first - slack, value,
                                      last + slack))
    for column in columns:
        known = [labels for labels, row in after.items() if row.get(column) is not None]
        if known or by_column[column]:
            check_bounds(tap, "%s.%s" % (relation, column), by_column[column])
            tap.ok(len(by_column[column]) == 2 * len(known),
                   "%s.%s: has each of %d rows" % (relation, column, len(known)),
                   len(by_column[column]) / 2)
    told = {c["name"] for c in db.relation(relation)["columns"]} | set(keys)
    missing = {c for row in after.values() for c in row} - told - DERIVED
    tap.ok(not missing, "%s: every column of this version is read" % relation, missing)


def check_cluster(tap, db):
    version = psql("select current_setting('server_version_num')::int / 10000 as v")[0]["v"]
    before = read_cluster(version)
    start = now_ms() + MARGIN_MS
    ends = {relation: db.wait_reading(relation, start) for relation in before}
    after = read_cluster(version)
    for relation, end in ends.items():
        check_counters(tap, db, relation, (start, end), (before[relation], after[relation]))


UNITS = {"": 1, "B": 1, "kB": 1024, "MB": 1024 ** 2, "GB": 1024 ** 3, "us": 1e-6, "ms": 1e-3,
         "s": 1, "min": 60, "h": 3600, "d": 86400}


def as_number(row):
    """What pga must say of a setting."""
    if row["vartype"] == "bool":
        return {"on": 1, "off": 0}[row["value"]]
    number = float(row["value"])
    digits = "".join(c for c in row["unit"] or "" if c.isdigit())
    unit = (row["unit"] or "")[len(digits):]
    return number if number < 0 else number * int(digits or 1) * UNITS[unit]


def check_settings(tap, db):
    # What another session set for itself differs from session to session.
    rows = psql("select name, vartype, unit, reset_val as value from pg_settings"
                " where vartype in ('bool', 'integer', 'real') and name !~ '^transaction_'"
                " and name !~ '_mode$|_permissions$' and source not in ('client', 'session')")
    end = db.wait_reading("pg_settings", 0)
    got = db.values("pg_settings", ["value"], (end - 1000, end), "last")
    told = {labels_of(key, ("name",))[0]: value for (key, _), value in got.items()}
    wrong = {row["name"]: (told.get(row["name"]), as_number(row)) for row in rows
             if told.get(row["name"]) is None
             or abs(told[row["name"]] - as_number(row)) > 1e-9 * abs(as_number(row))}
    tap.ok(len(rows) > 100 and not wrong,
           "pg_settings: %d numbers are what psql says, in bytes and seconds" % len(rows), wrong)


# --- pg_stat_statements --------------------------------------------------------------------


def read_statements(columns):
    rows = psql("select d.datname, u.rolname as usename, s.* from pg_stat_statements s"
                " join pg_database d on d.oid = s.dbid join pg_roles u on u.oid = s.userid")
    found = {}
    for row in rows:
        row = {RENAMED.get(k, k): v for k, v in row.items()}
        key = (row["datname"], row["usename"], str(row["queryid"]),
               "false" if row.get("toplevel") is False else "true")
        found[key] = {c: row[c] for c in columns if row.get(c) is not None}
    return found


def check_statements(tap, db):
    columns = db.columns("pg_stat_statements", "delta")
    first = read_statements(columns)
    start = db.wait_reading("pg_stat_statements", now_ms() + MARGIN_MS)
    second = read_statements(columns)
    db.wait_reading("pg_stat_statements", start)
    third = read_statements(columns)
    end = db.wait_reading("pg_stat_statements", now_ms() + MARGIN_MS)
    fourth = read_statements(columns)
    got = db.values("pg_stat_statements", columns, (start, end), "sum")
    sums = {(labels_of(key, STATEMENT_KEYS), column): v for (key, column), v in got.items()}
    others = {k: v for k, v in sums.items() if k[0][2] == "other" and v}
    tap.ok(not others, "pg_stat_statements: no remainder with few statements", others)
    shared = [c for c in columns if any(c in row for row in fourth.values())]
    known = {RENAMED.get(k, k) for k in psql("select * from pg_stat_statements limit 1")[0]}
    lacking = [c for c in columns if c in known and c not in shared]
    tap.ok(len(shared) >= 15 and not lacking,
           "pg_stat_statements: every column of this version is compared", (shared, lacking))
    for column in shared:
        bounds = []
        for key, row in fourth.items():
            at = [snapshot.get(key, {}).get(column, 0) for snapshot in (first, second, third)]
            low, high = at[2] - at[1], row.get(column, 0) - at[0]
            slack = 0.05 if isinstance(row.get(column), float) else 0
            value = sums.pop((key, column), 0)
            if high > 0 or value:
                bounds.append((" ".join(key), low - slack, value, high + slack))
        if not bounds and all(row.get(column, 0) == fourth[key].get(column, 0)
                              for key, row in first.items() if key in fourth):
            tap.ok(True, "pg_stat_statements.%s: nothing happened, nothing is told" % column)
        else:
            check_bounds(tap, "pg_stat_statements.%s" % column, bounds)
    invented = {k: v for k, v in sums.items() if k[1] in shared and v and k[0] not in fourth}
    tap.ok(not invented, "pg_stat_statements: no statement that PostgreSQL does not know", invented)


# --- session history -----------------------------------------------------------------------

STANDING = (
    # number of sessions, what they do, and what pga must call them
    (3, "select pg_sleep(600)", ("active", "Timeout", "PgSleep")),
    (2, "begin; select 1;", ("idle in transaction", "Client", "ClientRead")),
    (1, "begin; select pg_advisory_xact_lock(4711);",
     ("idle in transaction", "Client", "ClientRead")),
    (2, "select pg_advisory_lock(4711)", ("active", "Lock", "advisory")),
)


def stand_still():
    """Starts the sessions; returns them and the expected number of each kind."""
    sessions, expected = [], {}
    env = dict(os.environ, PGAPPNAME="sandwich")
    for count, text, kind in STANDING:
        expected[kind] = expected.get(kind, 0) + count
        for _ in range(count):
            session = subprocess.Popen(["psql", "-qAtX"], stdin=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env=env)
            session.stdin.write(text.encode() + b"\n" if text.endswith(";") else text.encode()
                                + b";\n")
            session.stdin.flush()
            sessions.append(session)
        time.sleep(0.5)
    return sessions, expected


def seen_by_psql():
    rows = psql("select state, wait_event_type, wait_event, count(*) as n from pg_stat_activity"
                " where application_name = 'sandwich' group by 1, 2, 3")
    return {(r["state"], r["wait_event_type"], r["wait_event"]): r["n"] for r in rows}


def check_sessions(tap, db):
    sessions, expected = stand_still()
    try:
        before = seen_by_psql()
        tap.ok(before == expected, "session history: the sessions stand still", before)
        start = db.wait_reading("pg_session_history", now_ms() + 11000)
        end = db.wait_reading("pg_session_history", start + 15000)
        after = seen_by_psql()
        tap.ok(after == expected, "session history: and stood still all the time", after)
    finally:
        for session in sessions:
            session.kill()
            session.wait()
        psql("select pg_terminate_backend(pid) from pg_stat_activity"
             " where application_name = 'sandwich'")
    ticks = db.values("pg_session_ticks", ["ticks"], (start, end), "sum", by="")
    missed = db.values("pg_session_ticks", ["missed"], (start, end), "sum", by="")
    count = sum(ticks.values())
    tap.ok(count > 0, "session history: the sampler ticked (%s, missed %s)" % (
        count, sum(missed.values())))
    got = db.values("pg_session_history", ["samples"], (start, end), "sum",
                    by="state,wait_event_type,wait_event", **{"key.application_name": "sandwich"})
    seen = {labels_of(key, ("state", "wait_event_type", "wait_event")): v
            for (key, _), v in got.items()}
    for kind, number in expected.items():
        tap.ok(seen.get(kind) == number * count,
               "session history: %d x %s at each of %s ticks" % (number, "/".join(kind), count),
               "got %s of %s" % (seen.get(kind), seen))
    tap.ok(set(seen) == set(expected), "session history: nothing else of these sessions", seen)


# --- host ----------------------------------------------------------------------------------

CPU_FIELDS = ("user_s", "nice_s", "system_s", "idle_s", "iowait_s", "irq_s", "softirq_s", "steal_s")


def read_cpu():
    found = {}
    with open("/proc/stat", encoding="ascii") as f:
        for line in f:
            words = line.split()
            if words[0] == "cpu":
                hertz = os.sysconf("SC_CLK_TCK")
                found.update(zip(CPU_FIELDS, (int(w) / hertz for w in words[1:9])))
            elif words[0] == "ctxt":
                found["context_switches"] = int(words[1])
            elif words[0] == "processes":
                found["forks"] = int(words[1])
    return found


def read_memory():
    names = {"MemTotal": "total", "MemFree": "free", "MemAvailable": "available",
             "Buffers": "buffers", "Cached": "cached", "SwapTotal": "swap_total",
             "SwapFree": "swap_free"}
    with open("/proc/meminfo", encoding="ascii") as f:
        rows = (line.split() for line in f)
        return {names[r[0][:-1]]: int(r[1]) * 1024 for r in rows if r[0][:-1] in names}


def check_host(tap, host):
    columns = host.columns("host_cpu", "counter")
    before = read_cpu()
    start = now_ms() + MARGIN_MS
    end = host.wait_reading("host_cpu", start)
    after = read_cpu()
    lowest = host.values("host_cpu", columns, (start, end), "min")
    highest = host.values("host_cpu", columns, (start, end), "max")
    got = {column: (low, highest[(key, column)]) for (key, column), low in lowest.items()}
    for column in (*CPU_FIELDS, "context_switches", "forks"):
        # iowait is documented to go backwards now and then; a hundredth is the resolution.
        slack = 0.5 if column in ("iowait_s", "idle_s") else 0.01
        low, high = got.get(column, (None, None))
        bounds = [] if low is None else [
            ("min", before[column] - slack, low, after[column] + slack),
            ("max", before[column] - slack, high, after[column] + slack)]
        check_bounds(tap, "host_cpu.%s" % column, bounds)
    memory = [read_memory()]
    start = now_ms() + MARGIN_MS
    end = start
    while end == start:
        relation = host.relation("host_memory")
        memory.append(read_memory())
        if relation and relation["last_t_ms"] > start:
            end = relation["last_t_ms"]
        time.sleep(0.25)
    last = host.values("host_memory", list(memory[0]), (start, end), "last")
    got = {column: value for (_, column), value in last.items()}
    for column in memory[0]:
        slack = 0 if column.endswith("total") else memory[0]["total"] / 20
        seen = [m[column] for m in memory]
        bounds = [("last", min(seen) - slack, got[column],
                   max(seen) + slack)] if column in got else []
        check_bounds(tap, "host_memory.%s" % column, bounds)
    cpus = host.values("host_cpu", ["cpus"], (start - 60000, now_ms()), "last")
    tap.ok(list(cpus.values()) == [os.cpu_count()], "host_cpu.cpus is the number of CPUs", cpus)


def main():
    parser = argparse.ArgumentParser(description="before <= pga <= after")
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--host", required=True)
    args = parser.parse_args()
    with open(args.token_file, encoding="utf-8") as f:
        api = Api(args.url, f.read().strip())
    tap = Tap()
    checks = ((check_databases, args.database), (check_cluster, args.database),
              (check_settings, args.database), (check_statements, args.database),
              (check_sessions, args.database), (check_host, args.host))
    for check, target in checks:
        try:
            check(tap, Watched(api, target))
        except (RuntimeError, KeyError, TypeError, OSError, subprocess.CalledProcessError) as e:
            tap.ok(False, "%s runs to its end" % check.__name__, repr(e))
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
