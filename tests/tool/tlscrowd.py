#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Clients of a TLS listener, good ones and others (tls.sh).

    tlscrowd.py --port PORT --ca FILE STAGE...   prints TAP

Stages: versions  TLS 1.3 alone is spoken, whatever suite an older version offers (T1)
        agents    of --certs DIR: who is let in with which certificate (T2)
        resume    no tickets, no resumption (T3)
        caps      unfinished handshakes, 8 of an address and 64 in all, and their deadline (T6)
        crowd     --silent N and --drip N sockets beside a good client, for --seconds (T5, T6)
        reload    new certificates on SIGHUP while connections live (T7)
        shapes    heads that arrive in pieces or several at once
        memory    --keep N idle keep-alive connections, --pid SERVER_PID, --kib-each; of agents when
                  --cert names a certificate of --certs
"""

import argparse
import os
import resource
import select
import shutil
import signal
import socket
import ssl
import sys
import threading
import time
import warnings

PATIENCE_S = 60 * float(os.environ.get("PGA_SLOW", "1"))
EACH, ALL, SHAKE_S = 8, 64, 5  # base/limits.h
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
WRONG = ["none", "other-ca", "expired", "early", "server-use", "no-use", "ca-leaf", "self-signed",
         "by-agent", "tampered", "rsa", "sha1"]
OLD_SUITES = """ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-ECDSA-AES128-GCM-SHA256
ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-ECDSA-AES256-SHA384 ECDHE-ECDSA-AES128-SHA256
ECDHE-ECDSA-AES256-SHA ECDHE-ECDSA-AES128-SHA ECDHE-ECDSA-NULL-SHA ECDHE-RSA-AES256-GCM-SHA384
ECDHE-RSA-AES128-SHA DHE-RSA-AES256-GCM-SHA384 DHE-RSA-AES128-SHA DHE-RSA-CAMELLIA256-SHA
AES256-GCM-SHA384 AES128-GCM-SHA256 AES256-SHA256 AES256-SHA AES128-SHA CAMELLIA128-SHA NULL-SHA256
AECDH-AES256-SHA ADH-AES128-SHA""".split()

warnings.simplefilter("ignore", DeprecationWarning)


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, name, detail=""):
        self.count += 1
        self.failed += not good
        print("%s %d - %s" % ("ok" if good else "not ok", self.count, name), flush=True)
        if not good and detail:
            print("#   %s" % detail)

    def equal(self, got, want, name):
        self.ok(got == want, name, "got %r, want %r" % (got, want))


def context(args, cert=None):
    c = ssl.create_default_context(cafile=args.ca)
    if cert:
        c.set_ciphers("DEFAULT:@SECLEVEL=0")  # or OpenSSL would not show the worst of them
        c.load_cert_chain(os.path.join(args.certs, cert + ".crt"),
                          os.path.join(args.certs, cert + ".key"))
    return c


def plain(args, source="127.0.0.1"):
    s = socket.socket()
    s.settimeout(PATIENCE_S)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.bind((source, 0))
    s.connect(("127.0.0.1", args.port))
    return s


def connect(args, c, source="127.0.0.1", session=None):
    return c.wrap_socket(plain(args, source), server_hostname="localhost", session=session)


def read_answer(s):
    """Status of the next answer, None when there is none. Leaves the connection alive."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            more = s.recv(1)
            if not more:
                return None
            data += more
        head, _, _ = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while length > 0:
            more = s.recv(length)
            if not more:
                return None
            length -= len(more)
        return int(head.split()[1])
    except (OSError, ValueError):
        return None


def ask(args, c, request=REQUEST, source="127.0.0.1"):
    """Status of one request on a new connection; None when there was no answer at all."""
    try:
        s = connect(args, c, source)
    except OSError:
        return None
    try:
        s.sendall(request)
        return read_answer(s)
    except OSError:
        return None
    finally:
        s.close()


# --- T1 ---

def old_context(version, suites):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    c.minimum_version = ssl.TLSVersion.TLSv1
    c.set_ciphers(suites + ":@SECLEVEL=0")
    c.maximum_version = version
    return c


def is_refused(args, c):
    s = plain(args)
    try:
        c.wrap_socket(s)
        return False
    except ssl.SSLError as e:
        return "ALERT" in (e.reason or "") or "EOF" in str(e)
    except OSError:
        return True
    finally:
        s.close()


