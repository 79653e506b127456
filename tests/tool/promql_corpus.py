# SPDX-License-Identifier: PostgreSQL
"""promql_corpus.py: samples and expressions of PromQL, made from a seed, for promql_compare.py.

Every function, operator, aggregation and modifier of PromQL over floats; counters with resets and
gaps, stale markers, special values, histograms with faults, names that collide.
"""

import math
import struct

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
START = 1700000400  # a multiple of 60 and of 600
STEPS = 240
EVERY = 15
END = START + STEPS * EVERY


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
        'nothing_here{a=~"b", c="d", e="f", e="g"}',
        'http_requests_total{job="api", instance="0"}'])
LABELS = "job instance group host room le shard mode n".split()
DURATIONS = "30s 1m 90s 2m 5m 7m 10m 15s 1ms 20m".split()
NUMBERS = "0 1 2 -1 0.5 3 100 1e3 NaN Inf -Inf 0.1 1.5 0x1f 25 7".split()
KS = "1 2 3 0 5 -1 2 3 1.9 NaN 1e30 -Inf (time()%3) 12 100".split()
RATIOS = "0.5 -0.5 1 -1 0.1 2 0 NaN (time()%4-2)".split()


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
            factor = self.pick(["0.5", "0.01", "0.9", "2"])
            return f"double_exponential_smoothing({inner}, {factor}, 0.3)"
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
                            "latency_seconds_bucket", "odd_bucket",
                            "rate(latency_seconds_bucket[2m])", v])
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
            name = self.pick(["topk", "bottomk", "limitk"])
            return f"{name}{by} ({self.pick(KS)}, {v})"
        if roll < 0.93:
            return f"limit_ratio{by} ({self.pick(RATIOS)}, {v})"
        # Of values that both sides print with the same digits.
        v = self.pick([self.selector(), f"round(clamp({v}, -1e6, 1e6))"])
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
