#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""A dashboard that is refreshed: all its panels, each a second anew, until it is ended.

    dashboard.py --url URL --token-file FILE --end SECONDS --steps N --seconds N

Panels: range queries in PromQL over all that is there, and the chart route for one target.
Prints a JSON object: how many refreshes, requests, and p50 and the longest of a refresh (ms).
"""

import argparse
import http.client
import json
import statistics
import time
import urllib.parse

RANGES = ('sum by (db) (rate(bench_c08[5m]))', 'avg by (name) (bench_c15{db="db1"})',
          'topk(5, max_over_time(bench_c18[10m]))', 'sum(bench_c00)',
          'bench_c09{target="t1",name="row1"}')


class Panels:
    def __init__(self, args):
        self.args = args
        with open(args.token_file, encoding="utf-8") as f:
            self.headers = {"Authorization": "Bearer " + f.read().strip()}
        parts = urllib.parse.urlsplit(args.url)
        self.connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        rows = json.loads(self.ask("/api/v1/servers?limit=1000"))["data"]
        self.target = next(row["id"] for row in rows if row["name"] == "t1")

    def ask(self, path):
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit("%s: %d %s" % (path, answer.status, body[:300]))
        return body

    def refresh(self):
        start = self.args.end - (self.args.steps - 1) * 60
        for query in RANGES:
            self.ask("/prometheus/api/v1/query_range?" + urllib.parse.urlencode(
                {"query": query, "start": start, "end": self.args.end, "step": 60}))
        for column in ("c08", "c15"):
            self.ask("/api/v1/servers/%s/metrics?" % self.target + urllib.parse.urlencode(
                {"relation": "bench", "column": column, "from": start * 1000,
                 "to": self.args.end * 1000, "step": 60000, "agg": "last"}))
        return len(RANGES) + 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--end", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    args = parser.parse_args()
    panels = Panels(args)
    took, requests, begin = [], 0, time.monotonic()
    while time.monotonic() < begin + args.seconds:
        start = time.monotonic()
        requests += panels.refresh()
        took.append((time.monotonic() - start) * 1000)
        time.sleep(max(0.0, 1 - (time.monotonic() - start)))
    print(json.dumps({"refreshes": len(took), "requests": requests,
                      "p50_ms": round(statistics.median(took), 1),
                      "max_ms": round(max(took), 1)}))


if __name__ == "__main__":
    main()
