#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# As a service: the units are good and hardened, users and folders are declared, systemd is told of
# readiness, reload, life and end; the log is opened again after a rotation; what cannot start says
# what, where and what to do; a request in work is answered before the end; IPv6.
# timeout: 180

. "$(dirname "$0")/lib.sh"
need_pga

# --- what make install puts where ---------------------------------------------------------

PLACE=$T/usr
env -u MAKEFLAGS -u MAKELEVEL make -s -C "$ROOT" install PREFIX="$PLACE" >"$T/log/install" 2>&1
ok $? "make install"
UNITS=$PLACE/lib/systemd/system
for name in server:15 agent:20; do
    unit=$UNITS/pga-${name%:*}.service
    grep -q "^ExecStart=$PLACE/bin/pga ${name%:*} " "$unit"
    ok $? "the unit of the ${name%:*} starts what was installed"
    if ! command -v systemd-analyze >/dev/null; then
        skip "systemd-analyze verify ${name%:*}" "no systemd-analyze here"
        continue
    fi
    OUT=$(systemd-analyze verify --man=no "$unit" 2>&1)
    is "$?:$OUT" 0: "systemd-analyze verify finds nothing in the ${name%:*}'s unit"
    if systemd-analyze --help | grep -q -- --offline; then
        systemd-analyze security --offline=true --threshold="${name#*:}" "$unit" >"$T/security" 2>&1
        ok $? "the ${name%:*}'s exposure is at most ${name#*:} of 100" ||
            diag "$(tail -1 "$T/security")"
    else
        skip "exposure of the ${name%:*}" "systemd-analyze is too old for --offline"
    fi
    "$PGA" "${name%:*}" --config "$PLACE/share/pga/${name%:*}.toml" --check-config >"$T/out" 2>&1
    ok $? "the first configuration of the ${name%:*} is good" || diag "$(cat "$T/out")"
done
if command -v systemd-sysusers >/dev/null && [ "$(id -u)" = 0 ]; then
    mkdir -p "$T/root/etc"
    systemd-sysusers --root="$T/root" "$PLACE/lib/sysusers.d/pga.conf" >"$T/out" 2>&1
    is "$? $(grep -c '^pga-\(server\|agent\):' "$T/root/etc/passwd")" "0 2" "two users are declared"
else
    skip "users" "no systemd-sysusers, or not root"
fi
if command -v systemd-tmpfiles >/dev/null && [ "$(id -u)" = 0 ] && [ -d "$T/root" ]; then
    sed "s,$PLACE/share,/share," "$PLACE/lib/tmpfiles.d/pga.conf" >"$T/tmpfiles.conf"
    cp -r "$PLACE/share" "$T/root/share"
    systemd-tmpfiles --root="$T/root" --create "$T/tmpfiles.conf" >"$T/out" 2>&1
    is "$? $(stat -c %a "$T/root/etc/pga/agent.toml")" "0 640" \
        "first configurations are put in place"
else
    skip "folders" "no systemd-tmpfiles, or not root"
fi
env -u MAKEFLAGS -u MAKELEVEL make -s -C "$ROOT" uninstall PREFIX="$PLACE" >>"$T/log/install" 2>&1
is "$(find "$PLACE" -type f -o -type l | wc -l)" 0 "make uninstall leaves no file"

# --- what systemd is told ---------------------------------------------------------------

listen_for() { # NAME: a socket like systemd's, what it got in $T/log/notify-NAME
    export NOTIFY_SOCKET=$T/notify-$1
    spawn "notify-$1" python3 "$TOOL/notify.py" "$NOTIFY_SOCKET"
    poll 5 grep -q ready "$T/log/notify-$1"
}
told() { grep -c " $2" "$T/log/notify-$1" || true; } # NAME MESSAGE: how often

listen_for server
export WATCHDOG_USEC=400000
start_server server "log_file = \"$T/server.log\"" && set_up_owner
ok $? "the server starts under a supervisor"
is "$(told server READY=1)" 1 "and says that it is ready"
sleep 1.5
within 6 "$(told server WATCHDOG=1)" 25 "it gives a sign of life twice in the time it has"
mv "$T/server.log" "$T/server.log.1"
kill -USR1 "$(pid_of server)"
poll 5 grep -q 'log file opened again' "$T/server.log"
ok $? "SIGUSR1 opens the log again after a rotation"
lines=$(wc -l <"$T/server.log.1")
kill -HUP "$(pid_of server)"
poll 5 grep -q 'configuration read again' "$T/server.log"
ok $? "SIGHUP reads the configuration again"
is "$(wc -l <"$T/server.log.1")" "$lines" "nothing more goes to the file that was moved away"
poll 5 test "$(told server RELOADING=1)" = 1
like "$(grep -A1 RELOADING=1 "$T/log/notify-server" | tr '\n' ' ')" \
    'RELOADING=1 MONOTONIC_USEC=[0-9]+ .*READY=1' "a reload is told from its begin to its end"
mv "$T/server.log" "$T/server.log.2"
mkdir "$T/server.log"
kill -USR1 "$(pid_of server)"
poll 5 grep -q 'the old log file is written on' "$T/server.log.2"
ok $? "when the file cannot be opened, the old one is written on and says so"
rmdir "$T/server.log"

