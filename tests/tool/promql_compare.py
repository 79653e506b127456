#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""promql_compare.py: asks Prometheus 3.5 and our evaluator the same questions over the same samples.

usage: promql_compare.py [--count N] [--seed N] [--fetch] [--required] [--show N] [--dump PROGRAM]

The samples and the expressions come from a generator with a fixed seed: every function, operator,
aggregation and modifier of PromQL over floats. Our side is promql-dump (tests/tool/promql_dump.c).
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

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
START = 1700000400  # a multiple of 60 and of 600
STEPS = 240
EVERY = 15
END = START + STEPS * EVERY
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


# --- Samples --------------------------------------------------------------------------------------

def times(every=EVERY, first=0, last=None):
    last = STEPS * EVERY if last is None else last
    return [(START + s) * 1000 for s in range(first, last + 1, every)]


def make_series(rnd):
    out = []

    def add(name, points, **labels):
        out.append(({"__name__": name, **labels}, points))

    for job in ("api", "web"):
        for instance in "012":
            for group in ("canary", "production"):
                value, points = rnd.randrange(0, 50), []
                for t in times():
                    if rnd.random() < 0.01:
                        value = rnd.randrange(0, 5)
                    if rnd.random() < 0.97:
                        points.append((t, float(value)))
                    value += rnd.randrange(0, 20)
                add("http_requests_total", points, job=job, instance=instance, group=group)
    for host in ("a", "b", "c", "d"):
        points = [(t, round(rnd.gauss(20, 15), 3)) for t in times(30)]
        if host == "c":
            points = [(t, [v, math.nan, math.inf, -math.inf, 0.0, -0.0][i % 6])
                      for i, (t, v) in enumerate(points)]
        if host == "d":
            points = [(t, v) for i, (t, v) in enumerate(points) if i % 40 < 15]
            points[-1] = (points[-1][0], STALE)
        add("temperature", points, host=host, room="1" if host in "ab" else "2", unit="C")
    for host in ("a", "b"):
        add("limit_celsius", [(t, 25.0 + (host == "b")) for t in times(60)], host=host)
    for name in ("metric_a", "metric_b"):
        half = STEPS * EVERY // 2
        add(name, [(t, float(i)) for i, t in enumerate(times(60, 0, half))], shard="0", mode="x")
        add(name, [(t, float(i)) for i, t in enumerate(
            times(60, 0 if name == "metric_a" else half + 600))], shard="1", mode="x")
    for job in ("api", "web"):
        counts = [0.0] * 6
        rows = [[] for _ in counts]
        for t in times(30):
            at = 0
            for i in range(6):
                at += rnd.randrange(0, 8)
                counts[i] += at
                rows[i].append((t, counts[i]))
        for i, le in enumerate(("0.1", "0.25", "0.5", "1", "2.5", "+Inf")):
            if job == "web" and le == "0.5":
                rows[i] = [(t, v * (0.5 if j % 3 == 0 else 1)) for j, (t, v) in enumerate(rows[i])]
            add("latency_seconds_bucket", rows[i], job=job, le=le)
        add("latency_seconds_count", rows[5], job=job)
    add("odd_bucket", [(t, 1.0) for t in times(60)], le="abc")
    add("odd_bucket", [(t, 2.0) for t in times(60)], other="1")
    add("odd_bucket", [(t, 3.0) for t in times(60)], le="1", other="2")
    for i, instance in enumerate("012"):
        add("target_info", [(t, 1.0) for t in times(60)], instance=instance, job="api",
            version=f"1.{i}", region="eu" if i else "us")
        add("build_info", [(t, 1.0) for t in times(60)], instance=instance, job="api",
            commit=f"c{i}", region="xx")
    add("huge", [(t, v * 1e308) for t, v in zip(times(60), [1.5, 1.6, -1.7, 0.3] * 99)], n="0")
    add("huge", [(t, 1.7e308) for t in times(60)], n="1")
    add("drift", [(t, 1e9 + 0.1 * i + rnd.random()) for i, t in enumerate(times())], n="0")
    add("flat", [(t, 7.0) for t in times()], n="0")
    add("sparse", [(t, float(i)) for i, t in enumerate(times(420))], n="0")
    add("version", [(t, 1.0) for t in times(60)], v="10.2")
    add("version", [(t, 2.0) for t in times(60)], v="9.10")
    add("version", [(t, 3.0) for t in times(60)], v="9.9")
    add("seconds", [(t, float(v)) for t, v in zip(times(60), [
        0, -1, 951782399, 951782400, 1709164800, 4102444799, -86401, 1.5e9, 68169600] * 9)], n="0")
    add("my.metric", [(t, 5.0) for t in times(60)], **{"l.x": "v", "ü": "ö"})
    out.sort(key=lambda s: sorted(s[0].items()))
    return out


