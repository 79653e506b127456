#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The release binary is one hardened static file, small and quick to start, and server and
# agent run in an empty folder with nothing but the binary and their configuration.
# timeout: 120

. "$(dirname "$0")/lib.sh"
need_pga
need readelf

header=$(readelf -hW "$PGA")
segments=$(readelf -lW "$PGA")
dynamic=$(readelf -dW "$PGA")
! grep -qE 'NEEDED.*lib[at]san' <<<"$dynamic" ||
    skip_all "these are facts of the release binary, not of a sanitized one"
like "$header" 'Type: +DYN' "position independent"
unlike "$segments" 'INTERP' "no program interpreter"
unlike "$dynamic" 'NEEDED' "no shared library"
like "$segments" 'GNU_RELRO' "relocations become read-only"
like "$dynamic" 'BIND_NOW|FLAGS.*NOW' "all symbols are bound at start"
like "$segments" 'GNU_STACK .* RW ' "the stack is not executable"
unlike "$segments" 'LOAD .* RWE' "no segment is writable and executable"
le "$(stat -c %s "$PGA")" 8000000 "smaller than 8 MB"
if [ -e "$PGA.full" ]; then # the same before its symbols were stripped
    unlike "$(nm "$PGA.full")" ' (PQfn|PQescape[A-Za-z]*|PQgetCancel|lo_[a-z]+)$' \
        "no libpq function that trusts the server's lengths, escapes values or cancels in the open"
fi
like "$("$PGA" --version)" '^pga [0-9]+\.[0-9]+' "pga --version"
is "$("$PGA" version)" "$("$PGA" --version)" "pga version says the same"
"$PGA" version --licenses >"$T/licenses"
is $? 0 "pga version --licenses"
libraries=$(sed -n "s/^VENDOR      := //p" "$ROOT/Makefile")
for name in pga $libraries musl preact @preact/signals-core \
    @preact/signals uplot; do
    text=$(awk -v name="== $name" '$0 == name {on = 1; next} /^== /{on = 0} on' "$T/licenses")
    ge "$(wc -c <<<"$text")" 200 "it holds the licence of $name"
done
"$PGA" version --nonsense >"$T/out" 2>&1
is $? 2 "another option is refused"
best=$(python3 - "$PGA" <<'P'
import subprocess, sys, time
def run():
    start = time.monotonic()
    subprocess.run([sys.argv[1], "--version"], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - start
print(min(run() for _ in range(20)) * 1000)
P
)
le "$best" 50 "pga --version in under 50 ms (best of 20: ${best%.*} ms)"
"$PGA" nonsense >/dev/null 2>&1
is $? 2 "an unknown command is a usage error"
for applet in server agent ctl migrate demo; do
    "$PGA" "$applet" --help >"$T/help" 2>&1
    is $? 0 "pga $applet --help"
    like "$(cat "$T/help")" "pga $applet" "its help names it"
    ln -sf "$PGA" "$T/pga-$applet"
    is "$("$T/pga-$applet" --help 2>&1 | head -3)" "$(head -3 "$T/help")" "pga-$applet as a link"
done

# An empty root: the binary, two configurations and two state folders.
empty=$T/empty
mkdir -p "$empty/server" "$empty/agent"
cp "$PGA" "$empty/pga"
SERVER_PORT=$(free_port)
SERVER_URL=http://127.0.0.1:$SERVER_PORT
SERVER=server
cat >"$empty/server.toml" <<C
[server]
listen = ["127.0.0.1:$SERVER_PORT"]
agent_listen = ["127.0.0.1:$(free_port)"]
state_dir = "/server"
C
jail() { # NAME APPLET ARGUMENT...
    local name=$1
    shift
    if [ "$(id -u)" = 0 ]; then
        spawn "$name" env -i PGA_SETUP_CODE_FILE=/server/code \
            "$(command -v chroot)" "$empty" /pga "$@"
    else
        spawn "$name" env -i PGA_SETUP_CODE_FILE=/server/code \
            unshare --user --map-root-user "$(command -v chroot)" "$empty" /pga "$@"
    fi
}
jail server server --config /server.toml
poll 15 is_ready
ok $? "the server starts in an empty root" || done_testing
mkdir -p "$T/server"
ln -sf "$empty/server/code" "$T/server/code"
set_up_owner
ok $? "and takes its first owner"
enrol_secret "$empty/secret"
start_pg pg system
cat >"$empty/agent.toml" <<C
[agent]
name = "jailed"
state_dir = "/agent"
[server]
url = "$SERVER_URL"
registration_secret_file = "/secret"
[[target]]
name = "db"
dsn = "$DSN"
C
jail agent agent --config /agent.toml
poll 40 eval 'api GET servers; [ "$(grep -o "\"state\": *\"live\"" <<<"$BODY")" ]'
ok $? "the agent enrols there and its database is live" || diag "$BODY"
found=$(cd "$empty" && find . -maxdepth 1 -mindepth 1 | sort | tr '\n' ' ')
is "$found" "./agent ./agent.toml ./pga ./secret ./server ./server.toml " \
    "neither needed nor made anything else"
stop agent
ok $? "the agent ends cleanly"
stop server
ok $? "the server ends cleanly"
done_testing