def hello(version):
    """A ClientHello of our own: OpenSSL does not make one so old."""
    ciphers = b"\x00\x08\x00\x2f\x00\x35\x00\x0a\xc0\x13"
    body = version + b"\x11" * 32 + b"\x00" + ciphers + b"\x01\x00"
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16" + version + len(message).to_bytes(2, "big") + message


def answer_to(args, request):
    s = plain(args)
    data = b""
    try:
        s.sendall(request)
        while len(data) < 4096:
            more = s.recv(4096)
            if not more:
                break
            data += more
    except OSError:
        pass
    s.close()
    return data


def stage_versions(args, tap):
    s = connect(args, context(args))
    tap.equal(s.version(), "TLSv1.3", "TLS 1.3 is spoken")
    s.sendall(REQUEST)
    tap.equal(read_answer(s), 200, "a request over it is answered")
    s.close()
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2):
        tap.ok(is_refused(args, old_context(version, "ALL:COMPLEMENTOFALL")),
               "%s with every suite is refused" % version.name)
    taken, tried = [], 0
    for suite in OLD_SUITES:
        try:
            c = old_context(ssl.TLSVersion.TLSv1_2, suite)
        except ssl.SSLError:
            continue  # this OpenSSL does not have it
        tried += 1
        if not is_refused(args, c):
            taken.append(suite)
    tap.ok(tried >= 20 and not taken, "20 suites of older versions are refused one by one",
           "tried %d, taken %s" % (tried, taken))
    v2 = b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x01\x00\x80\x03\x00\x80" + b"\x07" * 31
    for name, bytes_ in (("SSL 3", hello(b"\x03\x00")), ("SSL 2", v2), ("plain HTTP", REQUEST)):
        answer = answer_to(args, bytes_)
        tap.ok(not answer or answer[0] == 21, "%s gets an alert or nothing" % name,
               repr(answer[:40]))


# --- T2 ---

def stage_agents(args, tap):
    tap.equal(ask(args, context(args, "agent")), 200, "an agent with its certificate gets in")
    for name in WRONG:
        cert = None if name == "none" else name
        tap.equal(ask(args, context(args, cert)), None, "no answer to a certificate: %s" % name)
    tap.equal(ask(args, context(args, "agent")), 200, "a good one still gets in")


# --- T3 ---

def stage_resume(args, tap):
    c = context(args, "agent" if args.certs else None)
    s = connect(args, c)
    s.sendall(REQUEST)
    read_answer(s)  # tickets of TLS 1.3 come after the handshake
    session = s.session
    tap.ok(not session.has_ticket, "no ticket comes")
    s.close()
    again = connect(args, c, session=session)
    again.sendall(REQUEST)
    tap.equal((read_answer(again), again.session_reused), (200, False),
              "a second connection shakes hands in full")
    again.close()


# --- T5, T6 ---

def record_of_hello(args):
    """A whole first flight of a client that never goes on."""
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    o = context(args).wrap_bio(into, out, server_hostname="localhost")
    try:
        o.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def is_closed(s):
    try:
        while True:
            ready, _, _ = select.select([s], [], [], 0)
            if not ready:
                return False
            if not s.recv(65536):
                return True
    except OSError:
        return True


def settle(sockets, want):
    """Wait until no more than `want` are open; returns which are, oldest first."""
    end = time.monotonic() + PATIENCE_S
    while True:
        alive = [s for s in sockets if not is_closed(s)]
        if len(alive) <= want or time.monotonic() > end:
            return [sockets.index(s) for s in alive]
        time.sleep(0.02)


def begin(args, source, first):
    s = plain(args, source)
    s.sendall(first)
    if len(first) > 100:
        select.select([s], [], [], PATIENCE_S)  # the answer
    time.sleep(0.002)  # one after the other, so that it is known which is the oldest
    return s


def hold(args, sources, first, want):
    """Begin a handshake from each address; sockets, and which are left when `want` are. Tried
    again when the deadline of a handshake could have closed them in place of the cap."""
    for _ in range(5):
        start = time.monotonic()
        sockets = [begin(args, source, first) for source in sources]
        alive = settle(sockets, want)
        if time.monotonic() - start < SHAKE_S - 1:
            return sockets, alive
        for s in sockets:
            s.close()
    return [], []


def held(tap, sockets, good, name, alive):
    """A test of what hold() said. A sanitizer's handshakes may be slower than their deadline."""
    if not sockets and PATIENCE_S > 60:
        name += " # SKIP handshakes are slower than their deadline"
        good = True
    tap.ok(good, name, repr(alive))


