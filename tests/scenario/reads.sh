#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The reads beside PromQL: what of a relation was most in an interval, grouped, ordered, filtered
# and beside another interval; the load by two dimensions; events by words; what fills the store. Of
# readings whose sums are known, so that every number is compared.
# timeout: 120

. "$(dirname "$0")/lib.sh"
need_pga

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
enrol_secret "$T/secret"
python3 - "$SERVER_URL" "$T" >"$T/tap" <<'P'
import json, sys, time, uuid
import os
sys.path.insert(0, os.environ["TOOL"])
from api import Api
import hashlib

url, folder = sys.argv[1:]
people = Api(url, open(folder + "/token").read().strip())
status, _, body = Api(url).request("POST", "collectors/register",
    json.dumps({"name": "reads", "hostname": "reads"}),
    {"X-Registration-Secret": open(folder + "/secret").read().strip()})
who = json.loads(body)
agent = Api(url, who["token"])
target, stream = str(uuid.uuid4()), str(uuid.uuid4())
now = int(time.time()) * 1000
MINUTE = 60000
count = 0

def ok(good, name, why=""):
    global count
    count += 1
    print("%sok %d - %s" % ("" if good else "not ", count, name))
    if not good:
        print("#   " + str(why)[:600])

def column(name, kind, form="i64"):
    return {"name": name, "kind": kind, "type": form, "unit": "1", "help": "h"}

RELATIONS = [
    {"name": "tables", "help": "h", "shape": "object", "sparse": False,
     "keys": [{"name": "db", "help": "h"}, {"name": "table", "help": "h"}],
     "columns": [column("reads", "counter"), column("size", "gauge"), column("waits", "delta")]},
    {"name": "pg_session_history", "help": "h", "shape": "fact", "sparse": False,
     "keys": [{"name": k, "help": "h"} for k in
              ("datname", "usename", "application_name", "backend_type", "state",
               "wait_event_type", "wait_event", "query_id")],
     "columns": [column("samples", "delta")]},
    {"name": "pg_session_ticks", "help": "h", "shape": "object", "sparse": False, "keys": [],
     "columns": [column("ticks", "delta")]}]

def piece(relation, t, keys, columns, rows, **more):
    return dict({"relation": relation, "target": target, "scope": "", "t": t, "from_t": t - MINUTE,
                 "every_ms": MINUTE, "flags": ["complete"], "rows": rows, "keys": keys,
                 "columns": columns}, **more)

# Ten readings: tables rise by their own pace; b.t2 is reset after the fifth.
TABLES = [("a", "t1"), ("a", "t2"), ("b", "t1"), ("b", "t2")]
PACE = [10, 7, 3, 100]
times = [now - (20 - i) * MINUTE for i in range(20)]
counters = [1000, 2000, 3000, 4000]
series = []
for i, t in enumerate(times):
    pace = PACE if i < 10 else [PACE[0] * 5, PACE[1], 0, PACE[3]]
    counters = [c + p for c, p in zip(counters, pace)]
    if i == 15:
        counters[3] = 40
    series.append((t, list(counters), [i + k for k in range(4)]))

SESSIONS = [("a", "ann", "active", "", "", 6), ("a", "ann", "active", "Lock", "relation", 2),
            ("b", "bob", "active", "IO", "DataFileRead", 3),
            ("b", "bob", "idle", "Client", "ClientRead", 50)]
records = []
for t, n, waits in series:
    records.append({"made_ms": t, "slices": [
        piece("tables", t, {"db": [d for d, _ in TABLES], "table": [x for _, x in TABLES]},
              {"reads": n, "size": [c * 8 for c in n], "waits": waits}, 4),
        piece("pg_session_history", t, {
            "datname": [s[0] for s in SESSIONS], "usename": [s[1] for s in SESSIONS],
            "application_name": ["app"] * 4, "backend_type": ["client backend"] * 4,
            "state": [s[2] for s in SESSIONS], "wait_event_type": [s[3] for s in SESSIONS],
            "wait_event": [s[4] for s in SESSIONS], "query_id": ["1"] * 4},
            {"samples": [s[5] for s in SESSIONS]}, 4),
        piece("pg_session_ticks", t, {}, {"ticks": [10]}, 1)]})
