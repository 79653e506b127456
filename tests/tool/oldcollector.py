#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""An older collector: pushes its twelve documents of each of the last minutes, then of now.

    oldcollector.py --url URL --secret-file FILE [--minutes N]

Counters rise by 6 from minute to minute. Exit 1 when a push was not taken.
"""

import argparse
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from newestrows import register  # noqa: E402
import olddocs  # noqa: E402

COUNTERS = {"transactions_committed", "tuples_returned", "tuples_inserted", "scans", "calls",
            "total_time", "read_ops", "write_ops", "read_sectors", "write_sectors"}


def raised(value, by):
    """The document with all its counters that much higher."""
    if isinstance(value, list):
        return [raised(inner, by) for inner in value]
    if not isinstance(value, dict):
        return value
    return {name: inner + by if name in COUNTERS else raised(inner, by)
            for name, inner in value.items()}


def main():
    parser = argparse.ArgumentParser(description="an older collector")
    parser.add_argument("--url", required=True)
    parser.add_argument("--secret-file", required=True)
    parser.add_argument("--minutes", type=int, default=10)
    args = parser.parse_args()
    with open(args.secret_file, encoding="utf-8") as f:
        collector, api = register(args.url, f.read().strip(), "old-db1")
    now = int(time.time())
    for minute in range(args.minutes, -1, -1):
        t = now - 60 * minute
        items = raised(olddocs.all_documents(t), 6 * (args.minutes - minute))
        status, _, body = api.request("POST", "metrics/push",
                                      json.dumps(olddocs.push(collector, items, t)))
        if status != 200 or json.loads(body)["metrics_rejected"] != 0:
            print("%d %s" % (status, body[:500]))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
