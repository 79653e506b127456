# SPDX-License-Identifier: PostgreSQL
# shellcheck shell=bash
#
# lib.sh: what every scenario uses. A scenario sources it first and calls done_testing last.
#
# Tests: ok STATUS NAME, pass, fail, is GOT WANT NAME, like GOT REGEX NAME, le A B NAME,
#   within A B C NAME, soon_like SECONDS COMMAND REGEX NAME, soon_is SECONDS COMMAND WANT NAME,
#   skip NAME WHY, skip_all WHY, diag TEXT, done_testing.
# Places: $ROOT the repository, $T a folder of this run (removed at the end), $PGA the binary.
# Processes: spawn NAME COMMAND... runs in the background with its log in $T/log/NAME; pid_of
#   NAME; stop NAME [SIGNAL]; everything spawned is ended by its pid when the scenario ends,
#   and on failure the ends of the logs are shown.
# PostgreSQL: start_pg NAME VERSION [CONF...], use_pg NAME, stop_pg NAME, sql STATEMENT.
# pga: start_server NAME [LINE...], restart_server NAME, set_up_owner, enrol_secret FILE,
#   start_agent NAME URL DSN [LINE...], restart_agent NAME, start_proxy; api METHOD PATH [BODY]
#   sets STATUS and BODY; member PATH reads BODY; oracle [OPTION...].
# Doors: DOORS=shut before start_server: agents push with certificates alone, as it is by default,
#   through a proxy, too. DOORS=open (the usual): tools of the tests push with a token, in plain.

set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export TOOL=$ROOT/tests/tool
PGA=${PGA:-$ROOT/build/release/pga}
PGA_FAULTY=${PGA_FAULTY:-$ROOT/build/fault/pga} # the same with named fault points
PGA_FULL=${PGA_FULL:-0}
export PGA_SLOW=${PGA_SLOW:-1} # every time limit is multiplied by it
DOORS=${DOORS:-open}
FAULT= # the fault point to die at, for the next server or agent that is started
export PYTHONDONTWRITEBYTECODE=1
export PGA_OWNER=$$ # tests/pg/server ends its servers when this process is gone
T=$(mktemp -d "${TMPDIR:-/tmp}/pga-test.XXXXXX")
chmod 711 "$T" # PostgreSQL runs as another user below it
mkdir -p "$T/log" "$T/pid"
mkdir -m 777 "$T/report" # what the thread sanitizer says, of programs that end and that are killed
export TSAN_OPTIONS="${TSAN_OPTIONS:+$TSAN_OPTIONS:}log_path=$T/report/tsan"
TSAN_OPTIONS+=":suppressions=$ROOT/tests/tsan.supp"
TEST_COUNT=0
TEST_FAILED=0
TEST_ENDED=0

# --- tests -------------------------------------------------------------------------------

diag() { printf '%s\n' "$*" | cut -c1-1000 | sed 's/^/# /'; }

ok() { # STATUS NAME: 0 passes
    TEST_COUNT=$((TEST_COUNT + 1))
    if [ "$1" = 0 ]; then
        printf 'ok %d - %s\n' "$TEST_COUNT" "$2"
        return 0
    fi
    TEST_FAILED=$((TEST_FAILED + 1))
    printf 'not ok %d - %s\n' "$TEST_COUNT" "$2"
    return 1
}

pass() { ok 0 "$1"; }
fail() { ok 1 "$1"; }

is() { # GOT WANT NAME
    [ "$1" = "$2" ]
    ok $? "$3" && return
    diag "  got:  $(cut -c1-400 <<<"$1")"
    diag "  want: $(cut -c1-400 <<<"$2")"
    return 1
}

like() { # GOT REGEX NAME
    grep -qE -- "$2" <<<"$1"
    ok $? "$3" && return
    diag "  got:  $(head -c 600 <<<"$1")"
    diag "  want a match of: $2"
    return 1
}

unlike() { # GOT REGEX NAME
    ! grep -qE -- "$2" <<<"$1"
    ok $? "$3" && return
    diag "  got:  $(head -c 600 <<<"$1")"
    diag "  want no match of: $2"
    return 1
}

