#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Pushes in every form that the published API names, and reads them back. Prints TAP.

    pushforms.py --url URL --secret-file FILE --token-file FILE [--limit BYTES] PART

PART: forms (documents, samples, refusals, duplicates), transport (gzip, chunks, Expect, bounds),
send FILE (push the body in FILE; prints the answer), body FILE (write such a body).
The identity of the collector is kept in the file `collector` beside the secret.
"""

import argparse
import gzip
import json
import os
import re
import socket
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402
from examples import Tap  # noqa: E402
import olddocs  # noqa: E402


class Old:
    """An older collector, and a person who reads what it sent."""

    def __init__(self, args):
        self.tap, self.args = Tap(), args
        kept = os.path.join(os.path.dirname(args.secret_file), "collector")
        if not os.path.exists(kept):
            self.register(kept)
        with open(kept, encoding="utf-8") as f:
            self.collector, token = f.read().split()
        self.agent = Api(args.url, token)
        with open(args.token_file, encoding="utf-8") as f:
            self.people = Api(args.url, f.read().strip())

    def register(self, kept):
        with open(self.args.secret_file, encoding="utf-8") as f:
            secret = f.read().strip()
        status, _, body = Api(self.args.url).request(
            "POST", "collectors/register", json.dumps({"name": "old", "hostname": "old-db1"}),
            {"X-Registration-Secret": secret})
        if status not in (200, 201):
            sys.exit("register: %d %s" % (status, body))
        answer = json.loads(body)
        with open(kept, "w", encoding="utf-8") as f:
            f.write("%s %s\n" % (answer["collector_id"], answer["token"]))

    def push(self, body, headers=None):
        """(status, answer) of one push; body: bytes, text or an object."""
        if isinstance(body, dict):
            body = json.dumps(body)
        status, _, raw = self.agent.request("POST", "metrics/push", body, headers)
        try:
            return status, json.loads(raw)
        except ValueError:
            return status, {"raw": raw[:300]}

    def target(self, kind):
        for _ in range(50):
            for row in self.people.get("servers", limit=1000)["data"]:
                if row["kind"] == kind and row["name"] == "old-db1":
                    return row["id"]
            time.sleep(0.1)
        return "none"

    def last(self, target, relation, column, keys, agg="last"):
        query = {"relation": relation, "column": column, "from": "-1h", "to": "now",
                 "step": 3600000, "agg": agg}
        query.update({"key." + k: v for k, v in keys.items()})
        try:
            series = self.people.get("servers/%s/metrics" % target, **query)["series"]
        except RuntimeError as e:
            return str(e)
        return [v for s in series for v in s["values"] if v is not None]


def close_to(got, want):
    return len(got) == 1 and (got[0] == want or (
        isinstance(want, float) and abs(got[0] - want) < 1e-6))


def check_documents(old, now):
    items = olddocs.all_documents(now)
    status, answer = old.push(olddocs.push(old.collector, items, now))
    old.tap.ok(status == 200 and answer["success"] and answer["metrics_rejected"] == 0
               and answer["errors"] == [], "the twelve documents are taken in one push",
               "%d %s" % (status, answer))
    old.tap.ok(answer.get("message") == "Received %d metrics" % len(items),
               "the answer counts the items", answer)
    kinds = sorted({item["type"] for item in items})
    old.tap.ok(len(kinds) == 12, "there are twelve types of documents", kinds)
    database, host = old.target("postgresql"), old.target("host")
    for relation, column, keys, want in olddocs.expected(now):
        target = host if relation in olddocs.HOST_RELATIONS else database
        got = old.last(target, relation, column, keys)
        old.tap.ok(close_to(got, want), "%s.%s%s reads back as %r"
                   % (relation, column, keys or "", want), got)
    return database


def check_events(old, now):
    found = []
    for _ in range(50):
        found = old.people.get("events", kind="pg_log", limit=100)["data"]
        if len(found) >= 2:
            break
        time.sleep(0.1)
    got = sorted((row["severity"], row["title"]) for row in found)
    old.tap.ok(got == [("error", "deadlock detected"), ("info", "checkpoint starting")],
               "log entries are events with severity and title", found)
    bodies = [row["body"] for row in found if row["severity"] == "error"]
    old.tap.ok(bodies and bodies[0].get("database") == "app" and "DETAIL" in bodies[0]["message"],
               "an entry keeps its whole message and what it inherits", bodies)


def check_samples(old, now):
    def sample(t, value, **labels):
        return {"name": "queue_length", "value": value, "timestamp": t, "labels": labels}

    body = {"collector_id": old.collector, "metrics": [
        sample(now - 20, 1, env="prod", app="a"), sample(now - 10, 2, app="a", env="prod"),
        sample(now - 10, 2.5, app="b"),
        {"name": "temperature", "value": -3, "timestamp": now - 10}]}
    status, answer = old.push(body)
    old.tap.ok(status == 200 and answer["metrics_inserted"] == 4, "loose samples are taken", answer)
    target = old.target("postgresql")
    keys = {"name": "queue_length", "labels": '{app="a",env="prod"}'}
    old.tap.ok(old.last(target, "sample", "value", keys, "sum") == [3],
               "the order of labels makes no other series",
               old.last(target, "sample", "value", keys, "sum"))
    old.tap.ok(old.last(target, "sample", "value", {"name": "temperature"}) == [-3],
               "a sample without labels reads back",
               old.last(target, "sample", "value", {"name": "temperature"}))
    more = [old.push({"collector_id": old.collector, "metrics": [sample(now, n, app="fast")]})[1]
            for n in range(3)]
    old.tap.ok([a["metrics_inserted"] for a in more] == [1, 1, 1],
               "three pushes within one second are all stored", more)
    status, answer = old.push({"collector_id": old.collector, "metrics": [
        {"type": "queue_depth", "value": 17}, {"type": "queue.Depth-2", "data": {"a": 1}},
        {"type": "flags", "timestamp": olddocs.stamp(now), "labels": {"env": "prod"},
         "up": True}]})
    got = [old.last(target, "queue_depth", "value", {}), old.last(target, "queue_depth_2", "a", {}),
           old.last(target, "flags", "up", {"env": "prod"})]
    old.tap.ok(status == 200 and got == [[17], [1], [1]],
               "type with value, with data, with members at the top", (answer, got))


def check_steady(old, now):
    """The same names and labels each time: from the second push on they are not parsed again."""
    def body(step, names=("s0", "s1", "s2"), values=None):
        return {"collector_id": old.collector, "hostname": "old-db1", "metrics": [
            {"name": "steady", "value": (values or (step, -step, step + 0.5))[i],
             "timestamp": now - 60 + step, "labels": {"n": n}}
            for i, n in enumerate(names)]}

    target = old.target("postgresql")

    def sums(names):
        return [old.last(target, "sample", "value",
                         {"name": "steady", "labels": '{n="%s"}' % n}, "sum") for n in names]

    answers = [old.push(body(step))[1] for step in range(1, 6)]
    old.tap.ok([(a["success"], a["metrics_inserted"], a["message"]) for a in answers]
               == [(True, 3, "Received 3 metrics")] * 5, "five pushes of one form", answers)
    old.tap.ok(sums(("s0", "s1", "s2")) == [[15], [-15], [17.5]], "all values read back",
               sums(("s0", "s1", "s2")))
    answer = old.push(body(5))[1]
    old.tap.ok(answer["duplicate"] and answer["metrics_inserted"] == 0,
               "the last of them again is known", answer)
    status, answer = old.push(body(6, values=(1, "x", 2)))
    old.tap.ok(status == 200 and answer["metrics_inserted"] == 2 and
               [(e["item"], e["reason"]) for e in answer["errors"]] == [(1, "value is no number")],
               "an item of that form that is wrong is refused alone", answer)
    answer = old.push(body(7, ("s0", "s2", "s3")))[1]
    old.tap.ok(answer["metrics_inserted"] == 3, "rows that changed place are taken", answer)
    old.tap.ok(sums(("s0", "s1", "s2", "s3")) == [[23], [-15], [12.5], [7.5]],
               "each value is with its own labels", sums(("s0", "s1", "s2", "s3")))
    text = json.dumps(body(8))
    status, answer = old.push(text[:-1])
    old.tap.ok(status == 400 and "JSON" in answer["message"], "a body that is cut short: 400",
               (status, answer))
    status, answer = old.push(text.replace(old.collector, olddocs.EXAMPLE))
    old.tap.ok(status == 401, "that form in the name of another collector: 401", (status, answer))


def check_refusals(old, now):
    items = [7, {"type": "good", "value": 1}, {"type": 5, "value": 1}, {"value": 1},
             {"type": "x"}, {"type": "x", "data": 5}, {"name": "x", "value": "a"},
             {"type": "good2", "value": 2}]
    status, answer = old.push({"collector_id": old.collector, "metrics": items})
    old.tap.ok(status == 200 and [e["item"] for e in answer["errors"]] == [0, 2, 3, 4, 5, 6],
               "items that are wrong are refused alone, each with its number", answer)
    old.tap.ok(answer.get("metrics_rejected") == 6 and answer.get("metrics_inserted") == 2,
               "the others are kept", answer)
    for name, body, want in (
            ("another collector in the body",
             {"collector_id": olddocs.EXAMPLE, "metrics": items}, 401),
            ("no collector", {"metrics": items}, 400),
            ("an empty list", {"collector_id": old.collector, "metrics": []}, 400)):
        status, answer = old.push(body)
        old.tap.ok(status == want, "%s: %d" % (name, want), "%d %s" % (status, answer))
    status, answer = old.push({"collector_id": old.collector, "metrics": items},
                              {"X-Collector-ID": olddocs.EXAMPLE})
    old.tap.ok(status == 401, "another collector in the header: 401", "%d %s" % (status, answer))


def check_duplicates(old, now):
    item = {"type": "once", "timestamp": olddocs.stamp(now), "value": 5}
    body = {"collector_id": old.collector, "metrics": [item]}
    answers = [old.push(body)[1] for _ in range(3)]
    old.tap.ok([a["duplicate"] for a in answers] == [False, True, True]
               and [a["metrics_inserted"] for a in answers] == [1, 0, 0],
               "the same body is taken once when all its items tell their time", answers)
    target = old.target("postgresql")
    old.tap.ok(old.last(target, "once", "value", {}, "count") == [1], "and it is stored once",
               old.last(target, "once", "value", {}, "count"))
    body["metrics"].append({"type": "timeless", "value": 5})
    answers = []
    for _ in range(2):
        answers.append(old.push(body)[1])
        time.sleep(0.01)
    old.tap.ok([a["duplicate"] for a in answers] == [False, False],
               "one item without a time: each body is another", answers)


def counted_twice(old):
    status, _, text = old.people.request("GET", "/metrics")
    lines = [line.split()[1] for line in text.decode().splitlines()
             if line.startswith("pga_push_duplicate_members_total ")]
    return int(lines[0]) if status == 200 and lines else -1


def check_members_twice(old, now):
    before = counted_twice(old)
    status, answer = old.push('{"collector_id":"%s","metrics":[{"type":"again","value":1,'
                              '"timestamp":"%s","value":7}]}' % (old.collector, olddocs.stamp(now)))
    old.tap.ok(status == 200 and before >= 0 and counted_twice(old) == before + 1,
               "H3: a member that comes twice in a push is counted", (answer, before))
    target = old.target("postgresql")
    old.tap.ok(old.last(target, "again", "value", {}) == [1], "H3: and the first one counts",
               old.last(target, "again", "value", {}))


def whole_answer(sock):
    """Head and body of the answer; what came when the other end closes before."""
    sock.settimeout(60)
    seen = b""
    while True:
        head, found, body = seen.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head, re.I)
        if found and len(body) >= int(length.group(1) if length else 0):
            return seen
        try:
            piece = sock.recv(65536)
        except OSError:
            return seen
        if not piece:
            return seen
        seen += piece


def raw_request(old, head, body, wait_continue=False):
    """The answer's bytes to a request given as text; %s in head is the address."""
    parts = urllib.parse.urlsplit(old.args.url)
    text = "POST /api/v1/metrics/push HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n" \
           "Content-Type: application/json\r\n%s\r\n" % (parts.netloc, old.agent.token, head)
    seen = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as sock:
        sock.sendall(text.encode())
        if wait_continue:
            sock.settimeout(10)
            while b"\r\n\r\n" not in seen:
                seen += sock.recv(4096)
        try:
            sock.sendall(body)
        except OSError:
            pass  # refused by the length alone
        seen += whole_answer(sock)
    return seen


