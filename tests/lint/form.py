#!/usr/bin/env python3
"""form: licence line first, no conditional compilation in functions, no bool parameters.

A function that is about a boolean value, and says so in its name (json_put_bool), may take one.
"""

import re

import functions
import source

SPDX = "/* SPDX-License-Identifier: PostgreSQL */"
CONDITION = re.compile(r"^[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif|else)\b", re.M)
DECLARATION = re.compile(r"([a-z]\w*)\s*\(([^()]*\bbool\s+\w+[^()]*)\)\s*(?:[A-Z_]+\b[^;{]*)?;")
BOOL = re.compile(r"(?:^|,)\s*(?:const\s+)?bool\s+\w+\s*(?:,|$)")


def check_conditions(tree, path, text):
    clean = source.strip(text)
    found = functions.functions(text)
    for m in CONDITION.finditer(clean):
        line = source.line_of(clean, m.start())
        for f in found:
            if f.open_line < line < f.end:
                tree.finding(path, line, f"conditional compilation inside {f.name}")


def check_bools(tree, path, text):
    clean = source.strip(text)
    for m in DECLARATION.finditer(clean):
        if BOOL.search(m[2]) and "bool" not in m[1].split("_"):
            tree.finding(path, source.line_of(clean, m.start()),
                         f"{m[1]} takes a bool: use an enum or flags")


def check(tree):
    for path in tree.match(("src/", "tests/"), (".c", ".h")):
        text = tree.read(path)
        if not text.startswith(SPDX):
            tree.finding(path, 1, f"first line must be {SPDX}")
        if path.startswith("src/"):
            check_conditions(tree, path, text)
            if path.endswith(".h"):
                check_bools(tree, path, text)


source.main(check)
