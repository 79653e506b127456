#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Accounts that are limited to groups of targets (security Z2): two groups with all that a
# collector can deliver, then every operation of the API by a viewer, an operator, an admin and a
# token of one of them (tests/tool/groups.py); groups that change count at once, for sessions and
# tokens; who may say what; the command line; the audit.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
ok $? "the first owner" || done_testing

as() { # NAME METHOD PATH [BODY]: with the token of that user
    local name=$1 method=$2 path=$3
    shift 3
    api "$method" "$path" "$@" --token-file "$T/token.$name"
}

person() { # NAME ROLE GROUPS: an account, limited to GROUPS (JSON), and its token
    api POST users "{\"username\":\"$1\",\"password\":\"secret of $1 here\",\"role\":\"$2\",
        \"groups\":$3}"
    [ "$STATUS" = 201 ] || { diag "$STATUS $BODY"; return 1; }
    member id >"$T/id.$1"
    anonymous POST auth/login "{\"username\":\"$1\",\"password\":\"secret of $1 here\"}"
    [ "$STATUS" = 200 ] && (umask 077 && member token >"$T/token.$1")
}

callers=()
for role in viewer operator admin; do
    person "$role" "$role" '["blue"]'
    ok $? "an owner makes a $role of one group"
    callers+=(--as "$role=$T/token.$role")
done
is "$(api GET "users/$(cat "$T/id.viewer")"; member groups.0)" blue "an account shows its groups"
as viewer GET auth/me
is "$(member user.groups.0)" blue "and a person his own"
as operator POST tokens '{"name":"of blue","scope":"read"}'
is "$STATUS" 201 "a token of one who is limited"
(umask 077 && member token >"$T/token.script")
callers+=(--as "token=$T/token.script")

for group in red blue; do
    api POST registration-secrets "{\"name\":\"$group\",\"max_registrations\":1,
        \"group\":\"$group\"}"
    is "$STATUS $(member group)" "201 $group" "a registration secret of group $group"
    (umask 077 && member secret >"$T/secret.$group")
done

python3 "$TOOL/groups.py" --url "$SERVER_URL" --owner "$T/token" --table "$TOOL/matrix.table" \
    --red-secret "$T/secret.red" --blue-secret "$T/secret.blue" "${callers[@]}" \
    >"$T/walk" 2>&1
tap_from "$T/walk" "walk: "

# --- what changes counts at once ---------------------------------------------------------------

names() { # CALLER: the targets that it sees
    as "$1" GET servers
    python3 -c 'import json,sys
print(*sorted({r["group"] for r in json.load(sys.stdin)["data"]}))' <<<"$BODY"
}

log_in # accounts are changed by who proved just now who he is
ok $? "the owner signs in again"

give() { # NAME GROUPS
    api PUT "users/$(cat "$T/id.$1")" "{\"groups\":$2}"
    is "$STATUS" 200 "$1 gets the groups $2"
}

is "$(names script)" blue "the token sees blue"
give operator '["red"]'
is "$(names operator)/$(names script)" "red/red" "the session and the token see red from now on"
give operator '["red","blue"]'
is "$(names script)" "blue red" "both"
give operator '[]'
is "$(names script)" "" "none"
give operator null
is "$(names script)" "blue red" "all"
as operator GET monitoring
is "$STATUS" 200 "who sees all groups may ask about all of them"
give operator '["blue"]'
as operator GET monitoring
is "$STATUS" 403 "and who does not, not"

# --- who may say what --------------------------------------------------------------------------

api PUT "users/$(cat "$T/id.viewer")" '{"groups":["Not A Name"]}'
is "$STATUS" 400 "what is no name of a group is refused"
api PUT "users/$(cat "$T/id.viewer")" '{"groups":"blue"}'
is "$STATUS" 400 "a text is no list"
api POST users '{"username":"o","password":"secret of o is here","role":"owner","groups":["blue"]}'
is "$STATUS" 400 "an owner is not limited"
api PUT "users/$(cat "$T/id.admin")" '{"role":"owner"}'
is "$STATUS" 400 "nor becomes one who is"
as admin PUT "users/$(cat "$T/id.viewer")" '{"groups":null}'
is "$STATUS" 403 "an admin of a group touches no account"
api PUT "users/$(cat "$T/id.viewer")" '{"full_name":"V"}'
as viewer GET auth/me
is "$(member user.groups.0)" blue "what is not said stays"

# --- moving ------------------------------------------------------------------------------------

api GET servers
target=$(python3 -c 'import json,sys
print(next(r["id"] for r in json.load(sys.stdin)["data"] if r["name"] == "zzred-target"))' \
    <<<"$BODY")
as viewer GET "servers/$target"
is "$STATUS" 404 "a target of another group is not there"
api PUT "servers/$target" '{"group":"blue"}'
is "$STATUS $(member group)" "200 blue" "an owner moves it"
as viewer GET "servers/$target"
is "$STATUS $(member group)" "200 blue" "then it is there at once"
as viewer GET "/prometheus/api/v1/query?query=pg_instance_up"
like "$BODY" 'zzred-target' "for PromQL, too"
api PUT "servers/$target" '{"group":"red"}'
as viewer GET "/prometheus/api/v1/query?query=pg_instance_up"
unlike "$BODY" 'zzred' "and gone at once"

# --- the command line ----------------------------------------------------------------------------

ctl() { PGA_SERVER=$SERVER_URL PGA_TOKEN=$(cat "$T/token") "$PGA" ctl "$@" 2>&1; }
groups_of() { ctl -o json user show "$1" | python3 "$TOOL/api.py" --get groups; }

log_in
printf 'secret of cli is here\n' >"$T/word"
chmod 600 "$T/word"
ctl user create --name cli --role viewer --groups blue,red --password-file "$T/word" >/dev/null
is "$(groups_of cli)" '["blue", "red"]' "user create --groups"
ctl user update cli --groups none >/dev/null
is "$(groups_of cli)" '[]' "user update --groups none"
ctl user update cli --groups all >/dev/null
is "$(groups_of cli)" null "user update --groups all"
like "$(ctl user list)" 'viewer .*\["blue"\]' "user list shows them"
like "$(ctl target list)" 'zzred-target .* red ' "target list shows the group"
like "$(ctl target move zzred-target --group blue)" ' blue' "target move"
like "$(ctl collector move zzred-agent --group green)" ' green' "collector move"
like "$(ctl target show zzred-target)" 'GROUP +blue' "a target that went its own way stays there"
ctl secret create --name cli --group green >/dev/null
like "$(ctl secret list)" 'cli .*green' "secret create --group"
like "$(ctl instance update zzred-managed --group green)" 'green' "instance update --group"
like "$(ctl target move zzred-target --group 'No Name')" 'group' "what is no name is told"

stop server
ok $? "the server ends cleanly"
python3 - "$T/server/state/store/meta.db" <<'P'
import sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT action, detail FROM audit").fetchall()
want = [("user.create", "viewer, groups ,blue,"), ("user.update", "groups ,blue, to ,red,"),
        ("user.update", "groups , to all"), ("target.group", "from red to blue"),
        ("secret.create", "group red")]
missing = [w for w in want if w not in rows]
print("#", missing)
sys.exit(bool(missing))
P
ok $? "the audit has every change of groups"
done_testing
