#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Queries over 30 days of a store with readings of 7 days: cost, and both ways of reading.

By a step of an hour and windows of four hours roll-ups serve; by a step of half an hour readings
do, as far as there are any. At the full hours both must say the same: extremes and counts exactly,
means, increases and rates within rounding.
"""
import argparse
import json
import math
import os
import time
import urllib.parse
import urllib.request

DAY = 86400
GOAL_MS = 200
QUERIES = [
    ("increase", "increase(month_slow_n[4h])"),
    ("sum_by_target_of_rate", "sum by (instance) (rate(month_slow_n[4h]))"),
    ("min", "min_over_time(month_slow_g[4h])"),
    ("max", "max_over_time(month_slow_f[4h])"),
    ("mean", "avg_over_time(month_slow_f[4h])"),
    ("count", "count_over_time(month_slow_g[4h])"),
    ("fast_increase", "increase(month_fast_n[4h])"),
]


class Server:
    def __init__(self, args):
        self.base, self.pid = args.base, args.pid
        self.token = open(args.token_file, encoding="ascii").read().strip()

    def cpu_ms(self):
        with open("/proc/%d/stat" % self.pid, encoding="ascii") as f:
            fields = f.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def ask(self, query, start, end, step):
        form = urllib.parse.urlencode({"query": query, "start": start, "end": end, "step": step})
        request = urllib.request.Request(self.base + "/query_range?" + form, headers={
            "Authorization": "Bearer " + self.token})
        with urllib.request.urlopen(request, timeout=60) as answer:
            data = json.load(answer)
        return {json.dumps(s["metric"], sort_keys=True): dict(
            (int(t), float(v)) for t, v in s["values"]) for s in data["data"]["result"]}

    def measure(self, query, start, end, step, times=5):
        """The answer, the median of the wall times and the mean of the CPU times in ms."""
        walls, before = [], self.cpu_ms()
        for _ in range(times):
            begin = time.monotonic()
            answer = self.ask(query, start, end, step)
            walls.append((time.monotonic() - begin) * 1000)
        return answer, sorted(walls)[times // 2], (self.cpu_ms() - before) / times


def differences(rolled, read, exact):
    """Points that both have, and how many of them differ."""
    both = differ = 0
    for name, values in rolled.items():
        for t, v in values.items():
            other = read.get(name, {}).get(t)
            if other is None:
                continue
            both += 1
            most = 0 if exact else 1e-9 * max(1, abs(other))
            differ += not (math.isnan(v) and math.isnan(other)) and abs(v - other) > most
    return both, differ


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--token-file", required=True)
    server = Server(parser.parse_args())
    end = int(time.time()) // DAY * DAY
    bad = 0
    for name, query in QUERIES:
        answer, wall, cpu = server.measure(query, end - 30 * DAY, end, 3600)
        points = sum(len(v) for v in answer.values())
        print("bench name=month_http_%s value=%.1f unit=ms goal=<=%d # %.1f ms of CPU, %d series, "
              "%d points" % (name, wall, GOAL_MS, cpu, len(answer), points))
        # from the second day that has readings: the first one's window reaches into what is gone
        read = server.ask(query, end - 6 * DAY, end, 1800)
        exact = "min_" in query or "max_" in query or "count_" in query
        both, differ = differences(answer, read, exact)
        print("bench name=month_http_%s_differs value=%d unit=points peer=%d "
              "peer_name=that_both_have goal=0" % (name, differ, both))
        bad += cpu > GOAL_MS or differ > 0 or both == 0  # wall times say how busy the machine was
    raise SystemExit(bad > 0)


if __name__ == "__main__":
    main()
