#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The configuration: the reference pages in packaging/doc are what the key tables say, a dump loads
# to the same dump, and mistakes are named with line and column.
# timeout: 60

. "$(dirname "$0")/lib.sh"
need_pga
root=$(cd "$(dirname "$0")/../.." && pwd)

for applet in agent server; do
    "$PGA" "$applet" --config-reference >"$T/reference.md"
    cmp -s "$T/reference.md" "$root/packaging/doc/config-$applet.md"
    ok $? "packaging/doc/config-$applet.md is current (make docs writes it)"
done
"$PGA" agent --source-reference >"$T/reference.md"
cmp -s "$T/reference.md" "$root/packaging/doc/relations.md"
ok $? "packaging/doc/relations.md is current (make docs writes it)"

cat >"$T/agent.toml" <<'C'
[agent]
name = "quoted \"name\""
[spool]
max_bytes = "12MB"
keep_after_ack = "90s"
[[target]]
name = "one"
dsn = "host=/run/postgresql dbname=postgres"
sessions_every = "2s"
[[target]]
name = "two"
host = "127.0.0.1"
sslmode = "disable"
C
"$PGA" agent --config "$T/agent.toml" --dump-config >"$T/dump1.toml"
is $? 0 "an agent's configuration is dumped"
"$PGA" agent --config "$T/dump1.toml" --dump-config >"$T/dump2.toml"
is $? 0 "and the dump is a configuration"
cmp -s "$T/dump1.toml" "$T/dump2.toml"
ok $? "that dumps to the same text"
like "$(cat "$T/dump1.toml")" 'name = "two"' "with every target"

"$PGA" server --state-dir "$T/state" --dump-config >"$T/dump1.toml"
is $? 0 "a server's configuration is dumped"
"$PGA" server --config "$T/dump1.toml" --dump-config >"$T/dump2.toml"
cmp -s "$T/dump1.toml" "$T/dump2.toml"
ok $? "its dump dumps to the same text"

refused() { # NAME TEXT PATTERN
    printf '%b' "$2" >"$T/bad.toml"
    OUT=$("$PGA" agent --config "$T/bad.toml" --check-config 2>&1)
    unlike "$?" '^0$' "$1: refused"
    like "$OUT" "$3" "$1: says where"
}
refused "an unknown key" '[agent]\nnam = "x"\n' 'line 2.*nam'
refused "a wrong type" '[agent]\nname = 3\n' 'line 2'
refused "an open string" '[agent]\nname = "x\n' 'line 2'
refused "a duration that is none" '[spool]\nmax_age = "soon"\n' 'line 2'
refused "a value out of range" '[spool]\nlive_after = "9d"\n' 'live_after'
refused "TLS to PostgreSQL" '[[target]]\nname = "x"\nhost = "db1"\nsslmode = "verify-full"\n' 'TLS'
OUT=$("$PGA" server --state-dir "$T/state" --listen 192.0.2.1:8080 2>&1)
unlike "$?" '^0$' "a plain listener beyond loopback is refused"
like "$OUT" 'TLS|loopback' "and says why"
done_testing