records[0]["relations"] = RELATIONS
records[0]["targets"] = [{"id": target, "kind": "postgresql", "name": "reads-db", "attributes": {}}]
records[0]["events"] = [
    {"t": now - k * 1000, "target": target, "kind": kind, "severity": severity,
     "title": title, "body": {"k": k}}
    for k, (kind, severity, title) in enumerate(
        [("log", "error", "deadlock detected in orders"), ("log", "info", "checkpoint complete"),
         ("deploy", "info", "orders 1.2 is out"),
         ("log", "warning", "orders: checkpoint is late")])]
items = []
for r in records:
    text = json.dumps(r, separators=(",", ":"))
    items.append({"hash": hashlib.sha256(text.encode()).hexdigest(), "record": r})
status, _, body = agent.request("POST", "metrics/push", json.dumps(
    {"collector_id": who["collector_id"], "stream": stream, "seq": 1, "count": len(items),
     "records": items}))
ok(status == 200 and json.loads(body)["metrics_rejected"] == 0, "readings are pushed", body)
for _ in range(600):
    if people.get("servers", limit=10)["data"] and people.get("events", limit=1)["data"]:
        break
    time.sleep(0.1)

def top(**query):
    return people.get("servers/%s/top" % target, relation="tables", **query)

def rise(table, first, last): # what a counter rose by in readings first .. last, resets counted
    total = 0
    for i in range(first, last + 1):
        before, after = series[i - 1][1][table], series[i][1][table]
        total += after - before if after >= before else after
    return total

early = {"from": times[1], "to": times[9]}    # readings 2 .. 9
late = {"from": times[10], "to": times[19]}   # readings 11 .. 19
names = lambda answer: [(r["keys"]["db"], r["keys"]["table"]) for r in answer["data"]]
a = top(order="reads", **late)
want = sorted(((rise(k, 11, 19), TABLES[k]) for k in range(4)), reverse=True)
ok(names(a) == [n for _, n in want], "rows come by what their counter rose by", a["data"])
ok([r["values"]["reads"] for r in a["data"]] == [v for v, _ in want],
   "which is exact, over a reset as well", (a["data"], want))
ok(a["total"]["reads"] == sum(v for v, _ in want) and a["rows"] == 4, "and summed", a["total"])
ok(abs(a["data"][0]["share"] - want[0][0] / sum(v for v, _ in want)) < 1e-9, "with shares")
ok(a["data"][0]["values"]["size"] == series[19][1][TABLES.index(names(a)[0])] * 8,
   "a level is its newest value")
a = top(order="reads", limit=1, **late)
ok(len(a["data"]) == 1 and a["other"]["reads"] == sum(v for v, _ in want[1:]),
   "listed and other are the total", a["other"])
a = top(order="waits", by="db", **late)
by_db = {d: sum(series[i][2][k] for i in range(11, 20) for k in range(4)
                if TABLES[k][0] == d) for d in "ab"}
ok({r["keys"]["db"]: r["values"]["waits"] for r in a["data"]} == by_db,
   "deltas by a key", a["data"])
ok(all(r["values"]["size"] is None for r in a["data"]),
   "a level of several rows is no number", a["data"])
a = top(order="reads", direction="asc", **late)
ok(names(a) == [n for _, n in sorted(want)], "or the least first", names(a))
a = people.get("servers/%s/top?relation=tables&order=reads&where=db=b&where=table=t2&from=%d&to=%d"
               % (target, late["from"], late["to"]))
ok(names(a) == [("b", "t2")], "or only some", a["data"])
a = top(order="reads", compare_from=early["from"], compare_to=early["to"], rank="change", **late)
ok(names(a)[0] == ("a", "t1"), "what rose most against another interval", a["data"])
first = a["data"][0]
ok(first["values"]["reads"] == rise(0, 11, 19) and first["before"]["reads"] == rise(0, 2, 9),
   "both are told", first)
change = rise(0, 11, 19) * 1000 / a["covered_ms"]
change -= (rise(0, 2, 9) * 1000 / a["compare"]["covered_ms"])
ok(abs(first["change"] - change) < 1e-9 and a["compare"]["covered_ms"] == 8 * MINUTE,
   "intervals of different length by their rate", (first, a["compare"]))
