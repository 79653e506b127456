#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Proves from outside that what the server acknowledged is stored, once and unchanged.

    oracle.py --url URL --token-file FILE --log PROXY_LOG [options]

It reads only the log of proxy.py and the server's API. From the log it knows every record
that the agents sent and every 200 they were given; then:

1. records: /records must list every acknowledged sequence number exactly once, with the
   hash that was sent, and nothing that was never sent. Numbers that were sent and not
   answered (the connection broke) may or may not be stored, but not twice and not changed.
2. data: for each target, relation and column it reads /servers/{id}/metrics with the
   aggregates count, sum, min, max and last, and compares every bucket with what it computes
   itself from the stored records. A value missing is lost, one too many is doubled.
3. streams: sequence numbers run from 1 without a hole; gap records are counted; /monitoring
   must name the same next number and the same count.
4. a known number was never sent with another hash.

Options: --allow-gaps (gap records are no failure) --max-hole MS (two readings of a relation
further apart than this fail) --no-data (skip 2) --totals FILE (writes what the stored records hold:
lines `relation column count sum`, of numbers) --verbose. Last line: `oracle: name=value ...`;
exit status 0 when nothing is wrong.
"""

import argparse
import collections
import json
import math
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402  (a sibling tool, not part of pga)

MAX_POINTS = 10000
MAX_SHOWN = 20


class Findings:
    """Counts by kind, and the first few of each in words."""

    def __init__(self):
        self.counts = collections.Counter()

    def add(self, kind, text, amount=1):
        self.counts[kind] += amount
        if self.counts[kind] <= MAX_SHOWN:
            print("%s: %s" % (kind, text))


class Stream:
    """What the log says about one stream."""

    def __init__(self, collector, name):
        self.collector = collector
        self.name = name
        self.sent = {}      # seq -> (hash, record)
        self.gaps = {}      # seq -> reason
        self.acked = set()
        self.stored = set()


def read_log(path, findings):
    streams = {}
    tally = collections.Counter()
    with open(path, encoding="utf-8") as f:
        for line in f:
            entry = json.loads(line)
            push = entry["request"]
            tally["pushes"] += 1
            if "records" not in push or "stream" not in push:
                tally["foreign"] += 1
                continue
            stream = streams.setdefault(push["stream"],
                                        Stream(push["collector_id"], push["stream"]))
            numbers = note_records(stream, push, findings)
            if entry["status"] == 200:
                tally["answered"] += 1
                take_ack(stream, push, entry["answer"], numbers, findings)
            else:
                tally["status_%s" % entry["status"]] += 1
            if entry["fault"]:
                tally["faults"] += 1
    return streams, tally


def note_records(stream, push, findings):
    """Remembers what the push carries; returns its sequence numbers."""
    seq = push["seq"]
    numbers = []
    for item in push["records"]:
        span = item.get("span", 1)
        for number in range(seq, seq + span):
            numbers.append(number)
            if "gap" in item:
                stream.gaps[number] = item["gap"].get("reason", "")
                continue
            known = stream.sent.get(number)
            if known and known[0] != item["hash"]:
                findings.add("changed",
                             "stream %s seq %d was sent with two hashes" % (stream.name, number))
            stream.sent[number] = (item["hash"], item["record"])
        seq += span
    if push.get("count") != len(numbers):
        findings.add("miscounted", "push %s/%d says count %s, carries %d" % (
            stream.name, push["seq"], push.get("count"), len(numbers)))
    return numbers


def take_ack(stream, push, answer, numbers, findings):
    if answer.get("next_seq", 0) < push["seq"] + len(numbers):
        findings.add("bad_answer", "200 with next_seq %s for %s/%d+%d" % (
            answer.get("next_seq"), stream.name, push["seq"], len(numbers)))
        return
    fresh = not any(n in stream.acked for n in numbers) and not answer.get("duplicate")
    stream.acked.update(numbers)
    if fresh and answer.get("metrics_rejected", 0) == 0:
        expected = sum(count_values(i["record"]) for i in push["records"] if "record" in i)
        # A number known from an unanswered push is not inserted again: fewer is possible then.
        if answer.get("metrics_inserted", -1) > expected:
            findings.add("miscounted", "answer to %s/%d counts %s values, sent were %d" % (
                stream.name, push["seq"], answer.get("metrics_inserted"), expected))


def count_values(record):
    return sum(1 for s in record.get("slices", []) for c in s.get("columns", {}).values()
               for v in c if v is not None)


def check_records(api, stream, findings):
    """Compares the server's list of records with what was sent and acknowledged."""
    seen = collections.Counter()
    from_seq = 1
    cursor = None
    while True:
        query = {"collector": stream.collector, "stream": stream.name, "from_seq": from_seq,
                 "limit": 1000}
        if cursor:
            query["cursor"] = cursor
        page = api.get("records", **query)
        for row in page["data"]:
            span = row.get("span") or 1
            for number in range(row["seq"], row["seq"] + span):
                seen[number] += 1
            check_row(stream, row, findings)
        cursor = page.get("next_cursor")
        if not cursor:
            break
    for number, times in seen.items():
        if times > 1:
            findings.add("doubled",
                         "stream %s seq %d is stored %d times" % (stream.name, number, times))
    for number in sorted(stream.acked - set(seen)):
        findings.add("lost",
                     "stream %s seq %d was acknowledged and is not stored" % (stream.name, number))
    stream.stored = set(seen)
    if stream.stored and stream.stored != set(range(1, max(stream.stored) + 1)):
        findings.add("holes", "stream %s has holes in its numbers" % stream.name)


