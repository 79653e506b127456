#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Looks for secrets where they must not be.

    memscan.py memory PID FILE     in all memory of a process that can be written
    memscan.py files FILE PATH...  in files and below folders

FILE has a secret a line. Prints the number of every line that is found and how often; exit 1 then.
"""

import collections
import os
import sys


def mappings(pid):
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            span, rights = line.split()[:2]
            begin, end = (int(x, 16) for x in span.split("-"))
            if rights.startswith("rw") and end - begin < 1 << 30:
                yield begin, end


def memory(pid):
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for begin, end in mappings(pid):
            try:
                mem.seek(begin)
                data = b""
                while len(data) < end - begin:
                    piece = mem.read(end - begin - len(data))
                    if not piece:
                        break
                    data += piece
                yield f"{begin:x}", data
            except OSError:
                continue


def files(paths):
    for path in paths:
        if os.path.isdir(path):
            yield from files(sorted(os.path.join(path, name) for name in os.listdir(path)))
        elif os.path.isfile(path):
            with open(path, "rb") as file:
                yield path, file.read()


def main():
    kind, *rest = sys.argv[1:]
    secrets_file = rest[1] if kind == "memory" else rest[0]
    with open(secrets_file, "rb") as file:
        secrets = [line for line in file.read().split(b"\n") if len(line) >= 8]
    found = collections.Counter()
    for where, data in memory(rest[0]) if kind == "memory" else files(rest[1:]):
        for number, secret in enumerate(secrets, 1):
            count = data.count(secret)
            if count:
                found[number] += count
                print(f"# secret {number}: {count} times in {where}")
    print(f"{len(secrets)} secrets, {len(found)} found")
    sys.exit(bool(found) or not secrets)


main()
