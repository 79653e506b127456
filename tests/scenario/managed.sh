#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The server reads PostgreSQL servers by itself: created through the API, samples appear under a
# target of that name; what is wrong is told by a code of our own, with the missing grant as SQL;
# changes take effect at once, a restart keeps all, and no password is in database, log or answer.
# security S1, S2, S4, S5, T8. The questions are in tests/tool/managed.py.
# timeout: 300

. "$(dirname "$0")/lib.sh"
need_pga

SECRET_A='pl4nted-secret-alpha'
SECRET_B='pl4nted-secret-beta'

cat >"$T/hba.conf" <<'H'
local all all trust
host all postgres,pga 127.0.0.1/32 trust
host all plain 127.0.0.1/32 password
host all all 127.0.0.1/32 scram-sha-256
H
chmod 644 "$T/hba.conf"

ask() { # PHASE: takes over the tests of one phase
    python3 "$TOOL/managed.py" "$1" --url "$SERVER_URL" --token-file "$T/token" --port "$PGPORT" \
        --closed "$closed" --own "$SERVER_PORT" >"$T/phase" 2>"$T/log/phase-$1"
    tap_from "$T/phase" "$2"
}

planted() { grep -rlaF -e "$SECRET_A" -e "$SECRET_B" "$@" 2>/dev/null; }

ctl() { PGA_SERVER=$SERVER_URL PGA_TOKEN=$(cat "$T/token") "$PGA" ctl "$@"; }

command_line() {
    local out
    printf '%s\n' "$SECRET_B" >"$T/word"
    chmod 600 "$T/word"
    out=$(ctl instance create --name second --endpoint 127.0.0.1 --port "$PGPORT" \
        --username reader --password-file "$T/word" 2>&1)
    like "$out" second "pga ctl instance create"
    soon_like 60 'ctl instance list' 'second .*connected' "pga ctl instance list"
    like "$(ctl instance test second 2>&1)" 'ok' "pga ctl instance test"
    out=$(ctl instance update second --description 'by ctl' --ssl-mode require 2>&1)
    is "$?" 0 "pga ctl instance update" || diag "$out"
    out=$(ctl instance show second -o json)
    like "$out" 'by ctl' "pga ctl instance show"
    out=$(ctl instance test second 2>&1)
    is "$?" 7 "a test that fails has a status of its own"
    like "$out" 'tls' "and says where it ended"
    ctl instance delete second --yes >/dev/null
    unlike "$(ctl instance list)" second "pga ctl instance delete"
    rm "$T/word"
}

try_version() { # VERSION
    start_pg "pg$1" "$1" "hba_file = '$T/hba.conf'" "password_encryption = 'scram-sha-256'"
    ok $? "PostgreSQL $PGVERSION" || return
    sql "CREATE ROLE reader LOGIN PASSWORD '$SECRET_A'; GRANT pg_monitor TO reader;
         CREATE ROLE poor LOGIN PASSWORD '$SECRET_A'; CREATE ROLE plain LOGIN PASSWORD '$SECRET_A';
         CREATE ROLE shut LOGIN PASSWORD '$SECRET_A';
         CREATE ROLE \"odd\"\"one\" LOGIN PASSWORD '$SECRET_A'" &&
        sql 'CREATE DATABASE closed' && sql 'REVOKE CONNECT ON DATABASE closed FROM PUBLIC'
    ok $? "its roles and databases" || return
    closed=$(free_port)
    rm -f "$T/token"
    start_server "server$1" '[managed]' 'allow_loopback = true' 'ports = ["1024-65535"]' &&
        set_up_owner
    ok $? "a server with its owner" || return
    ask main "$1: "
    stop "$SERVER"
    restart_server "$SERVER"
    ok $? "the server starts again" || return
    log_in
    ask again "$1: "
    command_line
    ask gone "$1: "
    stop "$SERVER"
    is "$(planted "$T/$SERVER/state")" "" "no password in the state directory (K3)"
    is "$(planted "$T/log/$SERVER")" "" "nor in the log"
    stop_pg "pg$1"
}

