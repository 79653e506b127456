#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""A crowd of connections that have nothing to say, and clients that do (idle_connections.sh).

    crowd.py --port PORT --pid SERVER_PID --idle N --drip N STAGE...   prints TAP

Stages: crowd  N idle keep-alive connections and N that drip a byte a second; good requests beside
               them, the deadline of a head, the idle limit
        caps   a server with 64 connections, 16 an address: who is closed, who is refused
        shapes heads that arrive in pieces, two at once, with the end of the connection, too large
        stop   SIGTERM while the crowd is there and one request is at work
"""

import argparse
import os
import resource
import select
import signal
import socket
import sys
import threading
import time

PATIENCE_S = 10 * float(os.environ.get("PGA_SLOW", "1"))
IDLE_S, HEAD_S = 75, 10  # base/limits.h
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LOGIN = (b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n"
         b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n")
LONG = 40000  # a body that is not small (base/limits.h): a worker waits for it
BUSY = LOGIN.replace(b"Length: 2", b"Length: %d" % LONG)


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, name, detail=""):
        self.count += 1
        self.failed += not good
        print("%s %d - %s" % ("ok" if good else "not ok", self.count, name))
        if not good and detail:
            print("#   %s" % detail)

    def equal(self, got, want, name):
        self.ok(got == want, name, "got %r, want %r" % (got, want))


def connect(port, source="127.0.0.1"):
    s = socket.socket()
    s.settimeout(PATIENCE_S)
    s.bind((source, 0))
    s.connect(("127.0.0.1", port))
    return s


def read_answer(s):
    """Status of the next answer, None when there is none. Leaves the connection alive."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            more = s.recv(1)
            if not more:
                return None
            data += more
        head = data.decode("latin-1")
        length = 0
        for line in head.split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        while length > 0:
            length -= len(s.recv(length))
        return int(head.split(" ")[1])
    except OSError:
        return None


def ask(s, request=REQUEST):
    try:
        s.sendall(request)
    except OSError:
        return None
    return read_answer(s)


def has_news(s):
    """Whether an answer or the end has come; select() knows no descriptor above 1023."""
    poll = select.poll()
    poll.register(s, select.POLLIN)
    return bool(poll.poll(0))


def is_closed(s):
    """Whether the other side has ended it; never waits."""
    try:
        return has_news(s) and s.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def count_closed(sockets):
    return sum(is_closed(s) for s in sockets)


