#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Times the three queries of the benchmark on one server that speaks the Prometheus API.

    queries.py --base URL/api/v1 --pid PID --end SECONDS --steps N [--token-file FILE] [--rounds N]
        [--shape agents|rows]

One series over all steps; a sum by database over 10000 series (all of two columns, or all rows of
one); the 20 that rise most of 1000 (of 20 agents, or of as many rows). Prints a JSON object: for
each the median and the least time (ms), the server's CPU a query (ms), how many series and samples
the answer has and the sum of its values, by which two servers can be seen to have answered the
same.
"""

import argparse
import http.client
import json
import os
import statistics
import time
import urllib.parse

# By shape: 100 agents of 50 rows, or one of 10000.
SHAPES = {
    "agents": {
        "one_series": ("query_range", 'bench_c08{target="t1",name="row1"}'),
        "sum_by_db": ("query_range", 'sum by (db) ({__name__=~"bench_c0[89]"})'),
        "top_20_by_rate": ("query", 'topk(20, rate(bench_c08{target=~"t1?[0-9]"}[5m]))'),
    },
    "rows": {
        "one_series": ("query_range", 'bench_c08{target="t0",name="row4711"}'),
        "sum_by_db": ("query_range", "sum by (db) (bench_c08)"),
        "top_20_by_rate": ("query", 'topk(20, rate(bench_c08{name=~"row[0-9]{1,3}"}[5m]))'),
    },
}


def cpu_s(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        words = f.read().rsplit(") ", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def summary(answer):
    result = answer["data"]["result"]
    values = [float(v) for s in result for _, v in s.get("values", [s.get("value")])]
    return {"series": len(result), "samples": len(values), "total": round(sum(values), 3)}


class Server:
    def __init__(self, args):
        self.parts = urllib.parse.urlsplit(args.base)
        self.connection = http.client.HTTPConnection(self.parts.netloc, timeout=120)
        self.headers = {}
        if args.token_file:
            with open(args.token_file, encoding="utf-8") as f:
                self.headers["Authorization"] = "Bearer " + f.read().strip()
        self.args = args

    def ask(self, path, query):
        end, steps = self.args.end, self.args.steps
        words = {"query": query, "nocache": "1"}
        if path == "query_range":
            words.update(start=end - (steps - 1) * 60, end=end, step=60)
        else:
            words.update(time=end)
        start = time.perf_counter()
        self.connection.request("GET", "%s/%s?%s" % (
            self.parts.path, path, urllib.parse.urlencode(words)), headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - start) * 1000
        if answer.status != 200:
            raise SystemExit("%s: %d %s" % (query, answer.status, body[:300]))
        return took, body


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--end", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--token-file")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="agents")
    args = parser.parse_args()
    server = Server(args)
    out = {}
    for name, (path, query) in SHAPES[args.shape].items():
        answer = summary(json.loads(server.ask(path, query)[1]))
        rounds = args.rounds if name == "sum_by_db" else args.rounds * 10
        cpu = cpu_s(args.pid)
        times = [server.ask(path, query)[0] for _ in range(rounds)]
        cpu = (cpu_s(args.pid) - cpu) * 1000 / rounds
        out[name] = {"median_ms": round(statistics.median(times), 3),
                     "least_ms": round(min(times), 3), "cpu_ms": round(cpu, 3), **answer}
    print(json.dumps(out))


if __name__ == "__main__":
    main()
