#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""U8: on a server with `totp_required = ["owner"]` an owner without a second factor can enrol one
and nothing else: every operation of /openapi.json is tried. TAP.

    duty.py --url URL --token-file FILE --password FILE

The token is that of the first owner's session.
"""

import argparse
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import api  # noqa: E402
from people import totp  # noqa: E402

ENROL = "urn:pga:problem:enrol"
count = failed = 0


def ok(good, name, *what):
    global count, failed
    count += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", count, name))
    for text in what if not good else ():
        print("# %s" % str(text)[:400])


def call(client, method, path, body=None):
    status, _, text = client.request(method, path, None if body is None else json.dumps(body))
    try:
        return status, json.loads(text)
    except ValueError:
        return status, None


def operations(client):
    """(method, path, whether it is for people, whether it is open before)."""
    for path, item in json.loads(client.request("GET", "/openapi.json")[2])["paths"].items():
        for method, operation in item.items():
            person = operation.get("security") and operation["x-pga-role"] != "agent"
            yield method.upper(), path, person, operation.get("x-pga-enrols", False)


def closed(client):
    """Operations of people that do not ask for a second factor first."""
    found, tried = [], 0
    for method, path, person, enrols in operations(client):
        if not person or enrols:
            continue
        tried += 1
        filled = path.replace("{", "").replace("}", "")
        body = {} if method in ("POST", "PUT") else None
        status, answer = call(client, method, filled, body)
        if status != 403 or not answer or answer.get("type") != ENROL:
            found.append("%s %s: %s %s" % (method, path, status, str(answer)[:80]))
    return found, tried


def main():
    parser = argparse.ArgumentParser()
    for name in ("url", "token-file", "password"):
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()
    with open(args.token_file, encoding="utf-8") as file:
        owner = api.Api(args.url, file.read().strip())
    with open(args.password, encoding="utf-8") as file:
        password = file.read().rstrip("\n")
    me = call(owner, "GET", "auth/me")[1]
    ok(me["must_enrol"] is True and me["user"]["totp"] is False, "U8: a session knows its duty", me)
    found, tried = closed(owner)
    ok(not found and tried > 60, "U8: none of %d operations is open before" % tried, *found)
    enrolling = {(m, p) for m, p, _, enrols in operations(owner) if enrols}
    ok(enrolling == {("GET", "/api/v1/auth/me"), ("POST", "/api/v1/auth/logout"),
                     ("POST", "/api/v1/auth/confirm"), ("GET", "/api/v1/auth/totp"),
                     ("POST", "/api/v1/auth/totp"), ("POST", "/api/v1/auth/totp/enable")},
       "U8: but what leads to one", enrolling)
    login = call(api.Api(args.url), "POST", "auth/login",
                 {"username": "owner", "password": password})[1]
    ok(login["must_enrol"] is True, "U8: a sign-in tells it, too", login)
    status, seed = call(owner, "POST", "auth/totp")
    step = int(time.time()) // 30
    status, made = call(owner, "POST", "auth/totp/enable", {"code": totp(seed["secret"], step - 1)})
    ok(status == 200 and len(made["recovery_codes"]) == 10, "U8: the factor is enrolled", made)
    ok(call(owner, "GET", "users")[0] == 200 and
       call(owner, "GET", "auth/me")[1]["must_enrol"] is False, "U8: then all is open")
    low = {"username": "low", "password": "a password of the low one", "role": "viewer"}
    status, answer = call(owner, "POST", "users", low)
    viewer = api.Api(args.url)
    viewer.token = call(viewer, "POST", "auth/login", {
        "username": "low", "password": low["password"]})[1]["token"]
    ok(call(viewer, "GET", "servers")[0] == 200, "U8: roles without the duty are as ever", answer)
    ok(call(owner, "DELETE", "auth/totp")[0] == 204 and call(owner, "GET", "users")[0] == 403,
       "U8: who takes the factor away is where he began")
    print("1..%d" % count)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
