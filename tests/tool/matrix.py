#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Who may call what: each operation of /openapi.json by each kind of caller. TAP.

    matrix.py --url URL --as viewer=FILE --as operator=FILE ... [--as agent=FILE]

FILE holds a token. Ids in paths are of things that do not exist and bodies are empty, so that an
operation that is allowed changes nothing: it may answer anything but 401, 403 and 5xx. One that is
not allowed answers 401 (nobody, or the wrong kind of token) or 403 (a lower role). What ends
the caller's own session comes last.
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import api  # noqa: E402

RANK = {"auditor": 0, "viewer": 1, "operator": 2, "admin": 3, "owner": 4}
NEED = {"signed in": 0, "viewer": 1, "operator": 2, "admin": 3, "owner": 4}
# Open to everybody by the table; the handler asks for the agent's token itself, as it may be old.
OWN_CHECK = {("post", "/api/v1/collectors/refresh-token")}


def allowed(caller, need):
    if need.endswith(" or agent"):
        return caller == "agent" or allowed(caller, need[:-9])
    if need in ("anyone", "anyone here"):
        return True
    if need == "agent":
        return caller == "agent"
    return caller in RANK and RANK[caller] >= NEED[need]


def address(path):
    return path.replace("{id}", "999999999").replace(
        "{collector_id}", "00000000-0000-4000-8000-000000000000")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--as", dest="callers", action="append", default=[])
    args = parser.parse_args()
    callers = {"nobody": None}
    for one in args.callers:
        name, _, path = one.partition("=")
        with open(path, encoding="utf-8") as file:
            callers[name] = file.read().strip()
    document = api.Api(args.url).get("/openapi.json")
    operations = [(method, path, item[method]) for path, item in document["paths"].items()
                  for method in item]
    operations.sort(key=lambda o: o[1].endswith("/auth/logout"))
    count = failed = 0
    for method, path, operation in operations:
        need = operation["x-pga-role"]
        wrong = []
        for caller, token in callers.items():
            if (method, path) in OWN_CHECK and caller != "agent":
                good = (401,)
            elif allowed(caller, need):
                good = None
            elif caller == "nobody" or caller == "agent" or need == "agent":
                good = (401,)
            else:
                good = (403,)
            body = b"{}" if "requestBody" in operation else None
            status, _, text = api.Api(args.url, token).request(method.upper(), address(path), body)
            if good is None and (status in (401, 403) or status >= 500):
                wrong.append("%s is refused: %d %s" % (caller, status, text[:200]))
            elif good is not None and status not in good:
                wrong.append("%s gets %d, not %s: %s" % (caller, status, good, text[:200]))
        count += 1
        failed += bool(wrong)
        print("%sok %d - %s %s is for %s" % ("not " if wrong else "", count, method.upper(), path,
                                             need))
        for line in wrong:
            print("#   " + line)
    print("1..%d" % count)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
