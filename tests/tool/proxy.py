#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""HTTP proxy between an agent and a server that remembers what the server promised.

    proxy.py --listen PORT --to HOST:PORT --log FILE [--control FILE]
        [--tls DIR --states DIR]

Every request is passed on (with the Host header of the server). A push is written to the
log, one JSON object a line, after the server's answer has arrived and *before* any byte of
it goes back: number, time, path, fault, status, the decoded request and answer. The line is
on disk (fsync) first, so a 200 in an agent's hands is always in the log.

With --tls both sides are TLS 1.3 with client certificates: agents are shown DIR/own.crt (and have
to show one that hangs from DIR/agents.crt), the server is shown the certificate of the very agent
whose request it is. Its key is in the agent's state folder, which is looked for below --states.

The control file holds lines `name value`; it is read again when it changes. Probabilities
are 0..1 and hit pushes only:
    mode pass|refuse|blackhole   refuse closes every connection, blackhole never answers
    drop_request P    close before anything reaches the server
    cut_request P     send half of the request to the server, then close both sides
    drop_answer P     the server has answered, the agent never hears it
    cut_answer P      the agent gets half of the answer
    duplicate P       send the request twice; the agent gets the second answer
    twin P            send the request on two connections at the same time
    replay P          send an older push again first, as a lost packet that arrives late
    delay P           wait `delay_s` seconds before passing on
    delay_s SECONDS
    seed N            makes the faults repeatable
    nodes PORT,PORT   each request goes to one of these servers on 127.0.0.1, by chance, and
                      to another one when nobody listens there
"""

import argparse
import base64
import gzip
import glob
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib

PUSH_PATH = "/metrics/push"
MAX_HEAD = 64 * 1024
IDLE_S = 120


class Closed(Exception):
    """The peer closed the connection, or sent what is no HTTP message."""


class Control:
    """The wishes of the test, read from the control file."""

    def __init__(self, path):
        self.path = path
        self.stamp = None
        self.values = {}
        self.random = random.Random()
        self.lock = threading.Lock()

    def refresh(self):
        if not self.path:
            return
        try:
            stat = os.stat(self.path)
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except FileNotFoundError:
            return
        with self.lock:
            if stamp == self.stamp:
                return
            values = {}
            with open(self.path, encoding="utf-8") as f:
                for line in f:
                    words = line.split()
                    if len(words) == 2:
                        values[words[0]] = words[1]
            if "seed" in values and values["seed"] != self.values.get("seed"):
                self.random.seed(int(values["seed"]))
            self.values = values
            self.stamp = stamp

    def mode(self):
        self.refresh()
        return self.values.get("mode", "pass")

    def hit(self, name):
        self.refresh()
        with self.lock:
            return self.random.random() < float(self.values.get(name, 0))

    def seconds(self, name, default):
        return float(self.values.get(name, default))


class Log:
    """The acknowledgement log: a line is on disk when write() returns."""

    def __init__(self, path):
        self.file = open(path, "ab", buffering=0)
        self.lock = threading.Lock()
        self.number = 0

    def write(self, entry):
        with self.lock:
            self.number += 1
            entry = {"n": self.number, "time": time.time(), **entry}
            self.file.write(json.dumps(entry).encode() + b"\n")
            os.fsync(self.file.fileno())


class Stream:
    """A socket read message by message."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def fill(self):
        try:
            data = self.sock.recv(65536)
        except OSError as e:
            raise Closed(str(e)) from e
        if not data:
            raise Closed("end of stream")
        self.buffer += data

    def take(self, size):
        while len(self.buffer) < size:
            self.fill()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def take_line(self):
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > MAX_HEAD:
                raise Closed("line too long")
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def take_head(self):
        lines = [self.take_line()]
        while lines[-1]:
            lines.append(self.take_line())
        return lines[:-1]

    def take_body(self, head, is_answer, method=b""):
        """Returns (raw, body): the bytes as sent and the payload without chunk framing."""
        fields = header_map(head)
        if is_answer:
            status = int(head[0].split()[1])
            if status in (204, 304) or status < 200 or method == b"HEAD":
                return b"", b""
        if fields.get("transfer-encoding", "").lower() == "chunked":
            return self.take_chunks()
        if "content-length" in fields:
            body = self.take(int(fields["content-length"]))
            return body, body
        if is_answer:
            body = self.take_rest()
            return body, body
        return b"", b""

    def take_chunks(self):
        raw, body = b"", b""
        while True:
            line = self.take_line()
            size = int(line.split(b";")[0], 16)
            raw += line + b"\r\n"
            if size == 0:
                while line:
                    line = self.take_line()
                    raw += line + b"\r\n"
                return raw, body
            data = self.take(size + 2)
            raw += data
            body += data[:-2]

    def take_rest(self):
        try:
            while True:
                self.fill()
        except Closed:
            data, self.buffer = self.buffer, b""
            return data


