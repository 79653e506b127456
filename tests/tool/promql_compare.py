#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""promql_compare.py: asks Prometheus 3.5 and our evaluator the same over the same samples.

usage: promql_compare.py [--count N] [--seed N] [--fetch] [--required] [--show N] [--dump PROGRAM]

The samples and the expressions come from a generator with a fixed seed (promql_corpus.py). Our side
is promql-dump (tests/tool/promql_dump.c).
Prometheus comes from Debian's package, kept in the cache ($PGA_CACHE/prometheus); --fetch gets it
when it is not there. Without it the last line says "not compared", and the exit code is 0, or 1
with --required.
The last line is "N equal, M different"; the exit code is 1 when anything differs.
"""

import argparse
import json
import math
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from promql_corpus import END, EVERY, START, STALE, STEPS, Generator, make_series

TOLERANCE = 1e-11


# --- Prometheus -----------------------------------------------------------------------------------

def cache_dir():
    base = os.environ.get("PGA_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pga")
    return os.path.join(base, "prometheus")


def mirror_line():
    """The machine's own Debian mirror with the suite `testing`, from its apt sources."""
    paths = ["/etc/apt/sources.list"]
    folder = "/etc/apt/sources.list.d"
    if os.path.isdir(folder):
        paths += [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    for path in paths:
        if not os.path.isfile(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as f:
            for line in f:
                words = line.split()
                urls = [w for w in words if w.startswith(("http://", "https://"))]
                if words and words[0] in ("deb", "deb-src", "URIs:") and urls \
                        and "security" not in urls[0]:
                    return ("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
                            f"{urls[0]} testing main\n")
    return None


def fetch():
    """Gets the package with apt, which checks its signature, and unpacks it into the cache."""
    line = mirror_line()
    if line is None:
        return
    with tempfile.TemporaryDirectory() as work:
        for name in ("lists/partial", "cache/archives/partial", "tree"):
            os.makedirs(os.path.join(work, name))
        with open(os.path.join(work, "src.list"), "w", encoding="utf-8") as f:
            f.write(line)
        apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={work}/src.list",
               "-o", "Dir::Etc::sourceparts=-", "-o", f"Dir::State::lists={work}/lists",
               "-o", f"Dir::Cache={work}/cache"]
        quiet = {"cwd": work, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if subprocess.run(apt + ["update"], check=False, **quiet).returncode != 0:
            return
        subprocess.run(apt + ["download", "prometheus"], check=False, **quiet)
        for name in os.listdir(work):
            if name.endswith(".deb"):
                subprocess.run(["dpkg", "-x", name, "tree"], check=False, **quiet)
        found = os.path.join(work, "tree/usr/bin/prometheus")
        if os.path.exists(found):
            os.makedirs(cache_dir(), exist_ok=True)
            shutil.move(found, os.path.join(cache_dir(), "prometheus.new"))
            os.rename(os.path.join(cache_dir(), "prometheus.new"),
                      os.path.join(cache_dir(), "prometheus"))


class Prometheus:
    def __init__(self, program, work):
        self.port = free_port()
        config = os.path.join(work, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as f:
            f.write("global:\n  evaluation_interval: 1m\n")
        self.log = open(os.path.join(work, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [program, f"--config.file={config}", f"--storage.tsdb.path={work}/data",
             f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver",
             "--storage.tsdb.retention.time=100y", "--storage.tsdb.min-block-duration=24h",
             "--storage.tsdb.max-block-duration=24h",
             "--enable-feature=promql-experimental-functions"],
            stdout=self.log, stderr=subprocess.STDOUT)
        self.wait()

    def wait(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        self.stop()
        sys.exit("promql_compare: prometheus did not start")

    def write(self, series):
        """Remote write in order of time, the series always in the same order."""
        for first in range(0, STEPS + 1, 60):
            low = (START + first * EVERY) * 1000
            high = (START + (first + 60) * EVERY) * 1000
            body = b"".join(field(1, write_series(labels, [
                p for p in points if low <= p[0] < high])) for labels, points in series
                if any(low <= p[0] < high for p in points))
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.port}/api/v1/write", data=snappy(body),
                headers={"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
                         "X-Prometheus-Remote-Write-Version": "0.1.0"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                answer.read()

    def ask(self, query):
        data = {"query": query["text"], "timeout": "30s"}
        if query["step"]:
            path = "query_range"
            data.update(start=query["start"] / 1000, end=query["end"] / 1000,
                        step=query["step"] / 1000)
        else:
            path = "query"
            data.update(time=query["start"] / 1000)
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/v1/{path}",
                                         data=urllib.parse.urlencode(data).encode())
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            return json.load(e)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.log.close()


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def write_series(labels, points):
    body = b"".join(field(1, field(1, k.encode()) + field(2, v.encode()))
                    for k, v in sorted(labels.items()))
    for t_ms, value in points:
        body += field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(t_ms))
    return body


def snappy(data):
    """A valid stream without any compression."""
    out = [varint(len(data))]
    for i in range(0, len(data), 65536):
        part = data[i:i + 65536]
        out.append(bytes([61 << 2]) + struct.pack("<H", len(part) - 1) + part)
    return b"".join(out)


# --- Comparing ------------------------------------------------------------------------------------

def ask_ours(program, series, queries):
    lines = []
    for labels, points in series:
        lines.append("s\t" + "\x1f".join(f"{k}={v}" for k, v in labels.items()))
        for t, v in points:
            stale = struct.pack("<d", v) == struct.pack("<d", STALE)
            lines.append(f"p\t{t}\t" + ("stale" if stale else repr(v)))
    for q in queries:
        text = q["text"].replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"q\t{q['start']}\t{q['end']}\t{q['step']}\t{text}")
    run = subprocess.run([program], input="\n".join(lines) + "\n", text=True,
                         stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def rows_of_theirs(data):
    kind, result = data["resultType"], data["result"]
    if kind == "string":
        return [({}, [(0, result[1])])]
    if kind == "scalar":
        return [({}, [(round(result[0] * 1000), result[1])])]
    return [(r["metric"], [(round(t * 1000), v)
                           for t, v in (r["values"] if "values" in r else [r["value"]])])
            for r in result]


def rows_of_ours(answer):
    return [(r["metric"], [(t, v) for t, v in r["values"]]) for r in answer["rows"]]


def same_number(a, b, tolerance=TOLERANCE):
    if a == b:
        return True
    x, y = float(a), float(b)
    if math.isnan(x) or math.isnan(y):
        return math.isnan(x) and math.isnan(y)
    return x == y or abs(x - y) <= tolerance * max(abs(x), abs(y)) or abs(x - y) < 1e-280


def key_of(row):
    return sorted(row[0].items())


def compare_rows(ours, theirs, ordered, tolerance):
    if not ordered:
        ours, theirs = sorted(ours, key=key_of), sorted(theirs, key=key_of)
    if [key_of(r) for r in ours] != [key_of(r) for r in theirs]:
        return f"series: ours {[r[0] for r in ours]}, theirs {[r[0] for r in theirs]}"
    for a, b in zip(ours, theirs):
        if [t for t, _ in a[1]] != [t for t, _ in b[1]]:
            return f"times of {a[0]}: ours {a[1][:4]}, theirs {b[1][:4]}"
        for (t, x), (_, y) in zip(a[1], b[1]):
            if not same_number(x, y, tolerance):
                return f"value of {a[0]} at {t}: ours {x}, theirs {y}"
    return None


def compare_order(ours, theirs):
    """By value: which of equal ones comes first is chance in Prometheus."""
    for a, b in zip(ours, theirs):
        if not same_number(a[1][0][1], b[1][0][1]):
            return f"order: ours {ours}, theirs {theirs}"
    return None


def blur(note):
    """Numbers in a note to 12 digits: pow() and atan2() differ by a last bit."""
    return re.sub(r"got (\S+?)(,? |$)", lambda m: f"got {float(m[1]):.12g}{m[2]}", note)


def compare_notes(ours, theirs):
    for kind in ("warnings", "infos"):
        a = sorted(blur(note) for note in ours[kind])
        b = sorted(blur(note) for note in theirs.get(kind, []))
        if any("omitted" in note for note in b):
            continue
        if a != b:
            return f"{kind}: ours {a}, theirs {b}"
    return None


def compare(query, ours, theirs):
    if theirs["status"] != "success":
        text = theirs["error"].removeprefix('invalid parameter "query": ')
        if "error" not in ours:
            return f"ours answers, theirs fails: {text}"
        # Our errors hold 255 bytes.
        return None if ours["error"][:255] == text.encode()[:255].decode(errors="ignore") else \
            f"error: ours {ours['error']!r}, theirs {text!r}"
    if "error" in ours:
        return f"ours fails: {ours['error']}"
    a, b = rows_of_ours(ours), rows_of_theirs(theirs["data"])
    # Squares of differences, added in an order that is chance in Prometheus.
    tolerance = 1e-6 if "std" in query["text"] else TOLERANCE
    problem = compare_rows(a, b, query["step"] == 0 and query["text"].startswith("sort_by"),
                           tolerance)
    if problem is None and query["step"] == 0 and \
            query["text"].startswith(("sort(", "sort_desc(", "topk (", "bottomk (")):
        problem = compare_order(a, b)
    return problem or compare_notes(ours, theirs)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fetch", action="store_true")
    parser.add_argument("--required", action="store_true")
    parser.add_argument("--show", type=int, default=20)
    parser.add_argument("--dump", default="build/release/promql-dump")
    parser.add_argument("--query", action="append", help="compare these alone, instant at the end")
    args = parser.parse_args()

    program = os.path.join(cache_dir(), "prometheus")
    if not os.path.exists(program) and args.fetch:
        fetch()
    if not os.path.exists(program):
        print("promql_compare: not compared: no Prometheus in the cache, skipped")
        return 1 if args.required else 0
    version = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True, check=True)
    print(version.stdout.splitlines()[0])
    if " 3.5." not in version.stdout:
        print("promql_compare: not compared: Prometheus is not 3.5, skipped")
        return 1 if args.required else 0

    rnd = random.Random(args.seed)
    series = make_series(rnd)
    generator = Generator(rnd)
    queries = [generator.query() for _ in range(args.count)]
    if args.query:
        queries = [{"text": q, "start": END * 1000, "end": END * 1000, "step": 0}
                   for q in args.query]
    ours = ask_ours(args.dump, series, queries)
    work = tempfile.mkdtemp(prefix="promql-compare.")
    prometheus = Prometheus(program, work)
    equal, different, filled, failed = 0, 0, 0, 0
    try:
        prometheus.write(series)
        for query, answer in zip(queries, ours):
            theirs = prometheus.ask(query)
            problem = compare(query, answer, theirs)
            failed += theirs["status"] != "success"
            filled += theirs["status"] == "success" and bool(theirs["data"]["result"])
            if problem is None:
                equal += 1
                continue
            different += 1
            if different <= args.show:
                print(f"DIFFERENT {json.dumps(query)}\n    {problem[:600]}")
            if args.query:
                print(json.dumps(answer)[:2000], json.dumps(theirs)[:2000], sep="\n")
    finally:
        prometheus.stop()
        shutil.rmtree(work, ignore_errors=True)
    print(f"of {len(queries)} answers {filled} have samples, {failed} are errors")
    print(f"{equal} equal, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