def newest_of(alive, count):
    """Whether they are the newest, but for one that a thread was busy with at that moment."""
    return len(set(alive) & set(range(count - len(alive), count))) >= len(alive) - 1


def stage_caps(args, tap):
    flight, many = record_of_hello(args), []
    for what, first in (("a part of a first record", flight[:20]),
                        ("a whole first record", flight)):
        one, alive = hold(args, ["127.0.0.9"] * (EACH + 4), first, EACH)
        name = "%s: %d of an address stay, the oldest go" % (what, EACH)
        held(tap, one, len(alive) == EACH and newest_of(alive, EACH + 4), name, alive)
        for s in one + many:
            s.close()
        silent = [plain(args, "127.0.2.1") for _ in range(20)]
        many, alive = hold(args, ["127.0.1.%d" % (i + 1) for i in range(ALL + 10)], first, ALL)
        name = "%s: %d in all stay, the oldest go" % (what, ALL)
        held(tap, many, 0 < len(alive) <= ALL and newest_of(alive, ALL + 10), name, alive)
        tap.equal(ask(args, context(args), source="127.0.0.77"), 200,
                  "%s: with all taken a good client gets in" % what)
    tap.equal(settle(many + silent, 0), [],
              "they, and those that say nothing, are closed when their time is over")


