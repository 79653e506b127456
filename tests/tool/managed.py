#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""What tests/scenario/managed.sh asks of a server that reads managed instances; prints TAP.

    managed.py PHASE --url URL --token-file FILE --port PORT [--closed PORT] [--own PORT]

Phases: main (create, trials, roles, changes), again (after a restart), gone (delete), strict (a
server without the setting for tests). psql reaches the PostgreSQL that is read by its variables.
"""

import argparse
import json
import subprocess
import sys
import time

from api import Api

A, B = "pl4nted-secret-alpha", "pl4nted-secret-beta"
PATIENCE = 90


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, name, *shown):
        self.count += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.count, name), flush=True)
        if not good:
            print("# %s" % " ".join(str(s) for s in shown)[:600])
        return good

    def eq(self, got, want, name):
        return self.ok(got == want, name, "got", got, "want", want)


t = Tap()


def sql(text):
    return subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text], check=True,
                          capture_output=True, text=True).stdout.strip()


def soon(ask, want, name):
    """Repeats a question until the answer is the wanted one."""
    end = time.monotonic() + PATIENCE
    got = ask()
    while got != want and time.monotonic() < end:
        time.sleep(0.2)
        got = ask()
    return t.eq(got, want, name)


class Person:
    def __init__(self, url, token):
        self.client = Api(url, token)

    def __call__(self, method, path, body=None, headers=None):
        text = None if body is None else json.dumps(body).encode()
        status, _, data = self.client.request(method, path, text, headers)
        self.raw = data.decode("utf-8", "replace")
        try:
            return status, json.loads(self.raw) if self.raw else {}
        except ValueError:
            return status, {}


def sign_up(owner, url, name, role):
    word = "long enough for " + name
    owner("POST", "users", {"username": name, "password": word, "role": role})
    answer = Person(url, None)("POST", "auth/login", {"username": name, "password": word})[1]
    return Person(url, answer.get("token"))


def state_of(owner, number, member="last_connection_status"):
    return lambda: owner("GET", "managed-instances/%d" % number)[1].get(member)


def stored(owner):
    return sum(s["stored"] for s in owner("GET", "monitoring")[1]["streams"])


def sessions():
    return int(sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader'"))


def instance(args, **more):
    return dict({"name": "main", "endpoint": "127.0.0.1", "port": args.port,
                 "master_username": "reader", "master_password": A}, **more)


def create(args, owner):
    status, m = owner("POST", "managed-instances", instance(args))
    if not t.eq(status, 201, "an instance is created"):
        print("#", owner.raw)
        sys.exit(1)
    number, target = m["id"], m["target_id"]
    t.ok(isinstance(number, int), "ids are integers")
    t.eq((m["password_is_set"], m["ssl_mode"], m["status"]), (True, "prefer", "registering"),
         "a password is set; on loopback encryption is preferred")
    t.ok(A not in owner.raw, "and the password is not given out")
    soon(state_of(owner, number), "connected", "the server connects to it")
    m = owner("GET", "managed-instances/%d" % number)[1]
    number_of_server = int(sql("SHOW server_version_num"))
    t.eq(m["server_version"], "%d.%d" % divmod(number_of_server, 10000), "it says the version")
    t.eq(m["status"], "monitoring", "its state is as published")
    soon(lambda: owner("GET", "servers/" + target)[1].get("name"), "main",
         "it is a target of that name")
    ask = "servers/%s/metrics?relation=pg_instance&column=up&from=-5m" % target
    soon(lambda: 1 in sum((s["values"] for s in owner("GET", ask)[1].get("series", [])), []), True,
         "its readings are in the store")
    soon(lambda: len(owner("GET", "servers/%s/sessions/load?from=-1h" % target)[1]
                     .get("series", [])) > 0, True, "sessions are sampled")
    t.ok(0 < sessions() <= 3, "with at most three connections", sessions())
    t.eq(owner("POST", "managed-instances", instance(args))[0], 409, "a name is taken once")
    return number


def said(answer):
    status, d = answer
    return (status, d.get("success"), d.get("code"), d.get("stage"))


def trials(args, people):
    """Five a minute each: so many people."""
    left = []

    def direct(**members):
        if not left:
            left.extend([people.pop()] * 5)
        who = left.pop()
        body = dict({"endpoint": "127.0.0.1", "port": args.port, "username": "reader",
                     "password": A}, **members)
        answer = who("POST", "managed-instances/test-connection-direct", body)
        quoted = [w for w in ("FATAL", "authentication failed", "does not exist", A)
                  if w in who.raw]
        t.eq(quoted, [], "nothing of the other side or of the password is quoted")
        return answer

    first = people[-1]
    t.eq(said(direct()), (200, True, "ok", None), "a good one")
    t.eq(said(direct(password="wrong")), (200, False, "auth", "auth"), "a wrong password")
    t.eq(said(direct(database="nowhere")), (200, False, "database", "database"),
         "a database that is not there")
    t.eq(said(direct(port=args.closed)), (200, False, "tcp", "tcp"), "a closed port")
    t.eq(said(direct(endpoint="no-such-name.invalid")), (200, False, "dns", "dns"),
         "a name without an address")
    t.eq(first("POST", "managed-instances/test-connection-direct",
               {"endpoint": "127.0.0.1", "username": "reader"})[0], 429,
         "a sixth trial within a minute is too many (S4)")
    answer = direct(username="poor")
    t.eq(said(answer) + (answer[1]["fix"],),
         (200, False, "rights", "rights", 'GRANT pg_monitor TO "poor"'),
         "a missing grant, as exact SQL")
    answer = direct(username="shut", database="closed")
    t.eq(said(answer) + (answer[1]["fix"],),
         (200, False, "rights", "rights", 'GRANT CONNECT ON DATABASE "closed" TO "shut"'),
         "no right to connect")
    fix = direct(username='odd"one')[1]["fix"]
    t.eq(fix, 'GRANT pg_monitor TO "odd""one"', "names in that SQL are quoted")
    sql(fix)
    t.eq(said(direct(username='odd"one')), (200, True, "ok", None), "it helps as it is")
    t.eq(said(direct(ssl_mode="require")), (200, False, "tls", "tls"),
         "TLS that the server does not have: no step down (T8)")
    t.eq(said(direct(ssl_mode="verify-full")), (200, False, "tls", "tls"), "the same verified")
    t.eq(said(direct(username="plain")), (200, False, "auth", "auth"),
         "a password does not go over an open link in clear text")
    t.eq(said(direct(password="")), (200, False, "auth", "auth"), "no password is not some other")
    for endpoint, code, words in (
            ("169.254.169.254", "blocked", "link-local"), ("10.1.2.3", "blocked", "private"),
            ("0.0.0.0", "blocked", "this network"), ("224.0.0.1", "blocked", "multicast"),
            ("64:ff9b::a9fe:a9fe", "blocked", "NAT64 of link-local"),
            ("/var/run/postgresql", "host", "a Unix socket"), ("127.1", "host", "a short form")):
        t.eq(said(direct(endpoint=endpoint)), (200, False, code, "dns"),
             "%s (%s) is not dialled (S2)" % (endpoint, words))
    t.eq(said(direct(port=args.own)), (200, False, "blocked", "dns"), "nor our own listener (S2)")
    t.eq(said(direct(database="host=10.9.9.9 dbname=postgres")),
         (200, False, "database", "database"),
         "a database name is not read as a connection string (S4)")


def refusals(args, owner):
    t.eq(owner("POST", "managed-instances", instance(args, name="bad", port=80))[0], 400,
         "a port that is not configured is not taken (S4)")
    for endpoint in ("127.1", "0x7f.1", "2130706433", "user@127.0.0.1", "127.0.0.1/x", "localhost.",
                     "127.0.0.1,10.0.0.1", "127.0.0.1 sslkey=/etc/passwd", "//x", "", "a\\b",
                     "[::ffff:169.254.169.254]", "0.0.0.0", "b\u00fccher.example"):
        t.eq(owner("POST", "managed-instances", instance(args, name="bad", endpoint=endpoint))[0],
             400, "endpoint %r is not taken (S5)" % endpoint)
    for member in ("service", "passfile", "sslkey", "sslcert", "hostaddr", "options", "target_id",
                   "id", "version"):
        t.eq(owner("POST", "managed-instances", instance(args, name="bad", **{member: "x"}))[0],
             422, "member %s is not known (S4, Z3)" % member)
    for member, value in (("ssl_mode", "none"), ("database", "a\nb"), ("tags", [1]),
                          ("connection_timeout", 31), ("master_password", "a\0b")):
        t.eq(owner("POST", "managed-instances", instance(args, name="bad", **{member: value}))[0],
             400, "%s %r is not taken" % (member, value))


def changes(args, owner, viewer, number):
    path = "managed-instances/%d" % number
    t.eq(viewer("GET", "managed-instances")[1]["data"][0]["name"], "main", "a viewer sees it")
    t.eq(viewer("POST", path + "/test-connection")[0], 403, "and may not test it")
    t.eq(viewer("PUT", path, {"description": "x"})[0], 403, "or change it")
    t.eq(owner("PUT", path, {"description": "x"}, {"If-Match": '"m1-99"'})[0], 412,
         "a change of an old version is refused")
    t.eq(owner("PUT", path, {"port": args.closed})[0], 400,
         "another port without the password is refused")
    t.ok("give it again" in owner.raw, "and it is said why", owner.raw)
    sql("ALTER ROLE reader PASSWORD '%s'" % B)
    status, m = owner("PUT", path, {"description": "new", "master_password": A},
                      {"If-Match": '"m%d-1"' % number})
    t.eq((status, m.get("version"), m.get("description")), (200, 2, "new"),
         "a change makes a version")
    soon(state_of(owner, number), "error", "a password that is right no longer is noticed")
    t.eq(state_of(owner, number, "last_error_stage")(), "auth", "at its stage")
    t.ok("FATAL" not in owner.raw and "failed for" not in owner.raw,
         "without the server's own words")
    t.eq(said(owner("POST", path + "/test-connection")), (200, False, "auth", "auth"),
         "the stored credential is the one that is tried")
    t.eq(owner("PUT", path, {"master_password": B})[0], 200, "the new password")
    soon(state_of(owner, number), "connected", "is used at once")
    t.ok(state_of(owner, number, "state_since")(), "since when is kept")
    t.eq(said(owner("POST", path + "/test-connection")), (200, True, "ok", None), "and tried")
    status, m = owner("PUT", path, {"ssl_mode": "disable", "master_password": B})
    t.eq((status, m.get("ssl_mode"), m.get("verifies_server")), (200, "disable", False),
         "a weaker mode is taken, and shown (T8)")
    t.eq(owner("PUT", path, {"paused": True})[1].get("status"), "paused", "it can pause")
    soon(sessions, 0, "its connections are closed then")
    owner("PUT", path, {"paused": False})
    soon(lambda: sessions() > 0, True, "and it goes on")


def main_phase(args, owner):
    sleeper = subprocess.Popen(["psql", "-qAtX", "-c", "SELECT pg_sleep(600)"],
                               stdout=subprocess.DEVNULL)
    try:
        number = create(args, owner)
    finally:
        sleeper.kill()
    people = [sign_up(owner, args.url, "op%d" % i, "admin") for i in range(5)]
    trials(args, people)
    refusals(args, owner)
    changes(args, owner, sign_up(owner, args.url, "see", "viewer"), number)


def again_phase(_, owner):
    number = owner("GET", "managed-instances")[1]["data"][0]["id"]
    before = stored(owner)
    soon(lambda: stored(owner) > before, True, "readings go on after a restart")
    soon(state_of(owner, number), "connected", "with the password that was kept")
    streams = owner("GET", "monitoring")[1]["streams"]
    t.eq(len(streams), 1, "in the one stream")
    t.ok(all(s["next_seq"] - 1 == s["stored"] for s in streams), "without a gap or a double",
         streams)


def gone_phase(_, owner):
    m = owner("GET", "managed-instances")[1]["data"][0]
    path = "managed-instances/%d" % m["id"]
    t.eq(owner("DELETE", path)[0], 204, "an instance is deleted")
    soon(sessions, 0, "its connections are closed")
    t.eq(owner("GET", path)[0], 404, "it is gone")
    t.eq(owner("GET", "servers/" + m["target_id"])[0], 200, "what was read of it stays")


def strict_phase(_, owner):
    for endpoint in ("127.0.0.1", "::1", "127.9.9.9", "::ffff:127.0.0.1"):
        t.eq(owner("POST", "managed-instances", {"name": "x", "endpoint": endpoint,
                                                 "master_username": "x"})[0], 400,
             "endpoint %s is not taken without allow_loopback (S2)" % endpoint)
    t.eq(said(owner("POST", "managed-instances/test-connection-direct",
                    {"endpoint": "localhost", "username": "x", "password": "x"})),
         (200, False, "blocked", "dns"), "nor a name that leads there (S1)")
    status, m = owner("POST", "managed-instances", {"name": "far", "endpoint": "db.invalid",
                                                    "master_username": "x"})
    t.eq((status, m.get("ssl_mode"), m.get("verifies_server")), (201, "verify-full", True),
         "beyond loopback servers are verified by default (T8)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("phase", choices=("main", "again", "gone", "strict"))
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--closed", type=int, default=0)
    parser.add_argument("--own", type=int, default=0)
    args = parser.parse_args()
    with open(args.token_file, encoding="utf-8") as file:
        owner = Person(args.url, file.read().strip())
    {"main": main_phase, "again": again_phase, "gone": gone_phase,
     "strict": strict_phase}[args.phase](args, owner)
    print("1..%d" % t.count)


if __name__ == "__main__":
    main()
