#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""What the HTTP gate does to bombs, crowds and strangers (http_gate.sh). Prints TAP.

    gate.py --port PORT --pid SERVER_PID [--token-file FILE] [--secret-file FILE] STAGE

Stages: headers  every route of the description, and each kind of refusal: its headers, no CORS
        shapes   methods, types and bodies that a route does not take; what is compiled out
        bombs    packed bodies and JSON that are much larger than they look; memory of the server
        slow     bodies that drip: workers, and good requests beside them
        rates    buckets per address, session and agent; proxies that are trusted, and others
"""

import argparse
import gzip
import http.client
import json
import os
import re
import select
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402
from examples import Tap, register  # noqa: E402

PATIENCE_S = 60 * float(os.environ.get("PGA_SLOW", "1"))
MIB = 1024 * 1024
BUDGET_MIB = 512  # of the bodies of all pushes in work, api/route_push.c
LOGIN = "/api/v1/auth/login"
WANTED = {
    "Content-Security-Policy": r"^default-src 'none'; script-src 'self'; style-src 'self'; .*"
                               r"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
                               r"require-trusted-types-for 'script'",
    "X-Content-Type-Options": "^nosniff$",
    "X-Frame-Options": "^DENY$",
    "Referrer-Policy": "^no-referrer$",
    "Cross-Origin-Resource-Policy": "^same-origin$",
    "Cross-Origin-Opener-Policy": "^same-origin$",
}
FORBIDDEN = ("Access-Control-", "Server", "X-Powered-By")
LEAK = re.compile(rb"sqlite|SELECT |INSERT |src/|\.c:\d|0x[0-9a-f]{8}|evil|pga \d", re.I)


class Client:
    """Requests from one address of the loopback network."""

    def __init__(self, port, source="127.0.0.1"):
        self.port, self.source = port, source

    def ask(self, method, path, body=None, **headers):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S,
                                       source_address=(self.source, 0))
        try:
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            c.request(method, path, body=body, headers=fields)
            answer = c.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            c.close()


def raw(port, data):
    """The first answer to these bytes: (status, headers, body), as far as it came."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as s:
        s.sendall(data)
        answer = http.client.HTTPResponse(s)
        answer.begin()
        return answer.status, answer.headers, answer.read()


# --- headers (H5, H6) ----------------------------------------------------------------------

def wrong_headers(status, headers):
    found = [name for name, form in WANTED.items()
             if not re.search(form, headers.get(name, ""))]
    cache = headers.get("Cache-Control", "")
    if not cache or (status >= 400 and cache != "no-store"):
        found.append("Cache-Control")
    found += ["+" + name for name in headers if name.startswith(FORBIDDEN)]
    if "origin" in headers.get("Vary", "").lower():
        found.append("Vary")
    return found


def wrong_problem(status, headers, body):
    if status < 400:
        return ""
    try:
        problem = json.loads(body)
        if problem["status"] == "error" and problem["errorType"]:
            return ""  # as Prometheus has it
        if headers["Content-Type"] != "application/problem+json" or problem["status"] != status:
            return "its type or status"
    except (ValueError, KeyError, TypeError):
        return "no problem document"
    return "it tells too much" if LEAK.search(body) else ""


def routes(port):
    _, _, body = Client(port).ask("GET", "/openapi.json")
    for path, item in json.loads(body)["paths"].items():
        for method in item:
            if method in ("get", "post", "put", "delete", "patch"):
                yield method.upper(), re.sub(r"\{[^}]*\}", "x", path)


