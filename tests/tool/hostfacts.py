#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Compares what the server has of a host with /proc: before <= pga <= after. Prints TAP.

    hostfacts.py --url URL --token-file FILE --host ID

Reads /proc and /sys by itself and pga through its API alone. An agent must be running on this host.
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402
from examples import Tap  # noqa: E402
from sandwich import MARGIN_MS, Watched, check_bounds, labels_of, now_ms  # noqa: E402

DISK = ("reads", "reads_merged", "read_bytes", "read_ms", "writes", "writes_merged",
        "written_bytes", "write_ms", "in_flight", "io_ms", "weighted_io_ms", "discards",
        "discards_merged", "discarded_bytes", "discard_ms", "flushes", "flush_ms")
NETWORK = ("rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "rx_fifo_errors",
           "rx_frame_errors", None, "multicast", "tx_bytes", "tx_packets", "tx_errors",
           "tx_dropped", "tx_fifo_errors", "collisions", "tx_carrier_errors", None)


def read_disks():
    found = {}
    with open("/proc/diskstats", encoding="ascii") as f:
        for words in (line.split() for line in f):
            name, numbers = words[2], [int(w) for w in words[3:]]
            if name.startswith(("loop", "ram")) or not any(numbers[i] for i in (0, 4)):
                continue
            if os.path.exists("/sys/class/block/%s/partition" % name):
                continue
            for column, n in zip(DISK, numbers):
                if column != "in_flight":
                    found[(name, column)] = n * 512 if column.endswith("bytes") else n
    return found


def read_network():
    found = {}
    with open("/proc/net/dev", encoding="ascii") as f:
        for line in list(f)[2:]:
            name, numbers = line.split(":", 1)
            numbers = [int(w) for w in numbers.split()]
            if numbers[1] or numbers[9]:
                found.update({((name.strip()), c): n for c, n in zip(NETWORK, numbers) if c})
    return found


def read_pressure():
    found = {}
    for name in os.listdir("/proc/pressure"):
        with open("/proc/pressure/" + name, encoding="ascii") as f:
            for words in (line.split() for line in f):
                found[(name, words[0] + "_total")] = int(words[-1].split("=")[1])
    return found


def read_cgroup():
    """CPU time of our own control group, of either version."""
    for path, unit in (("/sys/fs/cgroup/cpu.stat", 1),
                       ("/sys/fs/cgroup/cpuacct/cpuacct.usage", 1000)):
        try:
            with open(path, encoding="ascii") as f:
                return {((), "cpu_usage_usec"): int(f.read().split("\n")[0].split()[-1]) // unit}
        except OSError:
            continue
    return {}


def read_space():
    """Sizes of the file systems that are certainly local."""
    found = {}
    with open("/proc/self/mounts", encoding="utf-8") as f:
        for words in (line.split() for line in f):
            if words[1] == "/" or words[1] == "/dev/shm":
                st = os.statvfs(words[1])
                found[(words[1], "size_bytes")] = st.f_blocks * st.f_frsize
                found[(words[1], "inodes")] = st.f_files
    return found


def check(tap, host, relation, key, read):
    before = read()
    start = now_ms() + MARGIN_MS
    end = host.wait_reading(relation, start)
    after = read()
    columns = sorted({column for _, column in before})
    sides = [host.values(relation, columns, (start, end), side) for side in ("min", "max")]
    bounds, told = [], set()
    for (labels, column), low in sides[0].items():
        name = labels_of(labels, (key,))[0] if key else ()
        told.add((name, column))
        if (name, column) in before:
            for side, value in (("min", low), ("max", sides[1][(labels, column)])):
                bounds.append(("%s.%s %s" % (name or relation, column, side),
                               before[(name, column)], value, after.get((name, column), -1)))
    check_bounds(tap, relation, bounds)
    tap.ok(set(before) <= told and told <= set(after),
           "%s: nothing missing, nothing else" % relation,
           (sorted(set(before) - told), sorted(told - set(after))))


def check_levels(tap, host):
    """Free space moves while it is read: it only has to make sense."""
    end = host.relation("host_filesystem")["last_t_ms"]
    columns = ["size_bytes", "free_bytes", "available_bytes", "inodes", "inodes_free"]
    got = host.values("host_filesystem", columns, (end - 1, end), "last")
    st = os.statvfs("/")
    root = {c: v for (labels, c), v in got.items() if labels_of(labels, ("mountpoint",)) == ("/",)}
    slack = st.f_blocks * st.f_frsize / 20
    check_bounds(tap, "host_filesystem levels", [
        ("free", st.f_bfree * st.f_frsize - slack, root["free_bytes"],
         st.f_bfree * st.f_frsize + slack),
        ("available", st.f_bavail * st.f_frsize - slack, root["available_bytes"],
         st.f_bavail * st.f_frsize + slack),
        ("inodes", st.f_ffree - st.f_files / 20, root["inodes_free"],
         st.f_ffree + st.f_files / 20)])


def main():
    parser = argparse.ArgumentParser(description="before <= pga <= after")
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--host", required=True)
    args = parser.parse_args()
    with open(args.token_file, encoding="utf-8") as f:
        host = Watched(Api(args.url, f.read().strip()), args.host)
    tap = Tap()
    checks = [("host_disk", "device", read_disks), ("host_network", "interface", read_network)]
    # A bare chroot has no control groups, and no file system of its own.
    for relation, key, read in (("host_cgroup", None, read_cgroup),
                                ("host_filesystem", "mountpoint", read_space)):
        if read():
            checks.append((relation, key, read))
        else:
            print("# %s: there is nothing here to compare with" % relation)
    if os.path.exists("/proc/pressure/cpu"):
        checks.append(("host_pressure", "resource", read_pressure))
    for relation, key, read in checks:
        try:
            check(tap, host, relation, key, read)
        except (RuntimeError, KeyError, TypeError, OSError) as e:
            tap.ok(False, "%s: the comparison runs to its end" % relation, repr(e))
    try:
        if ("/", "size_bytes") in read_space():
            check_levels(tap, host)
    except (RuntimeError, KeyError, TypeError, OSError) as e:
        tap.ok(False, "the levels are compared", repr(e))
    print("1..%d" % tap.count)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
