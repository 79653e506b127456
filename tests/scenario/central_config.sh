#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The configuration that the server keeps for an agent: a bad one is refused with its place, a good
# one is in effect without a restart, one that this agent cannot apply changes nothing and is
# reported; it survives a restart of the agent; versions can be read and compared.
# timeout: 300

. "$(dirname "$0")/lib.sh"
need_pga

start_server server 'health_check_interval = "4s"'
ok $? "the server is ready" || done_testing
set_up_owner
ok $? "the first owner" || done_testing
start_pg pg system
ok $? "PostgreSQL" || done_testing
start_agent agent "$SERVER_URL" "$DSN"
server=$(target_id postgresql)
like "$server" '^[0-9a-f-]{36}$' "a target is known" || done_testing
api GET collectors
id=$(member data.0.id)
pid=$(pid_of agent)

put() { # TEXT
    printf '%s' "$1" >"$T/central"
    api PUT "config/$id" "@$T/central" --header "Content-Type: application/toml"
}
look() { # MEMBER of the collector
    api GET "collectors/$id"
    member "$1"
}
every() { # ms between readings of pg_stat_database
    api GET "servers/$server"
    python3 -c 'import json, sys
print(next((r["every_ms"] for r in json.load(sys.stdin)["relations"]
            if r["name"] == "pg_stat_database"), 0))' <<<"$BODY"
}

api GET "config/$id"
is "$STATUS" 404 "at first there is none"
is "$(look config_version)" 0 "and none is in effect"

refuse() { # TEXT PATTERN NAME
    put "$1"
    is "$STATUS" 400 "$3 is refused"
    like "$(member detail)" "$2" "$3: the reason says where"
}
refuse $'[agent]\nlog_level = = 1\n' 'line 2, column 13' "no TOML"
refuse $'[agent]\nlog_levle = "debug"\n' 'line 2, column 1: unknown key' "an unknown key"
refuse $'[host]\nenabled = 3\n' 'line 2, column 1' "a wrong type"
refuse $'[[target]]\nname = "x"\nevery = "1ms"\n' 'every must be' "a clock that is too fast"
refuse $'[[target]]\nevery = "5s"\n' 'name is required' "a target without a name"
refuse $'[server]\nurl = "http://127.0.0.1:1"\n' 'line 2, column 1: url is set in the host' \
    "what belongs to the host"
refuse $'[[target]]\nname = "x"\npassword_file = "/etc/shadow"\n' 'line 3, column 1' "a secret file"
refuse $'[[target]]\nname = "x"\nsslkey = "/etc/shadow"\n' 'line 3, column 1' "a key of the host"
for word in sslkey=/k sslcert=/c sslrootcert=/r sslcrl=/l sslcrldir=/d passfile=/p service=s; do
    refuse $'[[target]]\nname = "x"\ndsn = "host=127.0.0.1 '"$word"$'"\n' \
        'names files of the host' "$word in a dsn"
done
refuse $'[[target]]\nname = "x"\ndsn = "host=127.0.0.1 sslpassword=EVIL"\n' \
    'holds a password' "the password of a key"
refuse $'[[target]]\nname = "x"\ndsn = "host=127.0.0.1 password=EVIL"\n' \
    'holds a password' "a password"
unlike "$BODY" EVIL "which is not repeated"
head -c 200000 /dev/zero | tr '\0' '#' >"$T/central"
api PUT "config/$id" "@$T/central"
is "$STATUS" 413 "a large text is refused"
is "$(look config_version_newest)" 0 "nothing of this was kept"

# --- applied while it runs -----------------------------------------------------------------

poll 40 eval '[ "$(every)" = 10000 ]'
ok $? "the agent reads every 10 s"
first=$'# faster\n[[target]]\nname = "agent-db"\nevery = "2s"\n'
put "$first"
is "$STATUS $(member status) $(member version)" "200 updated 1" "a good one is kept"
poll 40 eval '[ "$(look config_version)" = 1 ]'
ok $? "the agent says that it is in effect"
poll 40 eval '[ "$(every)" = 2000 ]'
ok $? "the agent reads every 2 s"
is "$(pid_of agent)" "$pid" "it is the same process"
is_running "$pid"
ok $? "which runs"
poll 10 eval 'api GET "events?kind=config_applied&from=-1h"; [ "$(member data.#)" = 1 ]'
is "$(member data.#) $(member data.0.body.applied)" "1 1" "an event says so"
put "$first"
is "$STATUS $(member status) $(member version)" "200 unchanged 1" "the same text is no new version"

