#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The whole path: server, setup code, login, registration secret, agent, push, and everything
# that a person reads of it. The doors are shut, as by default: the agent enrols for a certificate
# and pushes with it, also through the proxy.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need openssl
need_pga

DOORS=shut
start_server server
ok $? "the server is ready" || done_testing
like "$(cat "$T/log/server")" '^setup code: ....-....-....' "it prints a setup code on a line alone"
is "$(stat -c %a "$T/server/code")" 600 "the code's file is private"

# People.
api GET auth/state
is "$(member setup_required)" true "setup is required"
for path in servers auth/me events monitoring collectors registration-secrets; do
    api GET "$path"
    is "$STATUS" 401 "GET $path needs a login"
done
code=$(cat "$T/server/code")
api POST auth/setup \
    '{"code":"AAAA-AAAA-AAAA","username":"owner","password":"long enough password"}'
is "$STATUS" 403 "a wrong setup code is refused"
api POST auth/setup \
    "{\"code\":\"$code\",\"username\":\"owner\",\"password\":\"short\"}"
like "$STATUS" '^(400|422)$' "a short password is refused"
set_up_owner
ok $? "the setup code makes the owner" || done_testing
anonymous POST auth/setup \
    "{\"code\":\"$code\",\"username\":\"second\",\"password\":\"$OWNER_PASSWORD\"}"
like "$STATUS" '^(403|409)$' "the code works once"
anonymous GET auth/state
is "$(member setup_required)" false "setup is done"
anonymous POST auth/login '{"username":"owner","password":"wrong wrong wrong"}'
is "$STATUS" 401 "a wrong password is refused"
wrong=$(python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["title"], d.get("detail"))' \
    <<<"$BODY")
anonymous POST auth/login '{"username":"nobody","password":"wrong wrong wrong"}'
is "$STATUS" 401 "an unknown user is refused"
is "$(python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["title"], d.get("detail"))' \
    <<<"$BODY")" "$wrong" "with the same words"
log_in
ok $? "the owner logs in"
api GET auth/me
is "$(member user.username) $(member user.role)" "owner owner" "auth/me knows the owner"
unlike "$BODY" 'password|argon' "and tells no password"

# A cookie session needs the CSRF token for unsafe methods.
anonymous POST auth/login "{\"username\":\"owner\",\"password\":\"$OWNER_PASSWORD\"}" --show-headers
cookie=$(sed -n 's/^[Ss]et-[Cc]ookie: \(pga_session=[^;]*\).*/\1/p' <<<"$BODY")
like "$BODY" '[Ss]et-[Cc]ookie: .*HttpOnly' "the session cookie is HttpOnly"
like "$BODY" '[Ss]et-[Cc]ookie: .*SameSite=Strict' "and SameSite=Strict"
csrf=$(sed -n '/^{/,$p' <<<"$BODY" | python3 "$TOOL/api.py" --get csrf_token)
anonymous GET auth/me --header "Cookie: $cookie"
is "$STATUS" 200 "the cookie is a login"
new='{"name":"by-cookie"}'
anonymous POST registration-secrets "$new" --header "Cookie: $cookie"
is "$STATUS" 403 "an unsafe method without the CSRF token is refused"
anonymous POST registration-secrets "$new" --header "Cookie: $cookie" \
    --header "X-CSRF-Token: $csrf" --header "Sec-Fetch-Site: cross-site"
is "$STATUS" 403 "a cross-site one too"
anonymous POST registration-secrets "$new" --header "Cookie: $cookie" \
    --header "X-CSRF-Token: $csrf" --header "Sec-Fetch-Site: same-origin"
is "$STATUS" 201 "with token and origin it works"
anonymous POST auth/logout '{}' --header "Cookie: $cookie" --header "X-CSRF-Token: $csrf" \
    --header "Sec-Fetch-Site: same-origin"
is "$STATUS" 200 "logout"
anonymous GET auth/me --header "Cookie: $cookie"
is "$STATUS" 401 "after logout the session is dead"

# An agent enrols and pushes.
(umask 077 && echo pgar_wrong >"$T/wrong")
like "$("$PGA" agent enroll --state-dir "$T/other" --server "$SERVER_URL" \
    --secret-file "$T/wrong" 2>&1)" 'answers 401: .*not valid' "a wrong secret enrols nobody"
