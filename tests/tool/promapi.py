#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""The routes below /prometheus/api/v1 answer what was pushed, to the bit. Prints TAP.

    promapi.py --url URL --secret-file FILE --token-file FILE --state FILE send|check|leave

`send` pushes readings of relations and loose samples with known values, and keeps in the file when
that was; `check` asks; `leave` asks for much and does not wait. What a query has to answer is
computed here from those values, by the rules of Prometheus, and compared with the whole answer.
"""

import argparse
import hashlib
import json
import math
import os
import socket
import sys
import time
import urllib.parse
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402
from examples import Tap  # noqa: E402
import pushforms  # noqa: E402

BASE = "/prometheus/api/v1/"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
STEP = 10
POINTS = 60  # readings of the relation, one in 10 s
DATABASES = ("app", "shop", "z\u00e4hler")
START = 0  # of the readings: all is in the past, so that answers do not change


def go_float(v):
    """As Go prints a float64 in an answer: shortest digits, 'f' or 'e'."""
    if math.isnan(v):
        return "NaN"
    if math.isinf(v):
        return "+Inf" if v > 0 else "-Inf"
    if v == 0:
        return "-0" if math.copysign(1, v) < 0 else "0"
    digits = repr(abs(v))
    mantissa, _, exponent = digits.partition("e")
    whole, _, part = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    figures = (whole + part).lstrip("0")
    point -= len(whole + part) - len(figures)
    figures = figures.rstrip("0")
    sign = "-" if v < 0 else ""
    if not 1e-6 <= abs(v) < 1e21:
        rest = "." + figures[1:] if len(figures) > 1 else ""
        e = point - 1
        return "%s%s%se%s%s" % (sign, figures[0], rest, "-" if e < 0 else "+",
                                str(abs(e)) if e < 0 else "%02d" % e)
    if point <= 0:
        return sign + "0." + "0" * -point + figures
    if point >= len(figures):
        return sign + figures + "0" * (point - len(figures))
    return sign + figures[:point] + "." + figures[point:]


class Prometheus(pushforms.Old):
    def __init__(self, args):
        super().__init__(args)
        self.stream, self.target_id, self.seq = str(uuid.uuid4()), str(uuid.uuid4()), 1

    # --- pushing ---

    def record(self, **members):
        text = json.dumps(dict({"made_ms": int(time.time() * 1000)}, **members))
        body = ('{"collector_id":"%s","stream":"%s","seq":%d,"count":1,"records":[{"hash":"%s",'
                '"record":%s}]}' % (self.collector, self.stream, self.seq,
                                    hashlib.sha256(text.encode()).hexdigest(), text))
        status, answer = self.push(body)
        if status != 200:
            sys.exit("push: %d %s" % (status, answer))
        self.seq = answer["next_seq"]

    def slice(self, t, columns, relation="px", rows=None, **more):
        keys = {"datname": list(DATABASES)} if rows is None else rows
        one = {"relation": relation, "target": self.target_id, "scope": "", "t": t * 1000,
               "from_t": (t - STEP) * 1000, "every_ms": STEP * 1000, "flags": ["complete"],
               "rows": len(next(iter(keys.values()))) if keys else 1, "keys": keys,
               "columns": columns}
        one.update(more)
        return one

    # --- asking ---

    def ask(self, path, form=None, **query):
        """(status, answer) of a GET, or of a POST with a form."""
        if form is not None:
            status, _, raw = self.people.request("POST", BASE + path, urllib.parse.urlencode(form),
                                                 FORM)
        else:
            path += "?" + urllib.parse.urlencode(query, doseq=True) if query else ""
            status, _, raw = self.people.request("GET", BASE + path)
        return status, json.loads(raw)

    def data(self, path, **query):
        status, answer = self.ask(path, **query)
        if status != 200 or answer.get("status") != "success":
            return "%d %s" % (status, answer)
        return answer["data"]

    def same(self, got, want, name):
        self.tap.ok(got == want, name, "got %.700r\nwant %.700r" % (got, want))

    def labels(self, name, **more):
        own = {"__name__": name, "instance": "10.0.0.9:5433", "job": "pga", "target": "px1",
               "role": "primary", "environment": "prod"}
        own.update(more)
        return {k: v for k, v in own.items() if v}


RELATION = {
    "name": "px", "help": "What is tested.", "shape": "object", "sparse": False,
    "keys": [{"name": "datname", "help": "Database."}],
    "columns": [
        {"name": "n", "kind": "counter", "type": "i64", "unit": "1", "help": "Counted."},
        {"name": "g", "kind": "gauge", "type": "f64", "unit": "s", "help": "A level."},
        {"name": "d", "kind": "delta", "type": "i64", "unit": "1", "help": "In the interval."},
        {"name": "s", "kind": "text", "type": "text", "unit": "", "help": "A state."}]}


def counter(db, i):
    return (db + 1) * 7 * i + db


def gauge(db, i):
    return [1e-7, 0.1, 3e21][db] * (i % 5 + 1)


def send_readings(p):
    p.record(relations=[RELATION], targets=[
        {"id": p.target_id, "kind": "postgresql", "name": "px1", "attributes":
         {"address": "10.0.0.9", "port": 5433, "role": "primary", "environment": "prod"}}])
    for i in range(POINTS):
        p.record(slices=[p.slice(START + i * STEP, {
            "n": [counter(db, i) for db in range(3)], "g": [gauge(db, i) for db in range(3)],
            "d": [db + 1 for db in range(3)], "s": ["on" if i < 30 else "off"] * 3})])
    for _ in range(100):
        if any(row["name"] == "px1" for row in p.people.get("servers", limit=1000)["data"]):
            break
        time.sleep(0.1)
    time.sleep(1.1)  # names of targets are looked up once a second


def check_instant(p):
    t = START + 300
    want = sorted(({"metric": p.labels("px_n", datname=name),
                    "value": [t, go_float(counter(db, 30))]}
                   for db, name in enumerate(DATABASES)), key=lambda r: r["metric"]["datname"])
    got = p.data("query", query="px_n", time=t)
    if isinstance(got, dict):
        got["result"].sort(key=lambda r: r["metric"]["datname"])
    p.same(got, {"resultType": "vector", "result": want}, "an instant vector")
    got = p.data("query", query='px_g{datname="app"}', time="%d.5" % t)
    p.same(got, {"resultType": "vector", "result": [
        {"metric": p.labels("px_g", datname="app"), "value": [t + 0.5, go_float(gauge(0, 30))]}]},
        "a small number at a time with a fraction")
    p.same(p.data("query", query='px_g{datname="z\u00e4hler"}', time=t)["result"][0]["value"][1],
           go_float(gauge(2, 30)), "a large number")
    p.same(p.data("query", query="1+1", time=t), {"resultType": "scalar", "result": [t, "2"]},
           "a scalar")
    p.same(p.data("query", query='"text"', time=t), {"resultType": "string", "result": [t, "text"]},
           "a string")
    values = {"1/0": "+Inf", "-1/0": "-Inf", "0/0": "NaN", "0.1+0.2": "0.30000000000000004",
              "1e21": "1000000000000000000000", "1e-7": "0.0000001", "-0.5": "-0.5"}
    for query, text in values.items():
        p.same(p.data("query", query=query, time=t)["result"][1], text, "scalar %s" % query)
        boxed = "NaN" if text == "NaN" else go_float(float(text))
        p.same(p.data("query", query="vector(%s)" % query, time=t)["result"][0]["value"][1], boxed,
               "vector(%s)" % query)
    status, answer = p.ask("query", form={"query": "px_n{datname='app'}", "time": t})
    p.same((status, answer["data"]["result"][0]["value"]), (200, [t, str(counter(0, 30))]),
           "a form")
    p.same(p.data("query", query='px_n{datname="app"}', time="%sZ" % time.strftime(
        "%Y-%m-%dT%H:%M:%S", time.gmtime(t)))["result"][0]["value"], [t, str(counter(0, 30))],
        "a time in RFC 3339")
    got = p.data("query", query='px_s{datname="app"}', time=t)["result"]
    p.same([r["metric"]["value"] for r in got], ["off"], "a text ends when it changes")
    got = p.data("query", query='px_n{datname="app"}[25s]', time=t)["result"][0]["values"]
    p.same(got, [[START + i * STEP, str(counter(0, i))] for i in (28, 29, 30)], "a range vector")


def check_range(p):
    start, end, step = START + 100, START + 400, 30
    times = list(range(start, end + 1, step))
    query = {"start": start, "end": end, "step": step}
    got = p.data("query_range", query='px_n{datname="shop"}', **query)
    p.same(got, {"resultType": "matrix", "result": [
        {"metric": p.labels("px_n", datname="shop"),
         "values": [[t, str(counter(1, (t - START) // STEP))] for t in times]}]}, "a range")
    got = p.data("query_range", query='sum(rate(px_n[1m]))', **query)["result"]
    p.same([[t, round(float(v), 9)] for t, v in got[0]["values"]],
           [[t, round((1 + 2 + 3) * 0.7, 9)] for t in times], "a sum of rates")
    got = p.data("query_range", query="sum by (datname) (sum_over_time(px_d[1m]))", **query)
    p.same({r["metric"]["datname"]: set(v for _, v in r["values"]) for r in got["result"]},
           {name: {str(6 * (db + 1))} for db, name in enumerate(DATABASES)},
           "what happened in a minute")
    got = p.data("query_range", query="increase(px_d_total{datname='app'}[1m])", **query)
    p.same({round(float(v), 6) for _, v in got["result"][0]["values"]}, {6.0},
           "the total of a delta column rises by it")
    got = p.data("query_range", query='px_n{datname="shop"}', format="columns", **query)
    p.same(got, {"resultType": "matrix", "times": [t * 1000 for t in times], "series": [
        {"labels": p.labels("px_n", datname="shop"),
         "values": [counter(1, (t - START) // STEP) for t in times]}], "samples": got["samples"]},
        "columns")
    late = {"start": START - 20, "end": START + 20, "step": 20}
    got = p.data("query_range", query='px_g{datname="app"} / 0', format="columns", **late)
    p.same(got["series"][0]["values"], [None, "+Inf", "+Inf"], "columns: absent and infinite")
    status, answer = p.ask("query_range", query="px_n", limit=2, **query)
    p.same((len(answer["data"]["result"]), answer["warnings"]),
           (2, ["results truncated due to limit"]), "a limit says so")
    end = START + (POINTS - 1) * STEP
    got = p.data("query_range", query='count(px_n)', start=end, end=end + 330, step=30)["result"]
    p.same([t for t, _ in got[0]["values"]], list(range(end, end + 300, 30)),
           "a series is seen for five minutes after its last sample")


def send_loose(p):
    for i in range(4):
        t = (START + 600 + i) * 1000
        p.push({"collector_id": p.collector, "metrics": [
            {"name": "queue.length", "value": 4 + i, "timestamp": t,
             "labels": {"app": "shop", "path": "C:\\x \"y\""}},
            {"name": "jobs", "value": i * i, "timestamp": t, "labels": {}}]})


def check_loose(p):
    t = START + 600
    got = p.data("query", query='{"queue.length", app="shop"}', time=t + 2)["result"]
    p.same(len(got), 1, "a loose sample by a name that is no identifier")
    metric = got[0]["metric"] if got else {}
    p.same((metric.get("path"), metric.get("__name__"), got and got[0]["value"]),
           ("C:\\x \"y\"", "queue.length", [t + 2, "6"]), "its labels and its value")
    p.same(p.data("query", query="jobs", time=t + 3 + 299)["result"][0]["value"][1], "9",
           "a loose sample lives for the lookback")
    p.same(p.data("query", query="jobs", time=t + 3 + 300)["result"], [], "and no longer")
    p.same(p.data("query", query="jobs", time=t + 3 + 300, lookback_delta="10m")["result"][0]
           ["value"][1], "9", "unless the query gives a longer one")


def check_lists(p):
    span = {"start": START, "end": START + POINTS * STEP}
    got = p.data("series", **{"match[]": ['px_n{datname=~"a.*|shop"}', 'px_n{datname="app"}']},
                 **span)
    p.same(got, [p.labels("px_n", datname="app"), p.labels("px_n", datname="shop")],
           "series of two selectors, each once")
    status, answer = p.ask("series", form=[("match[]", 'px_d{datname="app"}'),
                                           ("start", START), ("end", START + 600)])
    p.same(answer.get("data"), [p.labels("px_d", datname="app")], "series by a form")
    names = p.data("label/__name__/values")
    p.tap.ok({"px_n", "px_g", "px_d", "px_d_total", "px_s", "jobs", "queue.length"} <= set(names)
             and names == sorted(names), "names of metrics", names)
    p.same(p.data("label/datname/values", **span), sorted(DATABASES), "values of a key")
    p.same(p.data("label/datname/values", **{"match[]": 'px_n{datname!="app"}'}, **span),
           sorted(DATABASES)[1:], "values of a key of a selector")
    p.tap.ok("px1" in p.data("label/target/values"), "values of a label of targets")
    p.same(p.data("label/value/values", **{"match[]": "px_s"}, **span), ["off", "on"],
           "values of texts")
    got = p.data("labels")
    p.tap.ok({"__name__", "app", "datname", "instance", "job", "path", "target", "value"}
             <= set(got), "names of labels", got)
    p.same(p.data("labels", **{"match[]": "px_n"}, **span),
           sorted(p.labels("", datname="x", __name__="x")), "labels of a selector")
    got = p.data("metadata", metric="px_n")
    p.same(got, {"px_n": [{"type": "counter", "help": "Counted.", "unit": "1"}]}, "metadata")
    p.tap.ok("px_d_total" in p.data("metadata"), "metadata of all")


def check_rest(p):
    p.tap.ok(p.data("status/buildinfo")["version"].startswith("3."), "the version it is like")
    p.same(p.data("rules"), {"groups": []}, "no rules")
    p.same(p.data("alerts"), {"alerts": []}, "no alerts")
    p.same(p.data("query_exemplars", query="px_n", start=START, end=START + 60), [],
           "no exemplars")
    p.same(p.data("format_query", query="sum by(datname)(px_n)>1"),
           "sum by (datname) (px_n) > 1", "an expression printed")


def check_errors(p):
    span = {"start": START, "end": START + 60, "step": 10}
    bad = [("query", {"query": "sum(", "time": START}, "parse error"),
           ("query", {}, 'invalid parameter "query"'),
           ("query", {"query": "up", "time": "soon"},
            'invalid parameter "time": cannot parse "soon" to a valid timestamp'),
           ("query_range", {"query": "up"}, 'invalid parameter "start"'),
           ("query_range", dict(span, query="up", end=START - 1), "end timestamp must not be"),
           ("query_range", dict(span, query="up", step=0), "zero or negative query resolution"),
           ("query_range", dict(span, query="up", step="x"), "to a valid duration"),
           ("query_range", dict(span, query="up", end=START + 200000, step=1),
            "exceeded maximum resolution of 11,000 points"),
           ("query", {"query": "up", "limit": -1}, 'invalid parameter "limit"'),
           ("series", {}, "no match[] parameter provided"),
           ("series", {"match[]": "{}"}, 'invalid parameter "match[]"')]
    for path, query, text in bad:
        status, answer = p.ask(path, **query)
        p.tap.ok(status == 400 and answer["status"] == "error" and
                 answer["errorType"] == "bad_data" and text in answer["error"],
                 "400 %s %s" % (path, text), "%d %s" % (status, answer))
    status, answer = p.ask("query", query="px_n + on(job) px_n", time=START + 60)
    p.tap.ok(status == 422 and answer["errorType"] == "execution",
             "422 for what cannot be evaluated", "%d %s" % (status, answer))
    status, answer = p.ask("query", query="px_n", time=START + 60, timeout="0")
    p.tap.ok(status == 503 and answer["errorType"] == "timeout", "503 when the time is over",
             "%d %s" % (status, answer))
    status, _, _ = p.people.request("POST", BASE + "query", "{}",
                                    {"Content-Type": "application/json"})
    p.same(status, 400, "a body that is no form")
    status, _, _ = p.people.request("POST", BASE + "query", "query=" + "1" * 300000, FORM)
    p.tap.ok(status in (400, 413, 422), "a form that is too large", status)
    status, _, _ = Api(p.args.url).request("GET", BASE + "query?query=1")
    p.same(status, 401, "nobody asks without signing in")


def leave(args):
    """Ask for what takes seconds, and close the connection."""
    with open(args.token_file, encoding="utf-8") as f:
        token = f.read().strip()
    parts = urllib.parse.urlsplit(args.url)
    query = urllib.parse.urlencode({
        "query": "quantile_over_time(0.9, (time() % vector(7))[2h:1s])",
        "start": 0, "end": 109990, "step": 10})
    with socket.create_connection((parts.hostname, parts.port)) as s:
        s.sendall(("GET %squery_range?%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n"
                   % (BASE, query, parts.netloc, token)).encode())
        time.sleep(0.3)
    return 0


def main():
    global START
    parser = argparse.ArgumentParser(description="the routes of Prometheus")
    parser.add_argument("--url", required=True)
    parser.add_argument("--secret-file")
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--state")
    parser.add_argument("part", choices=("send", "check", "leave"))
    args = parser.parse_args()
    if args.part == "leave":
        return leave(args)
    p = Prometheus(args)
    if args.part == "send":
        START = int(time.time()) // 60 * 60 - 1800
        send_readings(p)
        send_loose(p)
        with open(args.state, "w", encoding="utf-8") as f:
            json.dump(START, f)
        return 0
    with open(args.state, encoding="utf-8") as f:
        START = json.load(f)
    for check in (check_instant, check_range, check_loose, check_lists, check_rest, check_errors):
        try:
            check(p)
        except (KeyError, IndexError, TypeError, ValueError) as e:
            p.tap.ok(False, check.__name__, "%s: %s" % (type(e).__name__, e))
    print("1..%d" % p.tap.count)
    return 1 if p.tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