def stage_headers(tap, o):
    client, token = Client(o.port), "Bearer " + open(o.token_file, encoding="utf-8").read().strip()
    evil = {"Origin": "https://evil.example", "Access_Control_Request_Method": "PUT"}
    bad, asked = [], 0
    for method, path in routes(o.port):
        calls = [(method, evil), ("OPTIONS", evil), ("HEAD", evil)]
        if method == "GET":
            calls.append(("GET", dict(evil, Authorization=token)))
        for verb, headers in calls:
            body = "{}" if verb in ("POST", "PUT", "PATCH") else None
            status, fields, answer = client.ask(verb, path, body, Content_Type="application/json",
                                                **headers)
            asked += 1
            wrong = wrong_headers(status, fields)
            if verb not in ("HEAD",):
                wrong += filter(None, [wrong_problem(status, fields, answer)])
            if wrong or (verb == "OPTIONS" and status != 405):
                bad.append("%s %s: %d %s" % (verb, path, status, wrong))
    tap.ok(not bad, "H5, H6: every route answers with all headers, and with none that opens it"
           " to others", "\n".join(bad[:20]))
    tap.ok(asked > 250, "which were %d requests" % asked)
    host = b"Host: localhost\r\n"
    json_type = b"Content-Type: application/json\r\n"
    login = b"POST " + LOGIN.encode() + b" HTTP/1.1\r\n" + host
    for name, want, data in (
            ("a head that cannot be read", 400, b"GET / HTTP/1.1\nHost: a\n\n"),
            ("two lengths", 400, login + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n"),
            ("another host", 421, b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
            ("a large body", 413, login + json_type + b"Content-Length: 70000\r\n\r\n"),
            ("another type", 415, login + b"Content-Length: 2\r\n\r\n{}"),
            ("an unknown member", 422, login + json_type + b"Content-Length: 10\r\n\r\n"
             b'{"evil":1}'),
            ("bad JSON", 400, login + json_type + b"Content-Length: 1\r\n\r\n{"),
            ("an unknown address", 404, b"GET /evil HTTP/1.1\r\n" + host + b"\r\n"),
            ("another method", 405, b"DELETE /healthz HTTP/1.1\r\n" + host + b"\r\n")):
        status, fields, answer = raw(o.port, data)
        wrong = wrong_headers(status, fields) + [wrong_problem(status, fields, answer)]
        tap.ok(status == want and wrong == [""], "H5: %s: %d, with all headers" % (name, want),
               "got %d %s" % (status, wrong))


# --- shapes (H7, H8) -------------------------------------------------------------------------

def stage_shapes(tap, o):
    client, login = Client(o.port), LOGIN
    form = "multipart/form-data; boundary=x"
    part = '--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n--x--\r\n'
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket",
               "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    for name, want, call in (
            ("a form", (415,), ("POST", login, part, {"Content_Type": form})),
            ("a form for a page", (405,), ("POST", "/login", part, {"Content_Type": form})),
            ("no type", (415,), ("POST", login, "{}", {})),
            ("a type that begins like it", (415,),
             ("POST", login, "{}", {"Content_Type": "application/jsonx"})),
            ("TRACE", (400, 405), ("TRACE", "/healthz", None, {})),
            ("PROPFIND", (404, 405), ("PROPFIND", "/assets/", None, {})),
            ("MKCOL", (404, 405), ("MKCOL", "/assets/x", None, {})),
            ("PUT of a file", (404, 405), ("PUT", "/assets/x", "x", {})),
            ("a folder", (404,), ("GET", "/assets/", None, {})),
            ("a file of the system", (404,), ("GET", "/../../etc/passwd", None, {})),
            ("the same, escaped", (404,), ("GET", "/%2e%2e/%2e%2e/etc/passwd", None, {})),
            ("the same, by backslashes", (404,), ("GET", "/..%5c..%5cetc/passwd", None, {})),
            ("a password file", (404,), ("GET", "/.htpasswd", None, {})),
            ("a script", (404,), ("GET", "/cgi-bin/x.cgi", None, {})),
            ("a page with code", (404,), ("GET", "/index.lua", None, {})),
            ("a websocket", (404,), ("GET", "/ws", None, upgrade)),
            ("a websocket on a route", (200,), ("GET", "/healthz", None, upgrade)),
            ("HTTP/2 without TLS", (200,),
             ("GET", "/healthz", None, {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c",
                                        "HTTP2_Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}))):
        method, path, body, headers = call
        status, fields, answer = client.ask(method, path, body, **headers)
        tap.ok(status in want and (status < 400 or not wrong_problem(status, fields, answer)),
               "H7, H8: %s: %s" % (name, " or ".join(map(str, want))),
               "got %d %s" % (status, answer[:200]))


# --- bombs (H2, H3) --------------------------------------------------------------------------

def zstd_frame(size, claimed=None):
    """A frame of `size` blanks made of blocks that repeat one byte; `claimed`: it says its size."""
    head = b"\x28\xb5\x2f\xfd"
    head += b"\x00\x38" if claimed is None else b"\xc0\x38" + struct.pack("<Q", claimed)
    out = [head]
    while size > 0:
        part = min(size, 128 * 1024)
        size -= part
        out.append(struct.pack("<I", (size == 0) | 1 << 1 | part << 3)[:3] + b" ")
    return b"".join(out)


def status_kib(pid, field):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return int(re.search(field + r":\s*(\d+)", f.read()).group(1))


def is_sanitized(pid):
    with open("/proc/%d/exe" % pid, "rb") as f:
        return re.search(rb"__[at]san_init", f.read()) is not None


def stage_bombs(tap, o):
    with open(o.secret_file, encoding="utf-8") as f:
        collector, agent = register("http://127.0.0.1:%d" % o.port, f.read().strip())
    blanks = gzip.compress(b" " * (44 * MIB), 9)
    nested = gzip.compress(gzip.compress(gzip.compress(b" " * (256 * MIB), 6)))
    many = b'{"collector_id":"%s","x":{' % collector.encode() + b'"a":1,' * 4000001 + b'"b":1}}'
    for name, want, body in (
            ("42 kB of gzip that are 44 MiB of blanks", (400,), blanks),
            ("gzip that is more than 64 MiB", (413,), gzip.compress(b" " * (65 * MIB))),
            ("gzip in gzip in gzip", (400,), nested),
            ("two members of gzip", (400,), gzip.compress(b"{") + gzip.compress(b"}")),
            ("bytes behind gzip", (400,), gzip.compress(b"{}") + b"{}"),
            ("gzip that lies about its size", (400,), gzip.compress(b"{}" * 99)[:-4] + b"\1\0\0\0"),
            ("gzip that says nearly 4 GiB", (400, 413), gzip.compress(b"{}")[:-4] + b"\xff" * 4),
            ("zstd that is more than 64 MiB", (413,), zstd_frame(65 * MIB)),
            ("zstd that says 2^62 bytes", (413,), zstd_frame(MIB, 2 ** 62)),
            ("zstd that lies about its size", (400,), zstd_frame(MIB, 2 * MIB)),
            ("two frames of zstd", (400,), zstd_frame(9) * 2),
            ("zstd with a window of 2 GiB", (400, 413),
             b"\x28\xb5\x2f\xfd\x00\xa8" + b"\1\0\0" * 9),
            ("a million brackets", (400, 413), b"[" * 10 ** 6),
            ("a million brackets that close", (400, 413), b"[" * 10 ** 6 + b"]" * 10 ** 6),
            ("a million braces", (400, 413), b'{"a":' * 10 ** 6),
            ("four million members", (413,), gzip.compress(many, 1)),
            ("many small values", (400, 413), gzip.compress(b"[" + b"0," * (30 * MIB) + b"0]", 1)),
            ("NaN", (400,), b'{"a":NaN}'),
            ("infinity", (400,), b'{"a":Infinity}'),
            ("a number that is none", (400,), b'{"a":1e999}'),
            ("bytes that are no UTF-8", (400,), b'{"a":"\xc0\x80"}'),
            ("half a surrogate", (400,), b'{"a":"\\ud800"}'),
            ("a NUL", (400,), b'{"a":"b\0"}'),
            ("data behind the text", (400,), b"{}{}"),
            ("a mark before the text", (400,), b"\xef\xbb\xbf{}")):
        status, fields, answer = agent.request("POST", "metrics/push", body)
        tap.ok(status in want and not wrong_problem(status, fields, answer),
               "H2, H3: %s: %s" % (name, " or ".join(map(str, want))),
               "got %d %s" % (status, answer[:200]))
    crowd_of_bombs(tap, o, agent)


def crowd_of_bombs(tap, o, agent):
    bomb, answers = gzip.compress(b" " * (60 * MIB) + b"{}"), []
    before = status_kib(o.pid, "VmRSS") // 1024
    with open("/proc/%d/clear_refs" % o.pid, "w", encoding="ascii") as f:
        f.write("5")  # the peak is counted from here

    def push():
        status, fields, _ = agent.request("POST", "metrics/push", bomb)
        answers.append((status, fields.get("Retry-After")))

    threads = [threading.Thread(target=push) for _ in range(24)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    grown = status_kib(o.pid, "VmHWM") // 1024 - before
    tap.ok(len(answers) == 24 and all(s == 400 or (s == 503 and r) for s, r in answers),
           "H2: 24 bombs of 60 MiB at once are refused, or told to come again", answers)
    if not is_sanitized(o.pid):
        tap.ok(grown < BUDGET_MIB + 128,
               "H2: and take less than the budget of %d MiB and 128" % BUDGET_MIB,
               "%d MiB" % grown)
    status, _, body = agent.request("GET", "/healthz")
    tap.ok(status == 200, "the server still answers", body[:100])


# --- slow bodies ------------------------------------------------------------------------------

def working(port):
    _, _, body = Client(port).ask("GET", "/metrics")
    return int(float(re.search(rb"^pga_http_connections_working (\S+)", body, re.M).group(1)))


def slow_crowd(port, count, length):
    """Connections that have sent a head and the first byte of a body."""
    head = ("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Content-Length: %d\r\n\r\n{" % (LOGIN, length)).encode()
    crowd = []
    for i in range(count):
        s = socket.socket()
        s.settimeout(PATIENCE_S)
        s.bind(("127.0.5.%d" % (i % 200 + 1), 0))
        s.connect(("127.0.0.1", port))
        s.sendall(head)
        crowd.append(s)
    return crowd


def answered(crowd):
    return len(select.select(crowd, [], [], 0)[0])


def statuses(crowd):
    found = {}
    for s in crowd:
        try:
            word = s.recv(4096)[9:12].decode()
        except OSError:
            word = "none"
        found[word] = found.get(word, 0) + 1
        s.close()
    return found


def until(test):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if test():
            return True
        time.sleep(0.1)
    return False


def stage_slow(tap, o):
    small = slow_crowd(o.port, 150, 200)
    tap.ok(until(lambda: working(o.port) <= 1 and not answered(small)),
           "T5: 150 small bodies that drip hold no worker", (working(o.port), answered(small)))
    good = [Client(o.port).ask("GET", "/healthz")[0] for _ in range(20)]
    tap.ok(good == [200] * 20, "good requests are answered beside them", good)
    small[0].sendall(b"}" + b" " * 198)
    status = small.pop(0).recv(4096)[9:12]
    tap.ok(status in (b"400", b"422"), "one that becomes whole is answered", status)
    head = slow_crowd(o.port, 1, 200)  # has its 10 s from now on
    large = slow_crowd(o.port, 150, 40000)
    good = [Client(o.port).ask("GET", "/healthz")[0] for _ in range(20)]
    tap.ok(good == [200] * 20, "T5: good requests are answered beside 150 large bodies that drip",
           good)
    tap.ok(until(lambda: answered(large) > 40 or answered(head)) and not answered(head),
           "T5: while all workers wait for such bodies, they do not get their 10 s",
           (answered(large), answered(head)))
    found = statuses(large)
    tap.ok(found == {"408": 150}, "whose senders are told that they are too slow", found)
    if os.environ.get("PGA_FULL") == "1":
        found = statuses(small)
        tap.ok(found == {"408": 149}, "and the small ones, too, when their time is over", found)


# --- rates (H10), proxies (T9) ----------------------------------------------------------------

def statuses_of(count, ask):
    found, wait = {}, None
    for _ in range(count):
        status, fields, _ = ask()
        found[status] = found.get(status, 0) + 1
        wait = fields.get("Retry-After") if status == 429 else wait
    return found, wait


def stage_rates(tap, o):
    """requests_per_address = 2, _session = 3, _collector = 4; 127.0.0.9 is a trusted proxy."""
    with open(o.token_file, encoding="utf-8") as f:
        person = {"Authorization": "Bearer " + f.read().strip()}
    with open(o.secret_file, encoding="utf-8") as f:
        _, agent = register("http://127.0.0.1:%d" % o.port, f.read().strip())
    tell = {"Authorization": "Bearer " + agent.token, "Content_Type": "application/json"}

    def limited(name, burst, ask):
        found, wait = statuses_of(burst + 30, ask)
        good = 15 <= found.get(429, 0) <= 32 and wait and int(wait) >= 1
        tap.ok(good, "H10: %s: 429 with Retry-After after %d" % (name, burst), (found, wait))

    stranger = Client(o.port, "127.0.6.1")
    limited("one address", 20, lambda: stranger.ask("GET", "/healthz"))
    tap.ok(stranger.ask("GET", "/evil")[0] == 429, "also where there is nothing")
    tap.ok(stranger.ask("GET", "/api/v1/servers", Authorization="Bearer x")[0] == 429,
           "also with a bad token")
    tap.ok(stranger.ask("GET", "/api/v1/servers", **person)[0] == 200,
           "who is signed in is answered from the same address")
    tap.ok(Client(o.port, "127.0.6.2").ask("GET", "/healthz")[0] == 200, "so is another address")
    limited("one session", 30, lambda: Client(o.port, "127.0.6.3").ask(
        "GET", "/api/v1/auth/me", **person))
    limited("one agent", 40, lambda: Client(o.port, "127.0.6.4").ask(
        "POST", "/api/v1/metrics/push", "{}", **tell))
    tap.ok(until(lambda: stranger.ask("GET", "/healthz")[0] == 200), "after a while one may again")

    proxy, other = Client(o.port, "127.0.0.9"), Client(o.port, "127.0.6.5")
    limited("one client behind a trusted proxy", 20, lambda: proxy.ask(
        "GET", "/healthz", X_Forwarded_For="1.2.3.4, 192.0.2.1, 127.0.0.9"))
    for name, said, want in (("another client behind it", "192.0.2.2", 200),
                             ("the same with a port", "192.0.2.1:5000", 429),
                             ("what a client wrote himself", "192.0.2.7, 192.0.2.1", 429),
                             ("the same, mapped into IPv6", "::ffff:192.0.2.1", 429),
                             ("IPv6", "2001:db8::1", 200),
                             ("IPv6 with a port", "[2001:db8::2]:1", 200),
                             ("no address", "evil", 400), ("nothing", " ", 200)):
        for _ in range(40 if want == 429 else 1):  # on a slow machine the bucket fills meanwhile
            status = proxy.ask("GET", "/healthz", X_Forwarded_For=said)[0]
            if status == want:
                break
        tap.ok(status == want, "T9: a trusted proxy tells %s: %d" % (name, want), status)
    found, _ = statuses_of(50, lambda: other.ask(
        "GET", "/healthz", X_Forwarded_For="198.51.100.%d" % (time.monotonic_ns() % 250)))
    tap.ok(found.get(429, 0) >= 15, "T9: another peer cannot hide behind that header", found)
    status = proxy.ask("GET", "/metrics", X_Forwarded_For="192.0.2.9")[0]
    tap.ok(status in (401, 404),
           "T9: a client behind a proxy on this machine is not on this machine", status)


STAGES = {"headers": stage_headers, "shapes": stage_shapes, "bombs": stage_bombs,
          "slow": stage_slow, "rates": stage_rates}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--pid", type=int, required=True)
    p.add_argument("--token-file")
    p.add_argument("--secret-file")
    p.add_argument("stage", choices=sorted(STAGES))
    o = p.parse_args()
    tap = Tap()
    STAGES[o.stage](tap, o)
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
