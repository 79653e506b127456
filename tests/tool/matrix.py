#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Who may call what: each operation of /openapi.json by each kind of caller. TAP.

    matrix.py --url URL --table FILE --as viewer=FILE --as operator=FILE ... [--as agent=FILE]

The table says for each operation who may: it is written by hand, apart from the server. An
operation that has no row there fails, and so does a row without an operation.

The files of --as hold a token. Ids in paths are of things that do not exist and bodies are empty,
so that an operation that is allowed changes nothing: it may answer anything but 401, 403 and 5xx.
One that is not allowed answers 401 (nobody, or the wrong kind of token) or 403 (a lower role, a
token of a script). What ends the caller's own session comes last.
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import api  # noqa: E402

# Open to everybody by the table; the handler asks for the agent's token itself, as it may be old.
OWN_CHECK = {("POST", "/api/v1/collectors/refresh-token")}
STEP_UP = b"urn:pga:problem:step-up"


def read_table(path):
    """(method, path) -> the callers that may; and all callers."""
    rows = {}
    with open(path, encoding="utf-8") as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    callers = lines[0][2:]
    for method, path, *marks in lines[1:]:
        if len(marks) != len(callers) or set(marks) - {"+", "-"}:
            raise SystemExit("table: %s %s has not one mark a caller" % (method, path))
        if (method, path) in rows:
            raise SystemExit("table: %s %s is there twice" % (method, path))
        rows[method, path] = {c for c, m in zip(callers, marks) if m == "+"}
    return rows, callers


def address(path):
    return path.replace("{id}", "999999999").replace(
        "{collector_id}", "00000000-0000-4000-8000-000000000000")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--as", dest="callers", action="append", default=[])
    args = parser.parse_args()
    callers = {"nobody": None}
    for one in args.callers:
        name, _, path = one.partition("=")
        with open(path, encoding="utf-8") as file:
            callers[name] = file.read().strip()
    rows, known = read_table(args.table)
    document = api.Api(args.url).get("/openapi.json")
    operations = [(method.upper(), path, item[method]) for path, item in document["paths"].items()
                  for method in item]
    operations.sort(key=lambda o: o[1].endswith("/auth/logout"))
    tap = Tap()
    left = set(callers) ^ set(known)
    tap.ok(not left, "every caller of the table is here", left)
    for method, path, operation in operations:
        if (method, path) not in rows:
            tap.ok(False, "%s %s has a row in the table" % (method, path))
            continue
        may = rows.pop((method, path))
        wrong = list(try_all(args.url, callers, (method, path), may, "requestBody" in operation))
        tap.ok(not wrong, "%s %s is for %s" % (method, path, ", ".join(
            c for c in known if c in may)), *wrong)
    tap.ok(not rows, "every row of the table is an operation", *rows)
    print("1..%d" % tap.count)
    return tap.failed > 0


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, name, *what):
        self.count += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.count, name))
        if not good:
            for one in what:
                print("#   %s" % (one,))


def try_all(url, callers, operation, may, has_body):
    """What each caller gets that it should not."""
    method, path = operation
    for caller, token in callers.items():
        if operation in OWN_CHECK and caller != "agent":
            refusals = (401,)
        elif caller in may:
            refusals = ()
        else:
            # an agent's token is none for people, nor the other way round
            refusals = (401,) if caller in ("nobody", "agent") or may <= {"agent"} else (403,)
        status, _, text = api.Api(url, token).request(method, address(path),
                                                      b"{}" if has_body else None)
        if not refusals and status == 403 and STEP_UP in text:
            continue  # the role is right; people.py shows the rest
        if not refusals and (status in (401, 403) or status >= 500):
            yield "%s is refused: %d %s" % (caller, status, text[:200])
        elif refusals and (status not in refusals or STEP_UP in text):
            yield "%s gets %d, not %s: %s" % (caller, status, refusals, text[:200])


if __name__ == "__main__":
    sys.exit(main())
