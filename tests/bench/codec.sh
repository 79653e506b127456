#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# codec: bytes and speed of blocks of the store (codec_bench.c says of what). Peer: the entropy of
# the same samples under the law that made them.

set -u
bench=$(cd "$(dirname "$0")/../.." && pwd)/build/release/codec-bench
[ -x "$bench" ] || { echo "bench codec: $bench is not built" >&2; exit 1; }
exec "$bench" "${AGENTS:-4}"
