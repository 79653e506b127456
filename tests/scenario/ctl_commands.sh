#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# pga ctl: accounts, secrets, agents, targets, history, any route; every command has help in three
# places that agree; completion in real shells; the manual page; --watch.
# timeout: 300

. "$(dirname "$0")/lib.sh"
need_pga
need tmux zsh fish mandoc man
export XDG_CONFIG_HOME=$T/config HOME=$T
unset PGA_SERVER PGA_TOKEN PGA_TOKEN_FILE

ctl() { # sets OUT and ERR
    local status=0
    OUT=$("$PGA" ctl "$@" 2>"$T/err" </dev/null) || status=$?
    ERR=$(cat "$T/err")
    return $status
}
json() { python3 "$TOOL/api.py" --get "$1" <<<"$OUT"; } # PATH in the last output

start_server server
ok $? "the server is ready" || done_testing
printf '%s' "$OWNER_PASSWORD" >"$T/password"
chmod 600 "$T/password"
ctl --server "$SERVER_URL" setup --code-file "$T/server/code" --username owner \
    --password-file "$T/password"
ok $? "setup" || done_testing
ctl --server "$SERVER_URL" login --username owner --password-file "$T/password"
ok $? "login" || done_testing

# --- accounts -------------------------------------------------------------------------------

ctl user create --name ann --role viewer --email ann@example.org --password-file "$T/password"
is $? 0 "user create" || diag "$OUT $ERR"
ctl user list
like "$OUT" '(^|[^a-z])ann ' "user list shows her"
ctl user update ann --role operator --full-name "Ann O'Nym"
is $? 0 "user update" || diag "$OUT $ERR"
ctl -o json user show ann
like "$OUT" '"operator"' "user show by name" || diag "$OUT $ERR"
ctl user reset-password ann
is $? 0 "user reset-password" || diag "$OUT $ERR"
ctl user create --name ann --role viewer --password-file "$T/password"
is $? 5 "the same name again is a conflict" || diag "$OUT $ERR"
ctl user show nobody
is $? 3 "an unknown account is exit code 3"
like "$ERR" 'pga ctl user list' "and the error says what to do"
ctl user show
is $? 2 "no account is wrong use"
ctl user delete ann
is $? 2 "delete asks, and without a terminal refuses"
like "$ERR" '--yes' "naming the option"
ctl user delete ann --yes
is $? 0 "user delete" || diag "$OUT $ERR"
ctl user list
unlike "$OUT" '(^|[^a-z])ann ' "she is gone"

# --- tokens, sessions ----------------------------------------------------------------------------

ctl token create --name nightly --scope read --expires 1d
is $? 0 "token create" || diag "$OUT $ERR"
token=$OUT
like "$token" '^pga_[A-Za-z0-9_-]{49}$' "it is printed bare"
OUT=$(PGA_SERVER=$SERVER_URL PGA_TOKEN=$token XDG_CONFIG_HOME=$T/other "$PGA" ctl whoami 2>&1)
like "$OUT" 'owner' "a script is its maker" || diag "$OUT"
OUT=$(PGA_SERVER=$SERVER_URL PGA_TOKEN=$token XDG_CONFIG_HOME=$T/other "$PGA" ctl token list 2>&1)
is $? 4 "and sees no tokens"
ctl token list
like "$OUT" 'nightly +read .*127.0.0.1' "token list says whence it was used" || diag "$OUT"
unlike "$OUT" 'pga_' "and no value"
for name in '=1+1' '+1' '-1-1' '@SUM(A1)'; do
    ctl token create --name "$name" --scope read --expires 1d
    ctl -o csv token list
    like "$OUT" "\"'${name//[+()]/.}\"" "H9: no cell of CSV begins a formula: $name"
done
ctl token revoke nightly
is $? 0 "token revoke" || diag "$OUT $ERR"
OUT=$(PGA_SERVER=$SERVER_URL PGA_TOKEN=$token XDG_CONFIG_HOME=$T/other "$PGA" ctl whoami 2>&1)
is $? 4 "then it opens nothing"
ctl confirm --password-file "$T/password"
is $? 0 "confirm" || diag "$OUT $ERR"
XDG_CONFIG_HOME=$T/second ctl --server "$SERVER_URL" login --username owner \
    --password-file "$T/password"
ctl -o json signin list
is "$(json data.#)" 3 "signin list: setup, and two logins" || diag "$OUT"
unwanted=$(json data.0.id)
[ "$(json data.0.current)" = false ] || unwanted=$(json data.1.id)
ctl signin revoke "$unwanted"
is $? 0 "signin revoke" || diag "$OUT $ERR"
ctl signin list --user owner
is "$(grep -c owner <<<"$OUT")" 2 "and one is gone" || diag "$OUT $ERR"
# Commands that renew one login at once: a refresh token works once, so they take turns.
"$PGA" ctl health >/dev/null 2>&1
python3 - "$T/config/pga/contexts.toml" <<'P'
import re, sys
text = open(sys.argv[1]).read()
open(sys.argv[1], "w").write(re.sub(r'(?m)^token = ".*"', 'token = "run.out.long"', text))
P
for i in 1 2 3 4 5 6; do
    spawn "whoami$i" "$PGA" ctl whoami