def wait_for(seconds, condition):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def rss_kib(pid):
    for line in open("/proc/%d/status" % pid):
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def idle_crowd(port, count):
    """Keep-alive connections from many addresses; each has had an answer."""
    sockets = []
    for i in range(count):
        s = connect(port, "127.0.1.%d" % (1 + i // 250))
        if ask(s) != 200:
            raise RuntimeError("connection %d got no answer" % i)
        sockets.append(s)
    return sockets


class Drip(threading.Thread):
    """Sends one byte of an endless head a second on each connection."""

    def __init__(self, port, count):
        super().__init__(daemon=True)
        self.sockets = [connect(port, "127.0.2.1") for _ in range(count)]
        self.stopped = threading.Event()
        self.start()

    def run(self):
        text = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Drip: " + b"a" * 1000
        for at in range(len(text)):
            for s in self.sockets:
                try:
                    s.send(text[at:at + 1])
                except OSError:
                    pass
            if self.stopped.wait(1):
                return

    def end(self):
        self.stopped.set()
        self.join()


def good_requests(port, count):
    """How many of `count` clients, each with a connection of its own, get their page."""
    good = 0
    for _ in range(count):
        s = connect(port)
        good += ask(s) == 200
        s.close()
    return good


def stage_crowd(tap, o):
    before = rss_kib(o.pid)
    first_rested = time.monotonic()
    idle = idle_crowd(o.port, o.idle)
    last_rested = time.monotonic()
    silent = [connect(o.port, "127.0.2.2") for _ in range(20)]
    tap.equal(good_requests(o.port, 50), 50, "a good client beside the idle ones is answered")
    drip = Drip(o.port, o.drip)
    started = time.monotonic()
    good = asked = 0
    while time.monotonic() < started + HEAD_S - 2:
        good, asked = good + good_requests(o.port, 5), asked + 5
        time.sleep(0.2)
    tap.ok(asked > 0, "requests were made while it drips")
    tap.equal(good, asked, "a good client beside the dripping ones is answered")
    tap.equal(count_closed(drip.sockets), 0, "the dripping ones are still there meanwhile")
    after = rss_kib(o.pid)
    print("# RSS %d KiB with no connection, %d KiB with %d idle and %d dripping"
          % (before, after, o.idle, o.drip))
    tap.ok(after - before <= (o.idle + o.drip) * o.kib_each, "their memory is bounded",
           "%d KiB grew to %d" % (before, after))
    ready = wait_for(HEAD_S + PATIENCE_S, lambda: all(map(has_news, drip.sockets)))
    drip.end()
    tap.ok(ready, "a head that never ends is answered")
    tap.equal({read_answer(s) for s in drip.sockets}, {408}, "with 408")
    tap.ok(wait_for(PATIENCE_S, lambda: count_closed(drip.sockets) == o.drip), "and closed")
    tap.equal(count_closed(idle + silent), 0, "none of the idle ones was closed early")
    tap.equal({ask(s) for s in idle[:100]}, {200}, "an idle one can be used again")
    wait_for(first_rested + IDLE_S - 5 - time.monotonic(), lambda: False)
    tap.equal(count_closed(idle[100:] + silent), 0, "they live on until shortly before the limit")
    rest_s = last_rested + IDLE_S - time.monotonic()
    tap.ok(wait_for(rest_s + PATIENCE_S, lambda: count_closed(idle[100:]) == o.idle - 100),
           "they are closed after the idle limit", "%d are" % count_closed(idle[100:]))
    tap.ok(wait_for(5 + PATIENCE_S, lambda: count_closed(silent) == 20),
           "so are those that never said anything")
    tap.equal(count_closed(idle[:100]), 0, "those that were used since are not")
    tap.equal(good_requests(o.port, 5), 5, "the server is well")


def stage_caps(tap, o):
    same = [connect(o.port, "127.0.3.1") for _ in range(16)]
    tap.equal([ask(s) for s in same], [200] * 16, "an address has connections up to its cap")
    same += [connect(o.port, "127.0.3.1") for _ in range(4)]
    tap.equal([ask(s) for s in same[16:]], [200] * 4, "over its cap some more are answered")
    tap.ok(wait_for(PATIENCE_S, lambda: count_closed(same[:4]) == 4),
           "over the cap of an address its longest idle ones are closed")
    tap.equal({ask(s) for s in same[4:]}, {200}, "and no other")
    others = [connect(o.port, "127.0.3.%d" % (2 + i // 16)) for i in range(48)]
    tap.equal({ask(s) for s in others}, {200}, "other addresses have room up to the cap in all")
    partial = others[40]
    partial.sendall(REQUEST[:10])
    time.sleep(0.5)
    first = connect(o.port, "127.0.3.9")
    tap.equal(ask(first), 200, "over the cap in all one more is answered")
    tap.ok(wait_for(PATIENCE_S, lambda: is_closed(partial)), "an unfinished head goes first")
    last = connect(o.port, "127.0.3.8")
    tap.equal(ask(last), 200, "then one more is answered")
    tap.ok(wait_for(PATIENCE_S, lambda: count_closed(same[4:]) == 1 and is_closed(same[4])),
           "and the longest idle one is closed")
    for s in same + others + [first, last]:
        s.close()
    time.sleep(0.5)
    busy = [connect(o.port, "127.0.3.1") for _ in range(16)]
    for s in busy:
        s.sendall(BUSY)
    time.sleep(0.5)
    extra = connect(o.port, "127.0.3.1")
    tap.equal(read_answer(extra), 503, "when all of an address are at work, one more gets 503")
    tap.ok(wait_for(PATIENCE_S, lambda: is_closed(extra)), "and is closed")
    tap.equal(ask(connect(o.port, "127.0.3.2")), 200, "another address is answered")
    for s in busy:
        s.sendall(b"{" + b" " * (LONG - 2) + b"}")
    answers = {read_answer(s) for s in busy}
    tap.ok(None not in answers and all(400 <= a < 500 for a in answers),
           "those at work end as if nothing were", repr(answers))


def stage_shapes(tap, o):
    s = connect(o.port)
    for i in range(0, len(REQUEST), 7):
        s.sendall(REQUEST[i:i + 7])
        time.sleep(0.02)
    tap.equal(read_answer(s), 200, "a head in pieces is answered")
    s.sendall(REQUEST * 3 + REQUEST[:12])
    tap.equal([read_answer(s) for _ in range(3)], [200] * 3, "three requests at once are answered")
    s.sendall(REQUEST[12:])
    tap.equal(read_answer(s), 200, "and the fourth, of which a part came with them")
    tap.equal(ask(s, LOGIN + b"{}" + REQUEST), 400, "a body is not taken for a head")
    tap.equal(read_answer(s), 200, "what follows a body is the next request")
    s.sendall(REQUEST)
    s.shutdown(socket.SHUT_WR)
    tap.equal(read_answer(s), 200, "a client that has said its last word is answered")
    tap.ok(wait_for(PATIENCE_S, lambda: is_closed(s)), "and closed")
    s = connect(o.port)
    s.sendall(REQUEST[:20])
    s.shutdown(socket.SHUT_WR)
    tap.equal(read_answer(s), 400, "a head that is cut off is refused")
    s = connect(o.port)
    tap.equal(ask(s, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20000), 400,
              "a head that is too large is refused before it ends")
    s = connect(o.port)
    tap.equal(ask(s, b"\x16\x03\x01\x02\x00\x01"), 400, "a TLS client is refused at once")
    churn = 300
    for i in range(churn):  # ends in every state, as fast as can be
        s = connect(o.port)
        if i % 3:
            s.sendall(REQUEST[:len(REQUEST) // (i % 3)])
        s.close()
    tap.equal(good_requests(o.port, 20), 20, "clients that go away at any moment do no harm")


def stage_stop(tap, o):
    idle = idle_crowd(o.port, o.idle)
    drip = Drip(o.port, o.drip)
    busy = connect(o.port)
    busy.sendall(BUSY + b"{")
    time.sleep(1)
    os.kill(o.pid, signal.SIGTERM)
    tap.ok(wait_for(PATIENCE_S, lambda: count_closed(idle) == o.idle),
           "idle connections are closed at once", "%d are" % count_closed(idle))
    tap.ok(not is_closed(busy), "the request at work is not")
    tap.equal(ask(connect(o.port)), 503, "a new one gets 503")
    busy.sendall(b" " * (LONG - 2) + b"}")
    tap.equal(read_answer(busy), 400, "it is answered")
    drip.end()


STAGES = {"crowd": stage_crowd, "caps": stage_caps, "shapes": stage_shapes, "stop": stage_stop}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, required=True)
    p.add_argument("--pid", type=int, required=True)
    p.add_argument("--idle", type=int, default=1000)
    p.add_argument("--drip", type=int, default=200)
    p.add_argument("--kib-each", type=int, default=8, help="memory that a connection may cost")
    p.add_argument("stage", nargs="+", choices=sorted(STAGES))
    o = p.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tap = Tap()
    for stage in o.stage:
        STAGES[stage](tap, o)
    print("1..%d" % tap.count)
    sys.exit(tap.failed > 0)


if __name__ == "__main__":
    main()
