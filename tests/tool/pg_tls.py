#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Our libpq over TLS against real servers, beside Debian's psql over OpenSSL. Prints TAP.

    pg_tls.py --driver pq-tls --pki DIR [--pg DIR] [--mb N] [--up N] [--psql] PART...

Parts: `pki` makes the certificates; `matrix`, `files`, `client`, `auth`, `weak`, `versions`,
`big` and `pooler` need the server of --pg; `peers` needs none. What must come out of a cell is
worked out here from the rules of libpq's manual; with --psql, psql is asked the same where it can
be, and its outcome (works, works without TLS, or the kind of error) is compared as well.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from examples import Tap  # noqa: E402
import pg_tls_peer as peer  # noqa: E402
from pg_tls_pki import PASSWORD, Pki, Server  # noqa: E402

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

# Kinds of error, in the words of ours and of psql with OpenSSL.
KINDS = (
    ("verify", r"certificate verify failed"),
    ("name", r"does not match host name|could not get server's host name"),
    ("plain", r"does not support SSL|no pg_hba.conf entry.*(SSL off|no encryption)"),
    ("refused", r"no pg_hba.conf entry.*(SSL on|SSL encryption)"),
    ("client", r"requires a valid client certificate|certificate authentication failed"
               r"|alert|without a valid SSL certificate|did not request an SSL certificate"),
    ("binding", r"[Cc]hannel binding"),
    ("password", r"(password|SASL) authentication failed|no password supplied"),
    ("roots", r"root certificate file .* (does not exist|could not)|weak sslmode"),
    ("key", r"private key|certificate file|certificate present|does not match private key"),
    ("protocol", r"protocol version|unsupported protocol|SSL protocol|version range"),
    ("closed", r"EOF|closed|reset|terminated abnormally"),
)


def kind_of(error):
    """The attempt that counts is the last one: of prefer, the open one."""
    for line in reversed([x for x in re.split(r"(?=connection to server)", error) if x.strip()]):
        for name, pattern in KINDS:
            if re.search(pattern, line):
                return name
    return "other: " + error


def quoted(value):
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def conninfo(**options):
    return " ".join("%s=%s" % (k, quoted(v)) for k, v in options.items() if v is not None)


