#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# A backup is made while agents push, more comes, the server is killed and its store lost: restored,
# it gets again from the agents what came after the backup, and all is there once. A backup that is
# not whole is refused with the reason, and a full disk leaves nothing that looks like one.
# timeout: 240

if [ -z "${PGA_OWN_MOUNTS:-}" ] && unshare -m --propagation private true 2>/dev/null; then
    PGA_OWN_MOUNTS=1 exec unshare -m --propagation private bash "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
need_pga
mkdir -p "$T/small" "$T/big" "$T/out"
trap 'kept=$?; umount -l "$T/small" 2>/dev/null; (exit $kept); clean_up' EXIT

ctl() { # WORD...: as the owner
    PGA_SERVER=$SERVER_URL PGA_TOKEN_FILE=$T/token XDG_CONFIG_HOME=$T/config "$PGA" ctl "$@"
}

start_server server '[store]' 'flush_bytes = 65536' 'flush_age = "1s"'
ok $? "the server is ready" || done_testing
set_up_owner
start_pg pg system
start_proxy
enrol_secret "$T/fake.secret"
lines=('every = "1s"' 'statements_every = "2s"')
for other in {2..12}; do # so many that a short outage makes a backlog
    lines+=('[[target]]' "name = \"db$other\"" "dsn = \"$DSN\"" 'every = "1s"')
done
start_agent agent "$PROXY_URL" "$DSN" "${lines[@]}" '[spool]' 'live_after = "2s"'
spawn fake python3 "$TOOL/fakeagent.py" --url "$PROXY_URL" --register "$SERVER_URL" \
    --secret-file "$T/fake.secret" --name fake --rate 20
wait_acks 40 60
ok $? "two agents push"

# --- a backup, and what comes after it ----------------------------------------------------------

before=$(acknowledged)
ctl backup create --to "$T/out" -o json >"$T/made" 2>"$T/err"
is $? 0 "a backup is made while they do" || diag "$(cat "$T/err")"
BODY=$(cat "$T/made")
file=$(member file)
[ -s "$file" ]
ok $? "it has a name with the time: $(basename "$file")"
is "$(find "$T/out" -type f | wc -l)" 1 "and is alone in its folder"
ctl backup verify "$file" >"$T/verified" 2>&1
is $? 0 "it is whole" || diag "$(cat "$T/verified")"
is "$(tar tf "$file" | tail -1)" MANIFEST.json "tar reads it, and the manifest is its last entry"
tar xOf "$file" MANIFEST.json | python3 -c 'import json,sys
m = json.load(sys.stdin)
names = [f["name"] for f in m["files"]]
assert names[-4:] == ["text.db", "event.db", "ingest.db", "meta.db"], names
assert any(n.startswith("raw/") for n in names) and "master.key" not in names, names'
is $? 0 "day files come first, then texts, events, ingest and meta; no key is in it"
is "$(find "$T/server/state/store/copying" 2>/dev/null | wc -l)" 0 "no copy is left with the server"
api GET monitoring
epoch=$(member store.epoch)
wait_acks 20 60

# The agent's stream of now becomes one that is delivered and over before the store is lost: nobody
# sends in it, so nobody is told 409 there.
stop server
sleep 9
restart_server server
ok $? "the server was away for some seconds"
closed() { grep '"closes": true' "$T/acks" | grep -q '"status": 200'; }
poll 60 closed
ok $? "what waited was delivered, and its stream closed"
wait_acks 20 60
[ "$(acknowledged)" -gt "$((before + 60))" ]
ok $? "much is acknowledged that the backup lacks"
sleep 2
stop server KILL
mv "$T/server/state/store" "$T/lost"

# --- restore ------------------------------------------------------------------------------------

restore() { # FILE [OPTION...]: sets OUT
    local backup=$1
    shift
    OUT=$("$PGA" migrate --state-dir "$T/server/state" "$@" restore "$backup" 2>&1)
}
restore "$file"
is $? 0 "the backup is restored" || diag "$OUT"
like "$OUT" 'brings no master key' "and it is said that the key must come from elsewhere"
"$PGA" migrate --state-dir "$T/server/state" verify >"$T/verify" 2>&1
is $? 0 "the store is whole" || diag "$(cat "$T/verify")"
restore "$file"
is $? 5 "a second restore is refused"
like "$OUT" 'is not empty' "because there is a store"
restart_server server && log_in
ok $? "the server starts on it, and people sign in as before"
api GET monitoring
[ -n "$epoch" ] && [ "$(member store.epoch)" != "$epoch" ]
ok $? "its epoch is a new one"
poll 60 grep -q "store is another one" "$T/log/agent"
ok $? "the agent sees that"
wait_acks 20 60
ok $? "and goes on"
sleep 2
kill -TERM "$(pid_of fake)"
reap fake 70
is $? 0 "the other one delivered everything"
stop agent
is $? 0 "the agent ends"
oracle
ok $? "what came after the backup was delivered again: lost 0, doubled 0, no gap"

# --- what is not whole is refused ---------------------------------------------------------------