anonymous POST collectors/register '{"name":"x","hostname":"y"}' \
    --header "X-Registration-Secret: pgar_wrong"
is "$STATUS" 403 "nobody registers without asking for a certificate"
start_pg pg system
enrol_secret "$T/one" 1
is "$(cut -c1-5 "$T/one")" pgar_ "a registration secret is made"
mkdir -p "$T/agent"
cp -p "$T/one" "$T/agent/secret"
start_proxy
"$TOOL/load.sh" 60 >"$T/log/load" 2>&1 &
echo $! >"$T/pid/load"
start_agent agent "$PROXY_URL" "$DSN"
wait_acks 3 60
ok $? "the agent enrols and pushes" || done_testing
like "$("$PGA" agent enroll --state-dir "$T/other" --server "$SERVER_URL" \
    --secret-file "$T/one" 2>&1)" 'used up' "the secret for one agent is used up"
api GET registration-secrets
unlike "$BODY" "$(cat "$T/one")" "its value is never shown again"
poll 30 eval 'api GET collectors; [ "$(member data.0.status)" = active ]'
is "$(member data.0.name) $(member data.0.status)" "agent active" "the collector is active"
openssl x509 -in "$T/agent/state/agent.pem" -outform DER 2>/dev/null | sha256sum | cut -c1-64 \
    >"$T/thumbprint"
is "$(member data.0.certificate_thumbprint)" "$(cat "$T/thumbprint")" "by its certificate"

# What people read.
db=$(target_id postgresql)
host=$(target_id host)
like "$db $host" '^[0-9a-f-]{36} [0-9a-f-]{36}$' "database and host are targets"
poll 40 eval 'api GET "servers/$db"; [ "$(member state)" = live ]'
ok $? "the database is live"
is "$(member version_num)" "$(sql 'show server_version_num')" "its version is right"
is "$(member system_identifier)" \
    "$(sql 'select system_identifier from pg_control_system()')" "its system identifier is right"
some_rate='"values": ?\[[^]]*[1-9]'
has_rate() { # it needs two readings
    api GET "servers/$db/metrics?relation=pg_stat_database&column=xact_commit&from=-5m&agg=rate&by="
    grep -qE "$some_rate" <<<"$BODY"
}
poll 60 has_rate
like "$BODY" "$some_rate" "transactions per second can be read"
poll 30 eval 'api GET "servers/$db/sessions/load?from=-5m&by=wait_class";
    [[ $BODY =~ \"key\":\ *\"Lock\" ]]'
ok $? "session history shows the lock waits of the load" || diag "$BODY"
poll 30 eval 'api GET "servers/$db/sessions/load?from=-5m&by=wait_event"; [[ $BODY =~ PgSleep ]]'
ok $? "and the wait events"
api GET "servers/$host/metrics?relation=host_memory&column=total&from=-5m&agg=last"
total=$(($(awk '/^MemTotal/ {print $2}' /proc/meminfo) * 1024))
like "$BODY" "$total" "the host's memory is right"
poll 130 eval 'api GET "servers/$db/queries/top?from=-5m&sort=calls";
    [[ $BODY =~ pgbench_branches ]]'
ok $? "top queries have their text" || diag "$BODY"
api GET monitoring
like "$BODY" '"samples_stored": ?[1-9]' "the server counts what it stored"
for path in events servers collectors health; do
    api GET "$path"
    is "$STATUS" 200 "GET $path"
done
is "$(http_status GET /healthz)" 200 "/healthz"
anonymous GET / --show-headers
is "$STATUS" 200 "the user interface is served"
like "$BODY" "default-src 'none'" "with a strict content security policy"
oracle
ok $? "nothing is lost and nothing doubled"

# A revoked collector is out at once.
api GET collectors
api DELETE "collectors/$(member data.0.id)"
is "$STATUS" 204 "the collector is revoked"
proxy_says
before=$(acknowledged)
sleep 12
is "$(acknowledged)" "$before" "and no push of it is taken any more"
unlike "$(cat "$T"/log/server "$T"/log/agent)" "$(cat "$T/one")|$OWNER_PASSWORD" \
    "no secret is in a log"
stop agent
ok $? "the agent ends cleanly"
stop server
ok $? "the server ends cleanly"
restart_server server && log_in
ok $? "the server starts again"
oracle
ok $? "and still has everything"
done_testing
