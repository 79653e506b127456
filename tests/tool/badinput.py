#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Sends malformed requests to a server and checks how each is refused. Prints TAP.

    badinput.py --url URL --secret-file FILE --token-file FILE

Each case names the statuses that are right for it. An answer other than 2xx must be
application/problem+json with the usual members, and must not tell SQL, paths or a stack.
After every ten cases, and at the end, a good push has to be taken.
"""

import argparse
import gzip
import json
import os
import re
import socket
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402
from examples import Tap, register  # noqa: E402

STREAM = "55555555-5555-4555-8555-555555555555"
BAD_STREAM = "55555555-5555-4555-8555-555555555556"  # never takes a record: nothing is a duplicate
TARGET = "66666666-6666-4666-8666-666666666666"
LEAK = re.compile(rb"sqlite|SELECT |INSERT |src/|\.c:\d|0x[0-9a-f]{8}|EVIL", re.I)


def good_push(collector, seq, stream=BAD_STREAM):
    now = int(time.time() * 1000)
    return {"collector_id": collector, "stream": stream, "seq": seq, "count": 1, "records": [{
        "hash": "%064x" % seq, "record": {"made_ms": now, "slices": [{
            "relation": "bad_input", "target": TARGET, "t": now, "every_ms": 1000,
            "flags": ["complete"], "rows": 1, "keys": {"k": ["a"]}, "columns": {"v": [seq]}}]}}]}


def bent(collector, **changes):
    """A good push for sequence number 1 with members replaced, removed (None) or added."""
    push = good_push(collector, 1)
    push["stream"] = BAD_STREAM
    for name, value in changes.items():
        if value is None:
            push.pop(name, None)
        else:
            push[name] = value
    return json.dumps(push)


def with_slice(collector, **changes):
    push = good_push(collector, 1)
    push["stream"] = BAD_STREAM
    piece = push["records"][0]["record"]["slices"][0]
    for name, value in changes.items():
        if value is None:
            piece.pop(name, None)
        else:
            piece[name] = value
    return json.dumps(push)


def push_cases(collector):
    """(name, body, statuses): bodies that an agent must not send."""
    bad = (400, 422)
    text = json.dumps(good_push(collector, 1))
    deep = b"[" * 1000000
    bomb = gzip.compress(b" " * (65 * 1024 * 1024) + b"{}")
    return [
        ("an empty body", b"", bad + (411,)),
        ("no JSON", b"EVIL", bad),
        ("half a JSON text", text[:len(text) // 2], bad),
        ("data after the JSON text", text + "x", bad),
        ("two JSON texts", text + text, bad),
        ("a NUL inside", text.replace('"a"', '"a\0b"'), bad),
        ("invalid UTF-8", text.encode().replace(b'"a"', b'"\xff\xfe"'), bad),
        ("a million brackets", deep, bad + (413,)),
        ("an array", "[]", bad),
        ("a number", "1", bad),
        ("null", "null", bad),
        ("NaN", text.replace("[1]", "[NaN]"), bad),
        ("a number that is no double", text.replace('"v": [1]', '"v": [1e999]'), bad),
        ("broken gzip", b"\x1f\x8b\x08\x00garbage", bad),
        ("truncated gzip", gzip.compress(text.encode())[:-12], bad),
        ("two gzip members", gzip.compress(text.encode()) * 2, bad),
        ("bytes after gzip", gzip.compress(text.encode()) + b"zz", bad),
        ("gzip in gzip", gzip.compress(gzip.compress(text.encode())), bad),
        ("a gzip bomb", bomb, (413,)),
        ("a truncated zstd frame", b"\x28\xb5\x2f\xfd\x04", bad),
        ("no stream", bent(collector, stream=None), bad),
        ("a stream that is no UUID", bent(collector, stream="EVIL"), bad),
        ("no seq", bent(collector, seq=None), bad),
        ("seq 0", bent(collector, seq=0), bad),
        ("seq -1", bent(collector, seq=-1), bad),
        ("seq as text", bent(collector, seq="1"), bad),
        ("seq beyond 64 bits", bent(collector, seq=2 ** 70), bad),
        ("a count that differs", bent(collector, count=2), bad),
        ("no records", bent(collector, records=None), bad),
        ("an empty list of records", bent(collector, records=[], count=0), bad),
        ("257 records",
         bent(collector, records=good_push(collector, 1)["records"] * 257, count=257),
         bad + (413,)),
        ("a record that is no object", bent(collector, records=[1]), bad),
        ("a short hash", bent(collector, records=[{"hash": "ab", "record": {}}]), bad),
        ("a hash that is no hex", bent(collector, records=[{"hash": "z" * 64, "record": {}}]), bad),
        ("a gap without reason", bent(collector, records=[{"span": 1, "gap": {}}]), bad),
        ("a gap of span 0", bent(collector, records=[{"span": 0, "gap": {"reason": "x"}}], count=0),
         bad),
        ("a gap of negative span",
         bent(collector, records=[{"span": -3, "gap": {"reason": "x"}}], count=-3), bad),
        ("another collector", bent("99999999-9999-4999-8999-999999999999"), (401, 403)),
        ("columns of unequal length", with_slice(collector, columns={"v": [1, 2]}), bad),
        ("keys of unequal length", with_slice(collector, keys={"k": []}), bad),
        ("rows that differ", with_slice(collector, rows=7), bad),
        ("negative rows", with_slice(collector, rows=-1), bad),
        ("a relation name with a space", with_slice(collector, relation="EVIL; drop"), bad),
        ("a target that is no UUID", with_slice(collector, target="EVIL"), bad),
        ("t as text", with_slice(collector, t="now"), bad),
        ("no t", with_slice(collector, t=None), bad),
        ("a value that is an object", with_slice(collector, columns={"v": [{}]}), bad),
        ("a reset row out of range", with_slice(collector, reset=[5]), bad),
        ("an unknown flag", with_slice(collector, flags=["EVIL"]), bad + (200,)),
    ]


def http_cases(owner):
    """(name, method, path, body, headers, statuses)"""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return [
        ("an unknown route", "GET", "/api/v1/EVIL", None, {}, (404,)),
        ("a wrong method", "DELETE", "/api/v1/servers", None, {}, (405,)),
        ("a wrong content type", "POST", "/api/v1/registration-secrets", "name=x", form, (415,)),
        ("an unknown member", "POST", "/api/v1/registration-secrets", '{"name":"x","role":"EVIL"}',
         {}, (422,)),
        ("a member twice", "POST", "/api/v1/registration-secrets", '{"name":"x","name":"y"}', {},
         (400, 422)),
        ("a member of the wrong type", "POST", "/api/v1/registration-secrets", '{"name":7}', {},
         (400, 422)),
        ("a large body", "POST", "/api/v1/registration-secrets", '{"name":"%s"}' % ("x" * 70000),
         {}, (413,)),
        ("an unknown server", "GET", "/api/v1/servers/77777777-7777-4777-8777-777777777777", None,
         {}, (404,)),
        ("a server id that is none", "GET", "/api/v1/servers/EVIL", None, {}, (400, 404)),
        ("a bad time", "GET",
         "/api/v1/servers/%s/metrics?relation=bad_input&column=v&from=EVIL" % TARGET,
         None, {}, (400, 422)),
        ("no relation", "GET", "/api/v1/servers/%s/metrics" % TARGET, None, {}, (400, 422)),
        ("a bad percent escape", "GET", "/api/v1/events?q=%zz", None, {}, (400, 422)),
        ("too many points", "GET",
         "/api/v1/servers/%s/metrics?relation=bad_input&column=v&from=-30d&to=now&step=1"
         % TARGET, None, {}, (400, 422)),
        ("a limit that is negative", "GET", "/api/v1/events?limit=-1", None, {}, (400, 422)),
        ("a broken cursor", "GET", "/api/v1/events?cursor=EVIL", None, {}, (400, 422)),
        ("a token that is none", "GET", "/api/v1/servers", None, {"Authorization": "Bearer EVIL"},
         (401,)),
        ("another kind of authorization", "GET", "/api/v1/servers", None,
         {"Authorization": "Basic ZXZpbDpldmls"}, (401,)),
        ("a token with another algorithm", "GET", "/api/v1/servers", None,
         {"Authorization": "Bearer " + alg_none(owner)}, (401,)),
        ("a wrong registration secret", "POST", "/api/v1/collectors/register",
         '{"name":"x","hostname":"y"}', {"X-Registration-Secret": "pgar_EVIL", "Authorization": ""},
         (401, 403)),
        ("a wrong setup code", "POST", "/api/v1/auth/setup",
         '{"code":"AAAA-AAAA-AAAA","username":"evil","password":"long enough password"}', {},
         (403, 409)),
        ("a foreign Host", "GET", "/api/v1/health", None, {"Host": "evil.example"},
         (400, 403, 421)),
    ]


def alg_none(token):
    payload = token.split(".")[1] if token.count(".") == 2 else "e30"
    return "eyJhbGciOiJub25lIn0." + payload + "."


RAW_CASES = (
    ("a space before the colon", b"GET /healthz HTTP/1.1\r\nHost: @H\r\nX-A : b\r\n\r\n"),
    ("a folded header", b"GET /healthz HTTP/1.1\r\nHost: @H\r\nX-A: b\r\n c\r\n\r\n"),
    ("no Host", b"GET /healthz HTTP/1.1\r\n\r\n"),
    ("two Hosts", b"GET /healthz HTTP/1.1\r\nHost: @H\r\nHost: @H\r\n\r\n"),
    ("bare line feeds", b"GET /healthz HTTP/1.1\nHost: @H\n\n"),
    ("a NUL in the head", b"GET /healthz HTTP/1.1\r\nHost: @H\r\nX-A: \0\r\n\r\n"),
    ("length and chunks", b"POST /api/v1/auth/login HTTP/1.1\r\nHost: @H\r\nContent-Length: 2\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("two lengths", b"POST /api/v1/auth/login HTTP/1.1\r\nHost: @H\r\nContent-Length: 2\r\n"
     b"Content-Length: 2\r\n\r\n{}"),
    ("a length with a sign",
     b"POST /api/v1/auth/login HTTP/1.1\r\nHost: @H\r\nContent-Length: +2\r\n\r\n{}"),
    ("a negative length",
     b"POST /api/v1/auth/login HTTP/1.1\r\nHost: @H\r\nContent-Length: -2\r\n\r\n{}"),
    ("an unknown coding", b"POST /api/v1/auth/login HTTP/1.1\r\nHost: @H\r\n"
     b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("chunks in HTTP/1.0", b"POST /api/v1/auth/login HTTP/1.0\r\nHost: @H\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a bad chunk size",
     b"POST /api/v1/auth/login HTTP/1.1\r\nHost: @H\r\nContent-Type: application/json\r\n"
     b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
    ("65 headers", b"GET /healthz HTTP/1.1\r\nHost: @H\r\n" + b"X-A: b\r\n" * 65 + b"\r\n"),
    ("a long address", b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("a long head", b"GET /healthz HTTP/1.1\r\nHost: @H\r\nX-A: " + b"b" * 17000 + b"\r\n\r\n"),
    ("an absolute address of another host",
     b"GET http://evil.example/healthz HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("no request line", b"EVIL\r\n\r\n"),
    ("TLS on the plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 60),
)


def raw_exchange(host, port, data):
    """Everything the server sends for these bytes until it closes or is silent for 2 s."""
    answer = b""
    with socket.create_connection((host, port), timeout=2) as sock:
        try:
            sock.sendall(data)
            while True:
                piece = sock.recv(65536)
                if not piece:
                    break
                answer += piece
        except OSError:
            pass
    return answer


def check_problem(tap, name, statuses, status, headers, body):
    good = status in statuses
    detail = "got %d %s" % (status, body[:300])
    if good and status >= 400:
        try:
            problem = json.loads(body)
            good = (headers.get("Content-Type", "").startswith("application/problem+json")
                    and problem["status"] == status and bool(problem["title"]))
        except (ValueError, KeyError, TypeError):
            good = False
        if good and LEAK.search(body):
            good, detail = False, "the answer tells too much: %s" % body[:300]
    tap.ok(good, "%s: %s" % (name, " or ".join(map(str, statuses))), detail)


class Pusher:
    """Sends one good push after another, to show that the server still works."""

    def __init__(self, tap, api, collector):
        self.tap, self.api, self.collector, self.seq = tap, api, collector, 1

    def push(self, after):
        status, _, body = self.api.request("POST", "metrics/push",
                                           json.dumps(good_push(self.collector, self.seq, STREAM)))
        self.seq += 1
        self.tap.ok(status == 200, "a good push is taken after %s" % after,
                    "got %d %s" % (status, body[:300]))


def main():
    parser = argparse.ArgumentParser(description="malformed requests")
    parser.add_argument("--url", required=True)
    parser.add_argument("--secret-file", required=True)
    parser.add_argument("--token-file", required=True)
    args = parser.parse_args()
    with open(args.secret_file, encoding="utf-8") as f:
        collector, agent = register(args.url, f.read().strip())
    with open(args.token_file, encoding="utf-8") as f:
        owner = f.read().strip()
    parts = urllib.parse.urlsplit(args.url)
    tap = Tap()
    pusher = Pusher(tap, agent, collector)
    for number, (name, body, statuses) in enumerate(push_cases(collector), 1):
        try:
            status, headers, answer = agent.request("POST", "metrics/push", body)
            check_problem(tap, "push: " + name, statuses, status, headers, answer)
        except OSError as e:
            tap.ok(False, "push: " + name, "the connection broke: %s" % e)
        if number % 10 == 0:
            pusher.push("push: " + name)
    pusher.push("the bad pushes")
    people = Api(args.url, owner)
    for name, method, path, body, headers, statuses in http_cases(owner):
        status, fields, answer = people.request(method, path, body, headers)
        check_problem(tap, "request: " + name, statuses, status, fields, answer)
    pusher.push("the bad requests")
    for name, data in RAW_CASES:
        answer = raw_exchange(parts.hostname, parts.port,
                              data.replace(b"@H", parts.netloc.encode()))
        good = not answer or (re.match(rb"HTTP/1\.1 4\d\d ", answer)
                              and answer.count(b"HTTP/1.1 ") == 1)
        tap.ok(bool(good), "head: %s: 4xx once, or closed" % name, answer[:200])
    pusher.push("the bad heads")
    for name, path in (("the push of one token by another", "metrics/push"),
                       ("people's routes", "servers")):
        api = people if path == "metrics/push" else agent
        status, _, answer = api.request("POST" if api is people else "GET", path,
                                        "{}" if api is people else None)
        tap.ok(status in (401, 403), "a token opens no other door: %s" % name,
               "%d %s" % (status, answer[:200]))
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
