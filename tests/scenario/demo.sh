#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# pga demo shows live load within a minute, and Ctrl-C leaves no process and no file; on one's
# own database it keeps the data.
# timeout: 300

. "$(dirname "$0")/lib.sh"
need_pga
mkdir -p "$T/tmp" "$T/home"
chmod 1777 "$T/tmp"
chmod 711 "$T/home"

descendants() { # PID: it and all below it
    python3 - "$1" <<'P'
import glob, sys
parent = {}
for path in glob.glob("/proc/[0-9]*/stat"):
    try:
        pid, rest = open(path).read().split(" (", 1)
        parent[int(pid)] = int(rest.rsplit(") ", 1)[1].split()[1])
    except OSError:
        pass
family = [int(sys.argv[1])]
for pid in family:
    family.extend(child for child, above in parent.items() if above == pid)
print(*family)
P
}

count_left() { # PID...: sets LEFT to how many of them still run after a while
    local pid
    LEFT=0
    for pid; do
        wait_gone "$pid" 5 && continue
        LEFT=$((LEFT + 1))
        diag "still there: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
    done
}

run_demo() { # OPTION...
    SERVER_PORT=$(free_port)
    SERVER_URL=http://127.0.0.1:$SERVER_PORT
    rm -f "$T/info" "$T/token" "$T/log/demo"
    spawn demo env -u XDG_CONFIG_HOME -u XDG_STATE_HOME -u XDG_CACHE_HOME HOME="$T/home" \
        TMPDIR="$T/tmp" PGA_DEMO_INFO="$T/info" \
        "$PGA" demo --listen "127.0.0.1:$SERVER_PORT" "$@"
}

demo_login() {
    local user password
    user=$(python3 "$TOOL/api.py" --get username <"$T/info")
    password=$(python3 "$TOOL/api.py" --get password <"$T/info")
    anonymous POST auth/login "{\"username\":\"$user\",\"password\":\"$password\"}"
    [ "$STATUS" = 200 ] && member token >"$T/token"
}

loaded() { # does the overview have live load?
    local db
    db=$(target_id postgresql)
    [ -n "$db" ] || return 1
    api GET "servers/$db"
    [ "$(member state)" = live ] || return 1
    api GET "servers/$db/sessions/load?from=-2m&by=wait_class"
    python3 -c 'import json,sys
d = json.load(sys.stdin)
sys.exit(not sum(s["total_aas"] or 0 for s in d["series"]) > 0)' <<<"$BODY"
}

run_demo
poll 60 test -s "$T/info"
ok $? "the demo is ready" || done_testing
is "$(stat -c %a "$T/info")" 600 "its login is told in a private file"
like "$(cat "$T/log/demo")" "^demo: address http://127.0.0.1:$SERVER_PORT/" "it prints the address"
like "$(cat "$T/log/demo")" '^demo: login ' "and the login"
demo_login
ok $? "the login works" || diag "$STATUS $BODY"
by_certificate() { # the agent of the demo delivers with a certificate, and there is no other way in
    like "$(cat "$T/log/demo")" 'agent delivers to 127.0.0.1:[0-9]* by TLS 1.3, with a certif' \
        "it says how the agent delivers"
    api GET collectors
    like "$(member data.0.certificate_thumbprint)" '^[0-9a-f]{64}$' "the agent has a certificate"
    api GET health
    is "$(member checks.doors.detail)" shut "no door is open"
}
by_certificate
start=$SECONDS
poll 60 loaded
ok $? "live load within 60 s ($((SECONDS - start)) s)" || diag "$BODY"
has_locks() {
    api GET "servers/$(target_id postgresql)/sessions/load?from=-2m&by=wait_class"
    [[ $BODY == *'"Lock"'* ]]
}
poll 60 has_locks
ok $? "with lock waits"
poll 100 eval 'api GET "servers/$(target_id postgresql)/queries/top?from=-10m";
    [ "$(member data.#)" -gt 3 ]'
ok $? "top queries"
family=$(descendants "$(pid_of demo)")
diag "processes: $(wc -w <<<"$family")"
kill -INT "$(pid_of demo)"
reap demo 40
is $? 0 "Ctrl-C ends it cleanly"
# shellcheck disable=SC2086 # a list of numbers
count_left $family
is "$LEFT" 0 "no process is left"
is "$(cd "$T" && find tmp home -mindepth 1 | head -5)" "" "no file is left"

# On one's own database.
start_pg pg system
run_demo --dsn "$DSN password=not-for-the-file" --dir "$T/mine"
poll 60 test -s "$T/info"
ok $? "the demo on one's own database is ready" || done_testing
demo_login
by_certificate
poll 60 eval 'db=$(target_id postgresql); api GET "servers/$db"; [ "$(member state)" = live ]'
ok $? "the database is live"
unlike "$(cat "$T/mine/agent.toml")" 'not-for-the-file' "a password stays out of the configuration"
is "$(stat -c %a "$T/mine/target-password")" 600 "it has a private file"
is "$(sql "select count(*) from pg_database where datname ~ 'demo|bench'")" 0 \
    "it makes nothing in it"
family=$(descendants "$(pid_of demo)")
kill -TERM "$(pid_of demo)"
reap demo 40
is $? 0 "SIGTERM ends it cleanly"
# shellcheck disable=SC2086
count_left $family
is "$LEFT" 0 "no process is left"
like "$(find "$T/mine" -type f)" 'ingest.db' "the data is kept"
done_testing