# What a running program does comes true some time later: COMMAND is eval'ed until its output
# matches.
soon_like() { # SECONDS COMMAND REGEX NAME
    local end=$((SECONDS + $(patience "$1"))) got
    while got=$(eval "$2"); ! grep -qE -- "$3" <<<"$got" && [ "$SECONDS" -lt "$end" ]; do
        sleep 0.2
    done
    like "$got" "$3" "$4"
}

soon_is() { # SECONDS COMMAND WANT NAME
    local end=$((SECONDS + $(patience "$1"))) got
    while got=$(eval "$2"); [ "$got" != "$3" ] && [ "$SECONDS" -lt "$end" ]; do
        sleep 0.2
    done
    is "$got" "$3" "$4"
}

compare() { # A OP B: numbers of any kind
    python3 -c 'import sys,operator as o
a,op,b=sys.argv[1:]
try: a,b=float(a),float(b)
except ValueError: sys.exit(1)
sys.exit(not {"<=":o.le,"<":o.lt,"==":o.eq,">=":o.ge,">":o.gt}[op](a,b))' "$@"
}

le() { # A B NAME: A <= B
    compare "$1" '<=' "$2"
    ok $? "$3" || { diag "  want $1 <= $2"; return 1; }
}

ge() { le "$2" "$1" "$3"; }

within() { # LOW GOT HIGH NAME
    compare "$1" '<=' "$2" && compare "$2" '<=' "$3"
    ok $? "$4" || { diag "  want $1 <= $2 <= $3"; return 1; }
}

skip() { # NAME WHY
    TEST_COUNT=$((TEST_COUNT + 1))
    printf 'ok %d - %s # SKIP %s\n' "$TEST_COUNT" "$1" "$2"
}

skip_all() { # WHY: ends the scenario
    skip "$(basename "$0" .sh)" "$1"
    done_testing
}

tap_from() { # FILE [PREFIX]: takes over the tests of another program's output
    local line
    while IFS= read -r line; do
        case $line in
            "ok "* | "not ok "*)
                [[ $line == ok* ]]
                ok $? "${2:-}${line#* - }"
                ;;
            "1.."*) ;;
            *) diag "${line#\# }" ;;
        esac
    done <"$1"
    grep -q '^1\.\.' "$1"
    ok $? "${2:-}all of them were run"
}

is_tsan() { # whether the binary was built with the thread sanitizer
    grep -qa __tsan_init "$PGA" 2>/dev/null
}

