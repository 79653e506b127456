#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# How people and their scripts sign in: lines U1 to U10, Z2 (what belongs to accounts) and Z3 of the
# security checklist, from outside; then a search for every secret that went through.
# timeout: 400, full 1200

. "$(dirname "$0")/lib.sh"
need_pga

start_server server 'log_level = "debug"'
ok $? "the server is ready" || done_testing
set_up_owner
ok $? "the first owner" || done_testing
printf '%s\n' "$OWNER_PASSWORD" >"$T/password"
full=
[ "$PGA_FULL" = 0 ] || full=--full
# shellcheck disable=SC2086
python3 "$TOOL/people.py" --url "$SERVER_URL" --database "$T/server/state/store/meta.db" \
    --pid "$(pid_of server)" --password "$T/password" --planted "$T/planted" $full \
    >"$T/people" 2>&1
tap_from "$T/people"

# --- the back-off outlives a restart -----------------------------------------------------------

failures() { # how many sign-ins it takes until there is a pause
    local i
    for ((i = 1; i < 15; i++)); do
        anonymous POST auth/login '{"username":"ghost","password":"a wrong one for it"}'
        [ "$STATUS" = 401 ] || break
    done
    echo "$STATUS after $i"
}
like "$(failures)" '^429 after ([6-9]|1[0-4])$' "U4: five failures, then a pause"
stop server
ok $? "the server ends cleanly"
python3 - "$T/server/state/store/meta.db" <<'P'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db: # as after many more tries: a pause of a quarter of an hour
    db.execute("UPDATE login_failure SET failures = 60 WHERE name LIKE 'ghost|%'")
P
restart_server server
ok $? "and starts again" || done_testing
anonymous POST auth/login '{"username":"ghost","password":"a wrong one for it"}'
is "$STATUS" 429 "H10: the pause outlives a restart"

# --- a second factor as a duty -----------------------------------------------------------------

start_server duty '[login]' 'totp_required = ["owner"]'
set_up_owner
python3 "$TOOL/duty.py" --url "$SERVER_URL" --token-file "$T/token" --password "$T/password" \
    >"$T/duty.tap" 2>&1
tap_from "$T/duty.tap"
stop duty
sed -i 's/"owner"\]/"boss"]/' "$T/duty/server.toml"
like "$("$PGA" server --config "$T/duty/server.toml" 2>&1)" \
    'totp_required: no role is called "boss"' "U8: a role that does not exist is refused"
use_server server

# --- nothing of it is left anywhere --------------------------------------------------------------

pid=$(pid_of server)
tr '\0' '\n' <"/proc/$pid/environ" >"$T/environ"
tr '\0' '\n' <"/proc/$pid/cmdline" >"$T/cmdline"
stop server
ge "$(wc -l <"$T/planted")" 60 "U10: many secrets were used"
cp "$T/server/server.toml" "$T/planted.where" # a file that the search must be able to find one in
tail -1 "$T/planted" >>"$T/planted.where"
grep -aqF -f "$T/planted" "$T/planted.where"
ok $? "U10: the search finds a secret where there is one"
for place in "$T/log/server" "$T/server/state" "$T/environ" "$T/cmdline"; do
    found=$(grep -raoF -f "$T/planted" "$place" | sort -u | head -5)
    is "$found" "" "U10: none of them is in ${place#"$T"/}"
done
done_testing