api GET "config/$id" --show-headers
like "$BODY" '(^|[[:space:]])X-Config-Version: 1' "the version is in a header"
like "$BODY" '(^|[[:space:]])ETag: "1"' "and in the tag"
like "$BODY" 'every = "2s"' "the text is as it was put"
api GET "config/$id" --header 'If-None-Match: "1"'
is "$STATUS" 304 "who has it gets nothing"
anonymous GET "config/$id"
is "$STATUS" 401 "nobody reads it"
anonymous POST collectors/register '{"name":"other","hostname":"other"}' \
    --header "X-Registration-Secret: $(cat "$T/agent/secret")"
member token >"$T/other"
other=$(member collector_id)
api GET "config/$id" --token-file "$T/other"
is "$STATUS" 404 "another agent does not read it"
api GET "config/$other" --token-file "$T/other"
is "$STATUS" 404 "his own is none yet"
api PUT "config/$other" '{}' --token-file "$T/other"
is "$STATUS" 401 "an agent puts nothing"

# --- one that this agent cannot apply ------------------------------------------------------

put $'[[target]]\nname = "agent-db"\ndsn = "host=127.0.0.1 port=1"\nevery = "7s"\n'
is "$STATUS $(member version)" "200 2" "the server cannot know the agent's file"
poll 40 eval '[ "$(look status)" = error ]'
ok $? "the agent says that it cannot apply it"
like "$(look config_error)" 'line 3, column 1: dsn is set in the host' "and why"
is "$(look config_version) $(look config_version_newest)" "1 2" "the one before is in effect"
poll 10 eval 'api GET "events?kind=config_failed&from=-1h"; [ "$(member data.#)" = 1 ]'
is "$(member data.#) $(member data.0.severity) $(member data.0.body.failed)" "1 error 2" \
    "an event says so"
sleep 3
is "$(every)" 2000 "nothing has changed"

# --- off, over a restart, and on again -----------------------------------------------------

put $'[host]\nenabled = false\n[[target]]\nname = "agent-db"\nenabled = false\n'
poll 40 eval '[ "$(look config_version)" = 3 ]'
ok $? "everything is switched off"
is "$(look status)" active "the error is over"
stop agent
restart_agent agent
poll 20 grep -q 'watching 0 targets' "$T/log/agent"
ok $? "the agent starts with it"
sleep 16
is "$(look status)" active "an agent that reads nothing still calls"
put $'[[target]]\nname = "agent-db"\nevery = "3s"\n[[target]]\nname = "second"\ndsn = "'"$DSN"$'"\n'
poll 40 eval '[ "$(every)" = 3000 ]'
ok $? "it is switched on again by the server"
seconds() { api GET servers && grep -q '"name":"second"' <<<"$BODY"; }
poll 40 seconds
ok $? "with a target more"
kill -HUP "$(pid_of agent)"
sleep 1
soon_is 10 'echo "$(look config_version) $(every)"' "4 3000" "a reload keeps what the server said"

# --- history ----------------------------------------------------------------------------------

api GET "config/$id/versions?limit=3"
is "$(member data.#) $(member data.0.version) $(member data.0.created_by) $(member total)" \
    "3 4 user:owner 4" "versions are listed with their author"
cursor=$(member next_cursor)
api GET "config/$id/versions?limit=3&cursor=$cursor"
is "$(member data.#) $(member data.0.version)" "1 1" "in pages"
api GET "config/$id/versions/1"
is "$BODY" "${first%$'\n'}" "an old one can be read"
api GET "config/$id/versions/9"
is "$STATUS" 404 "one that never was cannot"
api GET "config/$id/diff?from=1&to=2"
like "$BODY" '^- # faster' "what is gone is shown"
like "$BODY" '^\+ every = "7s"' "and what is new"
like "$BODY" '^  name = "agent-db"' "and what stayed"
stop server
python3 - "$T/server/state/store/meta.db" <<'P'
import sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute(
    "SELECT detail FROM audit WHERE action = 'config.put' ORDER BY number").fetchall()
print("#", rows)
sys.exit(rows != [("version %d" % n,) for n in (1, 2, 3, 4)])
P
ok $? "the audit has every version"
done_testing