class Driver:
    def __init__(self, path, home):
        os.makedirs(home, exist_ok=True)
        self.env = dict(os.environ, HOME=home)
        for name in list(self.env):
            if name.startswith("PG") or name.startswith("SSL_CERT"):
                del self.env[name]
        self.path = path
        self.process = None
        self.lock = threading.Lock()

    def ask(self, action, info, arg=""):
        with self.lock:
            if self.process is None:
                self.process = subprocess.Popen([self.path], env=self.env, stdin=subprocess.PIPE,
                                                stdout=subprocess.PIPE)
            self.process.stdin.write(("%s\t%s\t%s\n" % (action, info, arg)).encode())
            self.process.stdin.flush()
            line = self.process.stdout.readline().decode(errors="replace")
        if not line.endswith("\n"):
            raise SystemExit("the driver ended: %s %s" % (action, info))
        return dict(part.split("=", 1) for part in line.rstrip("\n").split("\t") if "=" in part)

    def outcome(self, info):
        got = self.ask("login", info)
        if got["ok"] == "1":
            return "tls" if got["ssl"] == "1" else "open"
        return kind_of(got["error"])

    def psql(self, info, **env):
        done = subprocess.run(
            ["psql", info, "-XAtqc", "select ssl from pg_stat_ssl where pid = pg_backend_pid()"],
            env=dict(self.env, LC_ALL="C", **env), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if done.returncode == 0:
            return "tls" if done.stdout.strip() == b"t" else "open"
        return kind_of(done.stderr.decode(errors="replace"))


class Tests:
    def __init__(self, args):
        self.tap = Tap()
        self.args = args
        self.driver = Driver(args.driver, os.path.join(args.pki, "home"))
        self.pki = None
        self.server = None

    def ready(self):
        if self.pki is None:
            self.pki = Pki.__new__(Pki)
            self.pki.dir = self.args.pki
        if self.server is None and self.args.pg:
            self.server = Server(self.args.pg, self.pki)

    def where(self, **options):
        base = dict(host="localhost", hostaddr="127.0.0.1", port=self.server.port, user="pga",
                    dbname="postgres", sslmode="verify-full", sslrootcert=self.pki.path("ca.crt"))
        base.update(options)
        return conninfo(**base)

    def cells(self, name, cells, compare=True):
        """cells: list of (label, conninfo, expected); one test for ours, one for psql."""
        wrong, differ = [], []
        compare = compare and self.args.psql
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            theirs = ([pool.submit(self.driver.psql, info) for _, info, _ in cells]
                      if compare else [])
            for label, info, want in cells:
                got = self.driver.outcome(info)
                if got != want:
                    wrong.append("%s: got %s, want %s" % (label, got, want))
            for (label, _, want), future in zip(cells, theirs):
                if future.result() != want:
                    differ.append("%s: psql %s, want %s" % (label, future.result(), want))
        prefix = "%d: " % self.server.version if self.server else ""
        self.tap.ok(not wrong, "%s%s: %d cells" % (prefix, name, len(cells)), "\n".join(wrong))
        if compare:
            self.tap.ok(not differ, "%s%s: psql over OpenSSL says the same" % (prefix, name),
                        "\n".join(differ))

    def reason(self, name, info, pattern):
        got = self.driver.ask("login", info)
        self.tap.ok(got["ok"] == "0" and re.search(pattern, got["error"]) is not None, name, got)

    # --- what a server's certificate makes of each mode

    @staticmethod
    def expect(mode, chain, name, roots=True):
        if mode in ("disable", "allow"):
            return "open"
        if roots and not chain:
            return "open" if mode == "prefer" else "verify"
        if mode == "verify-full" and not name:
            return "name"
        return "tls"

    def modes(self, name, chain, host_fits, **options):
        self.cells(name, [(mode, self.where(sslmode=mode, **options),
                           self.expect(mode, chain, host_fits)) for mode in MODES])

    def matrix(self):
        path = self.pki.path
        crl = dict(sslcrl=path("ca.crl"))
        self.server.use("good")
        self.modes("a good certificate", True, True)
        self.modes("an authority we do not know", False, True, sslrootcert=path("other.crt"))
        self.modes("good, and revocation lists", True, True, **crl)
        self.modes("a revocation list of another authority", False, True, sslcrl=path("other.crl"))
        self.modes("an expired revocation list", False, True, sslcrl=path("old.crl"))
        self.modes("an address in the certificate", True, True, host="127.0.0.1", hostaddr=None)
        self.modes("an address that is not", True, False, host="127.0.0.2", hostaddr="127.0.0.1")
        self.cells("no authority is given", [
            (mode, self.where(sslmode=mode, sslrootcert=path("none.crt")),
             "roots" if mode[0] == "v" else self.expect(mode, True, True, False))
            for mode in MODES])
        for name, chain, fits in (("wrongname", True, False), ("expired", False, True),
                                  ("future", False, True), ("clientuse", False, True),
                                  ("common", True, True)):
            self.server.use(name)
            self.modes("certificate " + name, chain, fits)
        self.server.use("revoked")
        self.modes("a revoked certificate, no list", True, True)
        self.modes("a revoked certificate", False, True, **crl)
        self.cells("a revoked certificate, lists in a folder", [
            ("verify-full", self.where(sslcrldir=path("crls")), "verify")], compare=False)
        self.reason("the reason is told: revoked", self.where(**crl), "certificate revoked")
        self.server.use("address")
        self.modes("only an address in the certificate", True, False)
        self.modes("the address is meant", True, True, host="127.0.0.1", hostaddr=None)
        self.server.use("wildcard")
        for host, fits in (("db.pga.test", True), ("a.b.pga.test", False), ("pga.test", False)):
            self.cells("wildcard and " + host, [("verify-full", self.where(host=host),
                                                 "tls" if fits else "name")])
        self.server.use("chain")
        self.modes("an authority between", True, True)
        self.modes("between, and a list of one authority alone", False, True, **crl)
        self.modes("between, and both lists", True, True, sslcrl=path("both.crl"))
        self.modes("trust in the one between alone", False, True, sslrootcert=path("middle.crt"))

    # --- files: roots of the system, lists, what cannot be read

    def files(self):
        path = self.pki.path
        self.server.use("good")
        self.driver.process = None
        self.driver.env["SSL_CERT_FILE"] = path("ca.crt")
        system = dict(sslrootcert="system")
        self.cells("roots of the system", [
            ("verify-full", self.where(**system), "tls"),
            ("wrong name", self.where(host="db.example", **system), "name"),
            ("verify-ca", self.where(sslmode="verify-ca", **system), "roots"),
            ("prefer", self.where(sslmode="prefer", **system), "roots")], compare=False)
        self.driver.env["SSL_CERT_FILE"] = path("other.crt")
        self.driver.process = None
        self.cells("other roots of the system", [("verify-full", self.where(**system), "verify")],
                   compare=False)
        del self.driver.env["SSL_CERT_FILE"]
        self.driver.process = None
        self.cells("a folder of lists without one", [
            ("verify-full", self.where(sslcrldir=path("nocrls")), "verify")])
        self.reason("a list that was named and is missing is an error",
                    self.where(sslcrl=path("none.crl")), "could not open revocation list")
        self.reason("a list that is none is an error", self.where(sslcrl=path("ca.crt")),
                    "could not read revocation list")
        self.reason("roots that are none are an error", self.where(sslrootcert=path("ca.key")),
                    "could not read root certificate file")
        self.reason("roots that are a folder are an error", self.where(sslrootcert=path("crls")),
                    "not a regular file")

    # --- certificates of clients

    def client(self):
        path = self.pki.path
        pair = lambda cert, key=None: dict(sslcert=path(cert + ".crt"),
                                           sslkey=path(key or cert + ".key"))
        alice = lambda **more: self.where(user="alice", **more)
        self.server.use("good")
        self.cells("a client certificate is wanted", [
            ("none", alice(), "client"),
            ("given", alice(**pair("alice")), "tls"),
            ("RSA", alice(**pair("alicersa")), "tls"),
            ("another user's", alice(**pair("bob")), "client"),
            ("another authority's", alice(**pair("strange")), "client"),
            ("revoked", alice(**pair("gone")), "client"),
            ("expired", alice(**pair("late")), "client"),
            ("TLS 1.2", alice(ssl_max_protocol_version="TLSv1.2", **pair("alice")), "tls"),
            ("TLS 1.2, none", alice(ssl_max_protocol_version="TLSv1.2"), "client"),
            ("TLS 1.2, revoked", alice(ssl_max_protocol_version="TLSv1.2", **pair("gone")),
             "client"),
            ("not needed", self.where(**pair("alice")), "tls"),
            ("not needed, not there", self.where(sslcert=path("none.crt")), "tls")])
        encrypted = pair("alice", "alice.pk8")
        self.cells("keys", [
            ("PKCS 8, encrypted", alice(sslpassword=PASSWORD, **encrypted), "tls"),
            ("PEM, encrypted", alice(sslpassword=PASSWORD, **pair("alicersa", "alicersa.old")),
             "tls"),
            ("wrong password", alice(sslpassword="no", **encrypted), "key"),
            ("wrong password, PEM", alice(sslpassword="no", **pair("alicersa", "alicersa.old")),
             "key"),
            ("DER", alice(**pair("alice", "alice.der")), "tls"),
            ("of another certificate", alice(**pair("alice", "bob.key")), "key"),
            ("open to others", alice(**pair("alice", "alice.open")), "key"),
            ("missing", alice(**pair("alice", "none.key")), "key"),
            ("a folder", alice(**pair("alice", "crls")), "key")])
        self.reason("an encrypted key without a password", alice(**encrypted),
                    "sslpassword is not set")
        self.reason("the wrong one is told", alice(sslpassword="no", **encrypted),
                    "not its password")
        self.reason("a key that is open to others", alice(**pair("alice", "alice.open")),
                    "group or world access")
        need = dict(sslcertmode="require")
        self.cells("sslcertmode", [
            ("require, given", alice(**need, **pair("alice")), "tls"),
            ("require, none", self.where(**need), "client"),
            ("disable", alice(sslcertmode="disable", **pair("alice")), "client")], compare=False)
        self.server.use("good", client_ca=False)
        self.cells("the server does not ask", [
            ("given", self.where(**pair("alice")), "tls")])
        self.cells("the server does not ask, but we insist", [
            ("require", self.where(**need, **pair("alice")), "client")], compare=False)

    # --- passwords and channel binding

    def auth(self):
        plus = "tls" if self.server.version >= 11 else "binding"
        scram = lambda **more: self.where(user="uscram", password="secret", **more)
        need = dict(channel_binding="require")
        self.server.use("good")
        self.cells("passwords", [
            ("md5", self.where(user="umd5", password="secret"), "tls"),
            ("md5, wrong", self.where(user="umd5", password="no"), "password"),
            ("md5, binding", self.where(user="umd5", password="secret", **need), "binding"),
            ("SCRAM", scram(), "tls"),
            ("SCRAM, wrong", self.where(user="uscram", password="no"), "password"),
            ("SCRAM, no binding", scram(channel_binding="disable"), "tls"),
            ("PLUS", scram(**need), plus),
            ("PLUS, TLS 1.2", scram(ssl_max_protocol_version="TLSv1.2", **need), plus),
            ("PLUS, unverified", scram(sslmode="require", sslrootcert=None, **need), plus),
            ("PLUS without TLS", scram(sslmode="disable", **need), "plain"),
            ("trust, binding", self.where(**need), "binding"),
            ("only TLS", self.where(user="utls", sslmode="disable"), "plain"),
            ("only TLS, allow", self.where(user="utls", sslmode="allow"), "tls"),
            ("only open, prefer", self.where(user="uplain", sslmode="prefer"), "open"),
            ("only open, require", self.where(user="uplain", sslmode="require"), "refused")])
        for cert, root in (("p384", "ca"), ("p521", "ca"), ("pss", "rsa")):
            self.server.use(cert)
            self.cells("channel binding with certificate " + cert, [
                (v, scram(ssl_max_protocol_version=v, sslrootcert=self.pki.path(root + ".crt"),
                          **need), plus) for v in ("TLSv1.2", "TLSv1.3")])

    def weak(self):
        """A server whose OpenSSL still serves such a certificate: Debian's does not."""
        scram = dict(user="uscram", password="secret", channel_binding="require")
        plus = "tls" if self.server.version >= 11 else "binding"
        self.server.use("sha1")
        self.cells("channel binding with a weak certificate, unverified", [
            ("PLUS", self.where(sslmode="require", sslrootcert=None, **scram), plus)])
        self.reason("a weak signature is not trusted", self.where(), "weak hash")

    # --- protocol versions, names of ciphers, direct negotiation, cancelling

    def link(self, name, wants, **options):
        sql = "select row(version, bits) from pg_stat_ssl where pid = pg_backend_pid()"
        got = self.driver.ask("query", self.where(**options), sql)
        short = {k: v for k, v in got.items() if k in wants}
        self.tap.ok(short == wants
                    and got.get("value") == "(%s,%s)" % (got["protocol"], got["key_bits"]),
                    "%d: %s" % (self.server.version, name), got)
        return got

    def versions(self):
        self.server.use("good")
        facts = {"ok": "1", "ssl": "1", "library": "Mbed TLS", "compression": "off", "struct": "1",
                 "openssl": "0", "unknown": "0",
                 "alpn": "postgresql" if self.server.version > 16 else ""}
        got = self.link("what libpq says of TLS 1.2", dict(facts, protocol="TLSv1.2"),
                        ssl_max_protocol_version="TLSv1.2")
        self.tap.ok(re.match(r"TLS_ECDHE_RSA_WITH_(AES_\d+_GCM|CHACHA20_POLY1305)", got["cipher"]),
                    "%d: the cipher of TLS 1.2 is one with forward secrecy" % self.server.version,
                    got)
        got = self.link("what libpq says of TLS 1.3", dict(facts, protocol="TLSv1.3"),
                        ssl_min_protocol_version="TLSv1.3")
        name = self.driver.ask("query", self.where(),
                               "select cipher from pg_stat_ssl where pid = pg_backend_pid()")
        self.tap.ok(name["value"] == name["cipher"],
                    "%d: the cipher of TLS 1.3 has the server's name" % self.server.version, name)
        got = self.driver.ask("login", self.where(sslmode="disable"))
        self.tap.ok(got["ok"] == "1" and got["ssl"] == "0" and "library" not in got and
                    got["struct"] == "0",
                    "%d: an open link has no attributes" % self.server.version, got)
        self.cells("versions", [
            ("old ones", self.where(ssl_min_protocol_version="TLSv1",
                                    ssl_max_protocol_version="TLSv1.1"), "protocol"),
            ("none in between", self.where(ssl_min_protocol_version="TLSv1.3",
                                           ssl_max_protocol_version="TLSv1.2"), "protocol"),
            ("min TLSv1", self.where(ssl_min_protocol_version="TLSv1"), "tls"),
            ("no name is sent", self.where(sslsni="0"), "tls")], compare=False)
        direct = "tls" if self.server.version > 16 else "closed"
        self.cells("direct negotiation", [
            ("verify-full", self.where(sslnegotiation="direct"), direct),
            ("prefer", self.where(sslnegotiation="direct", sslmode="prefer"), "roots")],
            compare=False)
        self.cancel("cancelling")
        if direct == "tls":
            self.cancel("cancelling, direct", sslnegotiation="direct")

    def cancel(self, name, **options):
        with peer.Proxy(self.server.port) as proxy:
            got = self.driver.ask("cancel", self.where(port=proxy.port, **options))
        hello = b"\x16\x03" if options else peer.SSL_REQUEST
        good = got.get("cancelled") == "1" and got.get("state") == "57014"
        self.tap.ok(good, "%d: %s works" % (self.server.version, name), got)
        self.tap.ok(len(proxy.heads) >= 2 and all(h.startswith(hello) for h in proxy.heads) and
                    not any(peer.CANCEL_CODE in h for h in proxy.heads),
                    "%d: %s is encrypted" % (self.server.version, name), proxy.heads)

    # --- much data

    def big(self):
        mb = self.args.mb
        self.server.use("good")
        for version in ("TLSv1.2", "TLSv1.3"):
            got = self.driver.ask("rows", self.where(ssl_max_protocol_version=version), mb)
            rows = mb * 100
            letters = sum(65 + i % 26 for i in range(1, rows + 1))
            self.tap.ok(got.get("bytes") == str(rows * 10240) and got.get("sum") == str(letters),
                        "%d: %d MB arrive whole over %s" % (self.server.version, mb, version), got)
            rows = self.args.up * 256
            with peer.Proxy(self.server.port, slow=True) as proxy:
                got = self.driver.ask("upload", self.where(port=proxy.port,
                                                           ssl_max_protocol_version=version),
                                      self.args.up)
            want = "%d %d %d 4094" % (rows, rows, rows * (rows - 1) // 2)
            self.tap.ok(got.get("value") == want and proxy.held,
                        "%d: %d MB are sent whole over %s while the socket is full and libpq's "
                        "buffer grows" % (self.server.version, self.args.up, version),
                        (got, want, proxy.held))

    # --- pgbouncer

    def pooler(self):
        self.server.use("good")
        with peer.Pooler(self.server, self.pki, self.args.pki) as pooler:
            here = lambda **more: self.where(**{"port": pooler.port, "user": "uscram",
                                                "password": "secret", **more})
            self.cells("through pgbouncer", [
                ("verify-full", here(), "tls"),
                ("require", here(sslmode="require"), "tls"),
                ("prefer", here(sslmode="prefer"), "tls"),
                ("unknown authority", here(sslrootcert=self.pki.path("other.crt")), "verify"),
                ("wrong name", here(host="db.example"), "name"),
                ("wrong password", here(password="no"), "password")], compare=False)
            got = self.driver.ask("query", here(),
                                  "select count(*) from generate_series(1, 100000)")
            self.tap.ok(got.get("value") == "100000" and got.get("protocol") == "TLSv1.3",
                        "pgbouncer answers over TLS", got)
            got = self.driver.ask("cancel", here())
            self.tap.ok(got.get("cancelled") == "1" and got.get("state") == "57014",
                        "cancelling through pgbouncer works", got)

    def peers(self):
        peer.run_all(self)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--driver", required=True)
    p.add_argument("--pki", required=True)
    p.add_argument("--pg")
    p.add_argument("--mb", type=int, default=20)
    p.add_argument("--up", type=int, default=8)
    p.add_argument("--psql", action="store_true")
    p.add_argument("part", nargs="+")
    args = p.parse_args()
    tests = Tests(args)
    for part in args.part:
        if part == "pki":
            tests.pki = Pki(args.pki)
        else:
            tests.ready()
            getattr(tests, part)()
    print("1..%d" % tests.tap.count)
    return tests.tap.failed > 0


if __name__ == "__main__":
    sys.exit(main())