# A request that is in work when the stop comes: its body arrives after it.
python3 - "$SERVER_PORT" "$(pid_of server)" <<'P' >"$T/drain" 2>&1
import os, signal, socket, sys, time
port, pid = int(sys.argv[1]), int(sys.argv[2])
s = socket.create_connection(("127.0.0.1", port))
body = b'{"username":"owner","password":"x"}'
body += b" " * 40000  # a worker waits for it; a small one would not be in work yet
s.sendall(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n"
          b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
time.sleep(0.5)
os.kill(pid, signal.SIGTERM)
time.sleep(1)
s.sendall(body)
s.settimeout(10)
print(s.recv(4096).decode().splitlines()[0])
P
like "$(cat "$T/drain")" '^HTTP/1.1 401' "a request in work is answered after SIGTERM"
reap server 20
is $? 0 "then the server ends well"
like "$(cat "$T/log/server")" "open http://127.0.0.1:$SERVER_PORT/" \
    "the setup code came with the address"
is "$(told server STOPPING=1)" 1 "and has told that it was going to"
like "$(tail -1 "$T/server.log.2")" 'stopped$' "the last line of its log"

listen_for agent
cat >"$T/agent.toml" <<C
[agent]
state_dir = "$T/agent"
log_file = "$T/agent.log"
C
spawn agent "$PGA" agent --config "$T/agent.toml"
poll 10 test -s "$T/agent.log"
poll 10 eval '[ "$(told agent READY=1)" = 1 ]'
ok $? "the agent says that it is ready"
sleep 1.2
ge "$(told agent WATCHDOG=1)" 4 "and gives signs of life"
mv "$T/agent.log" "$T/agent.log.1"
kill -HUP "$(pid_of agent)"
poll 5 grep -q 'configuration read again' "$T/agent.log"
ok $? "SIGHUP reads its configuration and opens its log again"
poll 5 eval '[ "$(told agent RELOADING=1)$(told agent READY=1)" = 12 ]'
ok $? "which is told as well"
stop agent
is "$? $(told agent STOPPING=1)" "0 1" "the agent ends well and tells"
unset NOTIFY_SOCKET WATCHDOG_USEC
stop notify-server
stop notify-agent

# --- what cannot start says why -----------------------------------------------------------

fails() { # NAME PATTERN COMMAND...
    local name=$1 pattern=$2
    shift 2
    OUT=$(timeout 20 "$@" 2>&1)
    is "$?" "${WANT:-1}" "$name: it ends with status ${WANT:-1}"
    like "$OUT" "$pattern" "$name: says what, where and what to do"
}
free=$(free_port)
start_server other && use_server other
fails "port in use" "port $SERVER_PORT on 127.0.0.1 is in use: end the other program" \
    "$PGA" server --state-dir "$T/s1" --listen "127.0.0.1:$SERVER_PORT"
fails "state in use" "another server uses $T/other/state" \
    "$PGA" server --state-dir "$T/other/state" --listen "127.0.0.1:$free"
stop other
if [ "$(id -u)" = 0 ]; then
    cp "$PGA" "$T/pga" && chmod 755 "$T/pga"
    mkdir -m 700 "$T/closed"
    nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups "$T/pga")
    fails "permission denied" "$T/closed/x: Permission denied: the user that pga runs as" \
        "${nobody[@]}" server --state-dir "$T/closed/x" --listen "127.0.0.1:$free"
    WANT=4 fails "permission denied to an agent" "$T/closed/x: Permission denied: the user that" \
        "${nobody[@]}" agent --state-dir "$T/closed/x"
    fails "a port for root" "port 81 on 127.0.0.1 is for root.*needs the right" \
        "${nobody[@]}" server --state-dir /tmp/none --listen 127.0.0.1:81
else
    skip "permission denied" "not root"
fi
no_address='(Address not available|Cannot assign requested address)' # of musl, of glibc
WANT=2 fails "an address of another host" "$no_address: this host has no such address" \
    "$PGA" server --state-dir "$T/s1" --listen "192.0.2.1:$free"
printf '[server]\nlog_file = "/nowhere/x.log"\n' >"$T/bad.toml"
fails "a log file that cannot be" "log file /nowhere/x.log: No such file" \
    "$PGA" server --config "$T/bad.toml" --state-dir "$T/s1" --listen "127.0.0.1:$free"

# --- IPv6 ---------------------------------------------------------------------------------

if grep -q ' lo$' /proc/net/if_inet6 2>/dev/null; then
    spawn six "$PGA" server --state-dir "$T/six" --listen "[::1]:$free" --listen "127.0.0.1:$free" \
        --agent-listen "127.0.0.1:$(free_port)"
    SERVER_URL="http://[::1]:$free"
    poll 10 is_ready
    ok $? "a listener on an IPv6 address answers"
    SERVER_URL=http://127.0.0.1:$free
    is "$(http_status GET /readyz)" 200 "beside one on IPv4, on the same port"
    printf '[agent]\nstate_dir = "%s"\n[server]\nurl = "http://[::1]:%s"\n' "$T/a6" "$free" \
        >"$T/a6.toml"
    spawn a6 "$PGA" agent --config "$T/a6.toml"
    poll 10 grep -q 'no identity, and no registration_secret_file' "$T/log/a6"
    ok $? "an agent takes an IPv6 address of the server"
    stop a6
    stop six
else
    skip "IPv6" "this host has none"
fi
done_testing