class Crowd(threading.Thread):
    """Sockets from many addresses that say nothing, or a byte now and then; closed ones come back.
    """

    def __init__(self, args, silent, drip):
        super().__init__(daemon=True)
        self.args, self.over, self.opened = args, threading.Event(), 0
        self.flight = record_of_hello(args)
        self.want = [False] * silent + [True] * drip
        self.sockets = {}

    def open_one(self, i):
        s = socket.socket()
        s.setblocking(False)
        s.bind(("127.%d.%d.1" % (1 + i // 200, i % 200), 0))
        s.connect_ex(("127.0.0.1", self.args.port))
        self.sockets[i] = [s, 0]
        self.opened += 1

    def run(self):
        i = 0
        while not self.over.is_set():
            for _ in range(50):
                i = (i + 1) % len(self.want)
                if i not in self.sockets:
                    self.open_one(i)
                self.nudge(i)
            time.sleep(0.02)
        for s, _ in self.sockets.values():
            s.close()

    def nudge(self, i):
        s, at = self.sockets[i]
        try:
            if self.want[i] and at < len(self.flight):
                self.sockets[i][1] += s.send(self.flight[at:at + 1])
            if not s.recv(4096):
                raise ConnectionError
        except BlockingIOError:
            pass
        except OSError:
            s.close()
            del self.sockets[i]


def stage_crowd(args, tap):
    crowd = Crowd(args, args.silent, args.drip)
    c, answers, times = context(args), [], []
    crowd.start()
    while crowd.opened < args.silent + args.drip:
        time.sleep(0.05)
    end = time.monotonic() + args.seconds
    while time.monotonic() < end or len(answers) < 20:
        start = time.monotonic()
        answers.append(ask(args, c, source="127.0.0.88"))
        times.append(time.monotonic() - start)
        time.sleep(0.02)
    crowd.over.set()
    crowd.join()
    times.sort()
    tap.equal([a for a in answers if a != 200], [],
              "beside %d silent and %d dripping sockets (%d opened in all) a good client is "
              "answered %d times" % (args.silent, args.drip, crowd.opened, len(answers)))
    print("# new connection and request: median %.0f ms, p99 %.0f ms"
          % (times[len(times) // 2] * 1e3, times[int(len(times) * 0.99)] * 1e3))


# --- requests ---

def stage_shapes(args, tap):
    c = context(args)
    s = connect(args, c)
    s.sendall(REQUEST * 3)
    tap.equal([read_answer(s) for _ in range(3)], [200] * 3, "three requests in one record")
    s.sendall(REQUEST + REQUEST[:9])
    tap.equal(read_answer(s), 200, "one and a part of the next")
    for byte in REQUEST[9:]:
        s.sendall(bytes([byte]))
    tap.equal(read_answer(s), 200, "its rest comes a record a byte")
    body = b"{}" + b" " * 60000
    s.sendall(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n"
              b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
              % (len(body), body) + REQUEST)
    tap.equal((read_answer(s), read_answer(s)), (400, 200),
              "a body in many records, and a request behind it")
    s.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 17000 + b"\r\n\r\n")
    tap.equal(read_answer(s), 400, "a head that is too large is refused")
    s.close()


# --- T7 ---

def replace(args, to, frm):
    """As a renewal does it: written beside, then moved into place."""
    path = os.path.join(args.certs, to)
    shutil.copyfile(os.path.join(args.certs, frm), path + ".new")
    os.chmod(path + ".new", 0o600)
    os.rename(path + ".new", path)


def shown(args):
    s = connect(args, context(args))
    der = s.getpeercert(binary_form=True)
    s.close()
    return der


def der_of(args, name):
    with open(os.path.join(args.certs, name + ".crt")) as f:
        return ssl.PEM_cert_to_DER_cert(f.read())


def soon(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def stage_reload(args, tap):
    agents = argparse.Namespace(**{**vars(args), "port": args.agents})
    old = [connect(args, context(args)), connect(agents, context(args, "agent"))]
    tap.ok(shown(args) == der_of(args, "server"), "the first certificate is shown")
    replace(args, "now.crt", "server2.crt")
    replace(args, "now.key", "server2.key")
    replace(args, "agents.crt", "ca2.crt")
    os.kill(args.pid, signal.SIGHUP)
    tap.ok(soon(lambda: shown(args) == der_of(args, "server2")),
           "after SIGHUP a new connection is shown the new one")
    tap.equal((ask(agents, context(args, "agent2")), ask(agents, context(args, "agent"))),
              (200, None), "agents are checked against the new authority")
    for s in old:
        s.sendall(REQUEST)
    tap.equal([read_answer(s) for s in old], [200, 200], "connections from before live on")
    replace(args, "now.crt", "agent.crt")
    os.kill(args.pid, signal.SIGHUP)
    with open(args.log) as log:
        tap.ok(soon(lambda: "the old TLS certificates stay: " in log.read()),
               "a certificate that does not fit its key is not taken, and the log says so")
    tap.ok(shown(args) == der_of(args, "server2"), "the one before is still shown")
    for _ in range(args.reloads):
        replace(args, "now.crt", "server2.crt")
        os.kill(args.pid, signal.SIGHUP)
        old[0].sendall(REQUEST)
        if read_answer(old[0]) != 200 or ask(args, context(args)) != 200:
            tap.ok(False, "requests are answered while certificates are read again")
            break
    else:
        tap.ok(True, "requests are answered while certificates are read again, %d times"
               % args.reloads)
    for s in old:
        s.close()


# --- memory ---

def rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    return 0


def stage_memory(args, tap):
    c = context(args, args.cert)
    first = rss_kib(args.pid)
    kept, answered = [], 0
    for i in range(args.keep):
        s = connect(args, c, source="127.3.%d.1" % (i % 50))
        s.sendall(REQUEST)
        answered += read_answer(s) == 200
        kept.append(s)
    whole = rss_kib(args.pid)
    grown = whole - first
    tap.equal(answered, args.keep, "%d keep-alive connections are answered" % args.keep)
    alive = 0
    for s in kept:
        s.sendall(REQUEST)
        alive += read_answer(s) == 200
    tap.equal(alive, args.keep, "all of them once more")
    tap.ok(grown <= args.kib_each * args.keep,
           "they take %d KiB, at most %d each" % (grown, args.kib_each))
    print("# %d connections%s: %d KiB more, the whole process %d KiB"
          % (args.keep, " of agents" if args.cert else "", grown, whole))
    for s in kept:
        s.close()


STAGES = {name[6:]: f for name, f in list(globals().items()) if name.startswith("stage_")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("stages", nargs="+", choices=sorted(STAGES))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--certs")
    parser.add_argument("--pid", type=int, default=0)
    parser.add_argument("--agents", type=int, help="port of the agents' listener")
    parser.add_argument("--log", help="of the server")
    parser.add_argument("--cert", help="what the connections of `memory` show")
    parser.add_argument("--reloads", type=int, default=20)
    parser.add_argument("--silent", type=int, default=300)
    parser.add_argument("--drip", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--keep", type=int, default=100)
    parser.add_argument("--kib-each", type=int, default=64)
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    tap = Tap()
    for stage in args.stages:
        STAGES[stage](args, tap)
    print("1..%d" % tap.count)
    sys.exit(tap.failed > 0)


main()
