#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# pga ctl: setup, login, contexts, lists, secrets, formats and exit codes.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga
export XDG_CONFIG_HOME=$T/config HOME=$T
unset PGA_SERVER PGA_TOKEN PGA_TOKEN_FILE

start_server server
ok $? "the server is ready" || done_testing
ctl() { # sets OUT and ERR
    local status=0
    OUT=$("$PGA" ctl "$@" 2>"$T/err" </dev/null) || status=$?
    ERR=$(cat "$T/err")
    return $status
}
printf '%s' "$OWNER_PASSWORD" >"$T/password"
chmod 600 "$T/password"

ctl --server "$SERVER_URL" whoami
is $? 4 "not logged in is exit code 4"
ctl --server "$SERVER_URL" setup --code-file "$T/server/code" --username owner \
    --password-file "$T/password"
is $? 0 "setup with the code" || diag "$OUT $ERR"
ctl --server "$SERVER_URL" login --username owner --password-file "$T/password"
is $? 0 "login" || diag "$OUT $ERR"
is "$(stat -c %a "$T/config/pga/contexts.toml")" 600 "the contexts are private"
unlike "$(cat "$T/config/pga/contexts.toml")" "$OWNER_PASSWORD" "and hold no password"
ctl whoami
is $? 0 "the context is remembered"
like "$OUT" 'owner' "whoami names the user"
ctl context list
is $? 0 "context list"
like "$OUT" "$SERVER_URL" "it shows the server"
ctl health
is $? 0 "health"
ctl secret create --name ctl --max 3 --expires 1h
is $? 0 "secret create"
like "$OUT" '^pgar_[A-Za-z0-9_-]+$' "prints the secret alone"
secret=$OUT
ctl secret list
like "$OUT" 'ctl' "secret list shows its name"
unlike "$OUT" "$secret" "and not its value"

start_pg pg system
mkdir -p "$T/agent"
(umask 077 && printf '%s' "$secret" >"$T/agent/secret")
spawn load "$TOOL/load.sh" 240 2
start_agent agent "$SERVER_URL" "$DSN"
poll 60 eval 'ctl target list; [[ $OUT =~ agent-db.*live ]]'
ok $? "the agent's targets appear"
ctl target list
is $? 0 "target list as a table"
like "$OUT" 'agent-db' "names the target"
ctl targets list
is $? 0 "the plural is taken"
ctl server list
is $? 0 "server is an alias of target"
for format in json jsonl csv; do
    ctl -o "$format" target list
    printf '%s' "$OUT" >"$T/out"
    python3 - "$format" "$T/out" <<'P'
import csv, json, sys
text = open(sys.argv[2]).read()
if sys.argv[1] == "json":
    rows = json.loads(text)
    rows = rows["data"] if isinstance(rows, dict) else rows
elif sys.argv[1] == "jsonl":
    rows = [json.loads(line) for line in text.splitlines()]
else:
    rows = list(csv.DictReader(text.splitlines()))
sys.exit(not (len(rows) == 2 and all(r["name"] for r in rows)))
P
    ok $? "-o $format parses and has both targets" || diag "$OUT"
done
ctl collector list
like "$OUT" 'agent' "collector list"
poll 130 eval 'ctl query top --target agent-db --since 1h --limit 50; [[ $OUT =~ pgbench ]]'
ok $? "query top shows the load" || diag "$OUT $ERR"
ctl query top --target agent-db --limit 2 --sort calls -o json
is "$(python3 -c 'import json,sys
d = json.load(sys.stdin)
print(len(d["data"] if isinstance(d, dict) else d))' <<<"$OUT")" 2 "--limit"
ctl query run 'max(pg_instance_up)'
like "$OUT" '1$' "query run shows a value" || diag "$OUT $ERR"
ctl query run 'pg_instance_up * 2' --from 5m --step 30 -o json
is "$(python3 -c 'import json,sys
d = json.load(sys.stdin)
print({v for s in d["series"] for v in s["values"]} - {None})' <<<"$OUT")" '{2}' \
    "query run over a range"
rate_of_calls() {
    ctl query run 'sum(rate(pg_stat_statements_calls_total[2m])) > 0'
    [[ $OUT =~ [0-9] ]]
}
poll 60 rate_of_calls
ok $? "the exporter name for calls of statements has a rate" || diag "$OUT $ERR"
ctl query run 'sum('
is $? 1 "an expression that is wrong is a failure"
like "$ERR" 'parse error' "and says why"
ctl query top --target no-such-target
is $? 3 "an unknown target is exit code 3"
ctl event list
is $? 0 "event list"
ctl doctor
like "$?" '^(0|7)$' "doctor"
ctl nonsense
is $? 2 "an unknown command is exit code 2"
ctl target list --nonsense
is $? 2 "an unknown option is exit code 2"
ctl -o nonsense target list
is $? 2 "an unknown format is exit code 2"
log_in
token=$(cat "$T/token")
XDG_CONFIG_HOME=$T/other PGA_SERVER=$SERVER_URL PGA_TOKEN=$token ctl whoami
is $? 0 "server and token from the environment"
XDG_CONFIG_HOME=$T/other PGA_SERVER=$SERVER_URL PGA_TOKEN=wrong ctl whoami
is $? 4 "a wrong token is exit code 4"
ctl logout
is $? 0 "logout"
ctl whoami
is $? 4 "and the login is gone"
ctl --server http://127.0.0.1:1 health
is $? 6 "an unreachable server is exit code 6"
done_testing
