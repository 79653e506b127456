#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Shows that proxy.py and oracle.py notice what they are for.

A small store in memory stands for the server; pushes go to it through the proxy with every
fault switched on and are repeated until they are answered. The oracle must find nothing
wrong with an honest store, and must name each kind of harm done to it on purpose. Prints TAP.
"""

import hashlib
import http.server
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
COLLECTOR = "11111111-1111-4111-8111-111111111111"
STREAM = "22222222-2222-4222-8222-222222222222"
TARGET = "33333333-3333-4333-8333-333333333333"
EVERY = 1000


class Store:
    """Takes pushes as protocol.md says; harm is done to it by editing its lists."""

    def __init__(self):
        self.records = []   # (seq, hash, record)
        self.slices = []
        self.lock = threading.Lock()

    def push(self, body):
        with self.lock:
            following = self.records[-1][0] + 1 if self.records else 1
            if body["seq"] > following:
                return 409, {"next_seq": following}
            fresh = 0
            for number, item in enumerate(body["records"], body["seq"]):
                if number >= following:
                    self.records.append((number, item["hash"], item["record"]))
                    self.slices.extend(item["record"]["slices"])
                    fresh += 1
            return 200, {"next_seq": self.records[-1][0] + 1, "duplicate": fresh == 0,
                         "metrics_inserted": 4 * fresh, "metrics_rejected": 0}

    def list_records(self):
        return {"next_cursor": None, "data": [
            {"seq": n, "hash": h, "kind": "data", "samples": 4} for n, h, _ in self.records]}

    def monitoring(self):
        return {"streams": [{"stream": STREAM, "next_seq": max(r[0] for r in self.records) + 1,
                             "stored": len(self.records), "gaps": {}}]}

    def metrics(self, query):
        start, end, step = (int(query[k]) for k in ("from", "to", "step"))
        times = list(range(start + step, end + step, step))
        series = []
        for column in query["column"].split(","):
            for i, name in enumerate(("app", "postgres")):
                values = []
                for t in times:
                    cells = [s["columns"][column][i] for s in self.slices if t - step < s["t"] <= t]
                    values.append(aggregate(query["agg"], cells))
                series.append({"column": column, "labels": {"datname": name}, "values": values})
        return {"times": times, "step_ms": step, "series": series, "truncated": False}


def aggregate(name, cells):
    if not cells:
        return None
    return {"count": len(cells), "sum": sum(cells), "min": min(cells), "max": max(cells),
            "last": cells[-1]}[name]


def make_handler(store):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def reply(self, status, value):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if len(body) == int(self.headers["Content-Length"]):
                self.reply(*store.push(json.loads(body)))

        def do_GET(self):
            parts = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(parts.query))
            answer = {"records": store.list_records, "monitoring": store.monitoring}.get(
                parts.path.split("/")[3], lambda: store.metrics(query))()
            self.reply(200, answer)

    return Handler


def make_record(seq, base):
    record = {"made_ms": base + seq * EVERY, "slices": [{
        "relation": "pg_stat_database", "target": TARGET, "t": base + seq * EVERY,
        "every_ms": EVERY, "flags": ["complete"], "rows": 2,
        "keys": {"datname": ["app", "postgres"]},
        "columns": {"xact_commit": [2 ** 53 + seq, seq], "numbackends": [seq % 7, 1]}}]}
    if seq == 1:
        record["relations"] = [{
            "name": "pg_stat_database", "shape": "object", "sparse": False,
            "keys": [{"name": "datname"}],
            "columns": [{"name": "xact_commit", "kind": "counter", "type": "i64"},
                        {"name": "numbackends", "kind": "gauge", "type": "i64"}]}]
    return {"hash": hashlib.sha256(json.dumps(record).encode()).hexdigest(), "record": record}


def post(port, body):
    """One push as an agent does it: returns the parsed answer, or None."""
    data = json.dumps(body).encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(b"POST /api/v1/metrics/push HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
                         b"Connection: close\r\n\r\n" % len(data) + data)
            answer = b""
            while True:
                piece = sock.recv(65536)
                if not piece:
                    break
                answer += piece
                head, found, rest = answer.partition(b"\r\n\r\n")
                if found and rest.endswith(b"}"):
                    return json.loads(rest)
    except (OSError, ValueError):
        pass
    return None


def send_all(port, count, base):
    following = 1
    while following <= count:
        n = random.randint(1, min(5, count - following + 1))
        answer = post(port,
                      {"collector_id": COLLECTOR, "stream": STREAM, "seq": following, "count": n,
                             "records": [make_record(following + i, base) for i in range(n)]})
        if answer:
            following = answer["next_seq"]


def run_oracle(port, work):
    return subprocess.run(
        [sys.executable, os.path.join(HERE, "oracle.py"), "--url", "http://127.0.0.1:%d" % port,
         "--token-file", os.path.join(work, "token"), "--log", os.path.join(work, "acks")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


class Tap:
    count = failed = 0

    def ok(self, good, name, detail=""):
        self.count += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.count, name))
        if not good:
            print("\n".join("# " + line for line in detail.splitlines()))


def harm_lose(store):
    del store.records[7]


def harm_double(store):
    store.slices.append(store.slices[5])


def harm_double_record(store):
    store.records.insert(3, store.records[3])


def harm_alter(store):
    piece = json.loads(json.dumps(store.slices[4]))
    piece["columns"]["xact_commit"][0] += 1
    store.slices[4] = piece


def harm_drop_slice(store):
    del store.slices[9]


def harm_hash(store):
    seq, _, record = store.records[2]
    store.records[2] = (seq, "0" * 64, record)


HARMS = (
    ("a record that was acknowledged is missing", harm_lose, "lost"),
    ("a record is stored twice", harm_double_record, "doubled"),
    ("a reading is counted twice", harm_double, "doubled"),
    ("a value beyond 2^53 is off by one", harm_alter, "altered"),
    ("a reading is missing though its record is listed", harm_drop_slice, "lost"),
    ("a record has another hash", harm_hash, "altered"),
)


def main():
    tap = Tap()
    random.seed(7)
    with tempfile.TemporaryDirectory() as work:
        store = Store()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make_handler(store))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        with open(os.path.join(work, "token"), "w", encoding="utf-8") as f:
            f.write("t")
        with open(os.path.join(work, "control"), "w", encoding="utf-8") as f:
            f.write("seed 3\ndrop_request 0.1\ncut_request 0.1\ndrop_answer 0.1\ncut_answer 0.1\n"
                    "duplicate 0.1\ntwin 0.1\nreplay 0.1\ndelay 0.05\ndelay_s 0.1\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            proxy_port = probe.getsockname()[1]
        with subprocess.Popen([sys.executable, os.path.join(HERE, "proxy.py"), "--listen",
                               str(proxy_port),
                               "--to", "127.0.0.1:%d" % port, "--log", os.path.join(work, "acks"),
                               "--control", os.path.join(work, "control")],
                              stdout=subprocess.PIPE) as proxy:
            proxy.stdout.readline()
            try:
                send_all(proxy_port, 300, int(time.time()) * 1000 - 300 * EVERY)
            finally:
                proxy.terminate()
        with open(os.path.join(work, "acks"), encoding="utf-8") as f:
            faults = {json.loads(line)["fault"] for line in f}
        tap.ok(len(faults) == 9, "every fault of the proxy was hit", str(faults))
        tap.ok(len(store.records) == 300, "the pushes got through all the same")
        result = run_oracle(port, work)
        tap.ok(result.returncode == 0, "an honest store passes", result.stdout.decode())
        for name, harm, kind in HARMS:
            records, slices = list(store.records), list(store.slices)
            harm(store)
            result = run_oracle(port, work)
            store.records[:], store.slices[:] = records, slices
            told = result.stdout.decode().splitlines()[-1]
            tap.ok(result.returncode == 1 and " %s=0" % kind not in told and " %s=" % kind in told,
                   "found: " + name, result.stdout.decode())
        server.shutdown()
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
