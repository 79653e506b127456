#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""An agent of the tests that pushes much faster than a real one, by the rules of protocol.md.

    fakeagent.py --url URL --register URL --secret-file FILE --name NAME [--rate PUSHES_PER_S]
                 [--described] [--churn N] [--back-h HOURS --step-ms MS]

Three relations (an object relation with counter, gauge and float, a sparse one of deltas, and
a fact relation) whose values follow from the sequence number. It keeps every record, repeats
what was not answered, rewinds when the server says so, and gets a new token when one has run out.
With --described they have a description, so that a store in PostgreSQL has tables for them; with
--churn fake_rows has one row more, whose name is another one after every N records. With --back-h
its first reading is of so many hours ago, and they are MS apart until it has caught up: days close
and hours are over while one looks on. On SIGTERM it makes no new records, delivers
what it has, and exits 0; exit 1 when that takes more than a minute.
"""

import argparse
import gzip
import hashlib
import http.client
import json
import os
import random
import signal
import sys
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402

EVERY_MS = 1000
ROWS = ("a", "b", "c", "d", "e")
DRAIN_S = 60


def column(name, kind, form="i64"):
    return {"name": name, "kind": kind, "type": form, "unit": "1", "help": ""}


RELATIONS = [
    {"name": "fake_rows", "help": "", "shape": "object", "sparse": False,
     "keys": [{"name": "k", "help": ""}],
     "columns": [column("n", "counter"), column("level", "gauge"), column("x", "gauge", "f64")]},
    {"name": "fake_deltas", "help": "", "shape": "object", "sparse": True,
     "keys": [{"name": "k", "help": ""}], "columns": [column("d", "delta")]},
    {"name": "fake_facts", "help": "", "shape": "fact", "sparse": False,
     "keys": [{"name": "what", "help": ""}, {"name": "who", "help": ""}],
     "columns": [column("samples", "delta")]},
]


def described():
    """The relations as somebody would describe them who wants people to see them."""
    relations = json.loads(json.dumps(RELATIONS))
    for relation in relations:
        for thing in [relation] + relation["columns"]:
            thing["help"] = "made up for a test"
    return relations


class FakeAgent:
    def __init__(self, url, collector, token, name, options):
        self.api = Api(url, token, timeout=5)
        self.collector = collector
        self.stream, self.target = str(uuid.uuid4()), str(uuid.uuid4())
        self.name = name
        self.relations = described() if options.described else RELATIONS
        self.churn = options.churn
        self.items = []       # the record of sequence number n is items[n - 1]
        self.following = 1    # the next number to send
        self.last_t = 0
        self.back_ms, self.step_ms = int(options.back_h * 3600000), options.step_ms
        self.every_ms = options.step_ms or EVERY_MS
        self.random = random.Random(name)

    def make(self):
        seq = len(self.items) + 1
        t = int(time.time() * 1000)
        if self.step_ms:
            t = min(t, self.last_t + self.step_ms) if self.last_t else t - self.back_ms
        t = max(t, self.last_t + 1)
        before, self.last_t = self.last_t or t - self.every_ms, t
        rows = list(ROWS)
        if self.churn:
            rows.append("%s-%d" % (self.name, seq // self.churn))
        record = {"made_ms": t, "slices": [
            self.piece("fake_rows", t, t, {"k": rows}, {
                "n": [10 ** 12 + seq * (i + 1) for i in range(len(rows))],
                "level": [(seq * 7 + i) % 13 if (seq + i) % 5 else None for i in range(len(rows))],
                "x": [round(seq / (i + 3), 6) for i in range(len(rows))]}),
            self.piece("fake_deltas", t, before, {"k": [ROWS[seq % 5]]}, {"d": [seq % 11]}),
            self.piece("fake_facts", t, before,
                       {"what": ["CPU", "Lock"], "who": ["u", str(seq % 3)]},
                       {"samples": [seq % 4 + 1, 1]})]}
        if seq == 1:
            for piece in record["slices"]:
                piece["flags"].append("keyframe")
            record["relations"] = self.relations
            record["targets"] = [{"id": self.target, "kind": "host", "name": self.name,
                                  "attributes": {"hostname": self.name}}]
        if seq % 10 == 0:
            record["events"] = [{"t": t, "target": self.target, "kind": "fake", "severity": "info",
                                 "title": "%s %d" % (self.name, seq), "body": {"seq": seq}}]
        text = json.dumps(record, separators=(",", ":"))
        self.items.append({"hash": hashlib.sha256(text.encode()).hexdigest(), "record": record})

    def piece(self, relation, t, from_t, keys, columns):
        return {"relation": relation, "target": self.target, "scope": "", "t": t, "from_t": from_t,
                "every_ms": self.every_ms, "flags": ["complete"],
                "rows": len(next(iter(keys.values()))),
                "keys": keys, "columns": columns}

    def push(self):
        """Sends what is waiting, a few at a time. True when the server took a step."""
        waiting = self.items[self.following - 1:]
        waiting = waiting[:self.random.randint(1, 8)]
        body = json.dumps({"collector_id": self.collector, "stream": self.stream,
                           "seq": self.following, "count": len(waiting), "records": waiting})
        try:
            status, _, answer = self.api.request("POST", "metrics/push",
                                                 gzip.compress(body.encode()))
            answer = json.loads(answer)
        except (OSError, ValueError, http.client.HTTPException):
            return False  # a cut connection or half an answer: the same again
        if status in (200, 409) and "next_seq" in answer:
            self.following = answer["next_seq"]
            return True
        print("status %d: %s" % (status, str(answer)[:300]), flush=True)
        if status == 401:
            self.renew()
        return False

    def renew(self):
        """Another token for one that ran out; without it the next push is answered 401 again."""
        try:
            status, _, answer = self.api.request("POST", "collectors/refresh-token")
            if status == 200:
                self.api.token = json.loads(answer)["token"]
        except (OSError, ValueError, KeyError, http.client.HTTPException) as e:
            print("no new token: %s" % e, flush=True)

    def waiting(self):
        return len(self.items) + 1 - self.following


def register(url, secret, name):
    status, _, body = Api(url).request(
        "POST", "collectors/register", json.dumps({"name": name, "hostname": name}),
        {"X-Registration-Secret": secret})
    if status not in (200, 201):
        sys.exit("register: %d %s" % (status, body))
    answer = json.loads(body)
    return answer["collector_id"], answer["token"]


def main():
    parser = argparse.ArgumentParser(description="a fast agent for tests")
    parser.add_argument("--url", required=True, help="where to push (the proxy)")
    parser.add_argument("--register", required=True, help="where to register (the server)")
    parser.add_argument("--secret-file", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--described", action="store_true")
    parser.add_argument("--churn", type=int, default=0)
    parser.add_argument("--back-h", type=float, default=0)
    parser.add_argument("--step-ms", type=int, default=0)
    args = parser.parse_args()
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(time.time()))
    with open(args.secret_file, encoding="utf-8") as f:
        agent = FakeAgent(args.url, *register(args.register, f.read().strip(), args.name),
                          args.name, args)
    while not ending or agent.waiting():
        if ending and time.time() > ending[0] + DRAIN_S:
            print("%d records could not be delivered" % agent.waiting())
            return 1
        start = time.time()
        if not ending:
            agent.make()
        if not agent.push():
            time.sleep(0.1)
        time.sleep(max(0, start + 1 / args.rate - time.time()))
    print("%s delivered %d records" % (args.name, len(agent.items)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
