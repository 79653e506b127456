# SPDX-License-Identifier: PostgreSQL
"""What stands between our libpq and a server in tests/tool/pg_tls.py, or in a server's place.

    Proxy(port)     passes bytes on, keeps how each connection began; slow: does not read a while
    Pooler(...)     pgbouncer with TLS on both sides
    run_all(tests)  peers that do not keep to the protocol
"""

import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

SSL_REQUEST = struct.pack("!II", 8, 80877103)
CANCEL_CODE = struct.pack("!I", 80877102)
HEAD = 4096
LIMIT = 60  # seconds; only says when to give up


class Listener:
    """One thread for each connection that comes; `serve` is the subclass's."""

    def __init__(self, buffer=None):
        self.listener = socket.socket()
        if buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.threads = []

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        # close() alone leaves accept waiting
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(LIMIT)

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            s.settimeout(LIMIT)
            thread = threading.Thread(target=self._guard, args=(s,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _guard(self, s):
        try:
            self.serve(s)
        except (OSError, ValueError):
            pass
        finally:
            s.close()


class Proxy(Listener):
    def __init__(self, to, slow=False, drip=0):
        super().__init__(8192 if slow else None)
        self.to = to
        self.slow = slow
        self.drip = drip
        self.heads = []
        self.held = False

    def serve(self, s):
        up = socket.create_connection(("127.0.0.1", self.to), LIMIT)
        mine = len(self.heads)
        self.heads.append(b"")
        back = threading.Thread(target=self._back, args=(up, s), daemon=True)
        back.start()
        total = 0
        while True:
            data = s.recv(4096)
            if not data:
                break
            if len(self.heads[mine]) < HEAD:
                self.heads[mine] += data
            total += len(data)
            if self.slow and not self.held and total > 65536:
                self.held = True
                time.sleep(1)  # the client has nowhere to write to meanwhile
            self._pass(up, data)
        up.shutdown(socket.SHUT_WR)
        back.join(LIMIT)
        up.close()

    def _pass(self, to, data):
        step = self.drip or len(data)
        for i in range(0, len(data), step):
            to.sendall(data[i:i + step])

    def _back(self, up, s):
        if self.drip:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                data = up.recv(65536)
                if not data:
                    break
                self._pass(s, data)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Pooler:
    def __init__(self, server, pki, where):
        self.server = server
        self.pki = pki
        self.dir = os.path.join(where, "pooler")

    def _write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)

    def __enter__(self):
        os.makedirs(self.dir, exist_ok=True)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        for name in ("good.crt", "good.key", "ca.crt"):
            shutil.copy(self.pki.path(name), self.dir)
        self._write("users", '"uscram" "secret"\n')
        tls = "".join("%s_tls_%s\n" % line for line in (
            ("client", "sslmode = require"), ("client", "key_file = %s/good.key" % self.dir),
            ("client", "cert_file = %s/good.crt" % self.dir), ("server", "sslmode = verify-ca"),
            ("server", "ca_file = %s/ca.crt" % self.dir)))
        self._write("ini", "[databases]\npostgres = host=127.0.0.1 port=%d dbname=postgres\n"
                    "[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n"
                    "auth_type = scram-sha-256\nauth_file = %s/users\n%s"
                    % (self.server.port, self.port, self.dir, tls))
        words = ["pgbouncer", os.path.join(self.dir, "ini")]
        if os.getuid() == 0:
            owner = self.server.owner
            for name in ["."] + os.listdir(self.dir):
                os.chown(os.path.join(self.dir, name), owner.st_uid, owner.st_gid)
            words = ["setpriv", "--reuid", str(owner.st_uid), "--regid", str(owner.st_gid),
                     "--clear-groups"] + words
        with open(os.path.join(self.dir, "log"), "w") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait()
        return self

    def _wait(self):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return
            except OSError:
                time.sleep(0.1)
        with open(os.path.join(self.dir, "log")) as f:
            raise SystemExit("pgbouncer does not start: " + f.read())

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(LIMIT)


# --- peers that do not keep to the protocol

AUTH_OK = b"R" + struct.pack("!II", 8, 0) + b"Z" + struct.pack("!I", 5) + b"I"


class Script(Listener):
    """Each connection gets `script(peer, socket)`; what the client said after its request is kept.
    """

    def __init__(self, pki, script):
        super().__init__()
        self.script = script
        self.said = b""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pki.path("good.crt"), pki.path("good.key"))

    def serve(self, s):
        self.script(self, s)

    def request(self, s):
        if s.recv(8, socket.MSG_WAITALL) != SSL_REQUEST:
            raise ValueError("no request for TLS")

    def listen_on(self, s):
        while True:
            data = s.recv(4096)
            if not data:
                return
            self.said += data

    def tls(self, s):
        """Request, answer, handshake; then the startup packet is answered as by a server."""
        self.request(s)
        s.sendall(b"S")
        over = self.context.wrap_socket(s, server_side=True)
        over.recv(4096)
        over.sendall(AUTH_OK)
        return over


def answers(first, then=None):
    def script(p, s):
        p.request(s)
        s.sendall(first)
        if then == "shut":
            s.shutdown(socket.SHUT_WR)
        if then == "handshake":
            s = p.context.wrap_socket(s, server_side=True)
        if then != "close":
            p.listen_on(s)
    return script


def silent_end(p, s):
    p.request(s)


