#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Accounts limited to groups of targets (security Z2): every operation of /openapi.json. TAP.

    groups.py --url URL --owner FILE --as NAME=FILE... --red-secret FILE --blue-secret FILE
              --table FILE

Two collectors are made, one in group blue and one in group red, and everything that can hold a
word of red's holds "zzred": names, databases, query texts, events, labels, metrics, relations,
configuration, secret, managed instance. The callers of --as (viewer, operator, admin and a token)
are limited to blue. Then, for each operation:

  - one with an id is tried with red's id and with an id that nothing has: both must answer the
    same status and body (but for the request's id), 404, or 403 where the role is too low;
  - one without an id that reads must hold neither the word nor an id of red's. That the question
    is a good one is shown with the owner, who gets the word, and with blue's own word;
  - one that is for all groups ("-" for admin-of-group in the matrix's table) must be 403.

An operation that no rule here knows fails: who adds a route decides what it shows to whom.
At the end the owner finds red's things as they were.
"""

import argparse
import hashlib
import json
import os
import re
import sys
import time
import urllib.parse
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402
from examples import Tap  # noqa: E402
from matrix import read_table  # noqa: E402
from newestrows import column, piece, register, relation  # noqa: E402
import olddocs  # noqa: E402

WORD = {"red": "zzred", "blue": "zzblue"}
NOBODY = "00000000-0000-4000-8000-000000000000"
NUMBER = "999999999"
MS = 1000


# --- what is planted ---

class Side:
    """One group with all that belongs to it."""

    def __init__(self, group):
        self.group, self.word = group, WORD[group]
        self.collector = self.target = self.stream = None
        self.secret = self.managed = self.config = None

    def ids(self):
        return [i for i in (self.collector, self.target, self.stream) if i]


def plain(side, name):
    return "%s_%s" % (side.word, name)


def record_of(side, ms):
    w = side.word
    db, text = plain(side, "db"), "select %s_text" % w
    own = plain(side, "relation")
    slices = []
    for t in (ms - 10 * MS, ms):
        slices += [
            piece("pg_instance", side.target, t, {}, {"up": [1]}),
            piece("pg_stat_database", side.target, t, {"datname": [db]}, {"xact_commit": [t]}),
            piece("pg_locks", side.target, t,
                  {"datname": [db], "locktype": ["relation"], "mode": [w]}, {"count": [1]}),
            piece("pg_stat_statements", side.target, t,
                  {"datname": [db], "usename": [w + "_user"], "queryid": ["77"],
                   "toplevel": ["true"]}, {"calls": [5], "total_exec_time": [50.0]}, t - 10 * MS),
            piece("pg_session_history", side.target, t,
                  {"datname": [db], "usename": [w], "application_name": [w],
                   "backend_type": ["client backend"], "state": ["active"],
                   "wait_event_type": [""], "wait_event": [""], "query_id": ["77"]},
                  {"samples": [10]}, t - 10 * MS),
            piece("pg_session_ticks", side.target, t, {}, {"ticks": [10]}, t - 10 * MS),
            piece(own, side.target, t, {"k": [w]}, {"v": [1]}),
        ]
    return {
        "made_ms": ms,
        "relations": [
            relation("pg_instance", (), [column("up", "gauge")]),
            relation("pg_stat_database", ("datname",), [column("xact_commit", "counter")]),
            relation("pg_locks", ("datname", "locktype", "mode"), [column("count", "gauge")]),
            relation("pg_stat_statements", ("datname", "usename", "queryid", "toplevel"),
                     [column("calls", "delta"), column("total_exec_time", "delta", "f64")], True),
            {**relation("pg_session_history",
                        ("datname", "usename", "application_name", "backend_type", "state",
                         "wait_event_type", "wait_event", "query_id"),
                        [column("samples", "delta")]), "shape": "fact"},
            relation("pg_session_ticks", (), [column("ticks", "delta")]),
            {**relation(own, ("k",), [column("v", "gauge")]), "help": plain(side, "help")}],
        "targets": [{"id": side.target, "kind": "postgresql", "name": w + "-target",
                     "attributes": {"address": "10.9.0.1", "port": 5432, "role": "primary",
                                    "version": "17.2", "version_num": 170002,
                                    "system_identifier": "7" + w,
                                    "environment": w + "-env", "tags": {w + "_tag": w + "-tag"}}}],
        "slices": slices,
        "texts": [{"target": side.target, "kind": "query", "key": "77", "text": text}],
        "events": [{"t": ms, "target": side.target, "kind": plain(side, "kind"),
                    "severity": "warning", "title": w + " happened", "body": {"what": w}},
                   {"t": ms, "kind": "gap", "severity": "warning", "title": w + " of the agent",
                    "body": {"from_ms": ms - 60 * MS, "to_ms": ms, "reason": w}}],
    }


def push_native(side, api, ms):
    record = record_of(side, ms)
    text = json.dumps(record, separators=(",", ":"))
    entry = {"hash": hashlib.sha256(text.encode()).hexdigest(), "record": record}
    body = {"collector_id": side.collector, "stream": side.stream, "seq": 1, "count": 1,
            "records": [entry]}
    return api.request("POST", "metrics/push", json.dumps(body, separators=(",", ":")))


def push_old(side, api, ms):
    """An older collector's documents, every word of theirs with the side's before it."""
    items = json.dumps(olddocs.all_documents(ms // MS))
    for name in ("orders", "app", "people", "standby1", "pg_stat_statements"):
        items = items.replace('"%s"' % name, '"%s_%s"' % (side.word, name))
    items = json.loads(items)
    items.append({"name": plain(side, "metric"), "value": 1, "timestamp": ms // MS,
                  "labels": {plain(side, "label"): side.word + "-value"}})
    return api.request("POST", "metrics/push",
                       json.dumps(olddocs.push(side.collector, items, ms // MS,
                                               hostname=side.word + "-old")))


def plant(tap, url, owner, side, secret):
    ms = int(time.time()) * MS
    side.collector, api = register(url, secret, side.word + "-agent")
    side.target, side.stream = str(uuid.uuid4()), str(uuid.uuid4())
    for answer in (push_native(side, api, ms), push_old(side, api, ms)):
        tap.ok(answer[0] == 200, "%s: a push is taken" % side.group, answer)
    status, _, body = owner.request("POST", "managed-instances", json.dumps(
        {"name": side.word + "-managed", "endpoint": "db.invalid", "description": side.word,
         "master_username": side.word, "paused": True, "group": side.group}))
    tap.ok(status == 201, "%s: a managed instance" % side.group, body)
    side.managed = str(json.loads(body).get("id"))
    status, _, body = owner.request("POST", "registration-secrets", json.dumps(
        {"name": side.word + "-secret", "group": side.group}))
    tap.ok(status == 201, "%s: a registration secret" % side.group, body)
    side.secret = str(json.loads(body).get("id"))
    status, _, body = owner.request("PUT", "config/" + side.collector,
                                    "# %s\n" % side.word, {"Content-Type": "application/toml"})
    tap.ok(status == 200, "%s: a configuration" % side.group, body)


# --- what may be asked ---

# What stands for "{id}" in a path, by how the path begins. Accounts are for all groups.
KINDS = (
    ("/api/v1/servers/", "target", NOBODY), ("/api/v1/collectors/", "collector", NOBODY),
    ("/api/v1/config/", "collector", NOBODY), ("/api/v1/managed-instances/", "managed", NUMBER),
    ("/api/v1/registration-secrets/", "secret", NUMBER),
    ("/api/v1/sessions/", "session", "0" * 32), ("/api/v1/tokens/", "token", NUMBER),
    ("/api/v1/users/", "user", NUMBER),
)
# Whose ids these are is no matter of groups; people.sh tries them.
APART = ("session", "token", "user")
BODIES = {
    ("PUT", "/api/v1/servers/{id}"): {"group": "blue"},
    ("PUT", "/api/v1/collectors/{id}"): {"group": "blue"},
    ("PUT", "/api/v1/registration-secrets/{id}"): {"name": "taken over"},
    ("PUT", "/api/v1/managed-instances/{id}"): {"description": "taken over"},
}
RAW = {("PUT", "/api/v1/config/{collector_id}"): ("# taken over\n", "application/toml")}
# Parameters that a question with an id needs.
NEEDS = {
    "/api/v1/servers/{id}/metrics": ["relation=pg_stat_database"],
    "/api/v1/servers/{id}/rows": ["relation=pg_stat_database", "relation=pg_locks"],
    "/api/v1/servers/{id}/top": ["relation=pg_stat_statements"],
    "/api/v1/servers/{id}/sessions/breakdown": ["by=datname,usename"],
}
METRICS = ('{__name__=~".+"}', 'pg_stat_database_xact_commit', 'group by (target) (pg_instance_up)',
           'count by (__name__) ({__name__=~".+"})', '{instance!=""}',
           'pg_stat_statements_calls_total or pg_locks_count')
SELECTORS = ["match[]=" + urllib.parse.quote(m) for m in ('{__name__=~".+"}', '{target!=""}')]
LABELS = ("target", "instance", "datname", "__name__", "environment", "k", "mode", "usename",
          "scope", "role")


def now_range():
    now = int(time.time())
    return "start=%d&end=%d&step=15" % (now - 120, now)


def questions(path):
    """Parameters for a reading operation without an id; None: no rule knows it."""
    texts = [urllib.parse.quote(m) for m in METRICS]
    known = {
        "/api/v1/servers": ["", "limit=1000"], "/api/v1/collectors": [""],
        "/api/v1/managed-instances": [""], "/api/v1/registration-secrets": [""],
        "/api/v1/cardinality": ["by=relation", "by=server", "by=collector", "limit=1000"],
        "/api/v1/events": ["", "limit=1000", "severity=warning", "kind=gap", "from=-1h"],
        "/api/v1/tokens": [""], "/api/v1/sessions": [""], "/api/v1/auth/me": [""],
        "/api/v1/auth/totp": [""], "/api/v1/auth/state": [""], "/api/v1/ca": [""],
        "/api/v1/health": [""], "/healthz": [""], "/readyz": [""], "/version": [""],
        "/openapi.json": [""],
        "/prometheus/api/v1/alerts": [""], "/prometheus/api/v1/rules": [""],
        "/prometheus/api/v1/status/buildinfo": [""],
        "/prometheus/api/v1/format_query": ["query=up"],
        "/prometheus/api/v1/query": ["query=" + t for t in texts],
        "/prometheus/api/v1/query_range": ["%s&query=%s" % (now_range(), t) for t in texts],
        "/prometheus/api/v1/query_exemplars": ["query=up"],
        "/prometheus/api/v1/labels": [""] + SELECTORS,
        "/prometheus/api/v1/label/{name}/values": [""] + SELECTORS[:1],
        "/prometheus/api/v1/metadata": [""], "/prometheus/api/v1/series": SELECTORS,
    }
    return known.get(path)


# Where the owner has to find red's word, so that its absence says something.
TELLS = {"/api/v1/servers", "/api/v1/collectors", "/api/v1/managed-instances",
         "/api/v1/registration-secrets", "/api/v1/events", "/prometheus/api/v1/query",
         "/prometheus/api/v1/query_range", "/prometheus/api/v1/labels",
         "/prometheus/api/v1/label/{name}/values", "/prometheus/api/v1/metadata",
         "/prometheus/api/v1/series"}


class Walk:
    def __init__(self, tap, owner, callers, sides, rows):
        self.tap, self.owner, self.callers = tap, owner, callers
        self.red, self.blue = sides
        self.rows = rows
        self.words = [self.red.word] + self.red.ids()

    def leaks(self, body):
        return [w for w in self.words if w.encode() in body.lower()]

    def ask(self, api, operation, path, query=""):
        method, template = operation
        headers, body = None, None
        if operation in RAW:
            body, headers = RAW[operation][0], {"Content-Type": RAW[operation][1]}
        elif template.startswith("/prometheus/") and method == "POST":
            body, headers = query, {"Content-Type": "application/x-www-form-urlencoded"}
            query = ""
        elif operation in BODIES:
            body = json.dumps(BODIES[operation])
        elif method in ("POST", "PUT"):
            body = b"{}" if self.has_body else None
        status, _, text = api.request(method, path + ("?" + query if query else ""), body, headers)
        return status, re.sub(rb'"instance":\s*"[^"]*"', b'"instance":""', text)

    def with_id(self, operation, kind, nothing):
        """Red's id against one that nothing has; what is wrong."""
        method, template = operation
        foreign = getattr(self.red, kind)
        second = template.replace("/versions/{id}", "/versions/1")
        for name, api in self.callers.items():
            for query in NEEDS.get(template, [""]):
                paths = [re.sub(r"\{(collector_)?id\}", i, second, count=1)
                         for i in (foreign, nothing)]
                got = [self.ask(api, operation, p, query) for p in paths]
                high = name == "admin"
                if got[0] != got[1]:
                    yield "%s: %s differs from an unknown id: %s" % (name, method, got)
                elif got[0][0] != 404 and (high or got[0][0] != 403):
                    yield "%s gets %d %s" % (name, got[0][0], got[0][1][:200])
                elif self.leaks(got[0][1]):
                    yield "%s is told %s" % (name, self.leaks(got[0][1]))
            if method == "GET" and operation not in RAW:
                yield from self.own(operation, kind, name, api, second)

    def own(self, operation, kind, name, api, template):
        """Blue's own thing holds nothing of red's."""
        path = re.sub(r"\{(collector_)?id\}", getattr(self.blue, kind), template, count=1)
        for query in NEEDS.get(operation[1], [""]):
            status, text = self.ask(api, operation, path, query)
            if status != 200 and not (status == 403 and name != "admin"):
                yield "%s: one's own %s: %d %s" % (name, path, status, text[:200])
            elif self.leaks(text):
                yield "%s: %s of one's own holds %s" % (name, path, self.leaks(text))

    def without_id(self, operation):
        method, template = operation
        found = {"red": False, "blue": False}
        asked = questions(template)
        if asked is None:
            yield "no rule says what it may show: decide, and add it to groups.py"
            return
        paths = [template.replace("{name}", n) for n in LABELS] if "{name}" in template \
            else [template]
        for path in paths:
            for query in asked:
                for name, api in self.callers.items():
                    status, text = self.ask(api, operation, path, query)
                    if status not in (200, 403):
                        yield "%s: %s?%s: %d %s" % (name, path, query, status, text[:200])
                    if self.leaks(text):
                        yield "%s: %s?%s holds %s" % (name, path, query, self.leaks(text))
                    found["blue"] |= self.blue.word.encode() in text
                found["red"] |= self.red.word.encode() in self.ask(self.owner, operation, path,
                                                                   query)[1]
        if template in TELLS and not all(found.values()):
            yield "it shows nothing that could be missing: %s" % found

    def fleet(self, operation):
        method, template = operation
        path = re.sub(r"\{\w+\}", NUMBER, template)
        for name, api in self.callers.items():
            status, text = self.ask(api, operation, path)
            if status != 403:
                yield "%s gets %d %s" % (name, status, text[:200])

    def wrong(self, operation, has_body):
        method, template = operation
        self.has_body = has_body
        if operation not in self.rows:
            yield "no row in the table"
            return
        kind = next((k for k in KINDS if template.startswith(k[0]) and "{" in template), None)
        if "owner" in self.rows[operation] and "admin-of-group" not in self.rows[operation]:
            yield from self.fleet(operation)
        elif kind and kind[1] in APART:
            return
        elif kind:
            yield from self.with_id(operation, kind[1], kind[2])
        elif "{" in template and "{name}" not in template:
            yield "nobody knows whose id this is: decide, and add it to groups.py"
        elif method == "GET" or template.startswith("/prometheus/"):
            yield from self.without_id(operation)


# --- beyond the walk ---

def by_parameter(walk):
    """Ids and names that are parameters: those of red are as those of nobody."""
    red, blue = walk.red, walk.blue
    pairs = [
        ("/api/v1/events?server=%s", red.target, NOBODY),
        ("/api/v1/cardinality?server=%s", red.target, NOBODY),
        ("/api/v1/servers/" + blue.target + "/rows?relation=%s", "zzred_relation",
         "zznot_relation"),
        ("/api/v1/servers/" + blue.target + "/top?relation=%s", "zzred_relation", "zznot_relation"),
        ("/api/v1/servers/" + blue.target + "/metrics?relation=%s", "zzred_relation",
         "zznot_relation"),
        ("/prometheus/api/v1/query?query=%s", 'zzred_metric', 'zznot_metric'),
        ("/prometheus/api/v1/query?query=%s", 'zzred_relation_v', 'zznot_relation_v'),
        ("/prometheus/api/v1/query?query=%s", '%7Btarget=%22zzred-target%22%7D',
         '%7Btarget=%22zznot-target%22%7D'),
        ("/prometheus/api/v1/query?query=%s", '%%7Btarget=%%22%s%%22%%7D' % red.target,
         '%%7Btarget=%%22%s%%22%%7D' % NOBODY),
        ("/prometheus/api/v1/label/%s/values", "zzred_label", "zznot_label"),
        ("/prometheus/api/v1/metadata?metric=%s", "zzred_relation_v", "zznot_relation_v"),
    ]
    for name, api in walk.callers.items():
        for path, foreign, nothing in pairs:
            got = []
            for value in (foreign, nothing):
                status, text = walk.ask(api, ("GET", path), path % value)
                got.append((status, text.replace(value.encode(), b"")))
            walk.tap.ok(got[0] == got[1], "%s: %s of red is as that of nobody" % (name, path[:60]),
                        got)


def groups_of_ones_own(walk, owner):
    """An admin of blue gives nothing to red, and takes nothing into all groups."""
    admin = walk.callers["admin"]
    blue = walk.blue
    for method, path, body in (
            ("POST", "registration-secrets", {"name": "n", "group": "red"}),
            ("POST", "managed-instances", {"name": "n", "endpoint": "db.invalid",
                                           "master_username": "u", "paused": True,
                                           "group": "red"}),
            ("PUT", "registration-secrets/" + blue.secret, {"group": "red"}),
            ("PUT", "managed-instances/" + blue.managed, {"group": "red"}),
            ("PUT", "servers/" + blue.target, {"group": "default"}),
            ("PUT", "collectors/" + blue.collector, {"group": "red"})):
        status, _, text = admin.request(method, path, json.dumps(body))
        walk.tap.ok(status == 403, "an admin of blue: %s %s into another group is 403"
                    % (method, path.split("/")[0]), (status, text))
    status, _, text = admin.request("POST", "registration-secrets", json.dumps({"name": "mine"}))
    walk.tap.ok(status == 201 and json.loads(text)["group"] == "blue",
                "a secret that he makes is of blue", text)
    status, _, text = admin.request("PUT", "servers/" + blue.target,
                                    json.dumps({"group": "blue"}))
    walk.tap.ok(status == 200, "his own group is one that he may name", text)


def picture(owner, red):
    """Red's things as the owner sees them, without what moves by itself."""
    lost = {"last_seen", "last_sample_ms", "load_aas", "state", "reason", "last_seen_ms",
            "metrics_count_24h", "metrics_count_total", "status"}
    paths = ["servers/" + red.target, "collectors/" + red.collector,
             "managed-instances/" + red.managed, "registration-secrets/" + red.secret,
             "config/%s/versions" % red.collector]
    seen = []
    for path in paths:
        value = owner.get(path)
        seen.append({k: v for k, v in value.items()
                     if k not in lost and k not in ("relations", "probes", "gaps", "collector")})
    return seen


def read_file(path):
    with open(path, encoding="utf-8") as f:
        return f.read().strip()


def wait_for(owner, sides):
    """Targets and events come from the applier, a moment after the answer."""
    for _ in range(600):
        rows = owner.get("servers", limit=1000)["data"]
        events = json.dumps(owner.get("events", limit=1000))
        if {s.target for s in sides} <= {r["id"] for r in rows} and \
                all(s.word + " of the agent" in events for s in sides):
            return True
        time.sleep(0.1)
    return False


def main():
    parser = argparse.ArgumentParser()
    for name in ("url", "owner", "red-secret", "blue-secret", "table"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--as", dest="callers", action="append", default=[])
    args = parser.parse_args()
    tap, owner = Tap(), Api(args.url, read_file(args.owner))
    callers = {one.partition("=")[0]: Api(args.url, read_file(one.partition("=")[2]))
               for one in args.callers}
    red, blue = Side("red"), Side("blue")
    plant(tap, args.url, owner, red, read_file(args.red_secret))
    plant(tap, args.url, owner, blue, read_file(args.blue_secret))
    tap.ok(wait_for(owner, (red, blue)), "the owner sees the targets of both groups")
    before = picture(owner, red)
    walk = Walk(tap, owner, callers, (red, blue), read_table(args.table)[0])
    document = owner.get("/openapi.json")
    for path, item in document["paths"].items():
        for method in item:
            operation = (method.upper(), path)
            if path.endswith("/auth/logout") or path.endswith("/auth/refresh"):
                continue  # they end the callers' sessions, and show no target
            wrong = list(walk.wrong(operation, "requestBody" in item[method]))
            tap.ok(not wrong, "%s %s keeps to the group" % operation, "\n".join(wrong[:8]))
    by_parameter(walk)
    groups_of_ones_own(walk, owner)
    after = picture(owner, red)
    tap.ok(before == after, "nothing of red was changed", (before, after))
    print("1..%d" % tap.count)
    return tap.failed > 0


if __name__ == "__main__":
    sys.exit(main())
