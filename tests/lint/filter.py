#!/usr/bin/env python3
"""filter RULE FILE: findings on stdin without those that FILE excepts; exit 1 if any stay.

An exception that matches nothing is reported: the list may only shrink by itself.
"""

import re
import sys


def read_exceptions(rule, place):
    found = []
    with open(place, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            row = line.split(None, 2)
            if not row or row[0].startswith("#"):
                continue
            if len(row) < 3:
                print(f"{place}:{number}: an exception needs a reason")
                sys.exit(1)
            if row[0] == rule:
                path, _, word = row[1].partition(":")
                found.append({"line": number, "path": path, "word": word, "used": False})
    return found


def excepted(finding, exceptions):
    for e in exceptions:
        text = finding.removeprefix("warning: ")
        if text.startswith(e["path"] + ":") and re.search(rf"(?<!\w){re.escape(e['word'])}(?!\w)",
                                                          text[len(e["path"]):]):
            e["used"] = True
            return True
    return False


def main(rule, place):
    exceptions = read_exceptions(rule, place)
    failed = False
    for line in sys.stdin.read().splitlines():
        if not excepted(line, exceptions):
            print(line)
            failed = failed or not line.startswith(("warning: ", "note: "))
    for e in exceptions:
        if not e["used"]:
            print(f"{place}:{e['line']}: no finding of {rule} needs this exception any more")
            failed = True
    sys.exit(1 if failed else 0)


main(sys.argv[1], sys.argv[2])
