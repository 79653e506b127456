#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""What the server holds of one agent, in a line, for tests of outages.

    streams.py --url URL --token-file FILE --collector ID [--pause SECONDS] [--since MS]

It prints `streams=N records=N holes=N gaps=N steps=N why=REASON,... since=N`: of all streams of the
agent the records, numbers that are missing, numbers that gap records stand for, how often two
readings one after the other are further apart than --pause (a clock that jumped is one, a reading
that was lost would be another), the reasons of gaps, and records whose readings are of --since
(milliseconds) or later.
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402  (a sibling tool, not part of pga)


def records_of(api, collector, stream):
    query = {"collector": collector, "stream": stream, "limit": 1000}
    while True:
        page = api.get("records", **query)
        yield from page["data"]
        if not page.get("next_cursor"):
            return
        query["cursor"] = page["next_cursor"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--collector", required=True)
    parser.add_argument("--pause", type=float, default=60)
    parser.add_argument("--since", type=int, default=0)
    args = parser.parse_args()
    with open(args.token_file, encoding="utf-8") as f:
        api = Api(args.url, f.read().strip())
    streams = [s for s in api.get("monitoring")["streams"] if s["collector"] == args.collector]
    records = holes = gaps = since = 0
    times, reasons = [], set()
    for stream in streams:
        following = 1
        for record in records_of(api, args.collector, stream["stream"]):
            span = record.get("span") or 1
            holes += record["seq"] - following
            following = record["seq"] + span
            if record["kind"] == "gap":
                gaps += span
                reasons.add(record["reason"])
            records += record["kind"] == "data"
            since += record["kind"] == "data" and record["t_max_ms"] >= args.since
            if record["slices"]:
                times.append((record["t_min_ms"], record["t_max_ms"]))
        holes += max(0, stream["next_seq"] - following)  # records may have come meanwhile
    times.sort()
    steps = sum(b[0] - a[1] > args.pause * 1000 for a, b in zip(times, times[1:]))
    print("streams=%d records=%d holes=%d gaps=%d steps=%d why=%s since=%d"
          % (len(streams), records, holes, gaps, steps, ",".join(sorted(reasons)), since))


main()
