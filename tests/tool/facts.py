#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Facts about what an agent sent to fakeserver.py: facts.py LOG [SINCE]   (SINCE: time, s)

One line each: pushes, statuses, the gap between tries, the records of each stream that got
through (whole or not, gaps with reasons), records that changed between two tries.
"""

import collections
import json
import sys


def numbers(push):
    """Yields (number, entry) of everything the push covers."""
    at = push["seq"]
    for item in push["records"]:
        for number in range(at, at + item.get("span", 1)):
            yield number, item
        at += item.get("span", 1)


def main():
    since = float(sys.argv[2]) if len(sys.argv) > 2 else 0
    with open(sys.argv[1], encoding="utf-8") as f:
        entries = [json.loads(line) for line in f]
    entries = [e for e in entries if e["time"] >= since]
    pushes = [e for e in entries if e["path"].endswith("/metrics/push")]
    others = collections.Counter(e["path"].rsplit("/", 1)[1] for e in entries if e not in pushes)
    for path, times in sorted(others.items()):
        print("%s %d" % (path, times))
    print("pushes %d" % len(pushes))
    for status, times in sorted(collections.Counter(e["status"] for e in pushes).items()):
        print("status %d %d" % (status, times))
    times = [e["time"] for e in pushes]
    if len(times) > 1:
        print("least_pause_ms %d" % (min(b - a for a, b in zip(times, times[1:])) * 1000))
    hashes, through, gaps = {}, collections.defaultdict(set), {}
    changed = 0
    for entry in pushes:
        stream = entry["request"]["stream"]
        for number, item in numbers(entry["request"]):
            if "hash" in item:
                changed += hashes.setdefault((stream, number), item["hash"]) != item["hash"]
            if entry["status"] == 200:
                through[stream].add(number)
                if "gap" in item:
                    gaps[(stream, number)] = item["gap"]["reason"]
    print("changed %d" % changed)
    for n, stream in enumerate(through):
        got = through[stream]
        whole = got == set(range(min(got), max(got) + 1))
        print("stream %d from %d to %d %s" % (n, min(got), max(got), "whole" if whole else "HOLES"))
    for (_, number), reason in gaps.items():
        print("gap %d %s" % (number, reason))


if __name__ == "__main__":
    main()
