#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""A server of the tests that answers an agent as badly as it is told.

    fakeserver.py --listen PORT --log FILE --control FILE

Registers every agent, keeps the next number of each stream as protocol.md says, and writes one
JSON line per request: time, path, status, request. The control file is JSON, read again at each
request:
    status N, retry_after S     every push is answered so
    poison N                    a push that holds number N of its stream is refused with 400
    epoch UUID                  the store epoch (default: one that stays)
    forget N                    once per epoch: streams go back to number N, as after a restore
    garbage true                200 with half a JSON text
    expired N                   pushes with a token up to the Nth are 401
"""

import argparse
import http.server
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proxy import decode  # noqa: E402

EPOCH = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
COLLECTOR = "11111111-1111-4111-8111-111111111111"


class State:
    def __init__(self, log, control):
        self.log = open(log, "a", encoding="utf-8", buffering=1)
        self.control = control
        self.following = {}
        self.tokens = 0
        self.forgotten = set()
        self.lock = threading.Lock()

    def wishes(self):
        try:
            with open(self.control, encoding="utf-8") as f:
                return json.load(f)
        except (OSError, ValueError):
            return {}

    def note(self, path, status, request):
        self.log.write(json.dumps({"time": time.time(), "path": path, "status": status,
                                   "request": request}) + "\n")

    def register(self):
        self.tokens += 1
        return 201, {"collector_id": COLLECTOR, "token": "token-%d" % self.tokens,
                     "expires_at": "2100-01-01T00:00:00Z", "certificate": None,
                     "private_key": None, "ca": None}

    def push(self, body, token):
        wish = self.wishes()
        epoch = wish.get("epoch", EPOCH)
        if token in ["token-%d" % (n + 1) for n in range(wish.get("expired", 0))]:
            return 401, {}
        if "status" in wish:
            return wish["status"], {}
        if "forget" in wish and epoch not in self.forgotten:
            self.forgotten.add(epoch)
            self.following = {s: min(n, wish["forget"]) for s, n in self.following.items()}
        first, count = body["seq"], body["count"]
        following = self.following.get(body["stream"], 1)
        if first > following:
            return 409, {"next_seq": following, "store_epoch": epoch}
        if first <= wish.get("poison", -1) < first + count and "hash" in poisoned(body,
                                                                                  wish["poison"]):
            return 400, {}
        self.following[body["stream"]] = max(following, first + count)
        return 200, {"success": True, "status": "success", "message": "ok",
                     "collector_id": body["collector_id"], "stream": body["stream"],
                     "next_seq": self.following[body["stream"]], "store_epoch": epoch,
                     "metrics_inserted": 0, "metrics_rejected": 0, "errors": [],
                     "duplicate": first + count <= following, "bytes_received": 0,
                     "processing_time_ms": 0, "server_time": "2100-01-01T00:00:00Z",
                     "server_ms": int(time.time() * 1000), "next_config_version": 0,
                     "next_check_in_seconds": 60}


def poisoned(body, number):
    """The entry that holds this number."""
    at = body["seq"]
    for item in body["records"]:
        at += item.get("span", 1)
        if number < at:
            return item
    return {}


def make_handler(state):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = decode(body) if body else {}
            with state.lock:
                if self.path.endswith("/metrics/push"):
                    token = self.headers.get("Authorization", "")[len("Bearer "):]
                    status, answer = state.push(request, token)
                else:
                    status, answer = state.register()
                    status = 200 if "refresh" in self.path else status
                state.note(self.path, status, request)
                wish = state.wishes()
            text = json.dumps(answer).encode()
            if wish.get("garbage"):
                text = text[:len(text) // 2]
            self.send_response(status)
            if "retry_after" in wish:
                self.send_header("Retry-After", str(wish["retry_after"]))
            kind = "application/json" if status < 400 else "application/problem+json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    return Handler


def main():
    parser = argparse.ArgumentParser(description="a server that misbehaves on purpose")
    parser.add_argument("--listen", type=int, required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--control", required=True)
    args = parser.parse_args()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", args.listen), make_handler(State(args.log, args.control)))
    server.daemon_threads = True
    print("fake server ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
