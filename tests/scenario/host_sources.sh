#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# Disks, file systems, network, pressure and the control group lie between what /proc says before
# and after; a kernel without pressure is a reason of that probe alone.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga

start_server server
ok $? "the server is ready" || done_testing
set_up_owner
start_agent agent "$SERVER_URL" 'host=127.0.0.1 port=1 user=pga dbname=postgres'
target=$(target_id host)
like "$target" '^[0-9a-f-]{36}$' "the host is a target"
python3 "$TOOL/hostfacts.py" --url "$SERVER_URL" --token-file "$T/token" --host "$target" \
    >"$T/out" 2>&1
tap_from "$T/out"
stop agent

# The same on a kernel that tells no pressure: a mount of its own hides the folder.
start_pg pg system || { fail "PostgreSQL starts"; done_testing; }
if unshare -m mount -t tmpfs none /proc/pressure 2>/dev/null; then
    hide='mount -t tmpfs none /proc/pressure && exec "$0" agent doctor --dsn "$1"'
    out=$(unshare -m sh -c "$hide" "$PGA" "$DSN")
    like "$out" '^host_pressure +no_data +the kernel tells no pressure .*psi=1' \
        "without pressure the doctor says what the kernel lacks"
    like "$out" '^host_disk +OK' "and the other sources of the host are read"
else
    skip "a kernel without pressure" "no right to mount here"
fi
done_testing
