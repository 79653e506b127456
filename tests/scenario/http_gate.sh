#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# The HTTP gate (security H1-H8, H10, T5, T9): requests that two readers read differently are
# refused once and for all, every answer carries its headers, bombs cost a bounded amount of
# memory, slow bodies hold no worker for long, and clients have a rate each.
# timeout: 240

. "$(dirname "$0")/lib.sh"
need_pga
gate() { # STAGE: its tests become ours
    python3 "$TOOL/gate.py" --port "$SERVER_PORT" --pid "$(pid_of "$SERVER")" \
        --token-file "$T/token" --secret-file "$T/secret" "$1" >"$T/out-$1" 2>&1
    tap_from "$T/out-$1" "$1: "
}

start_server server '[limits]' 'requests_per_address = 0'
ok $? "the server is ready" || done_testing
set_up_owner
enrol_secret "$T/secret"
python3 "$TOOL/smuggle.py" --port "$SERVER_PORT" >"$T/smuggle" 2>&1
tap_from "$T/smuggle" "H1: "
ge "$(sed -n 's/^# \([0-9]*\) requests that must be refused/\1/p' "$T/smuggle")" 60 \
    "H1: 60 and more were tried"
gate headers
gate shapes
gate bombs
gate slow
unlike "$(cat "$T/log/server")" 'Sanitizer|runtime error|[Ee][Vv][Ii][Ll]' "no report, no raw input"
stop server
ok $? "it ends cleanly"

# What is not compiled in cannot be reached (H8).
full=$PGA.full
if [ -e "$full" ]; then
    symbols=$(nm "$full" | grep -v ' [Uw] ')
    like "$symbols" ' [tT] mg_start2' "H8: CivetWeb's functions have their names here"
    left='form_request|handle_directory|handle_propfind|websocket|put_file|mkcol|cgi_req|lua_'
    unlike "$symbols" "$left" \
        "H8: no forms, files, WebDAV, websockets, CGI or Lua are in the binary"
fi

start_server strict 'trusted_proxies = ["127.0.0.9"]' 'public_url = "https://pga.example/db"' \
    '[limits]' 'requests_per_address = 2' 'requests_per_session = 3' 'requests_per_collector = 4'
ok $? "a server with small rates is ready" || done_testing
rm -f "$T/token"
set_up_owner
enrol_secret "$T/secret"
gate rates
status_of() { # PATH [HOST]
    curl -s -o /dev/null -w '%{http_code}' ${2:+-H "Host: $2"} --interface 127.0.0.1 \
        -H "Authorization: Bearer $(cat "$T/token")" "$SERVER_URL$1"
}
sleep 2
is "$(status_of /healthz pga.example)" 200 "T9: the name of public_url is taken as Host"
is "$(status_of /healthz localhost)" 200 "T9: so is a name of this machine"
is "$(status_of /healthz evil.example)" 421 "T9: no other is"
is "$(status_of /db/healthz)" 200 "T9: the path of public_url may stand before an address"
is "$(status_of /db)" 200 "T9: alone, too"
is "$(status_of /dbx/healthz)" 404 "T9: no other may"

# The back-off of logins outlives the process (H10).
guess() { # its status
    curl -s -o /dev/null -w '%{http_code}' --interface 127.0.7.1 \
        -H 'Content-Type: application/json' "$SERVER_URL/api/v1/auth/login" \
        -d '{"username":"owner","password":"wrong wrong wrong"}'
}
guesses=
for _ in 1 2 3 4 5 6; do guesses+="$(guess) "; done
is "$guesses" "401 401 401 401 401 429 " "H10: five guesses, then one has to wait"
stop strict
restart_server strict
like "$(guess) $(guess) $(guess) $(guess)" 429 "H10: also after a restart, before another five"
stop strict
ok $? "it ends cleanly"
done_testing
