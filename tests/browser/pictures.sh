#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# tests/browser/pictures.sh [DIR]   make the pictures of the guide again (packaging/doc/pictures)
#
# Starts a demo, gives it MINUTES (default 6) of load, and takes the pictures in a browser. With
# pngquant and optipng they get small.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$root/packaging/doc/pictures}
dir=$(mktemp -d)

export PGA_DEMO_INFO=$dir/info
demo=
finish() {
    if [ -n "$demo" ] && kill -INT "$demo" 2>/dev/null; then wait "$demo"; fi
    rm -rf "$dir"
}
trap finish EXIT
"$root/build/release/pga" demo --listen 127.0.0.1:0 >"$dir/log" 2>&1 &
demo=$!
for ((i = 0; i < 120; i++)); do
    [ ! -s "$PGA_DEMO_INFO" ] || break
    kill -0 "$demo" || { cat "$dir/log" >&2; exit 1; }
    sleep 1
done
sleep $((60 * ${MINUTES:-6}))
mkdir -p "$out"
node "$root/tests/browser/pictures.mjs" "$out"
for picture in "$out"/*.png; do
    ! command -v pngquant >/dev/null ||
        pngquant --force --skip-if-larger --output "$picture" 128 "$picture" || [ $? = 98 ]
    ! command -v optipng >/dev/null || optipng -quiet -strip all "$picture"
done
ls -l "$out"
