#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Sends secrets of every kind through the API once, and prints each, one a line (security K5).

    plant.py --url URL --password FILE --readable FILE

What the store keeps readable (a configuration of an agent) goes into the file of that name. The
owner is `owner`, with the password of FILE. What comes last is a sign-in, so that nothing
quiet stands between it and a look into the server's memory.
"""

import argparse
import json
import os
import secrets
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import api  # noqa: E402
from people import totp  # noqa: E402


def call(client, method, path, body=None, headers=None):
    status, _, text = client.request(method, path, None if body is None else json.dumps(body),
                                     headers)
    if status >= 300:
        raise RuntimeError("%s %s: %d %s" % (method, path, status, text[:300]))
    return json.loads(text) if text else None


def sign_in(url, name, password):
    client = api.Api(url)
    status, headers, text = client.request("POST", "auth/login", json.dumps(
        {"username": name, "password": password}), {"User-Agent": "plant.py"})
    if status != 200:
        raise RuntimeError("login of %s: %d" % (name, status))
    answer = json.loads(text)
    client.token = answer["token"]
    cookies = [c.split("=")[1].split(";")[0] for c in headers.get_all("Set-Cookie")]
    return client, [answer["token"].split(".")[2], answer["refresh_token"]] + cookies


def people(owner):
    for i in range(5):
        password = "planted-%d-%s" % (i, secrets.token_hex(12))
        call(owner, "POST", "users", {"username": "u%d" % i, "role": "viewer",
                                      "password": password})
        yield password


def factor(client):
    seed = call(client, "POST", "auth/totp")["secret"]
    code = totp(seed, int(time.time()) // 30)
    yield seed
    yield from call(client, "POST", "auth/totp/enable", {"code": code})["recovery_codes"]


def agents(owner, url):
    for _ in range(20):
        made = call(owner, "POST", "registration-secrets",
                    {"name": "planted", "max_registrations": 1, "expires_in_s": 600})
        yield made["secret"]
    answer = call(api.Api(url), "POST", "collectors/register",
                  {"name": "h", "hostname": "h", "version": "t"},
                  {"X-Registration-Secret": made["secret"]})
    yield answer["token"].split(".")[2]
    if answer.get("refresh_token"):
        yield answer["refresh_token"]
    password = secrets.token_hex(16)
    text = '[[target]]\nname = "x"\ndsn = "host=db password=%s"\n' % password
    owner.request("PUT", "config/%s" % answer["collector_id"], text.encode(),
                  {"Content-Type": "application/toml"})
    owner.request("GET", "config/%s" % answer["collector_id"])
    with open(owner.readable, "w", encoding="utf-8") as file:
        print(password, file=file)


def others(owner):
    password = secrets.token_hex(16)
    call(owner, "POST", "managed-instances",
         {"name": "far", "endpoint": "db.invalid", "master_username": "x", "paused": True,
          "master_password": password})
    yield password
    for scope in ("read", "admin"):
        value = call(owner, "POST", "tokens", {"name": scope, "scope": scope})["token"]
        script = api.Api(owner.url, value)
        call(script, "GET", "servers")
        yield value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--readable", required=True)
    args = parser.parse_args()
    with open(args.password, encoding="utf-8") as file:
        owner, planted = sign_in(args.url, "owner", file.read().rstrip("\n"))
    owner.url, owner.readable = args.url, args.readable
    made = list(people(owner))
    planted += made + list(agents(owner, args.url)) + list(others(owner))
    client, shown = sign_in(args.url, "u1", made[1])
    planted += shown + list(factor(client))
    planted += sign_in(args.url, "u2", made[2])[1]
    print("\n".join(planted))


main()