want = sorted(range(4), key=lambda k: rise(k, 2, 9) / 8 - rise(k, 11, 19) / 9)
ok(names(a) == [TABLES[k] for k in want], "in order to what fell most", names(a))
for query, why in (({"order": "nothing"}, "a column that is none"),
                   ({"by": "nothing"}, "a key that is none"),
                   ({"order": "size", "by": "db"}, "an order by a level of several rows"),
                   ({"rank": "change"}, "a change against nothing"),
                   ({"where": "db"}, "half a filter")):
    q = "&".join("%s=%s" % p for p in dict(query, relation="tables").items())
    status, _, body = people.request("GET", "servers/%s/top?%s" % (target, q))
    ok(status in (400, 422), "%s is refused" % why, (status, body))

def load(by, **query):
    return people.get("servers/%s/sessions/breakdown" % target, by=by, **query)
b = load("usename,wait_class", **late)
rows = {(r["usename"], r["wait_class"]): r["load_aas"] for r in b["data"]}
ok(rows == {("ann", "CPU"): 0.6, ("ann", "Lock"): 0.2, ("bob", "IO"): 0.3},
   "load by user and class of wait", b)
ok(abs(b["total_aas"] - 1.1) < 1e-9 and b["ticks"] == 90, "idle sessions are none of it", b)
b = load("state,wait_event", **late)
ok({(r["state"], r["wait_event"]) for r in b["data"]} ==
   {("active", "CPU"), ("active", "Lock:relation"), ("active", "IO:DataFileRead")},
   "by any two", b["data"])
b = load("datname", limit=1, wait_class="IO", **late)
ok([r["datname"] for r in b["data"]] == ["b"], "by one, of one class", b)
status, _, _ = people.request("GET", "servers/%s/sessions/breakdown?by=a,b,c" % target)
ok(status == 400, "not by three")

found = people.get("events", q="orders", server=target)
ok(len(found["data"]) == 3, "events by a word", found["data"])
found = people.get("events", q="orders checkpoint", server=target)
ok([e["title"] for e in found["data"]] == ["orders: checkpoint is late"],
   "by two words", found["data"])
found = people.get("events", kind="log", severity="warning", server=target)
ok([e["severity"] for e in found["data"]] == ["error", "warning"],
   "by kind and severity", found["data"])
one = people.get("events", q="orders", server=target, limit=2)
two = people.get("events", q="orders", server=target, limit=2, cursor=one["next_cursor"])
ok(len(one["data"]) == 2 and len(two["data"]) == 1, "page by page", (one, two))

c = people.get("cardinality")
ok({r["relation"]: r["objects"] for r in c["data"]} ==
   {"tables": 4, "pg_session_history": 0, "pg_session_ticks": 1}, "objects by relation", c)
c = people.get("cardinality", by="server")
ok([(r["server"], r["objects"]) for r in c["data"]] == [(target, 5)], "and by server", c)
c = people.get("cardinality", by="collector")
ok([(r["collector"], r["groups"], r["objects"]) for r in c["data"]]
   == [(who["collector_id"], 3, 5)], "and by collector", c)
limits = {r["limit"]: r for r in people.get("collectors/%s/limits" % who["collector_id"])["data"]}
ok(limits["objects"]["used"] == 5 and limits["relations"]["used"] == 3
   and limits["cells"]["used"] == 20 * (12 + 4 + 1),
   "what a collector has of what it may have", limits)
print("1..%d" % count)
P
tap_from "$T/tap"
ctl() { # WORD...: as the owner
    PGA_SERVER=$SERVER_URL PGA_TOKEN_FILE=$T/token XDG_CONFIG_HOME=$T/config "$PGA" ctl "$@" 2>&1
}
like "$(ctl row top tables --since 9m --order reads --compare-since 19m --limit 2)" \
    'share +db +table +reads +before +change/s' "pga ctl row top"
like "$(ctl cardinality list)" 'tables +1 +4' "pga ctl cardinality list"
like "$(ctl collector limits reads)" 'objects +5 +1000000 +0' "pga ctl collector limits"
like "$(ctl event list --search 'orders checkpoint')" 'checkpoint is late' \
    "pga ctl event list --search"
stop server
is $? 0 "the server ends"
done_testing
