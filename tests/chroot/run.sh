#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# tests/chroot/run.sh 12|13 [demo] [test]   the README's way on a bare Debian 12 or 13
#
# Makes a debootstrap minbase system (kept as a tarball in the cache), puts a fresh clone of
# this repository's HEAD where the README clones it from, and runs exactly the README's first
# block of commands in it: everything up to `make demo`, which has to show live load within 60 s
# of the end of the build; after Ctrl-C, `make test`. Prints TAP. Needs root, debootstrap and
# about 3 GB. Everything runs in its own mount and process namespace, so nothing stays mounted
# and nothing survives. Variables: PGA_CACHE, KEEP=1 (keeps the folder), BUILD_S (limit, 2400),
# WARM=1 (this machine's caches go along, as on a machine that has built before).

set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${PGA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pga}/chroot
api=$root/tests/tool/api.py
count=0 failed=0 job=

ok() { # STATUS NAME
    count=$((count + 1))
    if [ "$1" = 0 ]; then
        echo "ok $count - $2"
        return 0
    fi
    failed=$((failed + 1))
    echo "not ok $count - $2"
    return 1
}

die() { printf 'tests/chroot/run.sh: %s\n' "$*" >&2; exit 1; }

clean_up() {
    if [ -n "$job" ]; then
        kill -KILL "$job" 2>/dev/null
        wait "$job" 2>/dev/null
    fi
    [ "${KEEP:-0}" = 1 ] && return
    # The namespace took its mounts along; make sure before anything is removed.
    grep -q " $dir" /proc/self/mounts && die "still mounted below $dir"
    rm -rf --one-file-system "$dir"
}

mirror() { # the Debian mirror that this machine uses
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -n 's/^deb \(\[[^]]*\] \)\?\([^ ]*\) .* main.*/\2/p'
        sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null; } |
        grep -v security | head -1
}

bootstrap() { # SUITE: unpacks the bare system into $dir, making the tarball first when needed
    local tarball=$cache/$1-minbase.tar work
    mkdir -p "$cache"
    exec 8>"$cache/.lock-$1"
    flock 8
    if [ ! -e "$tarball" ]; then
        work=$(mktemp -d "$cache/.make.XXXXXX")
        debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
            "$1" "$work/root" "$(mirror)" >"$cache/$1.log" 2>&1 ||
            {
                tail -n 5 "$cache/$1.log" >&2
                rm -rf --one-file-system "$work"
                die "debootstrap $1"
            }
        tar -C "$work/root" -cf "$work/tar" . && mv "$work/tar" "$tarball"
        rm -rf --one-file-system "$work"
    fi
    exec 8>&-
    tar -C "$dir" -xf "$tarball" --numeric-owner || die "cannot unpack $tarball"
}

