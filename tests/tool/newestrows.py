#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""The newest rows of collectors, by kind: pushes what has to be found, and reads it. Prints TAP.

    newestrows.py --url URL --secret-file FILE --token-file FILE [--agent COLLECTOR]

Three collectors are made: an older one that sends its twelve documents twice, an agent's with
relations of known numbers, and one that sends nothing. COLLECTOR is a real agent's.
"""

import argparse
import copy
import hashlib
import json
import os
import sys
import time
import urllib.parse
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402
from examples import Tap  # noqa: E402
import olddocs  # noqa: E402

KINDS = ("schema", "locks", "bloat", "cache-hits", "connections", "extensions", "replication",
         "replication-slots", "topology", "queries/slow", "queries/frequent", "version")
TOLD = 60  # seconds between the two rounds of the older collector


def register(url, secret, name):
    status, _, body = Api(url).request(
        "POST", "collectors/register", json.dumps({"name": name, "hostname": name}),
        {"X-Registration-Secret": secret})
    if status not in (200, 201):
        sys.exit("register: %d %s" % (status, body))
    answer = json.loads(body)
    return answer["collector_id"], Api(url, answer["token"])


class Reader:
    def __init__(self, args):
        self.tap = Tap()
        with open(args.token_file, encoding="utf-8") as f:
            self.people = Api(args.url, f.read().strip())

    def get(self, collector, kind, **query):
        return self.people.get("collectors/%s/%s" % (collector, kind), **query)

    def status(self, path, **query):
        return self.people.request("GET", path + "?" + urllib.parse.urlencode(query))[0]

    def rows(self, collector, kind, **query):
        return self.get(collector, kind, **query)["data"]

    def of(self, collector, kind, relation, **query):
        return [row for row in self.rows(collector, kind, **query)
                if row["reading"]["relation"] == relation]

    def targets(self, collector, count):
        found = []
        for _ in range(100):
            found = [row for row in self.people.get("servers", limit=1000)["data"]
                     if row["collector_id"] == collector]
            if len(found) >= count:
                return found
            time.sleep(0.1)
        return found


# --- an older collector ---

def statement(number, calls, mean):
    return {"hash": "h%d" % number, "text": "SELECT %d" % number, "calls": calls,
            "total_time": calls * mean, "mean_time": mean, "rows": calls}


def first_round(now):
    items = olddocs.all_documents(now)
    for item in items:
        if item["type"] == "pg_query_stats":
            item["data"]["queries"] = [statement(1, 100, 1.0), statement(2, 10, 5.0)]
        if item["type"] == "pg_locks":  # numbers beside the lists, under the name that is ours too
            item["databases"]["app"]["locks_held"] = 17
    return items


def second_round(now):
    items = first_round(now)
    for item in items:
        if item["type"] == "pg_query_stats":
            item["data"]["queries"] = [statement(1, 140, 1.5), statement(2, 12, 7.5)]
            other = copy.deepcopy(item)
        if item["type"] == "pg_locks":
            item["databases"]["app"]["lock_wait_chains"] = []
    other["timestamp"] = olddocs.stamp(now + 1)  # the other database is read a second later
    other["data"] = {"database": "postgres", "queries": [statement(3, 1000, 0.25)]}
    for item in items:
        if item["type"] == "sysstat":
            item["disk_io"][0]["read_sectors"] += 100
    return items + [other]


def push_old(reader, collector, api, now):
    for items in (first_round(now - TOLD), second_round(now)):
        status, _, body = api.request("POST", "metrics/push",
                                      json.dumps(olddocs.push(collector, items, now)))
        answer = json.loads(body)
        reader.tap.ok(status == 200 and answer["metrics_rejected"] == 0,
                      "a round of the twelve documents is taken", answer)
    reader.targets(collector, 2)


# kind -> (relation, members that one of its rows has)
OLD_ROWS = (
    ("schema", "pg_schema_tables", {"database": "app", "schema": "public", "name": "orders",
                                    "type": "BASE TABLE"}),
    ("schema", "pg_schema_columns", {"table": "orders", "name": "id", "data_type": "bigint",
                                     "position": 7001}),
    ("schema", "pg_schema_indexes", {"name": "orders_pkey", "unique": 1}),
    ("locks", "pg_locks_active_locks", {"pid": "4243", "relation": "orders",
                                        "mode": "RowExclusiveLock", "age_seconds": 7101,
                                        "query": "UPDATE orders SET x = 1"}),
    ("locks", "pg_locks", {"database": "app", "locks_held": 17}),
    ("bloat", "pg_bloat_table_bloat", {"table": "orders", "size": 12 * 1048576,
                                       "bloat_ratio": 4.25}),
    ("bloat", "pg_bloat_index_bloat", {"index": "orders_pkey", "size": 8192}),
    ("cache-hits", "pg_cache_table_cache_hit", {"table": "orders", "heap_blks_hit": 7302,
                                                "hit_ratio": 99.5}),
    ("cache-hits", "pg_cache_index_cache_hit", {"index": "orders_pkey", "idx_blks_read": 7303}),
    ("connections", "pg_connections", {"database": "app",
                                       "connection_stats_total_connections": 14803}),
    ("connections", "pg_connections_connection_stats_by_state", {"state": "idle", "count": 7402}),
    ("connections", "pg_connections_long_running_transactions",
     {"pid": "4245", "duration_seconds": 7403, "query": "SELECT pg_sleep"}),
    ("extensions", "pg_extensions_extensions", {"name": "pg_stat_statements", "version": "1.11"}),
    ("replication", "pg_replication_replication_status",
     {"application_name": "standby1", "replay_lag_ms": 1500, "state": "streaming"}),
    ("replication", "pg_replication", {"wal_status_total_segments": 6101}),
    ("replication-slots", "pg_replication_replication_slots",
     {"slot_name": "standby1", "bytes_retained": 6001}),
    ("queries/slow", "pg_query_stats_queries", {"hash": "h2", "mean_time": 7.5, "calls": 12,
                                                "text": "SELECT 2"}),
)


def has(row, members):
    return all(name in row and row[name] == value for name, value in members.items())


def check_old_rows(reader, collector, now):
    for kind, relation, members in OLD_ROWS:
        rows = reader.of(collector, kind, relation)
        found = [row for row in rows if has(row, members)]
        reader.tap.ok(len(found) == 1, "%s: one row of %s is %s" % (kind, relation, members), rows)
        t = [row["reading"]["t_ms"] // 1000 for row in rows]
        newest = {now, now + 1} if "queries" in kind else {now}
        reader.tap.ok(set(t) <= newest, "%s: %s is of the newest reading alone" % (kind, relation),
                      (t, newest))
    names = {row["reading"]["relation"] for kind in KINDS[:8]
             for row in reader.rows(collector, kind, limit=1000)}
    ours = {"pg_stat_activity", "pg_stat_replication", "pg_stat_user_tables",
            "pg_stat_user_indexes"} & names
    reader.tap.ok(not ours and "pg_replication_slots" not in names,
                  "what is also given under our names is not told twice", names)
    reader.tap.ok(reader.of(collector, "locks", "pg_locks_lock_wait_chains") == [],
                  "a list that became empty leaves no row of the round before",
                  reader.of(collector, "locks", "pg_locks_lock_wait_chains"))


def check_old_queries(reader, collector):
    slow = reader.get(collector, "queries/slow")
    reader.tap.ok([row["hash"] for row in slow["data"]] == ["h2", "h1", "h3"],
                  "the slowest statement of an older collector comes first", slow)
    frequent = reader.get(collector, "queries/frequent")
    reader.tap.ok([(row["hash"], row["calls"]) for row in frequent["data"]]
                  == [("h3", 1000), ("h1", 140), ("h2", 12)],
                  "the most frequent one comes first; each database by its own newest reading",
                  frequent)
    reader.tap.ok({row["reading"]["sums"] for row in slow["data"]} == {"since_reset"},
                  "its counts are told to be since the reset", slow)
    some = reader.get(collector, "queries/frequent", database="app")
    reader.tap.ok([row["hash"] for row in some["data"]] == ["h1", "h2"] and some["total"] == 2,
                  "statements of one database", some)
    page = reader.get(collector, "queries/frequent", limit=1, offset=1)
    reader.tap.ok([row["hash"] for row in page["data"]] == ["h1"] and page["count"] == 1
                  and page["total"] == 3, "a page of statements", page)


def check_old_pages(reader, collector):
    """What the pages of a server read, of a server that an older collector alone watches."""
    targets = {row["kind"]: row["id"] for row in reader.targets(collector, 2)}
    top = reader.people.get("servers/%s/queries/top" % targets["postgresql"])
    got = [(row["queryid"], row["datname"], row["calls"], row["total_exec_time"],
            row["mean_exec_time"], row["text"]) for row in top["data"]]
    reader.tap.ok(got == [("h1", "app", 40, 110.0, 2.75, "SELECT 1"),
                          ("h2", "app", 2, 40.0, 20.0, "SELECT 2")],
                  "top queries are the rise of its counters", top)
    reader.tap.ok(top["relation"] == "pg_stat_statements_total"
                  and top["total"]["calls"] == 42, "with the sum of all", top)
    one = reader.people.get("servers/%s/metrics" % targets["postgresql"], **{
        "relation": "pg_stat_statements_total", "column": "calls", "key.queryid": "h1",
        "from": "-1h", "step": 3600000, "agg": "increase"})
    values = [v for s in one["series"] for v in s["values"] if v is not None]
    reader.tap.ok(values == [40], "the charts of one query read the same", one)
    disk = reader.people.get("servers/%s/metrics" % targets["host"], **{
        "relation": "host_disk", "column": "read_bytes", "from": "-1h", "step": 3600000,
        "agg": "increase"})
    values = [v for s in disk["series"] for v in s["values"] if v is not None]
    reader.tap.ok(values == [51200], "100 sectors more are 51200 bytes read", disk)
    base = "servers/%s/metrics" % targets["postgresql"]
    query = {"relation": "pg_stat_database", "column": "xact_commit,never_heard_of"}
    some = reader.people.get(base, missing="skip", **query)
    none = reader.people.get(base, missing="skip", relation="never_heard_of", column="x")
    reader.tap.ok({s["column"] for s in some["series"]} == {"xact_commit"}
                  and none["series"] == [] and len(none["times"]) > 1,
                  "columns and relations that nobody sent may be skipped", (some, none))
    codes = [reader.status(base, **query), reader.status(base, missing="error", **query),
             reader.status(base, missing="no", **query)]
    reader.tap.ok(codes == [400] * 3, "and are an error otherwise", codes)


def check_rows(reader, collector):
    targets = {row["kind"]: row["id"] for row in reader.targets(collector, 2)}
    base = "servers/%s/rows" % targets["postgresql"]
    detail = reader.people.get("servers/%s" % targets["postgresql"])
    empty = []
    for name in sorted(r["name"] for r in detail["relations"]):
        answer = reader.people.get(base, relation=name)
        if answer["relation"] != name or answer["count"] != len(answer["data"]):
            reader.tap.ok(False, "rows of " + name, answer)
        if answer["count"] == 0:
            empty.append(name)
    reader.tap.ok(all(name in empty for name in ("pg_schema_triggers", "pg_schema_foreign_keys"))
                  and "pg_bloat_table_bloat" not in empty,
                  "every relation of a server can be read; empty lists are empty", empty)
    both = reader.people.get(base, relation="pg_stats")["data"]
    reader.tap.ok([row["database"] for row in both] == ["app", "postgres"], "ordered by keys", both)
    some = reader.people.get(base, relation="pg_stats", database="postgres")["data"]
    reader.tap.ok([row["size_bytes"] for row in some] == [80102], "of one database", some)
    reader.tap.ok(reader.status(base, relation="pg_nothing") == 404
                  and reader.status(base, relation="No!") == 400 and reader.status(base) == 400,
                  "a relation that is not there is 404, one that cannot be 400")


# --- an agent's relations with known numbers ---

def column(name, kind, form="i64"):
    return {"name": name, "kind": kind, "type": form, "unit": "1", "help": "h"}


def relation(name, keys, columns, sparse=False):
    return {"name": name, "help": "of the test", "shape": "object", "sparse": sparse,
            "keys": [{"name": k, "help": "h"} for k in keys], "columns": columns}


def piece(name, target, t, keys, columns, from_t=None, flags=("complete",)):
    columns = dict(columns)
    return {"relation": name, "target": target, "scope": "", "t": t, "from_t": from_t or t,
            "every_ms": 10000, "flags": list(flags), "rows": len(next(iter(columns.values()))),
            "keys": keys, "columns": columns}


STATEMENT_KEYS = ("datname", "usename", "queryid", "toplevel")


def deltas(target, t, rows):
    """rows: (datname, queryid, calls, total_exec_time) of the ten seconds before t."""
    return piece("pg_stat_statements", target, t,
                 {"datname": [r[0] for r in rows], "usename": ["u"] * len(rows),
                  "queryid": [r[1] for r in rows], "toplevel": ["true"] * len(rows)},
                 {"calls": [r[2] for r in rows], "total_exec_time": [r[3] for r in rows]},
                 t - 10000)


def push_exact(reader, collector, api, now):
    primary, standby = str(uuid.uuid4()), str(uuid.uuid4())
    cluster = "7%d" % now
    ms = now * 1000

    def target(number, name, role, address):
        return {"id": number, "kind": "postgresql", "name": name,
                "attributes": {"role": role, "address": address, "port": 5432, "version": "17.2",
                               "version_num": 170002, "system_identifier": cluster}}

    record = {"made_ms": ms, "relations": [
        relation("pg_locks", ("datname", "locktype", "mode"), [column("count", "gauge")]),
        relation("pg_stat_statements", STATEMENT_KEYS,
                 [column("calls", "delta"), column("total_exec_time", "delta", "f64")], True),
        relation("pg_stat_replication", ("application_name", "client_addr", "slot_name"),
                 [column("state", "text", "text"), column("replay_lag_bytes", "gauge")]),
        relation("pg_stat_wal_receiver", (), [
            column("status", "text", "text"), column("sender_host", "text", "text"),
            column("sender_port", "gauge"), column("slot_name", "text", "text")])],
        "targets": [target(primary, "p", "primary", "10.9.0.1"),
                    target(standby, "s", "standby", "10.9.0.2")],
        "slices": [
            piece("pg_locks", primary, ms - 10000,
                  {"datname": ["app", "gone"], "locktype": ["relation", "relation"],
                   "mode": ["AccessShareLock", "AccessShareLock"]}, {"count": [9, 9]}),
            piece("pg_locks", primary, ms,
                  {"datname": ["app", ""], "locktype": ["relation", "transactionid"],
                   "mode": ["AccessShareLock", "ExclusiveLock"]}, {"count": [3, 4]}),
            {**piece("pg_locks", primary, ms + 500, {}, {"count": []}, flags=["failed"]),
             "rows": 0, "columns": {}, "reason": "it failed"},
            deltas(primary, ms - 10000, [("app", "1", 3, 30.0), ("app", "2", 100, 100.0),
                                         ("b", "3", 1, 500.0), ("", "other", 9999, 9999.0)]),
            deltas(primary, ms, [("app", "1", 4, 50.0), ("app", "2", 101, 101.0)]),
            piece("pg_stat_replication", primary, ms,
                  {"application_name": ["s", "archive"], "client_addr": ["10.9.0.2", "10.9.0.77"],
                   "slot_name": ["", ""]},
                  {"state": ["streaming", "catchup"], "replay_lag_bytes": [11, 22]}),
            piece("pg_stat_wal_receiver", standby, ms, {}, {
                "status": ["streaming"], "sender_host": ["10.9.0.1"], "sender_port": [5432],
                "slot_name": ["slot1"]})]}
    body = {"collector_id": collector, "stream": str(uuid.uuid4()), "seq": 1, "count": 1,
            "records": [{"hash": "0" * 64, "record": record}]}
    text = json.dumps(record, separators=(",", ":"))
    body["records"][0]["hash"] = hashlib.sha256(text.encode()).hexdigest()
    status, _, answer = api.request("POST", "metrics/push", json.dumps(body))
    reader.tap.ok(status == 200, "an agent's record is taken", answer)
    reader.targets(collector, 2)
    return primary, standby


def check_exact(reader, collector, now, primary, standby):
    locks = reader.get(collector, "locks")
    got = [(row["datname"], row["count"], row["reading"]["t_ms"]) for row in locks["data"]]
    reader.tap.ok(got == [("", 4, now * 1000), ("app", 3, now * 1000)],
                  "our locks are the newest reading that did not fail", locks)
    reader.tap.ok(all("locks_held" not in row and "database" not in row
                      for row in locks["data"]),
                  "and have none of the members that another collector has under that name", locks)
    some = reader.rows(collector, "locks", database="app")
    reader.tap.ok([row["count"] for row in some] == [3], "locks of one database", some)
    slow = reader.get(collector, "queries/slow")
    got = [(row["queryid"], row["calls"], row["total_exec_time"], row["mean_exec_time"])
           for row in slow["data"]]
    reader.tap.ok(got == [("3", 1, 500.0, 500.0), ("1", 7, 80.0, 80 / 7),
                          ("2", 201, 201.0, 1.0)],
                  "an agent's statements are sums over the window, the slowest first", slow)
    reader.tap.ok({row["reading"]["sums"] for row in slow["data"]} == {"window"}
                  and slow["to_ms"] - slow["from_ms"] == 3600000,
                  "the answer names the window", slow)
    short = reader.get(collector, "queries/frequent", **{"from": now - 5, "to": now})
    reader.tap.ok([(row["queryid"], row["calls"]) for row in short["data"]]
                  == [("2", 101), ("1", 4)], "a window of one interval has that interval", short)
    frequent = reader.rows(collector, "queries/frequent", database="app")
    reader.tap.ok([row["queryid"] for row in frequent] == ["2", "1"],
                  "the most frequent statements of one database", frequent)
    topology = {row["target_id"]: row for row in reader.rows(collector, "topology")}
    receivers = [(r["application_name"], r["target_id"]) for r in topology[primary]["standbys"]]
    reader.tap.ok(receivers == [("archive", None), ("s", standby)]
                  and topology[primary]["upstream"] is None, "a primary knows its standbys",
                  topology)
    up = topology[standby]["upstream"]
    reader.tap.ok(up and up["target_id"] == primary and up["sender_port"] == 5432
                  and [m["target_id"] for m in topology[standby]["same_cluster"]] == [primary],
                  "a standby knows where it gets its WAL from", topology)
    versions = reader.get(collector, "version")
    reader.tap.ok([(r["target_name"], r["version"], r["role"]) for r in versions["data"]]
                  == [("p", "17.2", "primary"), ("s", "17.2", "standby")], "versions", versions)
    page = reader.get(collector, "version", limit=1, offset=1)
    reader.tap.ok([r["target_name"] for r in page["data"]] == ["s"] and page["count"] == 1
                  and page["total"] == 2, "a page of versions", page)


# --- a real agent, and what holds of every kind ---

def check_agent(reader, collector):
    rows = reader.rows(collector, "connections", limit=1000)
    states = [row for row in rows if row["reading"]["relation"] == "pg_stat_activity"]
    reader.tap.ok(states and all(row["reading"]["complete"] for row in states)
                  and len({row["reading"]["t_ms"] for row in states}) == 1,
                  "sessions of a real agent are one complete reading", rows)
    versions = reader.rows(collector, "version")
    reader.tap.ok(len(versions) == 1 and versions[0]["version_num"] >= 100000,
                  "its server's version", versions)
    for kind, member in (("slow", "mean_exec_time"), ("frequent", "calls")):
        rows = reader.rows(collector, "queries/" + kind, limit=1000)
        values = [row[member] for row in rows]
        reader.tap.ok(len(rows) > 3 and values == sorted(values, reverse=True),
                      "%s statements of a real agent are in order" % kind, values)
    cache = reader.rows(collector, "cache-hits", limit=1000)
    reader.tap.ok(any(row["reading"]["relation"] == "pg_stat_database" and row["blks_hit"] > 0
                      for row in cache) and all("xact_commit" not in row for row in cache),
                  "its cache hits are blocks and nothing else", cache[:3])


def check_frame(reader, collector, kind):
    whole = reader.get(collector, kind, limit=1000)
    reader.tap.ok(whole["count"] == len(whole["data"]) == whole["total"],
                  "%s: count is what there is" % kind, whole)
    reader.tap.ok((whole["timestamp"] is None) == (whole["count"] == 0),
                  "%s: the time of the newest reading" % kind, whole["timestamp"])
    pages = []
    for offset in range(0, whole["total"], 2):
        pages += reader.rows(collector, kind, limit=2, offset=offset)
    reader.tap.ok(pages == whole["data"], "%s: pages make the whole" % kind)
    beyond = reader.get(collector, kind, offset=1000000)
    reader.tap.ok(beyond["count"] == 0 and beyond["data"] == []
                  and beyond["total"] == whole["total"], "%s: past the end is empty" % kind, beyond)
    path = "collectors/%s/%s" % (collector, kind)
    codes = [reader.status(path, limit="0"), reader.status(path, limit="1001"),
             reader.status(path, limit="x"), reader.status(path, offset="-1"),
             reader.status(path, offset="1e3")]
    reader.tap.ok(codes == [400] * 5, "%s: bounds of limit and offset" % kind, codes)
    codes = [reader.status("collectors/%s/%s" % (uuid.uuid4(), kind)),
             reader.status("collectors/nobody/%s" % kind)]
    reader.tap.ok(codes == [404, 404], "%s: 404 without such a collector" % kind, codes)


def check_silent(reader, collector):
    for kind in KINDS:
        answer = reader.get(collector, kind)
        reader.tap.ok(answer["count"] == 0 and answer["data"] == [] and answer["total"] == 0
                      and answer["timestamp"] is None,
                      "%s of a collector that sent nothing is empty" % kind, answer)


def main():
    parser = argparse.ArgumentParser(description="the newest rows of collectors")
    parser.add_argument("--url", required=True)
    parser.add_argument("--secret-file", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--agent")
    args = parser.parse_args()
    with open(args.secret_file, encoding="utf-8") as f:
        secret = f.read().strip()
    reader = Reader(args)
    now = int(time.time()) - 5
    old, old_api = register(args.url, secret, "old-db1")
    exact, exact_api = register(args.url, secret, "exact")
    silent, _ = register(args.url, secret, "silent")
    push_old(reader, old, old_api, now)
    primary, standby = push_exact(reader, exact, exact_api, now)
    check_old_rows(reader, old, now)
    check_old_queries(reader, old)
    check_old_pages(reader, old)
    check_rows(reader, old)
    check_exact(reader, exact, now, primary, standby)
    check_silent(reader, silent)
    for kind in KINDS:
        check_frame(reader, old, kind)
    if args.agent:
        check_agent(reader, args.agent)
    print("1..%d" % reader.tap.count)
    return 1 if reader.tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
