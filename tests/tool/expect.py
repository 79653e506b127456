#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Compares one collection with the table of what it must yield. Prints TAP.

    expect.py --table sources.tsv --reference relations.md --batch once.json
              --version 15 --place primary --right monitor

The reference says which relations there are and which probe yields each; a relation without
exactly one line for this place, version and right is a failure. The head of the table explains it.
"""

import argparse
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from examples import Tap  # noqa: E402


def read_relations(path):
    """{relation: probe} of the reference page."""
    found, name = {}, None
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.startswith("## "):
                name = line[3:].strip()
            probe = re.match(r"Every .*; probe `(\w+)`", line)
            if probe and name:
                found[name] = probe[1]
    return found


def covers(versions, version):
    first, last = re.fullmatch(r"(\d+)(?:-(\d+)|\+)?", versions).groups()
    if versions.endswith("+"):
        return int(first) <= version
    return int(first) <= version <= int(last or first)


def read_table(path, version, place, right):
    """Lines that apply here: (name, rows, state, reason)."""
    found = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if line.startswith("#") or not line.strip():
                continue
            cells = line.rstrip("\n").split("\t")
            if len(cells) != 7:
                raise SystemExit("%s:%d: %d columns" % (path, number, len(cells)))
            if (cells[1] in (place, "any") and covers(cells[2], version)
                    and cells[3] in (right, "any")):
                found.append((cells[0], *cells[4:]))
    return found


def count_fits(wanted, rows):
    if wanted == "none":
        return rows is None
    if rows is None:
        return False
    return rows >= int(wanted[2:]) if wanted.startswith(">=") else rows == int(wanted)


class Collection:
    def __init__(self, batch):
        self.slices, self.states = {}, {}
        for piece in batch["slices"]:
            if "failed" not in piece["flags"]:
                self.slices.setdefault(piece["relation"], []).append(piece)
        for probe in batch["probes"]:
            self.states[probe["probe"]] = probe

    def rows(self, relation):
        pieces = self.slices.get(relation)
        return None if pieces is None else sum(p["rows"] for p in pieces)

    def column(self, relation, column):
        values = []
        for piece in self.slices.get(relation, []):
            values += piece["columns"].get(column) or [None] * piece["rows"]
        return values


def has_control_groups():
    """Not in a bare chroot; then the reason has to say so."""
    return os.path.isdir("/sys/fs/cgroup") and bool(os.listdir("/sys/fs/cgroup"))


def check_relation(tap, got, probe, line):
    name, wanted, state, reason = line
    if name == "host_cgroup" and not has_control_groups():
        wanted, state, reason = "none", "no_data", "no control group"
    rows = got.rows(name)
    said = got.states.get(probe) or {"state": "absent", "reason": None}
    why = said["reason"] or ""
    good = count_fits(wanted, rows) and said["state"] == state
    good = good and (re.search(reason, why) is not None if reason != "-" else why == "")
    tap.ok(good, "%s: %s rows, %s" % (name, wanted, state),
           "%s rows, %s: %s" % (rows, said["state"], why))
    if state == "denied":
        tap.ok(bool(said.get("fix")), "%s: the grant that would help is named" % name)


def check_column(tap, got, line):
    relation, column = line[0].split(".")
    values = got.column(relation, column)
    known = sum(v is not None for v in values)
    kind = "set" if known == len(values) else "mixed" if known else "null"
    if not values:
        kind = "without rows"
    tap.ok(kind == line[1], "%s is %s" % (line[0], line[1]), "%s: %s" % (kind, values[:8]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name in ("table", "reference", "batch", "place", "right"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--version", type=int, required=True)
    args = parser.parse_args()
    relations = read_relations(args.reference)
    lines = read_table(args.table, args.version, args.place, args.right)
    with open(args.batch, encoding="utf-8") as f:
        got = Collection(json.load(f))
    tap = Tap()
    for relation, probe in sorted(relations.items()):
        mine = [line for line in lines if line[0] == relation]
        if len(mine) == 1:
            check_relation(tap, got, probe, mine[0])
        else:
            tap.ok(False, "%s has one line in the table" % relation, "it has %d" % len(mine))
    for line in lines:
        if "." in line[0]:
            check_column(tap, got, line)
        elif line[0] not in relations:
            tap.ok(False, "%s of the table is a relation" % line[0])
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