connect() { # what this machine needs to reach the network, and nothing else
    local file
    cp -L /etc/resolv.conf "$dir/etc/resolv.conf"
    for file in /etc/apt/apt.conf.d/*; do
        grep -qiE 'proxy|ssl|https?::|CAInfo' "$file" && cp "$file" "$dir/etc/apt/apt.conf.d/"
    done
    cp -r /usr/local/share/ca-certificates/. "$dir/usr/local/share/ca-certificates/" 2>/dev/null
    # Before the package ca-certificates is there, the bundle has to come from outside.
    mkdir -p "$dir/etc/ssl/certs" "$dir/usr/local/share/ca-certificates"
    cp -L /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/certs/"
    for file in /etc/npmrc /usr/etc/npmrc /usr/local/etc/npmrc "$HOME/.npmrc"; do
        [ ! -e "$file" ] || cat "$file" >>"$dir/root/.npmrc"
    done
    # Packages may not start services in there: their processes would be seen from outside.
    printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
    chmod +x "$dir/usr/sbin/policy-rc.d"
}

warm() { # takes archives, libraries and server trees along
    local part
    mkdir -p "$dir/root/.cache/pga"
    for part in archive lib npm pg src; do
        [ ! -e "${cache%/chroot}/$part" ] || cp -a "${cache%/chroot}/$part" "$dir/root/.cache/pga/"
    done
}

readme_lines() { # the first block of commands of README.md
    sed -n '/^```sh/,/^```/p' "$root/README.md" | sed '1d; /^```/,$d' |
        sed 's/^\$ //; s/sudo //g' | grep -v '^ *\(#.*\)\?$'
}

write_inside() { # the script that runs inside
    git clone -q --bare "$root" "$dir/srv/pga.git" || die "cannot clone $root"
    {
        echo 'set -e; export HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive; cd "$HOME"'
        readme_lines | sed -n '/make demo/q; p' |
            sed 's#git clone [^ ]*#git clone /srv/pga.git pga#'
        echo 'set +e; set -m; touch /run/installed'
        case $parts in *demo*) cat "$here/demo.inside" ;; esac
        case $parts in
            *test*) echo 'make test >/run/test.log 2>&1; echo $? >/run/test.status' ;;
        esac
    } >"$dir/srv/inside.sh"
}

run_inside() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --pid --fork --kill-child --propagation private /bin/bash -c '
        mount --bind "$1" "$1" && mount -t proc proc "$1/proc" &&
            mount --rbind /dev "$1/dev" && mount --rbind /sys "$1/sys"
        exec chroot "$1" /bin/bash /srv/inside.sh' - "$dir" >"$dir/run/inside.log" 2>&1 &
    job=$!
}

wait_file() { # FILE SECONDS: until it exists, while the inside runs
    local end=$((SECONDS + $2))
    while [ ! -s "$dir/run/$1" ] && [ ! -e "$dir/run/$1" ]; do
        kill -0 "$job" 2>/dev/null || return 1
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.5
    done
}

call() { # METHOD PATH [BODY]: sets status and body
    local answer
    answer=$(python3 "$api" --url "$url" ${token:+--token-file "$dir/run/token"} -- "$@")
    status=${answer%%$'\n'*} body=${answer#*$'\n'}
}

field() { python3 "$api" --get "$1"; }

live_load() {
    local id
    call GET servers
    id=$(python3 -c 'import json,sys
rows = json.load(sys.stdin)["data"]
print(next(s["id"] for s in rows if s["kind"] == "postgresql" and s["state"] == "live"))' \
        <<<"$body" 2>/dev/null) || return 1
    call GET "servers/$id/sessions/load?from=-2m&by=wait_class"
    python3 -c 'import json,sys
d = json.load(sys.stdin)
sys.exit(not sum(s["total_aas"] or 0 for s in d["series"]) > 0)' <<<"$body" 2>/dev/null
}

check_demo() {
    local built start
    start=$SECONDS
    wait_file demo.json "${BUILD_S:-2400}"
    ok $? "make demo builds and starts ($((SECONDS - start)) s)" ||
        { tail -n 40 "$dir/run/inside.log" "$dir/run/demo.log" | sed 's/^/# /'; return 1; }
    built=$SECONDS
    url=$(field url <"$dir/run/demo.json")
    url=${url%/}
    token=
    call POST auth/login "{\"username\":\"$(field username <"$dir/run/demo.json")\",
        \"password\":\"$(field password <"$dir/run/demo.json")\"}"
    ok "$([ "$status" = 200 ]; echo $?)" "its login works"
    field token <<<"$body" >"$dir/run/token" && token=1
    while [ $((SECONDS - built)) -lt 60 ]; do
        live_load && break
        sleep 1
    done
    live_load
    ok $? "live load $((SECONDS - built)) s after the end of the build"
    grep -E 'warning:' "$dir/run/demo.log" | head -5 | sed 's/^/# /'
    ! grep -q 'warning:' "$dir/run/demo.log"
    ok $? "the build had no warnings"
    touch "$dir/run/stop"
    wait_file cmdlines 60
    ok $? "Ctrl-C ends it" || return 1
    ! grep -qE 'postgres|pga (server|agent|demo)' "$dir/run/cmdlines"
    ok $? "and leaves no process" || sed 's/^/# /' "$dir/run/cmdlines"
}

check_test() {
    local start=$SECONDS
    wait_file test.status $((${BUILD_S:-2400} + 3600))
    ok "$(cat "$dir/run/test.status" 2>/dev/null || echo 1)" "make test ($((SECONDS - start)) s)" ||
        tail -n 60 "$dir/run/test.log" "$dir/run/inside.log" | sed 's/^/# /'
    grep -hE '[0-9]+ passed, [0-9]+ failed' "$dir/run/test.log" | sed 's/^/# /'
}

case ${1:-} in
    12) suite=bookworm ;;
    13) suite=trixie ;;
    *) die "usage: tests/chroot/run.sh 12|13 [demo] [test]" ;;
esac
shift
parts="${*:-demo test}"
[ "$(id -u)" = 0 ] || die "needs root"
for tool in debootstrap unshare git python3; do
    command -v "$tool" >/dev/null || die "needs $tool"
done
case $parts in
    *demo*) ! (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null || die "port 8080 is taken" ;;
esac
mkdir -p "$cache"
dir=$(mktemp -d "$cache/run-$suite.XXXXXX")
chmod 755 "$dir"
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
bootstrap "$suite"
connect
[ "${WARM:-0}" = 0 ] || warm
write_inside
run_inside
wait_file installed 900
ok $? "Debian $suite: the README's first lines" ||
    { tail -n 20 "$dir/run/inside.log" | sed 's/^/# /'; echo "1..$count"; exit 1; }
case $parts in *demo*) check_demo ;; esac
case $parts in *test*) check_test ;; esac
echo "1..$count"
exit $((failed > 0))