# --- Expressions ----------------------------------------------------------------------------------

MATH = ("abs ceil floor exp sqrt ln log2 log10 sin cos tan asin acos atan sinh cosh tanh asinh "
        "acosh atanh deg rad sgn").split()
DATES = "day_of_month day_of_week day_of_year days_in_month hour minute month year".split()
RANGES = ("avg_over_time sum_over_time min_over_time max_over_time count_over_time last_over_time "
          "present_over_time stddev_over_time stdvar_over_time changes resets rate increase delta "
          "irate idelta deriv mad_over_time ts_of_last_over_time ts_of_max_over_time "
          "ts_of_min_over_time absent_over_time").split()
ARITH = "+ - * / % ^ atan2".split()
COMPARE = "== != > < >= <=".split()
AGGREGATES = "sum avg count min max group stddev stdvar".split()
SELECTORS = (
    ["http_requests_total"] * 3 + ["temperature"] * 3 + [
        'http_requests_total{job="api"}', 'http_requests_total{group!="canary"}',
        'http_requests_total{instance=~"0|1"}', 'http_requests_total{instance!~"0.*"}',
        'temperature{host=~"a|b"}', 'temperature{room=""}', 'temperature{nothing=""}',
        '{__name__=~"metric_.*"}', '{__name__="metric_a"}', "metric_a", "metric_b",
        "limit_celsius", "latency_seconds_bucket", "huge", "drift", "flat", "sparse", "seconds",
        "version", '{"my.metric"}', '{"my.metric", "l.x"="v"}', 'nothing_here{a="b"}',
        'nothing_here{a=~"b", c="d", e="f", e="g"}', 'http_requests_total{job="api", instance="0"}'])
LABELS = "job instance group host room le shard mode n".split()
DURATIONS = "30s 1m 90s 2m 5m 7m 10m 15s 1ms 20m".split()
NUMBERS = "0 1 2 -1 0.5 3 100 1e3 NaN Inf -Inf 0.1 1.5 0x1f 25 7".split()
PREFIX = {"h": "http_requests_total", "t": "temperature"}


