#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Accounts: who may make and change whom, that a changed role or password ends sessions at once,
# that the last owner stays, that all of it is in the audit; registration secrets; then every route
# by every kind of caller.
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

sign_in() { # NAME PASSWORD: leaves the token in $T/token.NAME
    anonymous POST auth/login "{\"username\":\"$1\",\"password\":\"$2\"}"
    [ "$STATUS" = 200 ] && (umask 077 && member token >"$T/token.$1")
}

person() { # NAME ROLE: an account and its token
    local id
    api POST users "{\"username\":\"$1\",\"password\":\"secret of $1 here\",\"role\":\"$2\"}"
    [ "$STATUS" = 201 ] || { diag "$STATUS $BODY"; return 1; }
    id=$(member id)
    sign_in "$1" "secret of $1 here" && echo "$id" >"$T/id.$1"
}

id_of() { cat "$T/id.$1"; }

for role in viewer operator admin auditor; do
    person "$role" "$role"
    ok $? "an owner makes a $role"
done
person second owner
ok $? "an owner makes an owner"
like "$(id_of viewer)" '^[0-9]+$' "ids are integers"
api POST users '{"username":"old","password":"an old word for it","role":"user"}'
is "$STATUS $(member role)" "201 operator" "user is an old name of operator"
old=$(member id)
api POST users '{"username":"VIEWER","password":"secret of viewer here","role":"viewer"}'
is "$STATUS" 409 "a name is taken once, whatever its letters"
api POST users '{"username":"x","password":"short","role":"viewer"}'
is "$STATUS" 400 "a short password is refused"
api POST users '{"username":"x","password":"long enough for all","role":"king"}'
is "$STATUS" 400 "an unknown role is refused"

as admin POST users '{"username":"v2","password":"long enough for all","role":"viewer"}'
is "$STATUS" 201 "an admin makes a viewer"
v2=$(member id)
for role in admin owner auditor; do
    as admin POST users \
        "{\"username\":\"n\",\"password\":\"long enough for all\",\"role\":\"$role\"}"
    is "$STATUS" 403 "an admin makes no $role"
done
as admin PUT "users/$v2" '{"role":"admin"}'
is "$STATUS" 403 "an admin lifts nobody to admin"
as admin PUT "users/$(id_of admin)" '{"role":"owner"}'
is "$STATUS" 403 "nor himself to owner"
as admin PUT "users/$(id_of second)" '{"role":"viewer"}'
is "$STATUS" 403 "an admin does not touch an owner"
as admin DELETE "users/$(id_of auditor)"
is "$STATUS" 403 "nor remove an auditor"
as admin POST "users/$(id_of second)/reset-password"
is "$STATUS" 403 "nor set an owner's password"
as admin PUT "users/$v2" '{"email":"v2@example.org","full_name":"V Two"}'
is "$STATUS $(member email) $(member role)" "200 v2@example.org viewer" "he changes a viewer"
as admin DELETE "users/$v2"
is "$STATUS" 204 "and removes him"
as admin GET "users/$v2"
is "$STATUS" 404 "who is gone"
as operator GET users
is "$STATUS" 403 "an operator does not see the accounts"
is "$(member detail)" "this needs the role admin, and yours is operator" "and is told what he lacks"

api GET 'users?page=2&page_size=2'
is "$(member data.#) $(member page) $(member page_size) $(member total) $(member total_pages)" \
    "2 2 2 7 4" "the list pages by number"
api GET 'users?limit=5'
cursor=$(member next_cursor)
api GET "users?limit=5&cursor=$cursor"
is "$(member data.#)" 2 "and by cursor"
unlike "$BODY" 'argon2|password' "no hash is shown"

as viewer GET servers
is "$STATUS" 200 "a viewer reads"
api PUT "users/$(id_of viewer)" '{"full_name":"Vi"}'
as viewer GET servers
is "$STATUS" 200 "a new name ends no session"
api PUT "users/$(id_of viewer)" '{"role":"operator"}'
as viewer GET servers
is "$STATUS" 401 "a new role ends the session at once"
sign_in viewer "secret of viewer here"
api PUT "users/$(id_of viewer)" '{"is_active":false}'
as viewer GET servers
is "$STATUS" 401 "who is not active has no session"
sign_in viewer "secret of viewer here"
is "$STATUS" 401 "and cannot sign in"
api PUT "users/$(id_of viewer)" '{"is_active":true,"role":"viewer"}'
sign_in viewer "secret of viewer here"
ok $? "until he is active again"
api POST "users/$(id_of viewer)/reset-password"
made=$(member password)
is "$STATUS" 200 "a password is made"
as viewer GET servers
is "$STATUS" 401 "a new password ends the sessions"
sign_in viewer "secret of viewer here"
is "$STATUS" 401 "the old password is dead"
sign_in viewer "$made"
ok $? "the new one opens"
api POST "users/$(id_of viewer)/reset-password" '{"password":"chosen by the owner"}'
is "$STATUS $(member password)" "200 " "a password that was chosen is not shown"
sign_in viewer "chosen by the owner"
ok $? "and opens"
as viewer POST auth/change-password \
    '{"old_password":"chosen by the owner","new_password":"chosen by the viewer"}'
