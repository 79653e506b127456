#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# pga migrate: a new store has everything pending, up applies it once, verify finds damage.
# timeout: 60

. "$(dirname "$0")/lib.sh"
need_pga

store=sqlite:$T/state/store
migrate() { OUT=$("$PGA" migrate --store "$store" "$@" 2>&1); }

mkdir -p "$T/state"
migrate status
is $? 3 "a store that does not exist is not found"
like "$OUT" 'no database' "and says so"
[ ! -e "$T/state/store/meta.db" ]
ok $? "status makes nothing"
migrate up
is $? 0 "up"
migrate status
is $? 0 "nothing is pending then"
unlike "$OUT" 'pending' "status shows none"
like "$OUT" '^0001 .*20[0-9][0-9]-' "but when each was applied"
migrate up
is $? 0 "up again changes nothing"
migrate verify
is $? 0 "verify" || diag "$OUT"
migrate list
is $? 0 "list"
like "$OUT" '0*1' "it names the first migration"
start_server server "store = \"$store\""
ok $? "a server starts on the migrated store"
set_up_owner
ok $? "and works"
stop server
migrate verify
is $? 0 "verify after use"
size=$(stat -c %s "$T/state/store/meta.db")
cp -r "$T/state/store" "$T/damaged"
for ((at = 4096; at + 64 < size; at += 4096)); do
    head -c 64 /dev/urandom | dd of="$T/damaged/meta.db" bs=1 seek=$((at + 8)) conv=notrunc \
        status=none
done
rm -f "$T/damaged"/meta.db-*
store=sqlite:$T/damaged
migrate verify
unlike "$?" '^0$' "verify finds a damaged file"
unlike "$OUT" 'Segmentation|Sanitizer' "and stands it"
migrate verify --repair
unlike "$OUT" 'Segmentation|Sanitizer' "so does a repair"
store=sqlite:$T/state/store
migrate verify --repair
is $? 0 "a repair of a store that is whole"
like "$OUT" '^0 findings before' "finds nothing"
migrate up --repair
is $? 2 "a repair goes with verify alone"
store=nonsense://x
migrate status
is $? 2 "an unknown kind of store is a usage error"
done_testing
