#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# objects: resident memory of an object that the store knows (objects_bench.c says of which). Peer:
# the goal of about 110 B.

set -u
bench=$(cd "$(dirname "$0")/../.." && pwd)/build/release/objects-bench
[ -x "$bench" ] || { echo "bench objects: $bench is not built" >&2; exit 1; }
exec "$bench"