done
for i in 1 2 3 4 5 6; do
    reap "whoami$i" 60
    is $? 0 "whoami $i of 6 at once" || diag "$(cat "$T/log/whoami$i")"
done

# --- secrets, an agent, its targets ------------------------------------------------------------

ctl secret create --name first --max 3 --expires 1h
secret=$OUT
ctl secret update first --max 5
is $? 0 "secret update" || diag "$OUT $ERR"
ctl -o json secret show first
is "$(json max_registrations)" 5 "secret show" || diag "$OUT $ERR"
start_pg pg system
spawn load "$TOOL/load.sh" 240 2
mkdir -p "$T/agent"
(umask 077 && printf '%s' "$secret" >"$T/agent/secret")
start_agent agent "$SERVER_URL" "$DSN"
poll 60 eval 'ctl target list; [[ $OUT =~ agent-db.*live ]]'
ok $? "the agent's target is live"
ctl secret revoke first
is $? 0 "secret revoke" || diag "$OUT $ERR"
ctl target show agent-db
like "$OUT" 'postgresql' "target show"
poll 60 eval 'ctl target probes agent-db; [[ $OUT =~ pg_stat_database\ +ok ]]'
like "$OUT" 'pg_stat_database +ok' "target probes" || diag "$OUT"
poll 60 eval 'ctl target relations agent-db; [[ $OUT =~ pg_stat_database ]]'
like "$OUT" 'pg_stat_database' "target relations"
poll 30 eval 'ctl collector show agent; [[ $OUT =~ active ]]'
ok $? "collector show" || diag "$OUT $ERR"
poll 60 eval 'ctl metric show pg_stat_database --target agent-db --column xact_commit --by "";
    [[ $OUT =~ [1-9][.0-9]+$ ]]'
ok $? "metric show has values" || diag "$OUT $ERR"
ctl -o csv metric show pg_stat_database --target agent-db --column xact_commit,blks_hit --by ''
is "$(head -1 <<<"$OUT" | tr -d '\r"')" 't_ms,xact_commit,blks_hit' "as csv, a column a series"
spawn busy psql -qXc "do 'begin while clock_timestamp() < now() + interval ''25 s'' loop end loop;
    end'" # or no sample meets a session that computes
poll 60 eval 'ctl session load; [[ $OUT =~ CPU ]]'
ok $? "session load" || diag "$OUT $ERR"
ctl row list pg_stat_database --target agent-db
like "$OUT" 'datname .*xact_commit' "row list has a column for each key and value"
like "$OUT" '(^| )postgres ' "and a row for each database"
ctl row list pg_stat_database --target agent-db --database postgres
is "$(grep -c . <<<"$OUT")" 2 "of one database"
ctl row list no_such_relation --target agent-db
is $? 3 "an unknown relation is exit code 3"
ctl row list
is $? 2 "row list without a relation is wrong use"
ctl -o json collector rows agent version
is "$(json data.0.version_num)" "$(sql 'show server_version_num')" "collector rows" ||
    diag "$OUT $ERR"
ctl collector rows agent nonsense
is $? 2 "an unknown kind is wrong use"
like "$ERR" 'queries/slow' "and the kinds are named"
ctl metric show
is $? 2 "metric show without a relation is wrong use"
ctl monitoring
like "$OUT" 'samples stored' "monitoring"
ctl -o json store compact
is "$(json "done")" true "store compact" || diag "$OUT $ERR"
ge "$(json disk_bytes)" "$(json raw_slow)" "and says how large the store is"
ctl stream list
like "$OUT" '[0-9a-f]{8}-' "stream list"
ctl api GET servers
is "$(json data.#)" 2 "api GET"
printf '{"name":"by api"}' | "$PGA" ctl api POST registration-secrets --body - >"$T/out"
OUT=$(cat "$T/out")
is "$(json name)" "by api" "api POST with a body from standard input"
ctl api GET /nothing
is $? 3 "api: the exit code follows the status"
ctl -o json user show nobody
is "$OUT" '' "with -o json an error leaves standard output empty"
OUT=$ERR
like "$(json exit_code) $OUT" '3 ' "and is JSON on standard error" || diag "$ERR"

# --- the configuration of an agent --------------------------------------------------------------

ctl config show agent
is $? 3 "an agent without a kept configuration is exit code 3" || diag "$OUT $ERR"
printf '[host]\nenabled = false\n' >"$T/new.toml"
ctl -o json config set agent --file "$T/new.toml"
is $? 0 "config set" || diag "$OUT $ERR"
is "$(json status) $(json version)" "updated 1" "is a first version"
ctl config show agent
like "$OUT" '^enabled = false$' "config show prints it"
ctl config history agent
like "$OUT" '^ *1 .*owner' "config history says who" || diag "$OUT $ERR"
printf '[host]\nenabled = 7\n' >"$T/new.toml"
ctl config set agent --file "$T/new.toml"
is $? 1 "a wrong configuration is refused"
like "$ERR" 'line 2|:2:' "with its place" || diag "$ERR"
ctl config set agent
is $? 1 "no file is an error"
ctl config show
is $? 2 "no agent is wrong use"