def plain_end(p, s):
    p.request(s)
    s.sendall(b"N")
    p.said += s.recv(4096)


def no_alpn(p, s):
    p.listen_on(p.context.wrap_socket(s, server_side=True))


def replies(data):
    """In answer to the first bytes of a handshake."""
    def script(p, s):
        p.request(s)
        s.sendall(b"S")
        p.said += s.recv(4096)
        s.sendall(data)
        p.listen_on(s)
    return script


def plain_end(p, s):
    p.request(s)
    s.sendall(b"N")
    p.said += s.recv(4096)


def no_alpn(p, s):
    p.listen_on(p.context.wrap_socket(s, server_side=True))


def other_protocol(p, s):
    p.request(s)
    s.sendall(b"S")
    p.said += s.recv(4096)
    s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    p.listen_on(s)


def old_only(p, s):
    p.request(s)
    s.sendall(b"S")
    s.sendall(b"\x15\x03\x01\x00\x02\x02\x46")  # alert: protocol version
    p.listen_on(s)


def after(act):
    def script(p, s):
        over = p.tls(s)
        over.recv(4096)
        act(over)
    return script


def raw(data):
    def act(over):
        os.write(over.fileno(), data)
        while over.recv(4096):
            pass
    return act


def drop(over):
    """No close_notify: the socket below just ends."""
    os.close(over.detach())


def half_closed(over):
    fd = socket.socket(fileno=os.dup(over.fileno()))
    fd.shutdown(socket.SHUT_WR)
    while fd.recv(4096):
        pass
    fd.close()


def reset(over):
    fd = socket.socket(fileno=over.detach())
    fd.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    fd.close()


def notify(over):
    over.unwrap()


# name, script, mode, what the error says, whether the client may say anything in answer
BEFORE = (
    ("N, TLS required", answers(b"N"), "require", "does not support SSL", False),
    ("N, name verified", answers(b"N"), "verify-full", "does not support SSL", False),
    ("E", answers(b"ESFATAL\0Myou fool\0\0"), "require",
     "sent an error response during SSL exchange", False),
    ("E, prefer", answers(b"ESFATAL\0Myou fool\0\0"), "prefer", "sent an error response during SSL",
     False),
    ("garbage", answers(b"X"), "require", "invalid response to SSL negotiation: X", False),
    ("bytes before the handshake", answers(b"S" + AUTH_OK, "handshake"), "require",
     "received unencrypted data after SSL response", False),
    ("bytes before the handshake, verified", answers(b"S" + AUTH_OK, "handshake"), "verify-full",
     "received unencrypted data after SSL response", False),
    ("S and then no TLS", replies(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "require", "SSL error",
     True),
    ("S and the end", answers(b"S", "close"), "require", "EOF|closed|reset", True),
    ("S and half an end", answers(b"S", "shut"), "require", "EOF", True),
    ("no answer and the end", silent_end, "require", "closed the connection unexpectedly", False),
    ("an alert in place of a handshake", replies(b"\x15\x03\x01\x00\x02\x02\x46"), "require",
     "does not support any SSL protocol", True),
)
# name, what the peer does once the client is logged in, what the client says
LATER = (
    ("the end without close_notify", drop, "EOF detected"),
    ("half an end", half_closed, "EOF detected"),
    ("close_notify", notify, "has been closed unexpectedly"),
    ("a reset", reset, "terminated abnormally|reset"),
    ("a record that nobody encrypted", raw(b"\x17\x03\x03\x00\x20" + b"x" * 32), "SSL error"),
    ("a record that is too long", raw(b"\x17\x03\x03\xff\xff" + b"x" * 64), "SSL error"),
    ("plain text", raw(b"Z\0\0\0\5I" * 8), "SSL error"),
)


def link(tests, port, mode, **options):
    words = dict(host="localhost", hostaddr="127.0.0.1", port=port, user="x", dbname="x",
                 sslmode=mode, sslrootcert=tests.pki.path("ca.crt"))
    words.update(options)
    return " ".join("%s='%s'" % item for item in words.items())


def run_all(tests):
    for name, script, mode, pattern, may_speak in BEFORE:
        with Script(tests.pki, script) as p:
            got = tests.driver.ask("login", link(tests, p.port, mode))
        good = got["ok"] == "0" and re.search(pattern, got["error"]) and "fool" not in got["error"]
        tests.tap.ok(bool(good) and (may_speak or p.said == b""), "a peer: " + name, (got, p.said))
    with Script(tests.pki, plain_end) as p:
        got = tests.driver.ask("login", link(tests, p.port, "prefer"))
    tests.tap.ok(got["ok"] == "0" and p.said.startswith(b"\0"),
                 "a peer: N, prefer goes on in the open", (got, p.said))
    for name, act, pattern in LATER:
        with Script(tests.pki, after(act)) as p:
            got = tests.driver.ask("idle", link(tests, p.port, "verify-full"))
        tests.tap.ok(got["ok"] == "1" and got.get("gone") == "1" and
                     re.search(pattern, got["error"]) is not None, "later: " + name, got)
    with Script(tests.pki, no_alpn) as p:
        got = tests.driver.ask("login", link(tests, p.port, "require", sslnegotiation="direct"))
    tests.tap.ok("without ALPN" in got.get("error", "") and p.said == b"",
                 "a peer: direct, and it does not speak PostgreSQL", (got, p.said))