stop server
refused() { # FILE REASON NAME: by both commands, and nothing is left
    local out
    out=$(ctl backup verify "$1" 2>&1)
    [ $? = 7 ] && grep -qE -- "$2" <<<"$out"
    ok $? "$3: verify says so" || diag "$out"
    out=$("$PGA" migrate --store "sqlite:$T/nowhere/store" restore "$1" 2>&1)
    [ $? != 0 ] && grep -qE -- "$2" <<<"$out" && [ ! -e "$T/nowhere/store" ] &&
        [ ! -e "$T/nowhere/store.restoring" ]
    ok $? "$3: restore refuses and leaves nothing" || diag "$out"
}
python3 - "$file" "$T" <<'P'
import sys
whole = open(sys.argv[1], "rb").read()
at = whole.rindex(b"SQLite format 3") + 4096 # of meta.db, which comes once
bad = bytearray(whole)
bad[at] ^= 1
open(sys.argv[2] + "/bad.tar", "wb").write(bad)
open(sys.argv[2] + "/short.tar", "wb").write(whole[:len(whole) // 2])
end = whole.index(b"MANIFEST.json")
open(sys.argv[2] + "/open.tar", "wb").write(whole[:end] + bytes(1024))
name = whole.index(b"event.db")
out = bytearray(whole)
out[name:name + 8] = b"../nt.db"
out[name + 148:name + 156] = b"%06o\0 " % (
    sum(out[name:name + 148]) + 8 * 32 + sum(out[name + 156:name + 512]))
open(sys.argv[2] + "/away.tar", "wb").write(out)
P
refused "$T/bad.tar" 'is damaged: its SHA-256' "one changed bit"
refused "$T/short.tar" 'cut short' "half of it"
refused "$T/open.tar" 'no manifest' "one without manifest"
refused "$T/away.tar" 'no plain name' "one with a way out"
refused "$T/token" 'cut short|no tar' "another file"

# --- elsewhere, with the key --------------------------------------------------------------------

restart_server server
ctl backup create --with-key --to "$T/key.tar" >"$T/made" 2>&1
is $? 0 "the owner gets a backup with the master key" || diag "$(cat "$T/made")"
is "$(stat -c %a "$T/key.tar")" 600 "which nobody else may read"
ctl backup create --to "$T/key.tar" >"$T/made" 2>&1
is $? 5 "a file that is there is not overwritten"
anonymous GET backup
is "$STATUS" 401 "nobody gets one who is not signed in"
api POST users '{"username":"oper","password":"correct horse battery","role":"operator"}'
api POST auth/login '{"username":"oper","password":"correct horse battery"}'
member token >"$T/oper.token"
like "$(python3 "$TOOL/api.py" --url "$SERVER_URL" --token-file "$T/oper.token" GET backup)" \
    '^403' "nor an operator"
mkdir -p "$T/other"
sed "s|/server/state|/other/state|" "$T/server/server.toml" >"$T/other/server.toml"
stop server
"$PGA" migrate --state-dir "$T/other/state" restore "$T/key.tar" >"$T/made" 2>&1
is $? 0 "it is restored where there was nothing" || diag "$(cat "$T/made")"
restart_server other && log_in
ok $? "and the server there knows its people"
oracle
ok $? "and its data"
stop other
restart_server server && log_in # people of the other server are not known here

# --- kills --------------------------------------------------------------------------------------

if [ -x "$PGA_FAULTY" ]; then
    for point in $(fault_points server | grep '^tsdb\.copy_'); do
        stop server
        FAULT=$point SERVER_PGA=$PGA_FAULTY restart_server server
        ctl backup create --to "$T/out" >"$T/made" 2>&1
        isnt=$?
        reap server 20
        [ $? = 137 ] && [ "$isnt" != 0 ] && [ "$(find "$T/out" -type f | wc -l)" = 1 ]
        ok $? "the server dies at $point: there is no backup" || diag "$(cat "$T/made")"
        restart_server server
        [ $? = 0 ] && [ ! -e "$T/server/state/store/copying" ]
        ok $? "and starts again and cleans up"
    done
    PGA_FAULT=backup.before_rename "$PGA_FAULTY" migrate --state-dir "$T/third" restore "$file" \
        >/dev/null 2>&1
    is $? 137 "a restore dies at its last step"
    [ ! -e "$T/third/store" ]
    ok $? "and made no store"
    "$PGA" migrate --state-dir "$T/third" restore "$file" >"$T/made" 2>&1
    is $? 0 "the next one does" || diag "$(cat "$T/made")"
else
    skip "kills at named fault points" "$PGA_FAULTY is not built (make fault)"
fi

# --- a full disk --------------------------------------------------------------------------------

if [ -n "${PGA_OWN_MOUNTS:-}" ] && mount -t tmpfs -o size=1m,mode=755 none "$T/small"; then
    head -c 900k /dev/zero >"$T/small/filler"
    ctl backup create --to "$T/small" >"$T/made" 2>&1
    is $? 1 "a backup that does not fit fails"
    like "$(cat "$T/made")" 'No space left' "and says why"
    is "$(find "$T/small" -type f)" "$T/small/filler" "and leaves nothing"
    stop server
    umount "$T/small"
    mount -t tmpfs -o size=16m,mode=755 none "$T/small"
    cp -a "$T/server/state/store" "$T/small/"
    sed "s|^state_dir.*|&\nstore = \"sqlite:$T/small/store\"|" "$T/server/server.toml" \
        >"$T/server/new" && mv "$T/server/new" "$T/server/server.toml"
    restart_server server
    room=$(df --output=avail -k "$T/small" | tail -1)
    head -c "$((room - 200))k" /dev/zero >"$T/small/filler"
    ctl backup create --to "$T/out" >"$T/made" 2>&1
    is $? 6 "the server has no room for its copies"
    like "$(cat "$T/made")" '507.*no room for copies' "and says so"
    is "$(find "$T/out" -type f | wc -l)" 1 "nothing is left of that"
    [ ! -e "$T/small/store/copying" ]
    ok $? "on neither side"
    api GET health
    is "$STATUS" 200 "and it is well"
else
    skip "a full disk" "a tmpfs needs root and a mount namespace of its own"
fi
stop server
is $? 0 "the server ends"
done_testing
