#!/usr/bin/env python3
"""format: C files look as the pinned clang-format writes them with the top-level .clang-format."""

import os
import re
import subprocess

import source
import units

FOUND = re.compile(r"^(\S+?):(\d+):\d+: (?:error|warning): (.*)$", re.M)
CONFIG = ".clang-format"
FETCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "vendor", "fetch")
PROGRAM = {"x86_64": "bin/linux_x64/clang-format"}
BATCH = 20


def find_tool():
    """The version that vendor/clang-format pins; others format differently and do not count."""
    machine = os.uname().machine
    if machine not in PROGRAM:
        return source.broken(f"clang-format is not pinned for {machine}")
    done = subprocess.run([FETCH, "clang-format"], capture_output=True, text=True)
    if done.returncode != 0:
        return source.broken("clang-format is missing: install the package npm, which gets it: "
                             + done.stderr.strip()[-200:])
    return os.path.join(done.stdout.strip(), PROGRAM[machine])


def check_batch(tree, tool, config, paths):
    command = [tool, f"--style=file:{config}", "--dry-run", "-Werror", *paths]
    done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True)
    found = FOUND.findall(done.stderr)
    if done.returncode != 0 and not found:
        return [(paths[0], "1", done.stderr.strip()[:300])]
    return found


def check(tree):
    tool = find_tool()
    config = tree.full(CONFIG)
    if not os.path.exists(config):
        config = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", CONFIG)
    if not os.path.exists(config):
        source.broken(f"{CONFIG} is missing at the top level")
    paths = tree.match(("src/", "tests/"), (".c", ".h"))
    batches = [paths[i:i + BATCH] for i in range(0, len(paths), BATCH)]
    lines = {}
    for found in units.parallel(lambda b: check_batch(tree, tool, config, b), batches):
        for path, line, _ in found:
            lines.setdefault(path, []).append(int(line))
    for path, found in sorted(lines.items()):
        tree.finding(path, min(found), f"{len(found)} places differ from clang-format: "
                                       "run make format")


source.main(check)