def header_map(head):
    fields = {}
    for line in head[1:]:
        name, _, value = line.partition(b":")
        fields[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
    return fields


def unpack(body):
    """The JSON text of a body, whatever its compression (told by its first bytes)."""
    if body[:2] == b"\x1f\x8b":
        return gzip.decompress(body)
    if body[:4] == b"\x28\xb5\x2f\xfd":
        zstd = shutil.which("zstd")
        if not zstd:
            raise ValueError("a zstd body, and no zstd program to read it")
        return subprocess.run([zstd, "-dcq"], input=body, stdout=subprocess.PIPE, check=True).stdout
    return body


def decode(body):
    try:
        return json.loads(unpack(body))
    except (ValueError, OSError, EOFError, zlib.error, subprocess.CalledProcessError):
        return {"undecodable": base64.b64encode(body[:4096]).decode()}


class Plain:
    """No TLS on either side."""

    def accept(self, client):
        """The connection, and who is at its other end."""
        return client, None

    def connect(self, sock, _target, _who):
        return sock


class Mutual:
    """TLS 1.3 on both sides, with the certificates of the agents."""

    def __init__(self, folder, states):
        self.folder, self.states = folder, states
        self.agents = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.agents.minimum_version = ssl.TLSVersion.TLSv1_3
        self.agents.load_cert_chain(folder + "/own.crt", folder + "/own.key")
        self.agents.load_verify_locations(folder + "/agents.crt")
        self.agents.verify_mode = ssl.CERT_REQUIRED

    def accept(self, client):
        client = self.agents.wrap_socket(client, server_side=True)
        subject = dict(pair for name in client.getpeercert()["subject"] for pair in name)
        return client, subject["commonName"]

    def state_of(self, who):
        for path in glob.glob(self.states + "/*/state/identity.json"):
            with open(path, encoding="utf-8") as file:
                if json.load(file).get("collector_id") == who:
                    return os.path.dirname(path)
        raise Closed("no state folder of agent %s" % who)

    def connect(self, sock, target, who):
        state = self.state_of(who)
        context = ssl.create_default_context(cafile=self.folder + "/agents.crt")
        context.load_cert_chain(state + "/agent.pem")
        return context.wrap_socket(sock, server_hostname=target[0])


class Proxy:
    def __init__(self, target, log, control, tls):
        self.target = target
        self.log = log
        self.control = control
        self.tls = tls
        self.older = []
        self.lock = threading.Lock()

    def connect(self, who, target=None):
        target = target or self.target
        sock = socket.create_connection(target, timeout=IDLE_S)
        return self.tls.connect(sock, target, who)

    def connect_any(self, who):
        """A connection to one of the servers, and which one it is."""
        ports = self.control.values.get("nodes", "")
        targets = [("127.0.0.1", int(p)) for p in ports.split(",") if p] or [self.target]
        self.control.random.shuffle(targets)
        for target in targets[:-1]:
            try:
                return self.connect(who, target), target
            except ConnectionRefusedError:
                pass
        return self.connect(who, targets[-1]), targets[-1]

    def serve(self, client):
        """One client connection, request by request."""
        client.settimeout(IDLE_S)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            client, who = self.tls.accept(client)
            stream = Stream(client)
            while True:
                head = stream.take_head()
                mode = self.control.mode()
                if mode == "refuse":
                    raise Closed("refused")
                if b"100-continue" in b"\n".join(head).lower():
                    client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                raw, body = stream.take_body(head, is_answer=False)
                if mode == "blackhole":
                    time.sleep(IDLE_S)
                    raise Closed("blackhole")
                self.exchange((client, who), head, raw, body)
        except (Closed, OSError, ValueError):
            pass
        finally:
            client.close()

    def note(self, path, fault, status, request, answer):
        self.log.write({"path": path.decode("latin-1"), "fault": fault, "status": status,
                        "request": decode(request),
                        "answer": None if answer is None else decode(answer)})

    def exchange(self, agent, head, raw, body):
        """Passes one request on and its answer back."""
        client, who = agent
        request = self.with_host(head) + raw
        method, path = head[0].split()[:2]
        is_push = path.decode("latin-1").split("?")[0].endswith(PUSH_PATH)
        fault = self.choose_fault() if is_push else ""
        if fault == "drop_request":
            self.note(path, fault, None, body, None)
            raise Closed(fault)
        if fault == "cut_request":
            with self.connect(who) as sock:
                sock.sendall(request[:len(request) - max(1, len(raw) // 2)])
            self.note(path, fault, None, body, None)
            raise Closed(fault)
        if fault == "delay":
            time.sleep(self.control.seconds("delay_s", 1))
        if fault == "replay":
            self.replay_older()
        try:
            if fault == "twin":
                threading.Thread(target=self.try_ask, args=(who, request), daemon=True).start()
            answer_head, answer_raw, answer = self.ask(who, request, method)
            if fault == "duplicate":
                answer_head, answer_raw, answer = self.ask(who, request, method)
        except (Closed, OSError):
            if is_push:
                self.note(path, fault or "no_answer", None, body, None)
            raise
        status = int(answer_head[0].split()[1])
        if is_push:
            self.note(path, fault, status, body, answer)
            self.remember(who, request)
        reply = b"\r\n".join(answer_head) + b"\r\n\r\n" + answer_raw
        if fault == "drop_answer":
            raise Closed(fault)
        if fault == "cut_answer":
            client.sendall(reply[:len(reply) // 2])
            raise Closed(fault)
        client.sendall(reply)
        if header_map(answer_head).get("connection", "").lower() == "close":
            raise Closed("server closes")

    def ask(self, who, request, method):
        """Sends the request on a connection of its own, so that nothing is ever repeated here."""
        sock, target = self.connect_any(who)
        stream = Stream(sock)
        try:
            stream.sock.sendall(request.replace(b"Host: %s:%d" % (self.target[0].encode(),
                                                                  self.target[1]),
                                                b"Host: %s:%d" % (target[0].encode(), target[1]),
                                                1))
            head = stream.take_head()
            while head[0].split()[1] == b"100":
                head = stream.take_head()
            raw, body = stream.take_body(head, is_answer=True, method=method)
            return head, raw, body
        finally:
            stream.sock.close()

    def with_host(self, head):
        host = "%s:%d" % self.target
        lines = [b"Host: " + host.encode() if line.lower().startswith(b"host:") else line
                 for line in head if not line.lower().startswith(b"expect:")]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def choose_fault(self):
        for name in ("drop_request", "cut_request", "drop_answer", "cut_answer", "duplicate",
                     "twin", "replay", "delay"):
            if self.control.hit(name):
                return name
        return ""

    def remember(self, who, request):
        with self.lock:
            self.older.append((who, request))
            del self.older[:-20]

    def replay_older(self):
        with self.lock:
            older = self.control.random.choice(self.older) if self.older else None
        if older:
            self.try_ask(*older)

    def try_ask(self, who, request):
        """A request whose answer nobody waits for."""
        try:
            self.ask(who, request, b"POST")
        except (Closed, OSError):
            pass


def main():
    parser = argparse.ArgumentParser(description="logging and failing HTTP proxy")
    parser.add_argument("--listen", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--to", required=True, help="HOST:PORT of the server")
    parser.add_argument("--log", required=True, help="acknowledgement log (appended)")
    parser.add_argument("--control", help="control file")
    parser.add_argument("--tls", metavar="DIR", help="certificates; both sides are TLS")
    parser.add_argument("--states", metavar="DIR", help="where state folders of agents are")
    args = parser.parse_args()
    host, port = args.to.rsplit(":", 1)
    tls = Mutual(args.tls, args.states) if args.tls else Plain()
    proxy = Proxy((host, int(port)), Log(args.log), Control(args.control), tls)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", args.listen))
    listener.listen(64)
    print("proxy ready on port %d" % args.listen, flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=proxy.serve, args=(client,), daemon=True).start()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(0)
