#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Load for the store: agents that push the data set of the performance notes.

    push.py --url URL --secret-file FILE --agents N --steps N --pid SERVER_PID [--clients N]

One push is one reading of one agent: 50 rows of 20 columns, 1000 samples, 60 s apart. Of the
series 40 % are constant, 25 % busy integer counters, 10 % sparse counters, 15 % integer
gauges, 10 % floats with three decimals. Bodies are made before the clock runs. Prints one
JSON object: samples, cpu_s of the server's process, wall_s, p50_ms, p95_ms, bytes sent,
entropy_bytes (order-0 entropy of the differences of each series: a floor for any codec).
"""

import argparse
import collections
import gzip
import hashlib
import http.client
import json
import math
import os
import random
import sys
import threading
import time
import urllib.parse
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tool"))
from api import Api  # noqa: E402

ROWS, COLUMNS, EVERY_MS = 50, 20, 60000
KINDS = ("constant",) * 8 + ("busy",) * 5 + ("sparse",) * 2 + ("gauge",) * 3 + ("float",) * 2


class Series:
    """One value over time."""

    def __init__(self, kind, rng):
        self.kind = kind
        self.rng = rng
        self.value = rng.randrange(1, 10 ** 6)
        self.rate = rng.randrange(1, 3000)
        self.last = None
        self.steps = collections.Counter()

    def next(self):
        rng = self.rng
        if self.kind == "busy":
            self.value += max(0, int(rng.gauss(self.rate, self.rate / 10)))
        elif self.kind == "sparse" and rng.random() < 0.1:
            self.value += rng.randrange(1, 4)
        elif self.kind == "gauge":
            self.value = max(0, self.value + rng.randrange(-3, 4))
        elif self.kind == "float":
            self.value = round(abs(rng.gauss(self.rate, self.rate / 20)), 3)
        if self.last is not None:
            self.steps[round(self.value - self.last, 3)] += 1
        self.last = self.value
        return self.value

    def entropy_bits(self):
        total = sum(self.steps.values())
        return -sum(n * math.log2(n / total) for n in self.steps.values())


class Agent:
    def __init__(self, number, url, secret):
        self.rng = random.Random(number)
        status, _, body = Api(url).request(
            "POST", "collectors/register",
            json.dumps({"name": "bench%d" % number, "hostname": "bench%d" % number}),
            {"X-Registration-Secret": secret})
        if status not in (200, 201):
            sys.exit("register: %d %s" % (status, body))
        answer = json.loads(body)
        self.collector, self.token = answer["collector_id"], answer["token"]
        self.stream, self.target = str(uuid.uuid4()), str(uuid.uuid4())
        self.names = ["row_%d_%d" % (number, i) for i in range(ROWS)]
        self.series = [[Series(kind, self.rng) for _ in range(ROWS)] for kind in KINDS]

    def description(self):
        return [{"name": "bench_rows", "help": "Values of a benchmark.", "shape": "object",
                 "sparse": False, "keys": [{"name": "name", "help": ""}],
                 "columns": [{"name": "c%02d" % i, "unit": "1", "help": "",
                              "kind": "counter" if kind in ("busy", "sparse") else "gauge",
                              "type": "f64" if kind == "float" else "i64",
                              **({"resolution": 0.001} if kind == "float" else {})}
                             for i, kind in enumerate(KINDS)]}]

    def body(self, step, start_ms):
        t = start_ms + step * EVERY_MS
        record = {"made_ms": t, "slices": [{
            "relation": "bench_rows", "target": self.target, "scope": "", "t": t,
            "from_t": t - EVERY_MS, "every_ms": EVERY_MS, "flags": ["complete"], "rows": ROWS,
            "keys": {"name": self.names},
            "columns": {"c%02d" % i: [s.next() for s in column]
                        for i, column in enumerate(self.series)}}]}
        if step == 0:
            record["relations"] = self.description()
            record["targets"] = [{"id": self.target, "kind": "host", "name": self.names[0],
                                  "attributes": {"hostname": self.names[0]}}]
            record["slices"][0]["flags"].append("keyframe")
        text = json.dumps(record, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()
        head = {"collector_id": self.collector, "stream": self.stream, "seq": step + 1, "count": 1}
        body = '%s,"records":[{"hash":"%s","record":%s}]}' % (
            json.dumps(head, separators=(",", ":"))[:-1], digest, text)
        return gzip.compress(body.encode(), 6)

    def entropy_bytes(self):
        return sum(s.entropy_bits() for column in self.series for s in column) / 8


class Client(threading.Thread):
    """One connection that sends its agents' pushes in order."""

    def __init__(self, url, agents, bodies):
        super().__init__()
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.agents, self.bodies = agents, bodies
        self.times, self.failure = [], None

    def run(self):
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        for step in range(len(self.bodies[0])):
            for agent, bodies in zip(self.agents, self.bodies):
                start = time.perf_counter()
                connection.request("POST", "/api/v1/metrics/push", body=bodies[step], headers={
                    "Authorization": "Bearer " + agent.token, "Content-Type": "application/json",
                    "Content-Encoding": "gzip"})
                answer = connection.getresponse()
                text = answer.read()
                self.times.append(time.perf_counter() - start)
                if answer.status != 200:
                    self.failure = "%d %s" % (answer.status, text[:300])
                    return


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        words = f.read().rsplit(") ", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser(description="pushes for benchmarks")
    parser.add_argument("--url", required=True)
    parser.add_argument("--secret-file", required=True)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--pid", type=int, required=True)
    args = parser.parse_args()
    with open(args.secret_file, encoding="utf-8") as f:
        secret = f.read().strip()
    start_ms = int(time.time() * 1000) - (args.steps + 2) * EVERY_MS
    agents = [Agent(i, args.url, secret) for i in range(args.agents)]
    bodies = [[agent.body(step, start_ms) for step in range(args.steps)] for agent in agents]
    clients = [Client(args.url, agents[i::args.clients], bodies[i::args.clients])
               for i in range(min(args.clients, args.agents))]
    cpu, wall = cpu_seconds(args.pid), time.perf_counter()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    cpu, wall = cpu_seconds(args.pid) - cpu, time.perf_counter() - wall
    for client in clients:
        if client.failure:
            sys.exit("a push failed: " + client.failure)
    times = sorted(t for client in clients for t in client.times)
    print(json.dumps({
        "samples": args.agents * args.steps * ROWS * COLUMNS, "cpu_s": cpu, "wall_s": wall,
        "p50_ms": times[len(times) // 2] * 1000, "p95_ms": times[int(len(times) * 0.95)] * 1000,
        "bytes": sum(len(b) for of_agent in bodies for b in of_agent),
        "entropy_bytes": sum(agent.entropy_bytes() for agent in agents)}))


if __name__ == "__main__":
    main()
