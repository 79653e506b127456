#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""A strict reader of Prometheus' text forms; shares no code with pga.

    openmetrics.py --form 1|004 [--get 'NAME{label="value"}'] < TEXT

Reads OpenMetrics 1.0 or the text form 0.0.4 and fails, naming the line, for anything that is not
in the specification: families that are not together, a type or unit twice, samples whose suffix
does not fit their type, labels twice, bad escapes, series twice, a missing `# EOF`, a counter
below zero, white space that does not belong. With --get prints the value of one series (its
labels may be a subset as long as one series fits).
"""

import argparse
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
NUMBER = r"[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|NaN|[+-]?Inf"
SUFFIXES = {
    "counter": ("_total", "_created"),
    "gauge": ("",),
    "info": ("_info",),
    "summary": ("", "_count", "_sum", "_created"),
    "histogram": ("_bucket", "_count", "_sum", "_created"),
    "gaugehistogram": ("_bucket", "_gcount", "_gsum"),
    "stateset": ("",),
    "unknown": ("",),
}
OLD_SUFFIXES = {
    "counter": ("",), "gauge": ("",), "untyped": ("",), "summary": ("", "_count", "_sum"),
    "histogram": ("_bucket", "_count", "_sum"),
}


class Wrong(Exception):
    pass


class Reader:
    def __init__(self, form):
        self.v1 = form == "1"
        self.suffixes = SUFFIXES if self.v1 else OLD_SUFFIXES
        self.families = {}
        self.family = None
        self.series = {}

    def meta(self, line):
        match = re.fullmatch(r"# (HELP|TYPE|UNIT) (%s)(?: (.*))?" % NAME, line)
        if not match:
            raise Wrong("no such comment")
        what, name, text = match.groups()
        text = text or ""
        if what == "UNIT" and not self.v1:
            raise Wrong("UNIT is not in this form")
        if self.family != name:
            if name in self.families:
                raise Wrong("the family %s comes in two places" % name)
            self.family = name
            self.families[name] = {}
        facts = self.families[name]
        if what in facts or "samples" in facts:
            raise Wrong("%s of %s comes twice or late" % (what, name))
        facts[what] = text
        if what == "TYPE" and text not in self.suffixes:
            raise Wrong("no type: " + text)
        if what == "UNIT" and not (text and name.endswith("_" + text)):
            raise Wrong("the name does not end in its unit " + text)
        if what == "HELP":
            escapes = r'\\[\\n"]' if self.v1 else r"\\[\\n]"
            if re.sub(escapes, "", text).count("\\"):
                raise Wrong("escape in HELP")
            if self.v1 and '"' in re.sub(escapes, "", text):
                raise Wrong("quote in HELP")
        if self.v1 and what == "TYPE" and text == "counter" and name.endswith("_total"):
            raise Wrong("the family of a counter has no _total")

    def labels(self, text):
        found = {}
        at = 0
        while at < len(text):
            match = re.compile(r'(%s)="((?:[^"\\\n]|\\[\\n"])*)"' % LABEL).match(text, at)
            if not match:
                raise Wrong("labels at %r" % text[at:at + 30])
            name, value = match.groups()
            if name in found:
                raise Wrong("label %s twice" % name)
            found[name] = re.sub(r'\\([\\n"])',
                                 lambda m: "\n" if m.group(1) == "n" else m.group(1), value)
            at = match.end()
            if at < len(text):
                if text[at] != "," or at + 1 == len(text):
                    raise Wrong("after a label")
                at += 1
        return found

    def sample(self, line):
        match = re.fullmatch(r"(%s)(?:\{(.*)\})? (%s)(?: (-?\d+(?:\.\d+)?))?" % (NAME, NUMBER),
                             line)
        if not match:
            raise Wrong("no sample")
        name, labels, value, _ = match.groups()
        labels = self.labels(labels or "")
        value = float(value.replace("Inf", "inf"))
        facts = self.families.get(self.family)
        if facts is None or not name.startswith(self.family):
            raise Wrong("%s has no family" % name)
        kind = facts.get("TYPE")
        if kind is None:
            raise Wrong("%s has no type" % self.family)
        if name[len(self.family):] not in self.suffixes[kind]:
            raise Wrong("%s is no sample of a %s" % (name, kind))
        if kind == "counter" and not value >= 0:
            raise Wrong("a counter below zero")
        if kind == "info" and value != 1:
            raise Wrong("an info that is not 1")
        facts["samples"] = True
        key = (name, tuple(sorted(labels.items())))
        if key in self.series:
            raise Wrong("series twice")
        self.series[key] = value

    def read(self, text):
        if not text.endswith("\n"):
            raise Wrong("the last line does not end")
        lines = text[:-1].split("\n")
        if self.v1:
            if lines[-1] != "# EOF":
                raise Wrong("no # EOF at the end")
            lines.pop()
        for number, line in enumerate(lines, 1):
            try:
                if line.startswith("#"):
                    self.meta(line)
                else:
                    self.sample(line)
            except Wrong as problem:
                raise Wrong("line %d: %s: %s" % (number, problem, line[:200])) from None
        for name, facts in self.families.items():
            if "samples" not in facts:
                raise Wrong("the family %s has no sample" % name)
            if not facts.get("HELP") or not facts.get("TYPE"):
                raise Wrong("the family %s has no help or type" % name)

    def find(self, want):
        match = re.fullmatch(r"(%s)(?:\{(.*)\})?" % NAME, want)
        labels = self.labels(match.group(2) or "")
        fits = [value for (name, have), value in self.series.items()
                if name == match.group(1) and set(labels.items()) <= set(have)]
        if len(fits) != 1:
            raise Wrong("%d series fit %s" % (len(fits), want))
        return fits[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--form", choices=("1", "004"), required=True)
    parser.add_argument("--get")
    args = parser.parse_args()
    reader = Reader(args.form)
    try:
        reader.read(sys.stdin.buffer.read().decode("utf-8"))
        if args.get:
            print("%.17g" % reader.find(args.get))
        else:
            print("%d families, %d series" % (len(reader.families), len(reader.series)))
    except Wrong as problem:
        print(problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
