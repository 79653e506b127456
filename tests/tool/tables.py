#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Compares tables and indexes of one database: before <= pga <= after. Prints TAP.

    tables.py --database NAME --once PGA --dsn DSN       one collection of `pga agent --once`
    tables.py --database NAME --url URL --token-file FILE --target ID      what the server has

PostgreSQL is read with psql (PGHOST, PGPORT ...) from its own views, pg_stat_user_tables and the
others, which pga does not use.
"""

import argparse
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402
from examples import Tap  # noqa: E402
from sandwich import MARGIN_MS, Watched, check_bounds, labels_of, now_ms  # noqa: E402

SOURCES = {
    "pg_stat_user_tables": (
        ("schemaname", "relname"),
        "select s.*, coalesce(b.heap_blks_read, 0) as heap_blks_read,"
        " coalesce(b.heap_blks_hit, 0) as heap_blks_hit, b.idx_blks_read, b.idx_blks_hit,"
        " b.toast_blks_read, b.toast_blks_hit, b.tidx_blks_read, b.tidx_blks_hit,"
        " c.relpages, case when c.relkind <> 'p' then age(c.relfrozenxid) end as relfrozenxid_age"
        " from pg_stat_user_tables s left join pg_statio_user_tables b using (relid)"
        " join pg_class c on c.oid = s.relid where c.relpersistence <> 't'"),
    "pg_stat_user_indexes": (
        ("schemaname", "relname", "indexrelname"),
        "select s.*, b.idx_blks_read, b.idx_blks_hit, c.relpages, x.indisunique::int,"
        " x.indisprimary::int, x.indisvalid::int from pg_stat_user_indexes s"
        " join pg_statio_user_indexes b using (indexrelid) join pg_class c on c.oid = indexrelid"
        " join pg_index x on x.indexrelid = c.oid where c.relpersistence <> 't'"),
}
# Levels that only VACUUM and ANALYZE change: equal before and after, so pga must say the same.
STILL = ("relpages", "relfrozenxid_age", "indisunique", "indisprimary", "indisvalid")
NOT_TOLD = {"relid", "indexrelid", "schemaname", "relname", "indexrelname", "stats_reset"}
# Times are text in psql's JSON and seconds in pga.
TIMES = {"last_seq_scan", "last_idx_scan", "last_vacuum", "last_autovacuum", "last_analyze",
         "last_autoanalyze"}


def read(database, name):
    keys, query = SOURCES[name]
    text = "select coalesce(json_agg(x), '[]') from (%s) x" % query
    done = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", text],
                          stdout=subprocess.PIPE, check=True)
    return {tuple(row[k] for k in keys): row for row in json.loads(done.stdout)}


def compare(tap, name, before, got, after, kinds):
    """got: {(key tuple, column): (lowest, highest)}; kinds: {column: kind}."""
    rows = {key for key, _ in got}
    both = set(before) & set(after)
    tap.ok(both and both <= rows and rows <= set(before) | set(after),
           "%s: one row for each of PostgreSQL's (%d)" % (name, len(both)),
           (sorted(both - rows), sorted(rows - set(after))))
    sample = next(iter(after.values()), {})
    for column, kind in kinds.items():
        if column not in sample:
            told = [k for k in got if k[1] == column]
            if kind == "counter":
                tap.ok(not told, "%s.%s: not known here, and not told" % (name, column), told)
            continue
        if column in TIMES or kind == "not compared" or (kind != "counter" and column not in STILL):
            continue
        bounds, wrong = [], []
        for key in both:
            low, high = before[key][column], after[key][column]
            value = got.get((key, column))
            if low is None and high is None:
                wrong += [(key, value)] if value is not None else []
            elif value is None:
                wrong.append((key, value))
            elif kind == "counter" or low == high:
                slack = 0.001 if isinstance(high, float) else 0
                what = ".".join(key)
                bounds.append((what + " min", (low or 0) - slack, value[0], high + slack))
                bounds.append((what + " max", (low or 0) - slack, value[1], high + slack))
        if wrong or bounds:
            tap.ok(not wrong, "%s.%s: NULL where PostgreSQL has it" % (name, column), wrong[:5])
        if bounds:
            check_bounds(tap, "%s.%s" % (name, column), bounds)
    missing = set(sample) - set(kinds) - NOT_TOLD
    tap.ok(not missing, "%s: every column of this version is read" % name, ", ".join(missing))


def check_once(tap, args):
    before = {name: read(args.database, name) for name in SOURCES}
    done = subprocess.run([args.once, "agent", "--once", "--dsn", args.dsn],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    after = {name: read(args.database, name) for name in SOURCES}
    batch = json.loads(done.stdout)
    for name, (keys, _) in SOURCES.items():
        described = next(r for r in batch["relations"] if r["name"] == name)
        kinds = {c["name"]: c["kind"] for c in described["columns"]}
        piece = next(s for s in batch["slices"]
                     if s["relation"] == name and s["scope"] == args.database)
        tap.ok("complete" in piece["flags"], "%s: the reading is complete" % name, piece["flags"])
        tap.ok(set(piece["keys"]["datname"]) == {args.database}, "%s: datname is a key" % name)
        got = {}
        for row in range(piece["rows"]):
            key = tuple(piece["keys"][k][row] for k in keys)
            for column, values in piece["columns"].items():
                if values[row] is not None:
                    got[(key, column)] = (values[row], values[row])
        compare(tap, name, before[name], got, after[name], kinds)
    states = {p["probe"]: p for p in batch["probes"]}
    for name in SOURCES:
        tap.ok(states[name]["rows"] >= len(after[name]), "%s: the probe counts its rows" % name,
               states[name])


def check_server(tap, args):
    with open(args.token_file, encoding="utf-8") as f:
        db = Watched(Api(args.url, f.read().strip()), args.target)
    for name, (keys, _) in SOURCES.items():
        kinds = {c["name"]: c["kind"] for c in db.relation(name)["columns"]}
        counters = [c for c, kind in kinds.items() if kind == "counter"]
        before = read(args.database, name)
        start = now_ms() + MARGIN_MS
        end = start
        while end <= start:
            db.wait_reading(name, start)
            scopes = {s["scope"]: s for s in db.relation(name)["scopes"]}
            end = scopes.get(args.database, {}).get("last_t_ms", 0)
        after = read(args.database, name)
        found = {}
        for side in ("min", "max"):
            for (key, column), value in db.values(
                    name, counters, (start, end), side, **{"key.datname": args.database}).items():
                found.setdefault((labels_of(key, keys), column), []).append(value)
        compare(tap, name, before, found, after, {c: "counter" for c in counters} |
                {c: "not compared" for c in kinds if c not in counters})


def main():
    parser = argparse.ArgumentParser(description="before <= pga <= after")
    parser.add_argument("--database", required=True)
    parser.add_argument("--once")
    parser.add_argument("--dsn")
    parser.add_argument("--url")
    parser.add_argument("--token-file")
    parser.add_argument("--target")
    args = parser.parse_args()
    tap = Tap()
    try:
        (check_once if args.once else check_server)(tap, args)
    except (RuntimeError, KeyError, TypeError, StopIteration, OSError,
            subprocess.CalledProcessError) as e:
        tap.ok(False, "the comparison runs to its end", repr(e))
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
