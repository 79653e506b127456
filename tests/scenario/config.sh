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
refused "a mode of TLS that is none" '[[target]]\nname = "x"\nhost = "db1"\nsslmode = "verify"\n' \
    'sslmode=verify is none of'
refused "the password of a key" '[[target]]\nname = "x"\ndsn = "host=db1 sslpassword=y"\n' \
    'the dsn holds a password'
refused "a rule across keys" '[[target]]\nname = "x"\n[[target]]\nname = "y"\nevery = "10ms"\n' \
    'line 3: target "y": every'

printf '[server]\nlisten = ["127.0.0.1:1"]\nstor = 1\n' >"$T/bad.toml"
OUT=$("$PGA" server --config "$T/bad.toml" --check-config 2>&1)
is "$?" 2 "a server's bad configuration ends --check-config with status 2"
like "$OUT" 'bad.toml: line 3, column 1: unknown key "stor"' "and is named with its place"
for applet in agent server; do
    "$PGA" $applet --config "$T/none.toml" --check-config >"$T/out" 2>"$T/err"
    is $? 2 "$applet: a file that is not there is status 2 as well"
    like "$(cat "$T/err")" 'none.toml: No such file' "and named"
done
printf '[server]\nlog_level = "warn"\n' >"$T/good.toml"
"$PGA" server --config "$T/good.toml" --state-dir "$T/state" --check-config >"$T/out"
is $? 0 "a good one is status 0"

# The collector that pga replaces: its keys are taken, each with the name it has now.
cat >"$T/old.toml" <<'C'
[collector]
id = "col-1"
hostname = "db-old"
interval = 60
push_interval = 60
config_pull_interval = 300
[backend]
url = "http://127.0.0.1:9999"
tls_cert = "/etc/cert.pem"
tls_key = "/etc/key.pem"
[postgres]
host = "127.0.0.1"
port = 5432
user = "watch"
password = "sesame"
database = "postgres"
databases = "app, other"
[tls]
verify = false
cert_file = "c"
key_file = "k"
ca_file = "a"
[registration]
auto_register = true
secret = "pgar_x"
[sysstat]
enabled = false
interval = 60
[pg_query_stats]
enabled = true
interval = 120
C
for section in pg_stats pg_log disk_usage pg_replication pg_schema pg_locks pg_bloat pg_cache \
    pg_connections pg_extensions; do
    printf '[%s]\nenabled = true\ninterval = 60\n' "$section" >>"$T/old.toml"
done
"$PGA" agent --config "$T/old.toml" --check-config >"$T/out" 2>"$T/err"
is $? 0 "an old collector's configuration is taken"
is "$(grep -c 'is an old' "$T/err")" "$(grep -c = "$T/old.toml")" "with a note for each of its keys"
like "$(cat "$T/err")" 'line 13: \[postgres\] port is an old name, write \[\[target\]\] port' \
    "that names the new key"
unlike "$(cat "$T/err")" 'sesame|pgar_x' "and no secret"
"$PGA" agent --config "$T/old.toml" --dump-config >"$T/new.toml" 2>/dev/null
for line in 'name = "db-old"' 'url = "http://127.0.0.1:9999"' 'port = "5432"' 'user = "watch"' \
    'every = "1m"' 'statements_every = "2m"' 'databases = \["app", "other"\]' 'enabled = false'; do
    like "$(cat "$T/new.toml")" "^$line" "the dump has it by its new name: $line"
done
unlike "$(cat "$T/new.toml")" 'sesame|pgar_x' "the dump holds no secret"
"$PGA" agent --config "$T/new.toml" --check-config >"$T/out" 2>"$T/err"
is "$? $(grep -c 'is an old' "$T/err")" "0 0" "and is a configuration without old keys"

OUT=$("$PGA" server --state-dir "$T/state" --listen 192.0.2.1:8080 2>&1)
unlike "$?" '^0$' "a listener at an address of another host is refused"
like "$OUT" 'this host has no such address' "and says why"
done_testing
