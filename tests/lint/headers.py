#!/usr/bin/env python3
"""headers: every header of src/ compiles alone, with gcc and with clang."""

import os
import re
import subprocess

import source
import units

ERROR = re.compile(r"^(\S+?):(\d+):(?:\d+:)? (?:fatal )?error: (.*)$", re.M)
COMPILERS = ("gcc", "clang")


def compile_alone(tree, compiler, path, flags):
    command = [compiler, *flags, "-fsyntax-only", "-include", path, "-x", "c", "/dev/null"]
    done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True)
    if done.returncode == 0:
        return []
    found = ERROR.findall(done.stderr) or [(path, "1", done.stderr.strip()[:200])]
    return [[os.path.normpath(p), int(line), message] for p, line, message in found]


def check(tree):
    for compiler in COMPILERS:
        source.need(compiler, compiler)
    flags = units.Flags(tree)
    headers = tree.match("src/", (".h",))
    jobs = [(c, p, flags.of(p)) for p in headers for c in COMPILERS]
    versions = {c: units.tool_version(c) for c in COMPILERS}

    def one(job):
        compiler, path, own = job
        return units.cached(tree, path, own, ["alone", versions[compiler]],
                            lambda: compile_alone(tree, compiler, path, own))

    for (compiler, path, _), found in zip(jobs, units.parallel(one, jobs)):
        for where, line, message in found:
            tree.finding(path, line if where == path else 1,
                         f"does not compile alone with {compiler}: {message}")


source.main(check)