def check_row(stream, row, findings):
    number = row["seq"]
    if row.get("kind") == "gap":
        if number not in stream.gaps:
            findings.add("invented",
                         "stream %s seq %d is a gap that was never sent" % (stream.name, number))
        return
    if number not in stream.sent:
        findings.add("invented", "stream %s seq %d was never sent" % (stream.name, number))
        return
    sent_hash, record = stream.sent[number]
    if row["hash"] != sent_hash:
        findings.add("altered",
                     "stream %s seq %d is stored with another hash" % (stream.name, number))
    if row.get("samples") is not None and row["samples"] != count_values(record):
        findings.add("altered", "stream %s seq %d: %d values stored, %d sent" % (
            stream.name, number, row["samples"], count_values(record)))


def check_monitoring(api, streams, findings):
    told = {s["stream"]: s for s in api.get("monitoring").get("streams", [])}
    for stream in streams.values():
        if not stream.stored:
            continue
        row = told.get(stream.name)
        if row is None:
            findings.add("counters", "/monitoring does not know stream %s" % stream.name)
            continue
        if row["next_seq"] != max(stream.stored) + 1:
            findings.add("counters", "/monitoring: next_seq of %s is %s, stored are %d" % (
                stream.name, row["next_seq"], max(stream.stored)))
        gaps = sum((row.get("gaps") or {}).values())
        if row["stored"] + gaps != len(stream.stored):
            findings.add("counters", "/monitoring: %s says %s stored + %s gaps, it has %d" % (
                stream.name, row["stored"], gaps, len(stream.stored)))


class Group:
    """All stored readings of one relation of one target."""

    def __init__(self, target, relation):
        self.target = target
        self.relation = relation
        self.description = None
        self.slices = []


def stored_groups(streams):
    groups, descriptions = {}, {}
    for stream in streams.values():
        for number in sorted(stream.sent):
            for relation in stream.sent[number][1].get("relations", []):
                descriptions[relation["name"]] = relation
            if number not in stream.stored or number in stream.gaps:
                continue
            for piece in stream.sent[number][1].get("slices", []):
                key = (piece["target"], piece["relation"])
                groups.setdefault(key, Group(*key)).slices.append(piece)
    for group in groups.values():
        group.description = descriptions.get(group.relation)
        group.slices.sort(key=lambda s: s["t"])
    return groups


def cells(group, column):
    """Yields (keys, t, value) of every number of the column."""
    for piece in group.slices:
        names = [k["name"] for k in group.description["keys"]]
        values = piece.get("columns", {}).get(column)
        if "failed" in piece.get("flags", []) or not values:
            continue
        keys = [piece.get("keys", {}).get(n, [""] * len(values)) for n in names]
        for i, value in enumerate(values):
            if value is not None:
                yield tuple(k[i] for k in keys), piece["t"], value


