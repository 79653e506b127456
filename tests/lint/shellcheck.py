#!/usr/bin/env python3
"""shellcheck: every shell script, found by its name or its first line."""

import os
import re
import subprocess

import source

FOUND = re.compile(r"^(\S+?):(\d+):\d+: (\w+): (.*)$", re.M)
SHEBANG = re.compile(rb"#!.*\b(?:ba|da)?sh\b")


def is_script(tree, path):
    full = tree.full(path)
    if os.path.islink(full) or not os.path.isfile(full):
        return False
    if path.endswith((".sh", ".bash")):
        return True
    if "." in os.path.basename(path).lstrip("."):
        return False
    with open(full, "rb") as f:
        return bool(SHEBANG.match(f.readline(200)))


def check(tree):
    source.need("shellcheck", "shellcheck")
    scripts = [p for p in tree.paths if is_script(tree, p)]
    if not scripts:
        return
    # SC1091: a sourced file that is not named; every script is checked on its own anyway.
    command = ["shellcheck", "--format=gcc", "--severity=info", "--exclude=SC1091",
               "--external-sources", "--source-path=SCRIPTDIR", "--", *scripts]
    done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True)
    found = FOUND.findall(done.stdout)
    for path, line, _, message in found:
        tree.finding(path, int(line), message)
    if done.returncode != 0 and not found:
        source.broken("shellcheck failed: " + done.stderr.strip())


source.main(check)
