#!/usr/bin/env python3
"""tidy: clang-tidy (bugprone, performance, the analyser) over src/, cached by content."""

import os
import re
import subprocess

import source
import units

FOUND = re.compile(r"^(\S+?):(\d+):\d+: (?:warning|error): (.*)$", re.M)
CONFIG = ".clang-tidy"
ERRORS, HINTS = "src/base/err.h", "tests/lint/analyser.h"
# Flags that clang 14 does not know, and the fortified inline functions, which hide what memcpy
# and its like do from the analyser.
LEFT_OUT = re.compile(r"-f(?:stack-clash|cf-protection|analyzer)|-specs=|-D_FORTIFY_SOURCE")


def config_text(tree):
    """The tree's own configuration; the self-test's samples use the project's."""
    here = os.path.dirname(os.path.abspath(__file__))
    for place in (tree.full(CONFIG), os.path.join(here, "..", "..", CONFIG)):
        if os.path.exists(place):
            with open(place, encoding="utf-8") as f:
                return f.read()
    return source.broken(f"{CONFIG} is missing at the top level")


def hints(tree, path):
    """Flags that tell the analyser what err_set returns, except where it is defined."""
    if ERRORS not in tree.paths or HINTS not in tree.paths:
        return []
    standing_alone = path.startswith("src/tool/") or path == ERRORS.replace(".h", ".c")
    return [] if standing_alone else ["-include", HINTS]


def tidy(tree, path, flags, config):
    command = ["clang-tidy", "--quiet", f"--config={config}", path, "--", *flags,
               "-Wno-unknown-warning-option", "-Qunused-arguments"]
    done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True)
    found = []
    for where, line, message in FOUND.findall(done.stdout):
        place = os.path.relpath(os.path.join(tree.root, where), tree.root)
        found.append([place, int(line), message])
    if done.returncode != 0 and not found:
        found.append([path, 1, "clang-tidy failed: " + done.stderr.strip()[:300]])
    return found


def check(tree):
    source.need("clang-tidy", "clang-tidy")
    source.need("gcc", "gcc")
    config, version = config_text(tree), units.tool_version("clang-tidy")
    flags = units.Flags(tree)
    files = []
    for path in tree.match("src/", (".c",)):
        own = [f for f in flags.of(path) if not LEFT_OUT.match(f)]
        files.append((path, own + hints(tree, path)))

    def one(job):
        path, own = job
        return units.cached(tree, path, own, ["tidy", version, config],
                            lambda: tidy(tree, path, own, config))

    found = {tuple(f) for result in units.parallel(one, files) for f in result}
    for path, line, message in sorted(found):
        if path.startswith("src/"):
            tree.finding(path, line, message)


source.main(check)
