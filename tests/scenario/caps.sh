#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Two bombs: readings whose labels are always new, and texts without end. An agent fills what it may
# have, then goes on: memory and disk of the server stay within a tenth, it is told in every place,
# and another agent loses nothing. Default: 2000 objects and a million bytes; in a full run a
# million sets of labels against a cap of a hundred thousand.
# timeout: 120, full 1200

. "$(dirname "$0")/lib.sh"
need_pga
objects=2000 bombs=20000 push=1000
[ "$PGA_FULL" = 0 ] || { objects=100000 bombs=1000000 push=10000; }

start_server server '[store]' 'flush_bytes = "1MB"' 'journal_bytes = "1MB"' 'flush_age = "1s"' \
    '[limits]' "collector_objects = $objects" "collector_text_bytes = \"1MB\"" \
    'collector_texts = 1000' 'collector_new_objects = 100000000'
ok $? "the server is ready" || done_testing
set_up_owner
enrol_secret "$T/secret"

cat >"$T/bomb.py" <<'P'
import hashlib, json, os, random, sys, time, uuid
sys.path.insert(0, os.environ["TOOL"])
from api import Api
url, folder, name = sys.argv[1:4]
state = folder + "/" + name + ".json"
if os.path.exists(state):
    who = json.load(open(state))
else:
    status, _, body = Api(url).request("POST", "collectors/register",
        json.dumps({"name": name, "hostname": name}),
        {"X-Registration-Secret": open(folder + "/secret").read().strip()})
    answer = json.loads(body)
    who = {"id": answer["collector_id"], "token": answer["token"], "stream": str(uuid.uuid4()),
           "target": str(uuid.uuid4()), "seq": 1}
api = Api(url, who["token"], timeout=120)

def push(record):
    text = json.dumps(record, separators=(",", ":"))
    body = json.dumps(
        {"collector_id": who["id"], "stream": who["stream"], "seq": who["seq"], "count": 1,
         "records": [{"hash": hashlib.sha256(text.encode()).hexdigest(), "record": record}]})
    for _ in range(300):
        status, _, answer = api.request("POST", "metrics/push", body)
        if status != 503:  # the small journal is full for a moment
            break
        time.sleep(0.2)
    if status != 200:
        sys.exit("push: %d %s" % (status, answer[:300]))
    who["seq"] += 1
    return json.loads(answer)["metrics_rejected"]

def labels(first, count, each):
    refused = 0
    for at in range(first, first + count, each):
        t = int(time.time() * 1000)
        refused += push({"made_ms": t, "slices": [{
            "relation": "bomb", "target": who["target"], "scope": "", "t": t, "from_t": t,
            "every_ms": 60000, "flags": ["complete"], "rows": each,
            "keys": {"path": ["/a/fairly/long/label/of/%09d" % (at + i) for i in range(each)]},
            "columns": {"n": [at + i for i in range(each)]}}]})
        time.sleep(0.002)
    return refused

def texts(first, count):
    for at in range(first, first + count):
        text = "".join(random.choice("0123456789abcdef") for _ in range(100000))
        push({"made_ms": 1, "slices": [], "texts": [
            {"target": who["target"], "kind": "query", "key": str(at), "text": text}]})
    return 0

print({"labels": labels, "texts": texts}[sys.argv[4]](*map(int, sys.argv[5:])))
json.dump(who, open(state, "w"))
P
bomb() { python3 "$T/bomb.py" "$SERVER_URL" "$T" "$@"; }
rss() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$(pid_of server)/status"; }
disk() { du -sk "$T/server/state/store" | cut -f1; }
calm() { # the journal is trimmed, all is applied
    api GET monitoring
    [ "$(member store.journal_bytes)" = 0 ]
}
within_tenth() { # BEFORE AFTER SLACK_KB NAME: a tenth, and what a server takes by itself
    le "$2" "$(($1 + $1 / 10 + $3))" "$4 ($1 kB, then $2 kB)"
}

is "$(bomb wild labels 0 "$objects" "$push")" 0 "as many objects as it may have are taken"
bomb wild labels 0 "$((objects < 20000 ? objects : 20000))" "$push" >"$T/again" # warm
is "$(cat "$T/again")" 0 "and go on"
poll 60 calm
rss_before=$(rss) disk_before=$(disk)
is "$(bomb wild labels 10000000 "$bombs" "$push")" "$bombs" "$bombs new sets of labels are refused"
poll 60 calm
within_tenth "$rss_before" "$(rss)" 4096 "memory"
within_tenth "$disk_before" "$(disk)" 1024 "disk"
api GET cardinality
is "$(member objects)" "$objects" "there are no more objects than it may have"

is "$(bomb wild texts 0 60)" 0 "texts of 6 MB come"
poll 60 calm
api GET "collectors?limit=10"
collector=$(member data.0.id)
like "$(member data.0.over_limits)" 'objects.*text_bytes' "the list of collectors says which limits"
api GET "collectors/$collector/limits"
used=$(python3 -c 'import json,sys
l = {r["limit"]: r for r in json.load(sys.stdin)["data"]}
print(l["text_bytes"]["used"], l["text_bytes"]["refused"], l["objects"]["refused"])' <<<"$BODY")
read -r bytes texts left <<<"$used"
le "$bytes" 1048576 "texts take what they may ($bytes bytes)"
ge "$texts" 30 "$texts of them are refused"
is "$left" "$bombs" "and every value left out is counted"
api GET "events?kind=gap&limit=5"
like "$BODY" 'over a cap of their collector' "an event tells of it"
api GET /metrics
over='pga_collector_over_limit_total'
like "$BODY" "$over\\{collector=\"$collector\",limit=\"objects\"\\} $bombs" \
    "and /metrics"
like "$BODY" "pga_ingest_refused_total\\{reason=\"cap\"\\} $bombs" "among what was refused"
is "$(bomb tame labels 0 1000 "$push")" 0 "another agent has room of its own"
stop server
is $? 0 "the server ends"
size=$(stat -c %s "$T/server/state/store/text.db")
le "$size" $((1048576 * 11 / 10)) "the file of texts is within a tenth of its cap ($size bytes)"
restart_server server && log_in
is "$(bomb wild labels 20000000 "$push" "$push")" "$push" "after a restart it is the same"
"$PGA" migrate --state-dir "$T/server/state" status >/dev/null
stop server
"$PGA" migrate --state-dir "$T/server/state" verify >"$T/verify" 2>&1
is $? 0 "and the store is whole" || diag "$(cat "$T/verify")"
done_testing