AGGREGATES = {
    "count": len,
    "sum": sum,
    "min": min,
    "max": max,
    "last": lambda values: values[-1],
}


def same(a, b, aggregate):
    if a is None or b is None:
        return a is b
    if aggregate == "sum" or isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6)
    return a == b


def aggregates_of(group, column):
    """What a bucket of this column can be asked for and compared exactly."""
    sparse = group.description.get("sparse") or group.description["shape"] == "fact"
    if column["kind"] == "delta":
        return ["sum"] if sparse else ["sum", "count"]
    if column["kind"] in ("gauge", "counter") and not sparse:
        return ["count", "sum", "min", "max", "last"]
    return []


def check_group(api, group, findings, tally):
    step = max([s.get("every_ms", 0) for s in group.slices] + [1000])
    first = min(s["t"] for s in group.slices) - step
    last = max(s["t"] for s in group.slices) + step
    by_aggregate = collections.defaultdict(list)
    for column in group.description["columns"]:
        if column.get("type") == "text":
            continue
        for aggregate in aggregates_of(group, column):
            by_aggregate[aggregate].append(column["name"])
    for aggregate, columns in by_aggregate.items():
        start = first
        while start < last:
            end = min(last, start + step * MAX_POINTS)
            check_window(api, group, aggregate, columns, (start, end, step), findings, tally)
            start = end


def check_window(api, group, aggregate, columns, window, findings, tally):
    start, end, step = window
    names = [k["name"] for k in group.description["keys"]]
    query = {"relation": group.relation, "column": ",".join(columns), "from": start, "to": end,
             "step": step, "agg": aggregate}
    if group.description["shape"] == "fact":
        query["by"] = ",".join(names)
    answer = api.get("servers/%s/metrics" % group.target, **query)
    if answer.get("truncated"):
        findings.add("unchecked",
                     "%s of %s has too many series to compare" % (group.relation, group.target))
        return
    times, width = answer["times"], answer["step_ms"]
    got = {}
    for series in answer["series"]:
        labels = tuple(series["labels"].get(n, "") for n in names)
        for end_ms, value in zip(times, series["values"]):
            if value is not None:
                got[(series["column"], labels, end_ms)] = value
    want = expected_buckets(group, columns, times, width, aggregate)
    for key in want.keys() | got.keys():
        tally["cells"] += 1
        compare_cell(group, aggregate, key, want.get(key), got.get(key), findings)


def expected_buckets(group, columns, times, width, aggregate):
    """What the server must answer: the aggregate of the cells in each bucket (end-width, end]."""
    buckets = collections.defaultdict(list)
    for column in columns:
        for labels, t, value in cells(group, column):
            index = (t - times[0] + width - 1) // width if times else -1
            if times and 0 <= index < len(times):
                buckets[(column, labels, times[index])].append(value)
    return {key: AGGREGATES[aggregate](values) for key, values in buckets.items()}


def compare_cell(group, aggregate, key, want, got, findings):
    if same(want, got, aggregate):
        return
    if aggregate == "sum" and want is None and got == 0:
        return  # a delta that is told as zero where nothing happened
    if aggregate == "sum" and got is None and want == 0:
        return
    where = "%s.%s %s %s(%s) at %d" % (group.relation, key[0], dict(zip(
        [k["name"] for k in group.description["keys"]], key[1])), aggregate, group.target, key[2])
    kind = "altered"
    if aggregate in ("count", "sum"):
        kind = "lost" if (got or 0) < (want or 0) else "doubled"
    findings.add(kind, "%s: want %s, got %s" % (where, want, got))


def write_totals(groups, path):
    """What was stored, for who wants to compare it with another view of the store."""
    totals = collections.defaultdict(lambda: [0, 0])
    for group in groups.values():
        for column in group.description["columns"] if group.description else []:
            for _, _, value in cells(group, column["name"]):
                if not isinstance(value, str):
                    total = totals[(group.relation, column["name"])]
                    total[0] += 1
                    total[1] += round(value * 1000000) if isinstance(value, float) else value
    with open(path, "w", encoding="utf-8") as f:
        for (relation, column), (count, value) in sorted(totals.items()):
            f.write("%s %s %d %d\n" % (relation, column, count, value))


