#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The audit from outside: every security event has its row in the same transaction, with the id that
# the access log has (L1); whatever is done to the rows in the database is found, by the server and
# by pga migrate verify (L2); pages, filters, export; the heads in the log.
# timeout: 240

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

META=$T/server/state/store/meta.db
change() { # SQL: behind the server's back
    python3 - "$META" "$1" <<'P'
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as db:
    db.executescript(sys.argv[2])
P
}

start_server server 'log_level = "debug"'
ok $? "the server is ready" || done_testing
set_up_owner
printf '%s\n' "$OWNER_PASSWORD" >"$T/password"
chmod 600 "$T/password"
python3 "$TOOL/auditevents.py" --url "$SERVER_URL" --database "$META" --log "$T/log/server" \
    --password "$T/password" >"$T/events" 2>&1
tap_from "$T/events"

# --- reading it -------------------------------------------------------------------------------

log_in
ctl audit list --action secret. --limit 2
like "$OUT" 'secret\.create' "ctl audit list: actions that begin with a word"
unlike "$OUT" 'user\.create' "and no others"
ctl -o json audit list --actor user:nobody
is "$(python3 "$TOOL/api.py" --get 'data.#' <<<"$OUT")" 0 "by who did it"
api GET 'audit?limit=3'
first=$(member data.2.number)
api GET "audit?limit=3&cursor=$(member next_cursor)"
is "$(member data.0.number)" $((first - 1)) "a page goes on where the last one ended"
ctl audit verify
is $? 0 "ctl audit verify: it is whole" || diag "$OUT"
ctl audit export --to "$T/export"
is $? 0 "ctl audit export" || diag "$OUT"
python3 - "$T/export" "$META" <<'P'
import json, sqlite3, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
stored = sqlite3.connect(sys.argv[2]).execute(
    "SELECT number, actor, action, hash FROM audit ORDER BY number").fetchall()
got = [(r["number"], r["actor"], r["action"], r["hash"]) for r in rows]
assert got == stored[:len(got)] and len(got) >= len(stored) - 1 and got, (len(got), len(stored))
P
ok $? "it has every row, in order"
ctl audit export --to "$T/export"
isnt_0=$?
ok "$([ $isnt_0 -ne 0 ]; echo $?)" "and is not written over a file"
rm "$T/export"
change 'UPDATE session SET verified_ms = verified_ms - 301000 WHERE ended_ms IS NULL'
ctl audit export --to "$T/export"
isnt_0=$?
ok "$([ $isnt_0 -ne 0 ] && [ ! -e "$T/export" ]; echo $?)" \
    "U8: no export without a fresh proof, and no file"
like "$OUT" 'fresh proof of who you are: pga ctl confirm' "U8: and how to give one is said"
ctl confirm --password-file "$T/password"
is $? 0 "U8: a proof is given" || diag "$OUT"
ctl audit export --to "$T/export"
is $? 0 "U8: with one there is" || diag "$OUT"
poll 60 eval 'grep -q "audit: head \|audit  *head " "$T/log/server"'
head=$(grep -oE 'head [0-9]+:[0-9]+:[0-9]+:[0-9a-f]{64}:[0-9a-f]{64}' "$T/log/server" | tail -1)
ok "$([ -n "$head" ]; echo $?)" "the log has a signed head"
ctl audit verify --head "${head#head }"
is $? 0 "which fits" || diag "$OUT"
ctl audit verify --head "${head#head }0"
is $? 1 "one that is none is refused" || diag "$OUT"

# --- what is done to it is found ----------------------------------------------------------------

finds() { # ROW WHAT SQL: and undoes it
    local status=0 row
    change "CREATE TABLE kept AS SELECT * FROM audit;
        CREATE TABLE heads AS SELECT * FROM audit_head; $3"
    ctl audit verify || status=$?
    row=$(grep -oE "first bad row +[0-9]+" <<<"$OUT" | grep -oE '[0-9]+$') || true
    is "$status $row" "7 $1" "L2: $2" || diag "$OUT"
    change 'DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept;
        DELETE FROM audit_head; INSERT INTO audit_head SELECT * FROM heads; DROP TABLE heads'
}
unsigned() { # rows that no head has signed
    python3 - "$META" <<'P'
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=30) as db:
    print(*db.execute("SELECT (SELECT max(number) FROM audit) - max(number) FROM audit_head")
          .fetchone())
P
}
soon_is 30 unsigned 0 "a round signs the newest row"
stop server # its last words: a head of that row
restart_server server
finds 5 "an edit" "UPDATE audit SET detail = 'nothing' WHERE number = 5"
finds 6 "a row that is gone" "DELETE FROM audit WHERE number = 6"
finds 7 "rows that changed places" "UPDATE audit SET number = 9999 WHERE number = 7;
    UPDATE audit SET number = 7 WHERE number = 12; UPDATE audit SET number = 12 WHERE number = 9999"
finds 8 "a row that was put between" "UPDATE audit SET number = number + 5000 WHERE number >= 8;
    UPDATE audit SET number = number - 4999 WHERE number >= 5000;
    INSERT INTO audit SELECT 8, at_ms, actor, action, object, detail, address, request, hash, mac
    FROM audit WHERE number = 20"
finds 21 "rows that were cut off" "DELETE FROM audit WHERE number > 20"
ctl audit verify
is $? 0 "and as it was, it is whole" || diag "$OUT"
stop server
head=$(grep -oE 'head [0-9]+:[0-9]+:[0-9]+:[0-9a-f]{64}:[0-9a-f]{64}' "$T/log/server" | tail -1)
OUT=$("$PGA" migrate --state-dir "$T/server/state" verify 2>&1)
is $? 0 "pga migrate verify finds no damage" || diag "$OUT"
like "$OUT" '[0-9]+ audit rows, signed up to [0-9]+' "and followed the chain"
OUT=$("$PGA" migrate --state-dir "$T/server/state" --key-file "$T/none" verify 2>&1)
like "$OUT" 'their signatures need the master key' "without the key it says so"
change "UPDATE audit SET actor = 'user:nobody' WHERE number = 9"
OUT=$("$PGA" migrate --state-dir "$T/server/state" verify 2>&1)
is $? 7 "pga migrate verify finds an edit" || diag "$OUT"
like "$OUT" 'row 9 does not fit the chain' "and names the row"
change 'DELETE FROM audit WHERE number > 8; DELETE FROM audit_head'
restart_server server
log_in
ctl audit verify
is $? 0 "who cuts off rows and heads leaves nothing in the store"
ctl audit verify --head "${head#head }"
is $? 7 "but the head from the log tells it" || diag "$OUT"
stop server
ok $? "the server ends cleanly"
done_testing
