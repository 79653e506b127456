#!/usr/bin/env python3
"""symbols: a global symbol starts with its module's name or a prefix of prefixes.table.

Everything is linked into one static executable, so a name without a prefix can silently
meet one of a vendored library. The rule compiles each file itself (cached), so that it
neither depends on a build being there nor reads a stale one.
"""

import os
import subprocess
import tempfile

import source
import units

FORBIDDEN = ("pg_", "pq", "mg_", "mbedtls_", "psa_", "sqlite3_")
PROGRAMS = ("src/main.c", "src/tool/")


def symbols_of(tree, path, flags):
    """Global symbols that `path` defines, or [False, the compiler's message]."""
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, "unit.o")
        command = ["gcc", *flags, "-O0", "-w", "-fno-lto", "-c", path, "-o", target]
        done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True)
        if done.returncode != 0:
            return [False, done.stderr.strip()[:300]]
        done = subprocess.run(["nm", "-g", "--defined-only", "-P", target], check=True,
                              capture_output=True, text=True)
        return [True, [line.split()[0] for line in done.stdout.splitlines()]]


def prefixes_of(tree, path, table):
    """The stem; the module's name if it has several files (json_write.c of json.h); the table."""
    stem = os.path.basename(path)[:-len(".c")]
    found, words = [stem], stem.split("_")
    for n in range(1, len(words)):
        name = "_".join(words[:n])
        if f"{os.path.dirname(path)}/{name}.h" in tree.paths:
            found.append(name)
    for place, *names in table:
        if path == place or (place.endswith("/") and path.startswith(place)):
            found += names
    return found


def check_symbol(tree, path, name, prefixes):
    if name.startswith(FORBIDDEN):
        tree.finding(path, 1, f"{name} has a prefix that belongs to a vendored library")
    elif name == "main" and path.startswith(PROGRAMS):
        return
    elif not any(name == p or name.startswith(p + "_") for p in prefixes):
        tree.finding(path, 1, f"{name} should start with {prefixes[0]}_ "
                              "(or tests/lint/prefixes.table)")


def check(tree):
    source.need("gcc", "gcc")
    source.need("nm", "binutils")
    table = source.table("prefixes.table")
    flags, version = units.Flags(tree), units.tool_version("gcc")
    files = [(p, flags.of(p)) for p in tree.match("src/", (".c",))]

    def one(job):
        path, own = job
        return units.cached(tree, path, own, ["symbols", version],
                            lambda: symbols_of(tree, path, own))

    for (path, _), (good, found) in zip(files, units.parallel(one, files)):
        if not good:
            tree.finding(path, 1, f"does not compile, so its symbols are unknown: {found}")
            continue
        for name in found:
            check_symbol(tree, path, name, prefixes_of(tree, path, table))


source.main(check)
