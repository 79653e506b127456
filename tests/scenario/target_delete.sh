#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Deleting a target with its history: refused while its agent delivers, for admins alone, gone at
# once and after kill -9 right behind the answer and at every named fault point; no row of it is
# left in any file; the other targets are whole; the same agent may deliver it anew.
# timeout: 300

. "$(dirname "$0")/lib.sh"
need_pga
export XDG_CONFIG_HOME=$T/config HOME=$T PGA_TOKEN_FILE=$T/token
ctl() { PGA_SERVER=$SERVER_URL "$PGA" ctl "$@" 2>&1; }

target() { # NAME [MEMBER]: of the target in the list, by its name
    api GET 'servers?limit=1000'
    python3 -c 'import json,sys
rows = json.load(sys.stdin)["data"]
print(next((s[sys.argv[2]] for s in rows if s["name"] == sys.argv[1]), ""))' \
        "$1" "${2:-id}" <<<"$BODY"
}

history() { # ID FROM TO: the heartbeat's values, and how many readings they are of
    local agg what="relation=pg_instance&column=start_time&step=10000"
    for agg in avg count; do
        api GET "servers/$1/metrics?$what&from=$2&to=$3&agg=$agg"
        python3 -c 'import json,sys
print([s["values"] for s in json.load(sys.stdin).get("series", [])])' <<<"$BODY"
    done
}

arrived() { # ID T: whether a reading later than T is in
    [[ $(history "$1" "$2" "$(now_ms)") == *[0-9]* ]]
}

rows() { # ID GROUP...: rows that the store's files hold of a target with these groups
    python3 - "$T/server/state/store" "$@" <<'PY'
import glob, sqlite3, sys, uuid
store, target, groups = sys.argv[1], uuid.UUID(sys.argv[2]), sys.argv[3:]
def count(file, statement, *values):
    db = sqlite3.connect("file:%s?mode=ro" % file, uri=True, timeout=10)
    try:
        return db.execute(statement, values).fetchone()[0]
    finally:
        db.close()
def target_rows(file, table, column="target", value=target.bytes):
    return count("%s/%s" % (store, file),
                 "select count(*) from %s where %s = ?" % (table, column), value)
def of(column):
    return "%s in (%s)" % (column, ",".join(groups) or "0")
days = glob.glob(store + "/raw/*/*.db")
print("blocks", sum(count(d, "select count(*) from block where " + of("grp")) for d in days),
      "parts", sum(count(d, "select count(*) from part where id / 4096 in"
                         " (select id from block where " + of("grp") + ")") for d in days),
      "lost", sum(count(d, "select count(*) from part where id / 4096 not in"
                        " (select id from block)") for d in days),
      "groups", target_rows("ingest.db", "grp"),
      "objects", count(store + "/ingest.db", "select count(*) from object where " + of("grp")),
      "events", target_rows("event.db", "event"),
      "texts", target_rows("text.db", "text_key"),
      "target", target_rows("meta.db", "target", "id", str(target)))
PY
}

groups() { # ID: ids of its groups
    python3 -c 'import sqlite3, sys, uuid
db = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True)
target = uuid.UUID(sys.argv[2]).bytes
print(*[g for g, in db.execute("select id from grp where target = ?", [target])])' \
        "$T/server/state/store/ingest.db" "$1"
}

audited() { # ID: who deleted it, as the audit says
    python3 -c 'import sqlite3, sys
db = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True)
print(*db.execute("select actor, detail from audit where action = ? and object = ?",
    ["target.delete", sys.argv[2]]))' "$T/server/state/store/meta.db" "$1"
}

now_ms() { date +%s%3N; }

start_server server '[store]' 'flush_age = "3s"' && set_up_owner && start_pg pg system
ok $? "servers run" || done_testing
more=()
for name in t1 t2 t3 t4; do more+=('[[target]]' "name = \"$name\"" "dsn = \"$DSN\""); done
start_agent a "$SERVER_URL" "$DSN" 'every = "1s"' 'statements_every = "2s"' "${more[@]}"
start_agent b "$SERVER_URL" "$DSN" 'every = "1s"' 'statements_every = "2s"'
soon_is 60 'target a-db state; target t4 state; target b-db state' $'live\nlive\nlive' \
    "two agents deliver six targets" || done_testing
