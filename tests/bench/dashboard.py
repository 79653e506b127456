#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""A dashboard that is refreshed: all its panels, each a second anew, until it is ended.

    dashboard.py --url URL --token-file FILE --end SECONDS --steps N --seconds N [--form FORM]

Panels: range queries in PromQL over all that is there, and the chart route for one target.
Prints a JSON object: how many refreshes, requests, and p50 and the longest of a refresh (ms).
"""

import argparse
import concurrent.futures
import http.client
import json
import statistics
import threading
import time
import urllib.parse

RANGES = ('sum by (db) (rate(bench_c08[5m]))', 'avg by (name) (bench_c15{db="db1"})',
          'topk(5, max_over_time(bench_c18[10m]))', 'sum(bench_c00)',
          'bench_c09{target="t1",name="row1"}')


class Panels:
    """All panels of a page are asked for at once, each on a connection, as a browser does."""

    def __init__(self, args):
        self.args = args
        with open(args.token_file, encoding="utf-8") as f:
            self.headers = {"Authorization": "Bearer " + f.read().strip()}
        self.host = urllib.parse.urlsplit(args.url).netloc
        self.kept = threading.local()
        rows = json.loads(self.ask("/api/v1/servers?limit=1000"))["data"]
        target = next(row["id"] for row in rows if row["name"] == "t1")
        start = args.end - (args.steps - 1) * 60
        self.paths = ["/prometheus/api/v1/query_range?" + urllib.parse.urlencode(
            {"query": query, "start": start, "end": args.end, "step": 60}) for query in RANGES]
        self.paths += ["/api/v1/servers/%s/metrics?" % target + urllib.parse.urlencode(
            dict(self.what(column), **{"from": start * 1000, "to": args.end * 1000,
                                       "step": 60000, "agg": "last"}))
                       for column in ("c08", "c15")]
        self.threads = concurrent.futures.ThreadPoolExecutor(len(self.paths))

    def what(self, column):
        if self.args.form == "objects":
            return {"relation": "sample", "column": "value", "key.name": "bench_" + column}
        return {"relation": "bench", "column": column}

    def ask(self, path):
        if not hasattr(self.kept, "connection"):
            self.kept.connection = http.client.HTTPConnection(self.host, timeout=60)
        self.kept.connection.request("GET", path, headers=self.headers)
        answer = self.kept.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError("%s: %d %s" % (path, answer.status, body[:300]))
        return body

    def refresh(self):
        return len(list(self.threads.map(self.ask, self.paths)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--end", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--form", choices=("native", "objects"), default="native")
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
