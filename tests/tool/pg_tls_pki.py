# SPDX-License-Identifier: PostgreSQL
"""Certificates for tests/tool/pg_tls.py, made with openssl when the test runs, and a server's use
of them.

    Pki(dir)              two authorities, certificates of servers and of clients, revocation lists
    Server(pg_dir, pki)   a cluster of tests/pg/server that is told to use them
"""

import os
import shutil
import socket
import ssl
import struct
import subprocess
import time

PASSWORD = "pa ss'w\\ord"  # of encrypted keys; as awkward as a connection string may be
SSL_REQUEST = struct.pack("!II", 8, 80877103)

CONFIG = """
[ca]
default_ca = it
[it]
dir = {dir}
database = $dir/{name}.db
new_certs_dir = $dir/new
serial = $dir/{name}.srl
crlnumber = $dir/{name}.num
certificate = $dir/{name}.crt
private_key = $dir/{name}.key
default_md = {md}
default_days = 30
default_crl_days = 30
policy = any
copy_extensions = copy
unique_subject = no
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
[signer]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
"""

# name of a server certificate: key, subject, subjectAltName, more options
SERVERS = {
    "good": ("rsa:2048", "localhost", "DNS:localhost,IP:127.0.0.1", {}),
    "wrongname": ("P-256", "db.example", "DNS:db.example", {}),
    "expired": ("P-256", "localhost", "DNS:localhost",
                {"dates": ("200101000000Z", "200201000000Z")}),
    "future": ("P-256", "localhost", "DNS:localhost",
               {"dates": ("480101000000Z", "480201000000Z")}),
    "revoked": ("P-256", "localhost", "DNS:localhost", {"revoke": True}),
    "address": ("P-256", "no name", "IP:127.0.0.1", {}),
    "wildcard": ("P-256", "x", "DNS:*.pga.test", {}),
    "common": ("P-256", "localhost", None, {}),
    "clientuse": ("P-256", "localhost", "DNS:localhost", {"eku": "clientAuth"}),
    "chain": ("P-256", "localhost", "DNS:localhost", {"ca": "middle"}),
    "p384": ("P-384", "localhost", "DNS:localhost", {"md": "sha384"}),
    "p521": ("P-521", "localhost", "DNS:localhost", {"md": "sha512"}),
    "pss": ("rsa:3072", "localhost", "DNS:localhost", {"ca": "rsa", "pss": True}),
    "sha1": ("P-256", "localhost", "DNS:localhost", {"md": "sha1"}),
}
CLIENTS = {
    "alice": ("P-256", "alice", None, {}),
    "alicersa": ("rsa:2048", "alice", None, {}),
    "bob": ("P-256", "bob", None, {}),
    "strange": ("P-256", "alice", None, {"ca": "other"}),
    "gone": ("P-256", "alice", None, {"revoke": True}),
    "late": ("P-256", "alice", None, {"dates": ("200101000000Z", "200201000000Z")}),
}