try_version system
audit=$(python3 - "$T/serversystem/state/store/meta.db" <<'P'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
for row in db.execute("SELECT action, object, detail FROM audit WHERE action LIKE 'managed.%'"):
    print(*row)
print("rows", db.execute("SELECT count(*) FROM managed_instance").fetchone()[0])
P
)
like "$audit" 'managed.create managed:1 main: 127.0.0.1 port' "creation is in the audit (L1)"
like "$audit" 'ssl_mode disable \(weaker than before\)' "so is a weaker mode (T8)"
like "$audit" 'managed.delete managed:1 main' "and deletion"
like "$audit" 'managed.test direct .*blocked' "and tests of what is not stored"
like "$audit" 'rows 0' "no row is left"
[ "$PGA_FULL" = 0 ] || try_version 18

# --- two servers of one store: the leader reads the instances, and the other one after it ---

store_sql() { PGDATABASE=pga_store sql "$1"; }

leader() { # prints node1, node2 or nothing
    local name node
    name=$(store_sql 'select n.name from ts_leader l join ts_node n on n.id = l.holder
        where l.until > clock_timestamp()')
    for node in node1 node2; do
        [ -z "$name" ] || [ "${name##*:}" != "$(pid_of $node)" ] || echo $node
    done
}

readings() { # readers of the instance: sessions of the role
    sql "select count(*) from pg_stat_activity where usename = 'reader'"
}

takeover() {
    local url led other
    start_pg nodes system "hba_file = '$T/hba.conf'" "password_encryption = 'scram-sha-256'"
    ok $? "a PostgreSQL for a store and an instance" || return
    sql "CREATE ROLE reader LOGIN PASSWORD '$SECRET_A'; GRANT pg_monitor TO reader"
    sql 'create database pga_store'
    url=postgres://$PGUSER@127.0.0.1:$PGPORT/pga_store
    "$PGA" migrate --store "$url" up >"$T/log/migrate" 2>&1
    rm -f "$T/token"
    start_server node1 "store = \"$url\"" '[managed]' 'allow_loopback = true' \
        'ports = ["1024-65535"]' && set_up_owner
    ok $? "the first of two servers" || return
    mkdir -p "$T/node2/state"
    cp -r "$T/node1/state/keys" "$T/node2/state/"
    start_server node2 "store = \"$url\"" '[managed]' 'allow_loopback = true' \
        'ports = ["1024-65535"]'
    ok $? "and the second" || return
    soon_like 60 leader '^node[12]$' "one leads"
    led=$(leader)
    other=node$((3 - ${led#node}))
    use_server "$other"
    api POST managed-instances "{\"name\":\"taken\",\"endpoint\":\"127.0.0.1\",\"port\":$PGPORT,
        \"master_username\":\"reader\",\"master_password\":\"$SECRET_A\",
        \"monitoring_interval\":5}"
    is "$STATUS" 201 "an instance is made through the one that does not lead"
    poll 60 eval '[ "$(readings)" -gt 0 ]'
    ok $? "the leader reads it"
    unlike "$(cat "$T/log/$other")" 'target=taken' "the other one does not"
    kill -KILL "$(pid_of "$led")"
    poll 60 eval '[ "$(readings)" = 0 ]'
    ok $? "the leader is dead"
    poll 120 eval '[ "$(readings)" -gt 0 ]'
    ok $? "the other one takes its place and reads the instance" ||
        diag "$(tail -5 "$T/log/$other")"
    is "$(leader)" "$other" "as it leads now"
    status() { api GET managed-instances; member data.0.last_connection_status; }
    soon_is 60 status connected "and says that it is connected"
    stop "$other"
    stop_pg nodes
}
[ "$PGA_FULL" = 0 ] || takeover

start_server strict
ok $? "a server with the usual settings" || done_testing
rm -f "$T/token"
set_up_owner
ask strict ""

done_testing