no_report() { # a test of its own in builds with the thread sanitizer
    is_tsan || return 0
    local reports
    reports=$(cat "$T"/report/* 2>/dev/null)
    [ -z "$reports" ]
    ok $? "the thread sanitizer reports nothing" ||
        diag "$(grep -E '^SUMMARY|^    #[0-3] ' <<<"$reports" | head -40)"
}

no_refusal() { # fails when the sandbox kept a program of ours from what it does
    local lines
    lines=$(grep -h 'the sandbox refused' "$T"/log/* 2>/dev/null)
    [ -z "$lines" ] || { fail "the sandbox refuses nothing that is needed"; diag "$lines"; }
}

done_testing() {
    no_report
    no_refusal
    TEST_ENDED=1
    echo "1..$TEST_COUNT"
    exit $((TEST_FAILED > 0))
}

need() { # COMMAND...: ends the scenario as failed when one is missing
    local command
    for command in "$@"; do
        command -v "$command" >/dev/null && continue
        fail "$command is installed (make deps)"
        done_testing
    done
}

# --- processes ---------------------------------------------------------------------------

spawn() { # NAME COMMAND...: in the background, log in $T/log/NAME
    local name=$1
    shift
    "$@" </dev/null >>"$T/log/$name" 2>&1 &
    echo $! >"$T/pid/$name"
}

reap() { # NAME SECONDS: waits for its end; returns its exit status (137 after SIGKILL), 255 late
    local pid
    pid=$(pid_of "$1")
    wait_gone "$pid" "$2" || return 255
    rm -f "$T/pid/$1"
    wait "$pid" 2>/dev/null
}

pid_of() { cat "$T/pid/$1" 2>/dev/null; }

is_running() { # PID: alive and not a zombie
    local state
    [ -n "$1" ] && [ -e "/proc/$1" ] || return 1
    state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) && [ "$state" != Z ]
}

wait_gone() { # PID SECONDS
    local i
    for ((i = 0; i < $2 * 20 * PGA_SLOW; i++)); do
        is_running "$1" || return 0
        sleep 0.05
    done
    return 1
}

stop() { # NAME [SIGNAL] [SECONDS]: ends what spawn started; fails when SIGKILL was needed
    local pid status=0
    pid=$(pid_of "$1")
    [ -n "$pid" ] || return 0
    kill -"${2:-TERM}" "$pid" 2>/dev/null
    wait_gone "$pid" "${3:-30}" || { kill -KILL "$pid" 2>/dev/null; wait_gone "$pid" 5; status=1; }
    # The main thread may be gone while others still hold files: only wait sees the real end.
    wait "$pid" 2>/dev/null
    rm -f "$T/pid/$1"
    return $status
}

# A limit only says when to give up, so on a busy machine it may be long: no time is asserted by it.
patience() { # SECONDS: at least a minute
    echo $((($1 < 60 ? 60 : $1) * PGA_SLOW))
}

poll() { # SECONDS COMMAND...: repeats the command until it succeeds
    local end=$((SECONDS + $(patience "$1")))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

port_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    while :; do
        port=$((10000 + RANDOM % 10000))
        if port_free "$port"; then
            echo "$port"
            return
        fi
    done
}

clean_up() {
    local status=$? file dir
    trap - EXIT
    if [ "$TEST_ENDED" = 0 ] || [ "$TEST_FAILED" -gt 0 ]; then
        for file in "$T"/log/*; do
            [ -s "$file" ] || continue
            diag "--- end of $(basename "$file")"
            diag "$(tail -n 30 "$file" | cut -c1-400)"
        done
    fi
    for file in "$T"/pid/*; do [ ! -e "$file" ] || stop "$(basename "$file")"; done
    for dir in "$T"/pg/*; do [ ! -e "$dir/pid" ] || "$ROOT/tests/pg/server" stop "$dir"; done
    if [ "${KEEP:-0}" = 1 ]; then diag "kept: $T"; else rm -rf "$T"; fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- PostgreSQL --------------------------------------------------------------------------

start_pg() { # NAME VERSION CONF...: sets PGHOST PGPORT PGUSER PGDATABASE PGVERSION PGPID DSN
    local name=$1
    shift
    mkdir -p "$T/pg"
    chmod 711 "$T/pg"
    "$ROOT/tests/pg/server" start "$T/pg/$name" "$@" >"$T/log/pg-$name" 2>&1 || return 1
    use_pg "$name"
}

use_pg() { # NAME: the variables of that server
    set -a
    # shellcheck disable=SC1090,SC1091
    . "$T/pg/$1/env"
    set +a
    export DSN="host=$PGHOST port=$PGPORT user=pga dbname=postgres"
}

stop_pg() { "$ROOT/tests/pg/server" stop "$T/pg/$1"; } # NAME

sql() { psql -qAtX -v ON_ERROR_STOP=1 -c "$1"; } # STATEMENT: to the server in use

# --- pga ---------------------------------------------------------------------------------

need_pga() { [ -x "$PGA" ] || { fail "$PGA is built (make build)"; done_testing; }; }

# The one place that opens a door (packaging/doc/security.md): fakeagent.py and others that play a
# collector have no certificate, and proxy.py takes whole requests out of a plain connection. Where
# DOORS=shut the server is as by default, and agents of pga deliver over TLS with a certificate.
server_doors() { # FILE: the begin of a server.toml
    if [ "$DOORS" = open ]; then
        printf '[ingest]\nallow_bearer_push = true\n[server]\nagent_listen = []\n'
    else
        AGENT_PORT=$(free_port)
        printf '[server]\nagent_listen = ["127.0.0.1:%s"]\n' "$AGENT_PORT"
    fi
}

start_server() { # NAME [LINE of server.toml...]: sets SERVER_URL SERVER_PORT SERVER AGENT_PORT
    SERVER=$1
    SERVER_PORT=$(free_port)
    SERVER_URL=http://127.0.0.1:$SERVER_PORT
    mkdir -p "$T/$1"
    shift
    {
        server_doors
        echo "listen = [\"127.0.0.1:$SERVER_PORT\"]"
        echo "state_dir = \"$T/$SERVER/state\""
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } >"$T/$SERVER/server.toml"
    restart_server "$SERVER"
}

use_server() { # NAME: that server is meant from now on
    SERVER=$1
    SERVER_PORT=$(sed -n 's/^listen = .*:\([0-9]*\)".*/\1/p' "$T/$1/server.toml")
    SERVER_URL=http://127.0.0.1:$SERVER_PORT
}

restart_server() { # NAME: starts it (again) and waits until it is ready
    launch_server "$1"
    poll "${READY_S:-15}" is_ready
}

launch_server() { # NAME: starts it and does not wait
    spawn "$1" env PGA_SETUP_CODE_FILE="$T/$1/code" ${FAULT:+PGA_FAULT="$FAULT"} \
        "${SERVER_PGA:-$PGA}" server --config "$T/$1/server.toml"
}

is_ready() { [ "$(http_status GET /readyz)" = 200 ]; }

http_status() { python3 "$TOOL/api.py" --url "$SERVER_URL" "$@" | head -1; }

# The answer of the last call of api.
STATUS=
BODY=

api() { # METHOD PATH [BODY] [OPTION...]: as the owner once set_up_owner was called
    local answer
    local words=("$1" "$2")
    if [ $# -ge 3 ] && [[ $3 != --* ]]; then
        words+=("$3")
        shift
    fi
    shift 2
    [ ! -s "$T/token" ] || set -- --token-file "$T/token" "$@"
    answer=$(python3 "$TOOL/api.py" --url "$SERVER_URL" "$@" -- "${words[@]}")
    STATUS=${answer%%$'\n'*}
    BODY=${answer#*$'\n'}
}

anonymous() { # METHOD PATH [BODY] [OPTION...]: the same with no token
    local kept=
    [ ! -s "$T/token" ] || { mv "$T/token" "$T/token.kept"; kept=1; }
    api "$@"
    [ -z "$kept" ] || mv "$T/token.kept" "$T/token"
}

member() { python3 "$TOOL/api.py" --get "$1" <<<"$BODY"; } # PATH in the last answer

OWNER_PASSWORD='correct horse battery staple'

set_up_owner() { # the first owner, by the setup code; leaves the token in $T/token
    poll 10 test -s "$T/$SERVER/code" || return 1
    api POST auth/setup "{\"code\":\"$(cat "$T/$SERVER/code")\",
        \"username\":\"owner\",\"password\":\"$OWNER_PASSWORD\"}"
    [ "$STATUS" = 201 ] || { diag "setup: $STATUS $BODY"; return 1; }
    (umask 077 && member token >"$T/token")
}

log_in() { # renews $T/token
    rm -f "$T/token"
    api POST auth/login "{\"username\":\"owner\",\"password\":\"$OWNER_PASSWORD\"}"
    [ "$STATUS" = 200 ] || return 1
    (umask 077 && member token >"$T/token")
}

enrol_secret() { # FILE [NUMBER]: a registration secret for NUMBER agents (default 10)
    api POST registration-secrets \
        "{\"name\":\"test-$RANDOM\",\"max_registrations\":${2:-10},\"expires_in_s\":7200}"
    [ "$STATUS" = 201 ] || { diag "secret: $STATUS $BODY"; return 1; }
    (umask 077 && member secret >"$1")
}

start_agent() { # NAME URL DSN [LINE of agent.toml...]: lines before any [table] join [[target]]
    local name=$1 url=$2 dsn=$3 by=
    shift 3
    if [ "$DOORS" = shut ] && [ "$url" = "${PROXY_URL:-}" ]; then # it enrols beside the proxy
        by=$url
        url=$SERVER_URL
    fi
    mkdir -p "$T/$name"
    [ -s "$T/$name/secret" ] || enrol_secret "$T/$name/secret" || return 1
    {
        echo '[agent]'
        echo "name = \"$name\""
        echo "state_dir = \"$T/$name/state\""
        echo '[server]'
        echo "url = \"$url\""
        [ -z "$by" ] || printf 'agent_url = "%s"\nca_file = "%s"\n' "$by" "$T/proxy/ca.crt"
        echo "registration_secret_file = \"$T/$name/secret\""
        echo '[[target]]'
        echo "name = \"$name-db\""
        echo "dsn = \"$dsn\""
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } >"$T/$name/agent.toml"
    restart_agent "$name"
}

restart_agent() { # NAME: starts it (again); FAULT names a fault point to die at
    spawn "$1" env ${FAULT:+PGA_FAULT="$FAULT"} \
        "${AGENT_PGA:-$PGA}" agent --config "$T/$1/agent.toml"
}

start_proxy() { # between agent and server: sets PROXY_PORT PROXY_URL; faults by proxy_says
    local to=$SERVER_PORT tls=()
    PROXY_PORT=$(free_port)
    export PROXY_URL=http://127.0.0.1:$PROXY_PORT
    if [ "$DOORS" = shut ]; then
        PROXY_URL=https://127.0.0.1:$PROXY_PORT
        to=$AGENT_PORT
        tls=(--tls "$T/proxy" --states "$T")
        make_proxy_certificates || return 1
    fi
    spawn proxy python3 "$TOOL/proxy.py" --listen "$PROXY_PORT" --to "127.0.0.1:$to" \
        --log "$T/acks" --control "$T/proxy.control" "${tls[@]}"
    poll 5 grep -q ready "$T/log/proxy"
}

# What proxy.py --tls reads: a certificate of its own, and who signs those of agents and server.
make_proxy_certificates() {
    # shellcheck source-path=SCRIPTDIR source=../tool/certs.sh
    . "$TOOL/certs.sh"
    mkdir -p "$T/proxy"
    make_ca proxy-ca && make_cert proxy proxy-ca server || return 1
    cp "$CERTS/proxy-ca.crt" "$T/proxy/ca.crt"
    cp "$CERTS/proxy.crt" "$T/proxy/own.crt"
    cp "$CERTS/proxy.key" "$T/proxy/own.key"
    anonymous GET ca
    member ca >"$T/proxy/agents.crt"
}

proxy_says() { # LINE...: what the proxy shall do from now on; none: pass everything on
    printf '%s\n' "$@" >"$T/proxy.new"
    mv "$T/proxy.new" "$T/proxy.control"
}

acknowledged() { grep -c '"status": 200' "$T/acks" 2>/dev/null || true; }

wait_acks() { # NUMBER SECONDS: that many more pushes have been answered with 200
    local want=$(($(acknowledged) + $1))
    poll "$2" eval "[ \$(acknowledged) -ge $want ]"
}

fault_points() { # server|agent: the named fault points of that process; file.* are of both
    local agents='^(spool|sender|agent|baseline|identity|probe|file)[._]'
    local not_servers='^(spool|sender|agent|baseline|identity|probe|transfer)[._]'
    if [ "$1" = agent ]; then
        "$PGA_FAULTY" --fault-points | grep -E "$agents"
    else
        "$PGA_FAULTY" --fault-points | grep -vE "$not_servers"
    fi
}

random_sleep() { # MILLISECONDS: sleeps a random time up to that
    sleep "$(python3 -c 'import random,sys; print(random.random() * int(sys.argv[1]) / 1000)' "$1")"
}

oracle() { # OPTION...: prints its findings as comments, its result as status
    local out status
    out=$(python3 "$TOOL/oracle.py" --url "$SERVER_URL" --token-file "$T/token" \
        --log "$T/acks" "$@" 2>&1)
    status=$?
    diag "$out"
    export ORACLE; ORACLE=$(tail -1 <<<"$out")
    return "$status"
}

target_id() { # KIND: id of the first target of that kind; waits until the server knows one
    local id='' i
    for ((i = 0; i < 100; i++)); do
        api GET servers
        id=$(python3 -c 'import json,sys
print(next((s["id"] for s in json.load(sys.stdin)["data"] if s["kind"] == sys.argv[1]), ""))' \
            "$1" <<<"$BODY")
        [ -z "$id" ] || break
        sleep 0.2
    done
    echo "$id"
}
