#!/bin/bash
# SPDX-License-Identifier: PostgreSQL
#
# tests/bench/run.sh [NAME...]   run the benchmarks (default: all of this folder)
#
# Each prints one line `bench name=... value=... unit=... peer=... ratio=...` per figure: value
# is ours, peer a floor or a peer measured in the same run, ratio = value / peer. Figures are CPU
# seconds and bytes; latencies, which have no other form, come with a peer measured in turns.
# Nothing here passes or fails but month. peers, captured and month take minutes, and two of them
# download: they run only by name.

set -u
here=$(cd "$(dirname "$0")" && pwd)
names=("$@")
[ ${#names[@]} -gt 0 ] ||
    names=(agent_cost ingest latency codec bytes_per_sample idle memory objects restart)
status=0
for name in "${names[@]}"; do bash "$here/$name.sh" || status=1; done
exit "$status"
