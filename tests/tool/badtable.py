#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Sends the malformed requests of a table to a server and checks each answer. Prints TAP.

    badtable.py --url URL --secret-file FILE --token-file FILE --table FILE [--show]

A line of the table has, between tabs: name, who (agent, owner or nobody, then headers as
`;Name: value`), method, path, body, status, words of the reason. The body is `-` (none) or a word
and its argument:

    text T    T itself
    push P=J  a good push whose member at path P is the JSON J; without `=` it is removed
    old J     an old push with the items J
    gzip T    T compressed; `cut T` without its last 12 bytes, `more T` with bytes behind it
    good T    a good push as text in which the first half of A=>B is replaced by the second
    many N T  T repeated N times

@C is the collector, @T a target, @now the time; `\\x00` is a byte. A refusal is a problem document
whose status and code are those of the table. For status 200 the push is taken and one item of it
refused: the words are looked for in `errors`. --show prints what was answered, as a table.
"""

import argparse
import gzip
import json
import os
import re
import sys
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402
from badinput import LEAK, TARGET, Pusher, good_push  # noqa: E402
from examples import Tap, register  # noqa: E402

LEAST_CASES = 200


def bytes_of(text):
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m.group(1), 16)]), text.encode())


def bend(push, change):
    path, equals, value = change.partition("=")
    place = push
    *above, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    for name in above:
        place = place[name]
    if equals:
        place[last] = "@@"  # the JSON is put in as text: it may be what json.dumps would not write
    else:
        del place[last]
    return json.dumps(push).replace('"@@"', value)


def body_of(spec, collector):
    if spec == "-":
        return None
    word, _, rest = spec.partition(" ")
    stream = str(uuid.uuid5(uuid.NAMESPACE_URL, spec))  # its own: no case is a duplicate
    good = good_push(collector, 1, stream)
    if word == "push":
        short = {"r": "records.0", "d": "records.0.record", "s": "records.0.record.slices.0"}
        rest = re.sub(r"^([rds])\.", lambda m: short[m.group(1)] + ".", rest)
        return bytes_of(bend(good, rest))
    if word == "old":
        return bytes_of('{"collector_id": "%s", "metrics": %s}' % (collector, rest))
    if word == "good":
        before, _, after = rest.partition("=>")
        text = json.dumps(good)
        assert before in text, spec
        return bytes_of(text.replace(before, after, 1))
    if word == "many":
        number, _, rest = rest.partition(" ")
        return bytes_of(rest) * int(number)
    if word in ("gzip", "cut", "more"):
        packed = gzip.compress(bytes_of(rest), mtime=0)
        return {"gzip": packed, "cut": packed[:-12], "more": packed + b"zz"}[word]
    assert word == "text", spec
    return bytes_of(rest)


def lines_of(path):
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.strip() and not line.startswith("#"):
                yield line.rstrip("\n").split("\t")


def verdict(status, fields, answer, want, words):
    """Empty when the answer is the one of the table, else what is wrong with it."""
    if status != want:
        return "status %d" % status
    try:
        body = json.loads(answer)
        if want == 200:
            reason = json.dumps(body["errors"])
            good = bool(body["errors"])
        else:
            reason = body["detail"]
            good = (body["status"] == body["code"] == want and body["title"]
                    and fields.get("Content-Type", "").startswith("application/problem+json"))
    except (ValueError, KeyError, TypeError) as e:
        return "not the usual members: %r" % e
    if not good:
        return "no problem document"
    if LEAK.search(answer):
        return "the answer tells too much"
    return "" if words in reason else "another reason"


def ask(case, doors, collector):
    who, method, path, spec = case
    door, *extra = who.split(";")
    now = str(int(time.time() * 1000))

    def fill(text):
        return text.replace("@C", collector).replace("@T", TARGET).replace("@now", now)

    headers = dict(h.split(": ", 1) for h in extra)
    return doors[door].request(method, fill(path), body_of(fill(spec), collector), headers)


def main():
    parser = argparse.ArgumentParser(description="a table of malformed requests")
    for name in ("--url", "--secret-file", "--token-file", "--table"):
        parser.add_argument(name, required=True)
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    with open(args.secret_file, encoding="utf-8") as f:
        collector, agent = register(args.url, f.read().strip())
    with open(args.token_file, encoding="utf-8") as f:
        owner = Api(args.url, f.read().strip())
    doors = {"agent": agent, "owner": owner, "nobody": Api(args.url)}
    tap, names, requests = Tap(), set(), set()
    for name, *case, want, words in lines_of(args.table):
        names.add(name)
        requests.add(tuple(case))
        try:
            status, fields, answer = ask(case, doors, collector)
        except OSError as e:
            status, fields, answer = 0, {}, str(e).encode()
        if args.show:
            print("\t".join([name, *case, str(status), answer.decode("utf-8", "replace")]))
            continue
        wrong = verdict(status, fields, answer, int(want), words)
        tap.ok(not wrong, "%s: %s" % (name, want), "%s: %s" % (wrong, answer[:300]))
    tap.ok(len(names) == len(requests) and len(requests) >= LEAST_CASES,
           "the table has %d cases or more, all distinct" % LEAST_CASES,
           "%d names, %d requests" % (len(names), len(requests)))
    Pusher(tap, agent, collector).push("the whole table")
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