def chunked(body, size=1000):
    pieces = [body[at:at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def padded(old, size):
    """A good body of exactly that many bytes."""
    start = '{"collector_id": "%s", "metrics": [{"type": "large", "value": 1}]' % old.collector
    return (start + " " * (size - len(start) - 1) + "}").encode()


def check_transport(old, now):
    body = json.dumps({"collector_id": old.collector, "metrics": [
        {"type": "carried", "value": 1, "note": "x" * 5000}]}).encode()
    for name, data, headers in (
            ("plain JSON labelled gzip", body, {"Content-Encoding": "gzip"}),
            ("real gzip", gzip.compress(body), {"Content-Encoding": "gzip"}),
            ("real gzip without a label", gzip.compress(body), {}),
            ("the headers of the older collector", body,
             {"X-Collector-ID": old.collector, "X-Protocol-Version": "1.0"})):
        status, answer = old.push(data, headers)
        old.tap.ok(status == 200 and answer["metrics_inserted"] == 2, "%s is taken" % name,
                   "%d %s" % (status, answer))
    got = raw_request(old, "Transfer-Encoding: chunked\r\n", chunked(body))
    old.tap.ok(got.startswith(b"HTTP/1.1 200"), "chunks are taken", got[:300])
    got = raw_request(old, "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", chunked(body),
                      True)
    old.tap.ok(got.startswith(b"HTTP/1.1 100") and b"HTTP/1.1 200" in got,
               "Expect: 100-continue with chunks is answered first", got[:300])
    got = raw_request(old, "Content-Length: %d\r\nExpect: 100-continue\r\n" % len(body), body, True)
    old.tap.ok(got.startswith(b"HTTP/1.1 100") and b"HTTP/1.1 200" in got,
               "Expect: 100-continue with a length is answered first", got[:300])
    limit = old.args.limit
    for name, data, want in (
            ("a gzip body of exactly the limit, inflated",
             gzip.compress(padded(old, limit), 1), 200),
            ("one byte more", gzip.compress(padded(old, limit + 1), 1), 413),
            ("a plain body of exactly the limit", padded(old, limit), 200)):
        status, answer = old.push(data)
        old.tap.ok(status == want, "%s: %d" % (name, want), "%d %s" % (status, answer))
    got = raw_request(old, "Content-Length: %d\r\n" % (limit + 1), b"")
    old.tap.ok(got.startswith(b"HTTP/1.1 413"), "a plain body of one byte more is refused unread",
               got[:300])
    got = raw_request(old, "Transfer-Encoding: chunked\r\n",
                      chunked(padded(old, limit + 1), 65536))
    old.tap.ok(got.startswith(b"HTTP/1.1 413") or got == b"", "and in chunks", got[:300])
    status, answer = old.push(body)
    old.tap.ok(status == 200, "a good push is taken afterwards", "%d %s" % (status, answer))


def write_body(old, path):
    now = int(time.time())
    with open(path, "w", encoding="utf-8") as f:
        json.dump(olddocs.push(old.collector, [
            {"type": "killed", "timestamp": olddocs.stamp(now), "value": 5},
            {"type": "pg_log_killed", "timestamp": olddocs.stamp(now), "level": "ERROR",
             "message": "once"}], now), f)


def main():
    parser = argparse.ArgumentParser(description="pushes of every published form")
    parser.add_argument("--url", required=True)
    parser.add_argument("--secret-file", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--limit", type=int, default=64 * 1024 * 1024)
    parser.add_argument("part", choices=("forms", "transport", "send", "body"))
    parser.add_argument("file", nargs="?")
    args = parser.parse_args()
    old = Old(args)
    now = int(time.time())
    if args.part == "body":
        write_body(old, args.file)
        return 0
    if args.part == "send":
        with open(args.file, "rb") as f:
            print(json.dumps(old.push(f.read())))
        return 0
    if args.part == "forms":
        check_documents(old, now)
        check_events(old, now)
        check_steady(old, now)
        check_samples(old, now)
        check_refusals(old, now)
        check_duplicates(old, now)
        check_members_twice(old, now)
    else:
        check_transport(old, now)
    print("1..%d" % old.tap.count)
    return 1 if old.tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