is "$STATUS" 200 "people change their own password"
sign_in viewer "chosen by the viewer"
ok $? "and sign in with it"

as second PUT "users/1" '{"role":"admin"}'
is "$STATUS" 200 "one of two owners is demoted"
as second PUT "users/$(id_of second)" '{"role":"admin"}'
is "$STATUS" 409 "the last owner is not demoted"
as second PUT "users/$(id_of second)" '{"is_active":false}'
is "$STATUS" 409 "nor switched off"
as second DELETE "users/$(id_of second)"
is "$STATUS" 409 "nor removed"
as second PUT "users/1" '{"role":"owner"}'
is "$STATUS" 200 "there are two again"
log_in
ok $? "the first signs in again"
api DELETE "users/$old"
is "$STATUS" 204 "an account is removed"
api DELETE "users/$old"
is "$STATUS" 404 "once"

# --- registration secrets --------------------------------------------------------------

api POST registration-secrets '{"name":"one","max_registrations":1,"expires_in_s":600}'
secret=$(member id)
member secret >"$T/value"
is "$STATUS $(member total_registrations) $(member last_used_at)" "201 0 null" "a secret is made"
api GET "registration-secrets/$secret"
unlike "$BODY" 'pgar_' "its value is shown once"
enrol() { # HOST: with the secret
    anonymous POST collectors/register "{\"name\":\"$1\",\"hostname\":\"$1\",\"version\":\"t\"}" \
        --header "X-Registration-Secret: $(cat "$T/value")"
}
enrol h1
is "$STATUS" 201 "an agent enrols with it"
(umask 077 && member token >"$T/token.agent")
collector=$(member collector_id)
enrol h2
is "$STATUS" 401 "and no second one"
api PUT "registration-secrets/$secret" '{"max_registrations":2,"name":"two"}'
is "$(member name) $(member max_registrations) $(member total_registrations)" "two 2 1" \
    "it may be changed"
like "$(member last_used_at)" '^20' "its use is noted"
enrol h2
is "$STATUS" 201 "then a second agent enrols"
api PUT "registration-secrets/$secret" '{"expires_at":"2020-01-01T00:00:00Z"}'
is "$STATUS" 400 "the past is no time to expire"
api DELETE "registration-secrets/$secret"
is "$STATUS" 204 "it is revoked"
enrol h3
is "$STATUS" 401 "and opens nothing"
api PUT "registration-secrets/$secret" '{"name":"x"}'
is "$STATUS" 404 "nor can it be changed"

# --- everything by everybody -------------------------------------------------------------

cp "$T/token" "$T/token.owner"
api POST users '{"username":"limited","password":"secret of limited","role":"admin",
    "groups":["blue"]}'
is "$STATUS" 201 "an admin of one group"
sign_in limited "secret of limited"
callers=()
for scope in metrics read write admin; do
    api POST tokens "{\"name\":\"matrix\",\"scope\":\"$scope\"}"
    is "$STATUS" 201 "a token of scope $scope"
    (umask 077 && member token >"$T/token.script-$scope")
    callers+=(--as "token-$scope=$T/token.script-$scope")
done
python3 "$TOOL/matrix.py" --url "$SERVER_URL" --table "$TOOL/matrix.table" \
    --as "viewer=$T/token.viewer" --as "operator=$T/token.operator" --as "admin=$T/token.admin" \
    --as "owner=$T/token.owner" --as "auditor=$T/token.auditor" --as "agent=$T/token.agent" \
    --as "admin-of-group=$T/token.limited" "${callers[@]}" >"$T/matrix" 2>&1
tap_from "$T/matrix" "matrix: "

log_in
api DELETE "collectors/$collector"
is "$STATUS" 204 "a collector is revoked"
api POST metrics/push '{}' --token-file "$T/token.agent"
is "$STATUS" 401 "its token is refused at once"
api POST collectors/refresh-token --token-file "$T/token.agent"
is "$STATUS" 401 "and not renewed"
api POST registration-secrets '{"name":"last","max_registrations":1,"expires_in_s":600}'
member secret >"$T/value"
enrol h4
is "$STATUS" 201 "a secret for one agent is used"
enrol h1
is "$STATUS" 401 "the revoked one cannot come back with it"
like "$(member detail)" 'was revoked' "and is told that it was revoked"
enrol h5
like "$(member detail)" 'secret is used up$' "another is told of the secret alone"

stop server
ok $? "the server ends cleanly"
python3 - "$T/server/state/store/meta.db" <<'P'
import collections, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("SELECT action, object, detail FROM audit").fetchall()
found = collections.Counter(action for action, _, _ in rows)
want = {"user.create": 9, "user.update": 7, "user.delete": 2, "user.reset_password": 2,
        "user.password": 1, "secret.update": 1, "secret.revoke": 1, "collector.revoke": 1}
for action, count in want.items():
    if found[action] != count:
        print("#", action, found[action], "not", count)
if ("user.update", "viewer", "role viewer to operator") not in rows:
    print("# the changed role is not named", [r for r in rows if r[0] == "user.update"])
    sys.exit(1)
sys.exit(any(found[a] != c for a, c in want.items()))
P
ok $? "the audit names every change, once"
done_testing
