#!/usr/bin/env python3
"""tree: the top level holds what STYLE lists and dot files; no file is larger than 400 kB."""

import os

import source

TOP = {"LICENSE", "Makefile", "README.md", "packaging", "src", "tests", "vendor", "web"}
LARGEST = 400_000


def check(tree):
    seen = set()
    for path in tree.paths:
        top = path.split("/")[0]
        if top not in TOP and top not in seen and not top.startswith("."):
            tree.finding(path, 1, f"{top} does not belong at the top level")
            seen.add(top)
        size = os.lstat(tree.full(path)).st_size
        if size > LARGEST:
            tree.finding(path, 1, f"{size} bytes (at most {LARGEST})")


source.main(check)