# --- watch ----------------------------------------------------------------------------------

timeout 3 "$PGA" ctl --watch=500ms target list </dev/null >"$T/watched" 2>&1
is $? 124 "--watch goes on until it is stopped"
ge "$(grep -c '^NAME' "$T/watched")" 3 "and shows the list each time"
unlike "$(cat "$T/watched")" $'\033' "without an escape into a pipe"
ctl --watch=0s target list
is $? 2 "a wrong time is wrong use"
ctl --watch user delete nobody --yes
is $? 2 "a change cannot be watched"

# --- help, completion and manual say the same -------------------------------------------------

"$PGA" ctl --help >"$T/help"
for shell in bash zsh fish; do "$PGA" ctl completion $shell >"$T/pga.$shell"; done
"$PGA" ctl manual >"$T/pga-ctl.1"
python3 - "$PGA" "$T" <<'P'
import re, subprocess, sys
pga, t = sys.argv[1:]
text = open(t + "/help").read().split("commands:\n")[1].split("\n\n")[0]
commands = [line[2:26].strip() for line in text.splitlines()]
bash, zsh, fish = (open("%s/pga.%s" % (t, s)).read() for s in ("bash", "zsh", "fish"))
manual = open(t + "/pga-ctl.1").read().replace("\\-", "-")
bad = []
for command in commands:
    words = command.split()
    state = ".".join(["ctl"] + words[:-1])
    help_text = subprocess.run([pga, "ctl"] + words + ["--help"], capture_output=True,
                               text=True, check=True).stdout
    row = "_pga_words[%s]+=' %s'\n" % (state, words[-1])
    if row not in bash or row not in zsh:
        bad.append("bash or zsh: " + command)
    if "__pga_words_%s '%s'" % (re.sub("[.-]", "_", state), words[-1]) not in fish:
        bad.append("fish: " + command)
    section = re.search(r'\.SS "%s[ "](.*?)\n\.S' % re.escape(command), manual + "\n.S", re.S)
    if not section:
        bad.append("manual: " + command)
    for option in re.findall(r"^  (--[\w-]+)", help_text, re.M):
        if " " + option + "'" not in bash or option + "\\fR" not in manual:
            bad.append("%s %s" % (command, option))
print("#", len(commands), "commands", *bad)
sys.exit(bool(bad) or len(commands) < 30)
P
ok $? "help, completion and manual have the same commands and options"
out=$(mandoc -T lint -W warning "$T/pga-ctl.1" 2>&1)
is "$out" '' "mandoc finds nothing in the manual page"
out=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$T/pga-ctl.1" 2>&1 >/dev/null)
is "$out" '' "nor does man"

# --- in real shells --------------------------------------------------------------------------

ln -s "$PGA" "$T/pga"
mux() { timeout 20 tmux -L "pga-$$" -f /dev/null "$@"; }
screen() { mux capture-pane -p -t shell 2>/dev/null; }
is_clear() { ! screen | grep -q 'pga ctl'; }
types_to() { # KEYS REGEX NAME: types, presses Tab, waits until the screen shows it
    mux send-keys -t shell -l "$1"
    mux send-keys -t shell Tab
    poll 10 eval "screen | grep -qE -- '$2'"
    ok $? "$3" || diag "$(screen | grep -v '^$')"
    # No C-c: the terminal forgets what was typed behind it until the shell has seen it.
    mux send-keys -t shell C-u
    mux send-keys -t shell C-l
    poll 10 is_clear
}
# A server without a session ends, and the next session may meet it while it does.
mux new-session -d -s keep 'cat'
for shell in bash zsh fish; do
    case $shell in
        bash) start="bash --norc --noprofile"; load="source $T/pga.bash" ;;
        zsh) start="zsh -f"; load="autoload -U compinit; compinit -u -d $T/zc; source $T/pga.zsh" ;;
        fish) start="fish --no-config"; load="source $T/pga.fish" ;;
    esac
    mux new-session -d -s shell -x 100 -y 30 "PATH=$T:$PATH $start"
    sleep 1
    mux send-keys -t shell "$load" Enter
    sleep 2
    mux send-keys -t shell C-l
    poll 10 is_clear
    types_to 'pga ctl collec' 'pga ctl collector$' "$shell completes a noun"
    types_to 'pga ctl target rel' 'pga ctl target relations$' "a verb"
    types_to 'pga ctl query top --sor' 'pga ctl query top --sort$' "an option of that command"
    types_to 'pga ctl target show agent' 'pga ctl target show agent-db$' "a name from the server"
    types_to 'pga ctl -o json target lis' 'pga ctl -o json target list$' "past an option's value"
    mux kill-session -t shell
done
mux kill-server 2>/dev/null
done_testing