class Generator:
    def __init__(self, rnd):
        self.rnd = rnd

    def pick(self, items):
        return self.rnd.choice(items)

    def chance(self, p):
        return self.rnd.random() < p

    def when(self):
        out = ""
        if self.chance(0.2):
            out += " offset " + self.pick(["1m", "5m", "-2m", "30s", "1h"])
        if self.chance(0.15):
            at = self.pick([str(START + 600), str(START + 1234.5), str(END), "start()", "end()",
                            "0"])
            out += " @ " + at
        return out

    def selector(self):
        return self.pick(SELECTORS) + self.when()

    def labels(self, most=2):
        return ", ".join(self.rnd.sample(LABELS, self.rnd.randrange(0, most + 1)))

    def range_vector(self, depth):
        if depth > 0 and self.chance(0.3):
            step = self.pick(["", "30s", "1m", "17s", "2m"])
            return f"{self.wrap(self.vector(depth - 1))}[{self.pick(DURATIONS)}:{step}]" \
                + self.when()
        when = self.when()
        return f"{self.pick(SELECTORS)}[{self.pick(DURATIONS)}]{when}"

    @staticmethod
    def wrap(text):
        plain = text.replace("_", "").isalnum() and not text[0].isdigit()
        return text if plain or text.endswith(")") and text.count("(") == 1 else f"({text})"

    def scalar(self, depth):
        roll = self.rnd.random()
        if depth <= 0 or roll < 0.6:
            return self.pick(NUMBERS)
        if roll < 0.7:
            return f"scalar({self.vector(depth - 1)})"
        if roll < 0.75:
            return self.pick(["time()", "pi()"])
        if roll < 0.8:
            return f"-({self.scalar(depth - 1)})"
        op = self.pick(ARITH + COMPARE)
        if op in COMPARE:
            op += " bool"
        return f"({self.scalar(depth - 1)} {op} {self.scalar(depth - 1)})"

    def range_call(self, depth):
        roll = self.rnd.random()
        inner = self.range_vector(depth)
        if roll < 0.06:
            return f"quantile_over_time({self.scalar(1)}, {inner})"
        if roll < 0.12:
            return f"predict_linear({inner}, {self.scalar(1)})"
        if roll < 0.16:
            return f"double_exponential_smoothing({inner}, {self.pick(['0.5', '0.01', '0.9', '2'])}, 0.3)"
        return f"{self.pick(RANGES)}({inner})"

    def call(self, depth):
        v = self.vector(depth - 1)
        kind = self.rnd.randrange(13)
        if kind < 3:
            name = self.pick(MATH)
            # A last bit of a large angle is another angle.
            return f"{name}(clamp({v}, -50, 50))" if name in ("sin", "cos", "tan") else \
                f"{name}({v})"
        if kind == 3:
            return f"{self.pick(DATES)}({self.pick([v, 'seconds', ''])})"
        if kind == 4:
            return self.pick([f"round({v})", f"round({v}, {self.scalar(1)})",
                              f"clamp({v}, {self.scalar(1)}, {self.scalar(1)})",
                              f"clamp_max({v}, {self.scalar(1)})",
                              f"clamp_min({v}, {self.scalar(1)})"])
        if kind == 5:
            return f"{self.pick(['sort', 'sort_desc'])}({v})"
        if kind == 6:
            if "@" in v:  # 3.5 forgets the offset beside an @ in timestamp()
                v = self.pick(SELECTORS)
            return self.pick([f"absent({v})", f"timestamp({v})", f"vector({self.scalar(depth)})"])
        if kind == 7:
            dst, src = self.pick(LABELS + ["new", "__name__"]), self.pick(LABELS)
            regex = self.pick(["(.*)", "(.)(.*)", "a.*", "", "(?P<x>[a-z]+)"])
            text = self.pick(["$1", "x-$1", "${1}y", "$x", "", "$2$1", "a$$b"])
            return f'label_replace({v}, "{dst}", "{text}", "{src}", "{regex}")'
        if kind == 8:
            return f'label_join({v}, "{self.pick(LABELS + ["new"])}", "{self.pick(["", "-"])}", ' \
                f'"{self.pick(LABELS)}", "{self.pick(LABELS)}")'
        if kind == 9:
            by = self.pick(["le", "le, job", "job"])
            of = self.pick([f"sum by ({by}) (rate(latency_seconds_bucket[5m]))",
                            "latency_seconds_bucket", "odd_bucket", "rate(latency_seconds_bucket[2m])",
                            v])
            return self.pick([f"histogram_quantile({self.scalar(1)}, {of})",
                              f"histogram_quantile(0.9, {of})",
                              # 3.5 says NaN within the first bucket, later versions begin it at 0.
                              f"histogram_fraction({self.pick(['-Inf', '0.1', '0.3', '2', 'NaN'])}"
                              f", {self.pick(['0.1', '0.4', '1', '5', 'Inf', 'NaN'])}, {of})"])
        if kind == 10:
            return f'sort_by_label{self.pick(["", "_desc"])}({v}, "{self.pick(LABELS + ["v"])}")'
        return self.range_call(depth)

    def aggregate(self, depth):
        v = self.vector(depth - 1)
        by = self.pick(["", "", f" by ({self.labels(2)})", f" without ({self.labels(3)})",
                        " by (__name__)"])
        roll = self.rnd.random()
        if roll < 0.65:
            return f"{self.pick(AGGREGATES)}{by} ({v})"
        if roll < 0.75:
            # 3.5 loses the @ of a selector in a parameter after the first step.
            q = self.pick(NUMBERS + ['scalar(limit_celsius{host="a"})', "(1 + 1)", "time() * 0"])
            return f"quantile{by} ({q}, {v})"
        if roll < 0.9:
            # Prometheus has no order of series within the steps of a range: ties would differ.
            v = self.pick([self.selector(), f"rate(http_requests_total[{self.pick(DURATIONS)}])"])
            return f"{self.pick(['topk', 'bottomk', 'limitk'])}{by} ({self.pick('1 2 3 0 5 -1'.split())}, {v})"
        if roll < 0.93:
            return f"limit_ratio{by} ({self.pick('0.5 -0.5 1 -1 0.1 2 0'.split())}, {v})"
        # Of values that both sides print with the same digits.
        v = self.pick([self.selector(), f"round({v})", f"floor({v})"])
        return f'count_values{by} ("value", {v})'

    def binary(self, depth):
        kind = self.rnd.randrange(8)
        left, right = self.vector(depth - 1), self.vector(depth - 1)
        if kind < 2:
            op = self.pick(ARITH + COMPARE)
            flag = " bool" if op in COMPARE and self.chance(0.4) else ""
            pair = [f"({left})", f"({self.scalar(1)})"]
            self.rnd.shuffle(pair)
            return f"{pair[0]} {op}{flag} {pair[1]}"
        if kind < 4:
            op = self.pick(["and", "or", "unless"])
            how = self.pick(["", f" on ({self.labels()})", f" ignoring ({self.labels()})"])
            return f"({left}) {op}{how} ({right})"
        op = self.pick(ARITH + COMPARE)
        flag = " bool" if op in COMPARE and self.chance(0.4) else ""
        if kind == 4:
            right = self.pick([left, right])
            return f"({left}) {op}{flag} ({right})"
        if kind == 5:
            pairs = [("temperature", "on (host)", "limit_celsius"),
                     ('http_requests_total{job="api"}', "ignoring (job)",
                      'http_requests_total{job="web"}'),
                     ("metric_a", "", "metric_b"), ("metric_a", "ignoring (shard)", "metric_b"),
                     ("rate(http_requests_total[2m])", "ignoring (group)",
                      'rate(http_requests_total{group="canary"}[2m])')]
            a, how, b = self.pick(pairs)
            return f"{a} {op}{flag} {how} {b}"
        if kind == 6:
            if "@" in v:  # 3.5 forgets the offset beside an @ in timestamp()
                v = self.pick(SELECTORS)
            side = self.pick(["group_left", "group_right"])
            one = "sum by (job) (http_requests_total)"
            many = self.pick(["http_requests_total", "rate(http_requests_total[1m])",
                              "latency_seconds_bucket"])
            a, b = (many, one) if side == "group_left" else (one, many)
            return f"{a} {op}{flag} on (job) {side} {b}"
        a, b = 'http_requests_total{job="api"}', self.pick(["target_info", "build_info"])
        more = self.pick(["", "version", "region, version", "job"])
        return f"{a} {op}{flag} on (instance, job) group_left ({more}) {b}"

    def vector(self, depth):
        if depth <= 0:
            return self.selector()
        roll = self.rnd.random()
        if roll < 0.12:
            return self.selector()
        if roll < 0.35:
            return self.range_call(depth)
        if roll < 0.55:
            return self.call(depth)
        if roll < 0.77:
            return self.aggregate(depth)
        if roll < 0.81:
            return f"-({self.vector(depth - 1)})"
        return self.binary(depth)

    def info(self):
        """3.5 mixes up series of info() over a range, so instant queries alone."""
        of = self.pick(["http_requests_total", "rate(http_requests_total[2m])", self.selector(),
                        "sum by (job, instance) (http_requests_total)"])
        more = self.pick(["", ', {region=~".+"}', ', {version=~".*", __name__="target_info"}',
                          ', {__name__=~".*_info"}', ', {commit=~".*", __name__="build_info"}',
                          ', {version="1.1"}', ', {version!="1.1"}', ', {nothing="x"}'])
        return f"info({of}{more})"

    def query(self):
        roll = self.rnd.random()
        depth = self.pick([0, 1, 1, 2, 2, 2, 3])
        if roll < 0.92:
            text = self.vector(depth)
        elif roll < 0.96:
            text = self.scalar(2)
        else:
            text = self.range_vector(depth)
        start = (START + self.rnd.randrange(0, STEPS * EVERY + 600)) * 1000
        if self.chance(0.03):
            return {"text": self.info(), "start": start, "end": start, "step": 0}
        if self.chance(0.3):
            start += self.rnd.randrange(1000)
        if self.chance(0.5) or roll >= 0.96:
            return {"text": text, "start": start, "end": start, "step": 0}
        step = self.pick([1, 7, 15, 30, 60, 61, 300, 600]) * 1000
        return {"text": text, "start": start, "end": start + step * self.rnd.randrange(0, 30),
                "step": step}


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
