#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# What the agent does to the servers it watches, on a real one: no superuser without a word (P1),
# sessions with guards, and few of them (P2), no constants of statements (P6). That a server which
# means harm is borne (P5) is unit test pgclient_hostile.
# timeout: 180

. "$(dirname "$0")/lib.sh"
need_pga

start_pg pg system || { fail "PostgreSQL starts"; done_testing; }
start_server server
ok $? "the server is ready" || done_testing
set_up_owner

# --- P2: what the agent's own sessions have set, told by a function that they call --------

WANT='application_name=pga default_transaction_read_only=on'
WANT+=' idle_in_transaction_session_timeout=10s lock_timeout=100ms search_path=pg_catalog'
WANT+='(, public)?' # the schema of pg_stat_statements, behind
sql 'create extension if not exists pg_stat_statements'
sql "create function public.tell() returns boolean language plpgsql as \$\$
begin
    if current_setting('application_name') like 'pga%' then
        raise log 'P2: % statement_timeout=% read_only=%',
            (select string_agg(n || '=' || current_setting(n), ' ' order by n) from unnest(array[
                'application_name', 'default_transaction_read_only',
                'idle_in_transaction_session_timeout', 'lock_timeout', 'search_path']) n),
            current_setting('statement_timeout'), current_setting('transaction_read_only');
    end if;
    return true;
end \$\$"
sql 'alter function pg_stat_statements(boolean) rename to real_statements'
sql 'create function pg_stat_statements(showtext boolean) returns setof pg_stat_statements
    language plpgsql as $$
begin
    perform public.tell();
    return query select * from public.real_statements(showtext);
end $$'
ok $? "a function that the agent calls tells what is set in its session"

# --- P6: constants --------------------

SECRETS=(p6-planted-select p6-planted-role p6-planted-running)
sql "select 1 where 'p6-planted-select' = 'x'"
sql "create role p6 password 'p6-planted-role'"
spawn running psql -qAtX -c "select pg_sleep(60), 'p6-planted-running'"

start_agent agent "$SERVER_URL" "$DSN" 'every = "1s"' 'statements_every = "1s"' \
    'databases_every = "2s"'
peak=0
told() { # until its sessions have told themselves, counting them meanwhile
    local now
    now=$(sql "select count(*) from pg_stat_activity where application_name like 'pga%'")
    [ "$now" -le "$peak" ] || peak=$now
    [ "$(grep -ac 'P2: ' "$T"/pg/pg/log* "$T/log/pg-pg" 2>/dev/null |
        awk -F: '{n += $NF} END {print n}')" -ge 3 ]
}
poll 120 told
ok $? "P2: the agent's sessions tell what is set"
lines=$(grep -ahoE 'P2: .*' "$T"/pg/pg/log* "$T/log/pg-pg" 2>/dev/null | sort -u)
like "$lines" "^P2: $WANT " "P2: name, read only, timeouts and search_path are the promised ones"
unlike "$(grep -Ev "^P2: $WANT " <<<"$lines")" . "P2: in every session"
like "$lines" 'statement_timeout=[1-5]s read_only=on|statement_timeout=[0-9]+ms read_only=on' \
    "P2: and a statement has 5 seconds at most"
for _ in 1 2 3 4 5 6 7 8 9 10; do told; sleep 0.3; done
within 1 "$peak" 3 "P2: one to three connections"

# The session with a planted constant has come as far as the store.
poll 120 grep -rqaF pg_sleep "$T/server/state/store"
ok $? "P6: the running statement is known"

# --- P1: a superuser ---------------------------------------------------------------------------

super="host=$PGHOST port=$PGPORT user=$PGUSER dbname=postgres"
start_agent warned "$SERVER_URL" "$super"
poll 120 grep -q 'is a superuser: a role with pg_monitor is enough' "$T/log/warned"
ok $? "P1: a superuser is warned of"
stop warned
start_agent refused "$SERVER_URL" "$super" 'superuser = "refuse"'
poll 120 grep -q 'is a superuser, which this target refuses' "$T/log/refused"
ok $? "P1: or refused"
unlike "$(cat "$T/log/refused")" 'connected to PostgreSQL' "P1: and then nothing is read"
stop refused
unlike "$(cat "$T/log/agent")" 'superuser' "P1: of a role with pg_monitor nothing is said"
is "$(sql "select rolsuper::text || ' ' || pg_has_role('pga', 'pg_monitor', 'member')::text
    from pg_roles where rolname = 'pga'")" 'false true' "P1: which is all that it has"

# --- and what was left of the constants

stop agent
stop server
for secret in "${SECRETS[@]}"; do
    is "$(grep -raoF "$secret" "$T/agent" "$T/server" "$T/log/"{agent,server} | head -3)" "" \
        "P6: $secret is in no spool, store or log"
done
done_testing
