#!/usr/bin/env python3
"""lists: registries (*.list) are in alphabetical order, each name once."""

import re

import source


def entries(text):
    """(line, name) of each entry of a registry; comments and directives are left out."""
    clean = source.strip_comments(text)
    for number, line in enumerate(clean.splitlines(), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            m = re.search(r"\(\s*([^\s,)]+)", line)
            yield number, m[1] if m else line


def check(tree):
    for path in tree.match("", (".list",)):
        last = ""
        for line, name in entries(tree.read(path)):
            if name == last:
                tree.finding(path, line, f"{name} is there twice")
            elif name < last:
                tree.finding(path, line, f"{name} comes before {last}")
            last = name


source.main(check)
