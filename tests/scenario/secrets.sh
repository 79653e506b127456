#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Secrets at rest, from outside: a server starts with its master key from a file, a credential of
# the service manager or a passphrase, and with no other (K2, K4); keys are replaced, and a server
# that is killed at any moment of it starts again with nobody signed out; planted secrets are
# nowhere in the store, a dump, a backup or the logs (K3), nor in memory after use (K5). A full run
# does the same on PostgreSQL.
# timeout: 240, full 600

. "$(dirname "$0")/lib.sh"
need_pga
export XDG_CONFIG_HOME=$T/config
unset PGA_SERVER PGA_TOKEN PGA_TOKEN_FILE

ctl() { # as the owner; sets OUT
    local status=0
    OUT=$(PGA_SERVER=$SERVER_URL PGA_TOKEN_FILE=$T/token "$PGA" ctl "$@" 2>&1 </dev/null) ||
        status=$?
    return $status
}

says() { # WHAT: the server does not start; its last words are in OUT
    OUT=$(timeout 30 "$PGA" server --config "$T/$SERVER/server.toml" 2>&1)
    is $? 1 "no start with $1"
}

knows_me() { api GET auth/me; [ "$STATUS" = 200 ]; }

lines=()
if [ "${SECRETS_PG:-0}" = 1 ]; then
    start_pg store system
    sql 'create database pga_store'
    STORE=postgres://$PGUSER@127.0.0.1:$PGPORT/pga_store
    "$PGA" migrate --store "$STORE" up >"$T/log/migrate" 2>&1
    ok $? "pga migrate up"
    lines=("store = \"$STORE\"")
fi

# --- a key file -----------------------------------------------------------------------------

start_server server "${lines[@]}"
ok $? "the server is ready" || done_testing
set_up_owner
KEY=$T/server/state/keys/master.key
is "$(stat -c %a "$KEY" "$(dirname "$KEY")" | tr '\n' ' ')" "600 700 " \
    "the key is the owner's alone"
stop server
mv "$KEY" "$T/key"
says "no key"
like "$OUT" 'master key: the store holds data and .*master.key is not there' "and it is said why"
ok "$([ ! -e "$KEY" ]; echo $?)" "none is made in its place"
printf '%064d\n' 1 >"$KEY"
chmod 600 "$KEY"
says "another key"
like "$OUT" 'is not the master key of this store' "and it is said why"
cp "$T/key" "$KEY"
chmod 640 "$KEY"
says "a key that the group may read"
like "$OUT" "run: chmod 600" "and it is said why"
rm "$KEY"
ln -s "$T/key" "$KEY"
says "a link to the key"
like "$OUT" "symbolic link" "and it is said why"
rm "$KEY"

# --- a credential of the service manager ----------------------------------------------------

mkdir -m 700 "$T/credentials"
cp "$T/key" "$T/credentials/pga-master-key"
export CREDENTIALS_DIRECTORY=$T/credentials
restart_server server
ok $? "the key as a credential" || done_testing
ok "$(knows_me; echo $?)" "tokens of before are good"
ctl keys status
like "$OUT" 'master key from +credential' "keys status names the source"
stop server
unset CREDENTIALS_DIRECTORY
mv "$T/key" "$KEY"

# --- a passphrase ---------------------------------------------------------------------------

printf 'a passphrase of some words\n' >"$T/passphrase"
chmod 600 "$T/passphrase"
start_server phrase '[keys]' "passphrase_file = \"$T/passphrase\""
ok $? "a passphrase in place of a key" || done_testing
stop phrase
restart_server phrase
ok $? "and again"
ok "$([ ! -e "$T/phrase/state/keys" ]; echo $?)" "there is no key file"
stop phrase
sed -i 's/words/wards/' "$T/passphrase"
says "another passphrase"
sed -i 's/wards/words/' "$T/passphrase"
chmod 644 "$T/passphrase"
says "a passphrase that others may read"

# --- other keys, and kills in between -----------------------------------------------------------

use_server server
restart_server server
before=$(cat "$KEY")
ctl keys rotate master
ok $? "the master key is replaced" || diag "$OUT"
unlike "$(cat "$KEY")" "$before" "the file has another"
ctl keys rotate data
like "$OUT" 'fields left +0' "the data key is replaced, and fields are sealed anew"
ctl keys status
like "$OUT" '^ *1 .*20[0-9-]+T[^ ]+ +20[0-9-]+T' "the old one is retired"
ctl keys rotate both
is $? 2 "which key must be said"
ok "$(knows_me; echo $?)" "nobody was signed out"
api POST keys/rotate '{"key":"both"}'
is "$STATUS" 400 "the route knows two keys"