a=$(target a-db)
b=$(target b-db)
sleep 6 # some readings, some of which are flushed
mine=$(groups "$a")
# shellcheck disable=SC2086
like "$(rows "$a" $mine)" \
    'blocks [1-9].* parts [1-9].* groups [1-9].* objects [1-9].* texts [1-9]' \
    "the files hold something of it"

api DELETE "servers/$a"
is "$STATUS" 409 "it is refused while its agent delivers"
like "$BODY" 'agent a delivers it.*revoke the agent' "and the reason names the agent and what to do"
is "$(target a-db state)" live "nothing happened to it"
anonymous DELETE "servers/$a"
is "$STATUS" 401 "nobody in particular may not"
api DELETE servers/00000000-0000-4000-8000-000000000001
is "$STATUS" 404 "there is nothing to delete of what is not known"
printf '%s' "$OWNER_PASSWORD" >"$T/password"
chmod 600 "$T/password"
ctl target delete a-db </dev/null >"$T/out"
is $? 2 "ctl asks, and takes no answer from nobody" || diag "$(cat "$T/out")"

stop a
ctl collector revoke a --yes >"$T/out"
ok $? "its agent is revoked" || diag "$(cat "$T/out")"
to=$(now_ms)
from=$((to - 600000))
poll 60 arrived "$b" "$to"
ok $? "what the other agent read before is in"
kept=$(history "$b" "$from" "$to")
api DELETE "servers/$a"
code=$STATUS
stop server KILL
is "$code" 204 "then it is deleted; and the server killed with the answer"
restart_server server
ok $? "the server starts again"
is "$(target a-db)" "" "it is not in the list"
api GET "servers/$a"
is "$STATUS" 404 "nor is it there"
api GET "events?server=$a&from=-1h"
is "$(member data)" "[]" "nor its events"
is "$(target b-db)" "$b" "the other target is there"
is "$(history "$b" "$from" "$to")" "$kept" "with the history that it had"
soon_is 60 "rows $a $mine" \
    "blocks 0 parts 0 lost 0 groups 0 objects 0 events 0 texts 0 target 0" \
    "no file holds a row of it"
is "$(history "$b" "$from" "$to")" "$kept" "the other one is untouched by that"
soon_is 30 'target b-db state' live "and goes on"
is "$(audited "$a")" "('user:owner', 'a-db')" "the audit says who deleted what, once"

if [ -x "$PGA_FAULTY" ]; then
    number=0
    for point in $(fault_points server | grep '^tsdb\.drop_'); do
        number=$((number + 1))
        id=$(target "t$number")
        mine=$(groups "$id")
        stop server
        FAULT=$point SERVER_PGA=$PGA_FAULTY launch_server server
        poll 15 is_ready
        api DELETE "servers/$id"
        reap server 30
        is $? 137 "the server dies at $point"
        restart_server server
        is "$(target "t$number")" "" "and afterwards the target is gone"
        soon_is 60 "rows $id $mine" \
            "blocks 0 parts 0 lost 0 groups 0 objects 0 events 0 texts 0 target 0" \
            "from every file"
        is "$(audited "$id")" "('user:owner', 't$number')" "and audited once"
    done
    is "$number" 4 "every point of a deletion was tried"
    is "$(history "$b" "$from" "$to")" "$kept" "the other one is whole"
else
    skip "kills at named fault points" "$PGA_FAULTY is not built (make fault)"
fi

again=$(now_ms)
enrol_secret "$T/a/secret"
restart_agent a
soon_is 60 'target a-db state' live "the agent enrols again and delivers it anew"
a=$(target a-db)
ge "$(target a-db first_seen_ms)" "$again" "as a target first seen now"
like "$(history "$a" "$again" $((again + 60000)))" '[0-9]{9}' "with new readings"
unlike "$(history "$a" "$from" "$to")" '[0-9]{9}' "and none of before"
stop a
api GET collectors
id=$(python3 -c 'import json,sys
print(next(c["id"] for c in json.load(sys.stdin)["data"]
    if c["name"] == "a" and c["status"] != "revoked"))' <<<"$BODY")
api DELETE "collectors/$id"
out=$(ctl target delete a-db --yes)
is $? 0 "ctl deletes it by its name" || diag "$out"
is "$(target a-db)" "" "it is gone"
ctl target delete a-db --yes >"$T/out"
is $? 3 "a second time there is nothing"

stop b
stop server
"$PGA" migrate verify --store "sqlite:$T/server/state/store" >"$T/verify" 2>&1
ok $? "the store is whole: every file, row, block, and the audit" || diag "$(cat "$T/verify")"
done_testing