def run(*words, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if done.returncode:
        raise SystemExit("%s: %s" % (" ".join(words[:4]), done.stdout.decode(errors="replace")))
    return done.stdout


class Pki:
    def __init__(self, where):
        self.dir = where
        os.makedirs(os.path.join(where, "new"), exist_ok=True)
        for name, kind in (("ca", "P-256"), ("other", "P-256"), ("rsa", "rsa:2048")):
            self._authority(name, kind)
        self._middle()
        for table in (SERVERS, CLIENTS):
            for name, (kind, subject, san, more) in table.items():
                self._leaf(name, kind, subject, san, more)
        self._finish()

    def path(self, name):
        return os.path.join(self.dir, name)

    def _key(self, name, kind):
        if kind.startswith("rsa:"):
            run("openssl", "genpkey", "-algorithm", "RSA",
                "-pkeyopt", "rsa_keygen_bits:" + kind[4:], "-out", self.path(name + ".key"))
        else:
            run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + kind,
                "-out", self.path(name + ".key"))
        os.chmod(self.path(name + ".key"), 0o600)

    def _config(self, name, md="sha256"):
        with open(self.path(name + ".cnf"), "w") as f:
            f.write(CONFIG.format(dir=self.dir, name=name, md=md))
        return self.path(name + ".cnf")

    def _files(self, name):
        open(self.path(name + ".db"), "w").close()
        for ext in ("srl", "num"):
            with open(self.path("%s.%s" % (name, ext)), "w") as f:
                f.write("1000\n")
        return self._config(name)

    def _authority(self, name, kind):
        self._key(name, kind)
        self._files(name)
        run("openssl", "req", "-new", "-x509", "-days", "60", "-key", self.path(name + ".key"),
            "-subj", "/CN=authority " + name, "-out", self.path(name + ".crt"),
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _middle(self):
        self._key("middle", "P-256")
        self._files("middle")
        self._sign("middle", "/CN=authority between", None, {"extensions": "signer"})

    def _sign(self, name, subject, san, more):
        ask = ["openssl", "req", "-new", "-key", self.path(name + ".key"), "-subj", subject,
               "-out", self.path(name + ".csr")]
        if san:
            ask += ["-addext", "subjectAltName=" + san]
        if more.get("eku"):
            ask += ["-addext", "extendedKeyUsage=" + more["eku"]]
        run(*ask)
        sign = ["openssl", "ca", "-batch", "-notext",
                "-config", self.path(more.get("ca", "ca") + ".cnf"),
                "-in", self.path(name + ".csr"), "-out", self.path(name + ".crt")]
        if more.get("md"):
            sign += ["-md", more["md"]]
        if more.get("dates"):
            sign += ["-startdate", more["dates"][0], "-enddate", more["dates"][1]]
        if more.get("extensions"):
            sign += ["-extensions", more["extensions"]]
        if more.get("pss"):
            sign += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"]
        run(*sign)

    def _leaf(self, name, kind, subject, san, more):
        self._key(name, kind)
        self._sign(name, "/CN=" + subject, san, more)
        if more.get("revoke"):
            run("openssl", "ca", "-config", self.path("ca.cnf"),
                "-revoke", self.path(name + ".crt"))

    def _join(self, name, *parts):
        with open(self.path(name), "wb") as out:
            for part in parts:
                with open(self.path(part), "rb") as f:
                    out.write(f.read())

    def _finish(self):
        for name in ("ca", "other", "middle"):
            run("openssl", "ca", "-config", self.path(name + ".cnf"), "-gencrl",
                "-out", self.path(name + ".crl"))
        run("openssl", "ca", "-config", self.path("ca.cnf"), "-gencrl",
            "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z",
            "-out", self.path("old.crl"))
        shutil.copy(self.path("chain.crt"), self.path("chain.leaf"))
        self._join("chain.crt", "chain.leaf", "middle.crt")
        self._join("both.crl", "ca.crl", "middle.crl")
        os.makedirs(self.path("crls"), exist_ok=True)
        shutil.copy(self.path("ca.crl"), self.path("crls/0123abcd.r0"))
        os.makedirs(self.path("nocrls"), exist_ok=True)
        key = self.path("alice.key")
        run("openssl", "pkcs8", "-topk8", "-in", key, "-v2", "aes-256-cbc", "-passout",
            "pass:" + PASSWORD, "-out", self.path("alice.pk8"))
        run("openssl", "rsa", "-in", self.path("alicersa.key"), "-traditional", "-aes128",
            "-passout", "pass:" + PASSWORD, "-out", self.path("alicersa.old"))
        run("openssl", "pkey", "-in", key, "-outform", "DER", "-out", self.path("alice.der"))
        with open(self.path("key.password"), "w") as f:
            f.write(PASSWORD + "\n")
        shutil.copy(key, self.path("alice.open"))
        for name in ("alice.pk8", "alicersa.old", "alice.der"):
            os.chmod(self.path(name), 0o600)
        os.chmod(self.path("alice.open"), 0o644)


HBA = """
local   all all                  trust
hostssl all alice  127.0.0.1/32  cert
hostssl all umd5   127.0.0.1/32  md5
hostssl all uscram 127.0.0.1/32  scram-sha-256
hostssl all utls   127.0.0.1/32  trust
hostnossl all uplain 127.0.0.1/32 trust
host    all pga    127.0.0.1/32  trust
host    all postgres 127.0.0.1/32 trust
"""
ROLES = """
set password_encryption = 'md5'; create role umd5 login password 'secret';
set password_encryption = 'scram-sha-256'; create role uscram login password 'secret';
create role alice login; create role utls login; create role uplain login;
"""


class Server:
    """A cluster in the folder that tests/pg/server made; its certificate changes by reload."""

    def __init__(self, pg_dir, pki):
        self.data = os.path.join(pg_dir, "data")
        self.pki = pki
        self.owner = os.stat(self.data)
        with open(os.path.join(pg_dir, "env")) as f:
            env = dict(line.strip().split("=", 1) for line in f)
        self.port = int(env["PGPORT"])
        self.version = int(env["PGVERSION"]) // 10000
        self.socket = env["PGSOCKET"]
        self.pid = int(env["PGPID"])
        if self.sql("select 1 from pg_roles where rolname = 'utls'") == "":
            self.sql(ROLES)
        self._write("pg_hba.conf", HBA.encode())

    def sql(self, text):
        return run("psql", "-h", self.socket, "-p", str(self.port), "-U", "postgres",
                   "-d", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text).decode().strip()

    def _write(self, name, content):
        path = os.path.join(self.data, name)
        with open(path + ".new", "wb") as f:
            f.write(content)
        os.chmod(path + ".new", 0o600)
        os.chown(path + ".new", self.owner.st_uid, self.owner.st_gid)
        os.rename(path + ".new", path)

    def _copy(self, to, name):
        with open(self.pki.path(name), "rb") as f:
            self._write(to, f.read())

    def use(self, name, client_ca=True):
        """Serve the certificate; returns when new connections get it."""
        self._copy("server.crt", name + ".crt")
        self._copy("server.key", name + ".key")
        self._copy("clients.crt", "ca.crt")
        self._copy("clients.crl", "ca.crl")
        lines = {"ssl": "on", "ssl_ca_file": "clients.crt" if client_ca else "",
                 "ssl_crl_file": "clients.crl" if client_ca else ""}
        self._write("postgresql.auto.conf",
                    "".join("%s = '%s'\n" % item for item in lines.items()).encode())
        self.reload()
        want = ssl.PEM_cert_to_DER_cert(self._leaf(name))
        for _ in range(600):
            if self._shown() == want and self._asks() == client_ca:
                return
            time.sleep(0.1)
        raise SystemExit("the server does not show the certificate " + name)

    def _leaf(self, name):
        with open(self.pki.path(name + ".crt")) as f:
            text = f.read()
        return text[:text.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n"

    def reload(self):
        os.kill(self.pid, 1)

    def _handshake(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        s = socket.create_connection(("127.0.0.1", self.port), 10)
        s.sendall(SSL_REQUEST)
        if s.recv(1) != b"S":
            s.close()
            return None
        return context.wrap_socket(s)

    def _shown(self):
        try:
            s = self._handshake()
        except OSError:
            return None
        if s is None:
            return None
        with s:
            return s.getpeercert(True)

    def _asks(self):
        return self.sql("show ssl_ca_file") != ""