if [ -x "$PGA_FAULTY" ]; then
    for point in keys.next_written keys.rewrapped keys.master_committed keys.data_committed \
        keys.stepped keys.retiring; do
        stop server
        kind=master
        [[ $point =~ data|stepped|retiring ]] && kind=data
        FAULT=$point SERVER_PGA=$PGA_FAULTY restart_server server
        api POST keys/rotate "{\"key\":\"$kind\"}"
        wait_gone server 30
        ok $? "killed at $point" || diag "$STATUS $BODY"
        rm -f "$T/pid/server"
        restart_server server
        is "$? $(knows_me; echo $?)" "0 0" "it starts again, and knows who is signed in" ||
            diag "$(tail -n 5 "$T/log/server")"
        ctl keys rotate "$kind"
        ok $? "and the key is replaced then" || diag "$OUT"
        is "$(find "$(dirname "$KEY")" -type f | wc -l)" 1 "no key is left over"
    done
else
    skip "kills at named moments" "not built: make fault"
fi

# --- planted secrets --------------------------------------------------------------------------

# K5: of all that went through the API, nothing is left in the server's memory.
printf '%s\n' "$OWNER_PASSWORD" >"$T/password"
python3 "$TOOL/plant.py" --url "$SERVER_URL" --password "$T/password" \
    --readable "$T/readable" >"$T/planted"
ge "$(wc -l <"$T/planted")" 50 "secrets of every kind are planted"
cp "$T/planted" "$T/all"
for file in "$T/token" "$T/server/code" "$KEY"; do
    { cat "$file"; echo; } >>"$T/all"
done
cat "$T/planted" "$T/readable" >"$T/passed"
python3 "$TOOL/memscan.py" memory "$(pid_of server)" "$T/passed" >"$T/found" 2>&1
ok $? "K5: none of them is in the server's memory" || diag "$(tail -n 20 "$T/found")"
python3 "$TOOL/memscan.py" memory "$(pid_of server)" "$KEY" >"$T/found.key" 2>&1
ok $? "the text of the master key is not in the server's memory" || diag "$(cat "$T/found.key")"

if [ ${#lines[@]} -gt 0 ]; then
    pg_dump -h 127.0.0.1 -U "$PGUSER" -d pga_store >"$T/dump"
    ok $? "a dump of the database"
    python3 "$TOOL/memscan.py" files "$T/all" "$T/dump" >"$T/found" 2>&1
    ok $? "no secret is in the dump" || diag "$(cat "$T/found")"
else
    PGA_SERVER=$SERVER_URL PGA_TOKEN_FILE=$T/token "$PGA" ctl backup create --to "$T/backup.tar" \
        >"$T/log/backup" 2>&1
    ok $? "a backup" || diag "$(cat "$T/log/backup")"
    python3 "$TOOL/memscan.py" files "$T/all" "$T/backup.tar" "$T/server/state/store" \
        >"$T/found" 2>&1
    ok $? "no secret is in the store's files or the backup" || diag "$(cat "$T/found")"
fi
python3 "$TOOL/memscan.py" files "$T/planted" "$T/log" >"$T/found" 2>&1
ok $? "no secret is in the logs" || diag "$(cat "$T/found")"
cp "$T/planted" "$T/log.check"
python3 "$TOOL/memscan.py" files "$T/planted" "$T/log.check" >"$T/found" 2>&1
is $? 1 "the search finds what is there"
stop server
ok $? "the server ends cleanly"

# K5 once more, of what came by TLS: records and their buffers hold it, too.
by_tls() {
    local secure
    secure=$(free_port)
    start_server tls
    stop tls
    sed -i "s|^listen = .*|listen = [\"127.0.0.1:$SERVER_PORT\", \"https://127.0.0.1:$secure\"]|" \
        "$T/tls/server.toml"
    restart_server tls
    ok $? "a server with TLS" || return
    set_up_owner
    api GET ca
    member ca >"$T/ca.pem"
    PGA_API_CA=$T/ca.pem python3 "$TOOL/plant.py" --url "https://localhost:$secure" \
        --password "$T/password" --readable "$T/readable" >"$T/planted"
    ge "$(wc -l <"$T/planted")" 50 "secrets are planted by TLS"
    cat "$T/planted" "$T/readable" >"$T/passed"
    python3 "$TOOL/memscan.py" memory "$(pid_of tls)" "$T/passed" >"$T/found" 2>&1
    ok $? "K5: none of them is in the server's memory" || diag "$(tail -n 20 "$T/found")"
    stop tls
    ok $? "that server ends cleanly"
}
[ ${#lines[@]} -gt 0 ] || by_tls
if [ "$PGA_FULL" = 1 ] && [ "${SECRETS_PG:-0}" = 0 ]; then
    SECRETS_PG=1 bash "$0" >"$T/pg.tap" 2>&1
    tap_from "$T/pg.tap" "PostgreSQL: "
fi
done_testing
