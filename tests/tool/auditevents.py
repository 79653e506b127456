#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Every security event has its row in the audit, in the same transaction (security L1). TAP.

    auditevents.py --url URL --database meta.db --log LOG --password FILE

Does each thing once, and looks for the row of the request by its id, which stands in the access
log as well. Then a trigger makes adding audit rows fail, and everything is tried again: it must be
refused, and no table of the control plane may have changed.
"""

import argparse
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import api  # noqa: E402

# What changes with no row of its own: when somebody was heard last, counts, and the audit itself.
QUIET = {"audit", "audit_head", "login_failure", "collector_slot", "schema_migration",
         "sqlite_sequence", "sqlite_stat1"}
QUIET_COLUMNS = {"used_ms", "last_seen_ms", "last_used_ms", "samples_total", "verified_ms",
                 "address"}


class Tester:
    def __init__(self, args):
        self.args, self.count, self.failed = args, 0, 0
        self.owner = api.Api(args.url)
        with open(args.password, encoding="utf-8") as file:
            self.password = file.read().strip()
        self.made = {}

    def ok(self, good, name, *what):
        self.count += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.count, name))
        for text in what if not good else ():
            print("# %s" % str(text)[:300])

    def sign_in(self, name, password):
        client = api.Api(self.args.url)
        answer = self.call(client, "POST", "auth/login", username=name, password=password)
        if answer[0] == 200:
            client.token = json.loads(answer[2])["token"]
            client.refresh = json.loads(answer[2])["refresh_token"]
        return client, answer

    @staticmethod
    def call(client, method, path, headers=None, raw=None, **body):
        data = raw if raw is not None else json.dumps(body).encode() if body else None
        return client.request(method, path, data, headers)

    # --- what is done; each returns the answer of the request that has the row ---------------

    def user_create(self, name="ann"):
        answer = self.call(self.owner, "POST", "users", username=name, role="viewer",
                           password="a long pass phrase " + name)
        if answer[0] == 201:
            self.made[name] = json.loads(answer[2])["id"]
        return answer

    def user(self, method, tail="", **body):
        return self.call(self.owner, method, "users/%s%s" % (self.made["ann"], tail), **body)

    def own_password(self):
        client, _ = self.sign_in("ann", "a long pass phrase ann")
        return self.call(client, "POST", "auth/change-password",
                         old_password="a long pass phrase ann",
                         new_password="another pass phrase of ann")

    def login_failed(self):
        return self.sign_in("ann", "not the password of ann")[1]

    def logout(self):
        client, _ = self.sign_in("owner", self.password)
        return self.call(client, "POST", "auth/logout")

    def refresh(self):
        client, _ = self.sign_in("owner", self.password)
        return self.call(client, "POST", "auth/refresh", refresh_token=client.refresh)

    def token(self):
        answer = self.call(self.owner, "POST", "tokens", name="robot", scope="read")
        if answer[0] == 201:
            self.made["token"] = json.loads(answer[2])["id"]
        return answer

    def secret(self):
        answer = self.call(self.owner, "POST", "registration-secrets", name="s",
                           max_registrations=5, expires_in_s=600)
        if answer[0] == 201:
            self.made["secret"] = json.loads(answer[2])
        return answer

    def secret_is(self, method, **body):
        return self.call(self.owner, method,
                         "registration-secrets/%s" % self.made["secret"]["id"], **body)

    def register(self, name="h1"):
        answer = self.call(api.Api(self.args.url), "POST", "collectors/register",
                           {"X-Registration-Secret": self.made["secret"]["secret"]},
                           name=name, hostname=name, version="t")
        if answer[0] == 201:
            self.made["collector"] = json.loads(answer[2])["collector_id"]
        return answer

    def config(self, text=b'[[target]]\nname = "x"\nevery = "2s"\n'):
        return self.owner.request("PUT", "config/%s" % self.made["collector"], text,
                                  {"Content-Type": "application/toml"})

    def move(self):
        """To another group each time: where it is already, nothing happens."""
        self.made["moves"] = self.made.get("moves", 0) + 1
        return self.call(self.owner, "PUT", "collectors/%s" % self.made["collector"],
                         group="group-%d" % self.made["moves"])

    def events(self):
        """(action, what does it), in an order in which each can happen."""
        o = self.owner
        return [
            ("user.create", self.user_create),
            ("user.update", lambda: self.user("PUT", role="operator")),
            ("login", lambda: self.sign_in("owner", self.password)[1]),
            ("login.failed", self.login_failed),
            ("user.password", self.own_password),
            ("session.refresh", self.refresh),
            ("session.confirm", lambda: self.call(o, "POST", "auth/confirm",
                                                  password=self.password)),
            ("logout", self.logout),
            ("token.create", self.token),
            ("token.revoke", lambda: self.call(o, "DELETE", "tokens/%s" % self.made["token"])),
            ("secret.create", self.secret),
            ("secret.update", lambda: self.secret_is("PUT", name="renamed")),
            ("collector.register", self.register),
            ("config.put", self.config),
            ("collector.group", self.move),
            ("collector.revoke", lambda: self.call(
                o, "DELETE", "collectors/%s" % self.made["collector"])),
            ("secret.revoke", lambda: self.secret_is("DELETE")),
            ("user.reset_password", lambda: self.user("POST", "/reset-password")),
            ("user.delete", lambda: self.user("DELETE")),
            ("store.compact", lambda: self.call(o, "POST", "store/compact")),
            ("backup.create", lambda: o.request("GET", "backup")),
            ("audit.export", lambda: o.request("GET", "audit/export")),
            ("keys.rotate_data", lambda: self.call(o, "POST", "keys/rotate", key="data")),
            ("keys.rotate_master", lambda: self.call(o, "POST", "keys/rotate", key="master")),
        ]

    # --- first: each has its row ------------------------------------------------------------

    def rows_of(self, request):
        return self.owner.get("audit", request=request)["data"]

    def each_has_its_row(self):
        ids = {}
        for action, act in self.events():
            status, headers, body = act()
            request = headers.get("X-Request-Id", "")
            rows = self.rows_of(request) if request else []
            good = [r for r in rows if r["action"] == action]
            want = status == 401 if action == "login.failed" else 200 <= status < 300
            self.ok(want and len(good) == 1, "L1: %s has its row" % action, status, body, rows)
            ids[request] = action
        with open(self.args.log, encoding="utf-8", errors="replace") as file:
            log = file.read()
        lost = [a for i, a in ids.items() if "access request=%s:" % i not in log]
        self.ok(not lost, "L1: each request is in the access log by the same id", lost)

    # --- second: no row, no change ------------------------------------------------------------

    def tables(self):
        with sqlite3.connect("file:%s?mode=ro" % self.args.database, uri=True) as db:
            names = [r[0] for r in db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'")]
            found = {}
            for name in names:
                columns = [r[1] for r in db.execute("PRAGMA table_info(%s)" % name)
                           if r[1] not in QUIET_COLUMNS]
                if name not in QUIET and columns:
                    found[name] = sorted(map(repr, db.execute(
                        "SELECT %s FROM %s" % (", ".join(columns), name))))
            return found

    def trigger(self, sql):
        with sqlite3.connect(self.args.database, timeout=30) as db:
            db.execute(sql)

    def no_row_no_change(self):
        self.user_create()
        self.token()
        self.secret()
        self.register("h2")
        fresh = {"user.create": lambda: self.user_create("bob"),
                 "collector.register": lambda: self.register("h3")}
        skipped = {"user.password", "session.refresh", "logout"}  # begin with a login, which fails
        self.trigger("CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN "
                     "SELECT RAISE(ABORT, 'no row'); END")
        try:
            for action, act in self.events():
                if action in skipped:
                    continue
                before = self.tables()
                status, _, body = fresh.get(action, act)()
                after = self.tables()
                changed = [t for t in after if after[t] != before.get(t)]
                self.ok(status >= 400 and not changed, "L1: no %s without its row" % action,
                        status, body, changed)
        finally:
            self.trigger("DROP TRIGGER no_audit")

    def run(self):
        self.owner, answer = self.sign_in("owner", self.password)
        self.ok(answer[0] == 200, "the owner signs in", answer)
        first = self.owner.get("audit", limit=1000)["data"][-1]
        self.ok(first["action"] == "keys.create", "L1: the first row says that keys were made",
                first)
        self.each_has_its_row()
        self.owner, _ = self.sign_in("owner", self.password)
        self.no_row_no_change()
        print("1..%d" % self.count)
        return self.failed > 0


def main():
    parser = argparse.ArgumentParser()
    for name in ("url", "database", "log", "password"):
        parser.add_argument("--" + name, required=True)
    sys.exit(Tester(parser.parse_args()).run())


main()