def check_events(api, streams, findings, tally):
    """Every event of a stored record is listed once; events are applied a moment later."""
    want = collections.Counter()
    for stream in streams.values():
        for number in stream.stored - set(stream.gaps):
            for event in stream.sent[number][1].get("events", []):
                want[(event.get("target"), event["t"], event["kind"], event["title"])] += 1
    tally["events"] = sum(want.values())
    if not want:
        return
    window = {"from": min(k[1] for k in want) - 1, "to": max(k[1] for k in want) + 1, "limit": 1000}
    end = time.time() + 15
    while True:
        got = collections.Counter()
        for row in api.pages("events", **window):
            got[(row.get("server"), row["t_ms"], row["kind"], row["title"])] += 1
        wrong = [k for k in want if k[0] and got[k] != want[k]]
        if not wrong or time.time() > end:
            break
        time.sleep(1)
    for key in wrong:
        findings.add("lost" if got[key] < want[key] else "doubled", "event %s: want %d, got %d" % (
            key, want[key], got[key]))


def check_holes(group, limit, findings):
    times = sorted({s["t"] for s in group.slices})
    for before, after in zip(times, times[1:]):
        if after - before > limit:
            findings.add("holes", "%s of %s: nothing for %d ms before %d" % (
                group.relation, group.target, after - before, after))


def check_order(group, findings):
    seen = collections.Counter((s.get("scope", ""), s["t"]) for s in group.slices)
    for (scope, t), times in seen.items():
        if times > 1:
            findings.add("doubled", "%s %s of %s: %d readings at %d" % (
                group.relation, scope, group.target, times, t))


def main():
    parser = argparse.ArgumentParser(description="lost and doubled samples, seen from outside")
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--allow-gaps", action="store_true")
    parser.add_argument("--no-data", action="store_true")
    parser.add_argument("--max-hole", type=int, default=0)
    parser.add_argument("--totals", help="write counts and sums of the stored records here")
    args = parser.parse_args()
    with open(args.token_file, encoding="utf-8") as f:
        api = Api(args.url, f.read().strip(), timeout=60)
    findings = Findings()
    streams, tally = read_log(args.log, findings)
    for stream in streams.values():
        check_records(api, stream, findings)
    check_monitoring(api, streams, findings)
    if not args.no_data:
        check_events(api, streams, findings, tally)
    groups = stored_groups(streams)
    for group in groups.values():
        check_order(group, findings)
        if args.max_hole and group.slices[0].get("every_ms", 0) <= args.max_hole:
            check_holes(group, args.max_hole, findings)
        if group.description is None:
            findings.add("undescribed", "no description of %s was ever sent" % group.relation)
        elif not args.no_data:
            check_group(api, group, findings, tally)
    if args.totals:
        write_totals(groups, args.totals)
    return report(streams, groups, tally, findings, args)


def report(streams, groups, tally, findings, args):
    gaps = sum(1 for s in streams.values() for n in s.stored if n in s.gaps)
    acked = sum(len(s.acked) for s in streams.values())
    doubt = sum(len(set(s.sent) - s.acked) for s in streams.values())
    numbers = {
        "pushes": tally["pushes"], "answered": tally["answered"], "faults": tally["faults"],
        "streams": len(streams), "groups": len(groups), "acknowledged": acked, "in_doubt": doubt,
        "stored": sum(len(s.stored) for s in streams.values()), "cells": tally["cells"],
        "events": tally["events"],
        "gaps": gaps,
        "lost": findings.counts["lost"], "doubled": findings.counts["doubled"],
    }
    others = {k: v for k, v in findings.counts.items() if k not in ("lost", "doubled")}
    bad = sum(findings.counts.values()) + (0 if args.allow_gaps else gaps)
    if acked == 0:
        print("nothing was acknowledged: this proves nothing")
        bad += 1
    print("oracle: " + " ".join("%s=%s" % pair for pair in {**numbers, **others}.items()))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
