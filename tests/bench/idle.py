#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Latency of a page with no other connection and beside idle keep-alive connections.

    idle.py --port PORT --pid SERVER_PID --idle N --requests N

Rounds with and without the idle ones take turns, so that both see the same machine. Each
request has a connection of its own, as a browser that comes back has. Prints one JSON object.
"""

import argparse
import json
import os
import resource
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tool"))
from crowd import ask, connect, idle_crowd, rss_kib  # noqa: E402

PAGE = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"
ROUNDS = 5


def measure(port, count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        s = connect(port)
        if ask(s, PAGE) != 200:
            raise RuntimeError("no page")
        times.append((time.perf_counter() - start) * 1000)
        s.close()
    return times


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--pid", type=int, required=True)
    p.add_argument("--idle", type=int, default=1000)
    p.add_argument("--requests", type=int, default=400, help="a round")
    o = p.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    measure(o.port, 100)
    alone, beside, grown = [], [], 0
    for _ in range(ROUNDS):
        alone += measure(o.port, o.requests)
        before = rss_kib(o.pid)
        crowd = idle_crowd(o.port, o.idle)
        grown = max(grown, rss_kib(o.pid) - before)
        beside += measure(o.port, o.requests)
        for s in crowd:
            s.close()
    result = {"grown_kib": grown}
    for name, times in (("alone", alone), ("beside", beside)):
        times.sort()
        result[name + "_p50_ms"] = times[len(times) // 2]
        result[name + "_p99_ms"] = times[len(times) * 99 // 100]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
