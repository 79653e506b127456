#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# What happens becomes one event: a chain of lock waits starts and ends, a setting changes, also
# while the agent is away. No literal of a statement and no secret setting travels.
# timeout: 240, full 900

. "$(dirname "$0")/lib.sh"
need_pga
versions="10 18"
[ "$PGA_FULL" = 0 ] || versions="10 11 12 13 14 15 16 17 18"

backend() { # NAME SQL: a session that runs it and stays; sets BACKEND to its pid on the server
    local pipe=$T/$1.in
    mkfifo "$pipe"
    PGAPPNAME=$1 spawn "$1" psql -qAtX -v ON_ERROR_STOP=0 -f "$pipe"
    eval "exec {fd}>\"$pipe\""
    # shellcheck disable=SC2154
    printf '%s\n' "$2" >&"$fd"
    FD=$fd
    poll 10 has_backend "$1"
}

has_backend() { # NAME
    BACKEND=$(sql "select pid from pg_stat_activity where application_name = '$1'")
    [ -n "$BACKEND" ]
}

count_events() { # KIND [WORD]: sets COUNT
    api GET "events?kind=$1&limit=500"
    COUNT=$(python3 -c 'import json,sys
word = sys.argv[2] if len(sys.argv) > 2 else ""
print(sum(word in e["title"] for e in json.load(sys.stdin)["data"]
          if e["server"] == sys.argv[1]))' "$db" ${2:+"$2"} <<<"$BODY")
}

has_events() { count_events "$1" "$2"; [ "$COUNT" -ge "$3" ]; } # KIND WORD NUMBER

newest() { # KIND WORD PATH: a member of the newest such event
    api GET "events?kind=$1&limit=500"
    python3 -c 'import json,sys
for e in json.load(sys.stdin)["data"]:
    if e["server"] == sys.argv[1] and sys.argv[2] in e["title"]:
        for name in sys.argv[3].split("."):
            e = e[int(name) if name.isdigit() else name]
        print(json.dumps(e) if isinstance(e, (dict, list, bool, type(None))) else e)
        break' "$db" "$2" "$3" <<<"$BODY"
}

check_blocking() {
    sql "create table hot (id int primary key, word text);
        insert into hot values (1, 'first'), (2, 'second')" || return
    backend root "begin; update hot set word = 'literal-root' where id = 1;"
    local root=$BACKEND root_fd=$FD
    backend second "update hot set word = 'literal-second' where id = 1;"
    local second=$BACKEND second_fd=$FD
    poll 10 eval "[ \"\$(sql \"select wait_event_type from pg_stat_activity
        where pid = $second\")\" = Lock ]"
    backend third "update hot set word = 'literal-third' where id = 1;"
    local third=$BACKEND third_fd=$FD
    poll 20 has_events blocking_started '' 1
    ok $? "$version: a chain that starts is an event" || return
    is "$(newest blocking_started '' body.root.pid)" "$root" "$version: its root blocks"
    is "$(newest blocking_started '' body.root.state)" "idle in transaction" \
        "$version: and is seen to be idle in a transaction"
    if [ "$version" -ge 14 ]; then
        unlike "$(newest blocking_started '' body.root.query_id)" '^(0|)$' \
            "$version: its query id is there"
    fi
    # The third may have come after the event: the relation has all.
    poll 20 waiting_is 2
    ok $? "$version: pg_blocking counts two who wait" || diag "$BODY"
    is "$(sql "select count(*) from pg_stat_activity where wait_event_type = 'Lock'
        and pid in ($second, $third)")" 2 "$version: as they do"
    like "$(newest blocking_started '' body.sessions)" "\"pid\": $second" \
        "$version: who waits is listed"
    unlike "$(newest blocking_started '' body)" 'literal' "$version: no statement's text travels"
    printf 'commit;\n' >&"$root_fd"
    poll 20 has_events blocking_ended "pid $root " 1
    ok $? "$version: the end of the chain is an event" || return
    is "$(newest blocking_ended "pid $root " body.max_waiters)" 2 \
        "$version: which knows the most waiters"
    le 1 "$(newest blocking_ended "pid $root " body.duration_ms)" "$version: and how long it was"
    count_events blocking_started "pid $root "
    is "$COUNT" 1 "$version: the chain started once"
    count_events blocking_ended "pid $root "
    is "$COUNT" 1 "$version: and ended once"
    eval "exec $root_fd>&- $second_fd>&- $third_fd>&-"
    stop root; stop second; stop third
    rm -f "$T"/*.in
}

check_prepared() {
    sql "begin; insert into hot values (3, 'x'); prepare transaction 'p'"
    backend behind "insert into hot values (3, 'literal-behind');"
    poll 20 has_events blocking_started 'a prepared transaction' 1
    ok $? "$version: a prepared transaction that blocks is an event"
    is "$(newest blocking_started 'a prepared transaction' body.waiters)" 1 \
        "$version: with who waits for it"
    sql "rollback prepared 'p'"
    poll 20 has_events blocking_ended 'a prepared transaction' 1
    ok $? "$version: so is its end"
    eval "exec $FD>&-"
    stop behind
    rm -f "$T"/*.in
}

check_circle() { # a deadlock that the server is slow to see
    backend left "set deadlock_timeout = '12s'; begin; update hot set word = 'l' where id = 1;"
    local left_fd=$FD
    backend right "set deadlock_timeout = '12s'; begin; update hot set word = 'r' where id = 2;"
    local right_fd=$FD
    printf "update hot set word = 'l' where id = 2;\n" >&"$left_fd"
    sleep 1.5
    printf "update hot set word = 'r' where id = 1;\n" >&"$right_fd"
    poll 20 has_events blocking_started 'a circle of sessions' 1
    ok $? "$version: sessions that wait for one another are an event"
    is "$(newest blocking_started 'a circle of sessions' body.waiters)" 2 "$version: both of them"
    poll 30 has_events blocking_ended 'a circle of sessions' 1
    ok $? "$version: which ends when the server breaks the circle"
    eval "exec $left_fd>&- $right_fd>&-"
    stop left; stop right
    rm -f "$T"/*.in
}

waiting_is() { # NUMBER: the newest reading of pg_blocking has so many waiters
    local now=$(($(date +%s) * 1000))
    local window="from=$((now - 5000))&to=$now&step=5000"
    api GET "servers/$db/metrics?relation=pg_blocking&column=waiting&agg=last&$window"
    [ "$(python3 -c 'import json,sys
print(*[s["values"][-1] for s in json.load(sys.stdin)["series"]])' <<<"$BODY")" = "$1" ]
}

check_settings() {
    count_events settings_changed
    is "$COUNT" 0 "$version: the first reading is no change"
    sql "alter system set work_mem = '8MB'"
    # Without a trace in pg_stat_statements, which keeps the text of such statements as it is.
    psql -qAtX <<<"set pg_stat_statements.track = none;
        alter system set archive_command = 'cp literal-secret %p'"
    sql "alter system set max_connections = 77"
    sql "select pg_reload_conf()" >/dev/null
    poll 20 has_events settings_changed work_mem 1
    ok $? "$version: a change is an event" || return
    is "$(newest settings_changed work_mem body.old)" 4096 "$version: with the old value"
    is "$(newest settings_changed work_mem body.new)" 8192 "$version: and the new one"
    is "$(newest settings_changed max_connections body.pending_restart)" true \
        "$version: one that waits for a restart says so"
    is "$(newest settings_changed archive_command body.new)" null \
        "$version: a secret one is hidden"
    count_events settings_changed
    is "$COUNT" 3 "$version: nothing else has changed" || diag "$BODY"
    stop "agent$version"
    sql "alter system set maintenance_work_mem = '100MB'"
    sql "select pg_reload_conf()" >/dev/null
    restart_agent "agent$version"
    poll 30 has_events settings_changed maintenance_work_mem 1
    ok $? "$version: a change made while the agent was away is told" || return
    is "$(newest settings_changed maintenance_work_mem body.old)" 65536 \
        "$version: with its old value"
    count_events settings_changed
    is "$COUNT" 4 "$version: and nothing is told twice" || diag "$BODY"
    grep -rqs literal-secret "$T/agent$version/state" "$T/server"
    is $? 1 "$version: the secret is nowhere in the agent's and the server's files"
}

start_server server && set_up_owner
ok $? "the server is ready" || done_testing
for version in $versions; do
    if ! start_pg "pg$version" "$version" 'archive_mode = on' \
        'max_prepared_transactions = 2'; then
        fail "PostgreSQL $version starts"
        continue
    fi
    start_agent "agent$version" "$SERVER_URL" "$DSN" 'every = "1s"'
    poll 30 eval 'api GET servers; [[ $BODY =~ agent$version-db ]]'
    ok $? "$version: the database appears" || continue
    db=$(python3 -c 'import json,sys
print(next(r["id"] for r in json.load(sys.stdin)["data"] if r["name"] == sys.argv[1]))' \
        "agent$version-db" <<<"$BODY")
    check_blocking
    check_prepared
    check_circle
    check_settings
    stop "agent$version"
    stop_pg "pg$version"
done
done_testing
