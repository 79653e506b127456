#!/usr/bin/env python3
"""layers: a file includes headers of its own folder and of lower levels (layers.table)."""

import source

NAMELESS = {"utils", "util", "common", "misc", "helpers", "helper"}
MOST_FILES = 25


def read_table():
    levels, only = {}, {}
    for name, level, *rest in source.table("layers.table"):
        levels[name] = int(level)
        if rest:
            only[name] = set(rest[1:])
    return levels, only


def folder_of(path):
    """The layer of a path under src/: its first folder, or the file's own name."""
    return path.split("/")[0]


def check_include(tree, tables, where, target):
    levels, only = tables
    path, line = where
    own, other = folder_of(path[len("src/"):]), folder_of(target)
    if "/" not in target:
        tree.finding(path, line, f'write "{target}" relative to src/ (folder/file.h)')
    elif other == own:
        return
    elif other not in levels:
        tree.finding(path, line, f"{other}/ is in no layer (tests/lint/layers.table)")
    elif own in only:
        if other not in only[own]:
            tree.finding(path, line, f"{own} may include only {'/ '.join(sorted(only[own]))}/, "
                                     f"not {target}")
    elif other in only or levels[other] >= levels[own]:
        kind = "the same level" if levels[other] == levels[own] else "a higher level"
        tree.finding(path, line, f"{own}/ includes {target}, of {kind}")


def check(tree):
    tables = read_table()
    counts = {}
    for path in tree.match("src/", (".c", ".h", ".list")):
        if folder_of(path[4:]) not in tables[0]:
            tree.finding(path, 1, f"{folder_of(path[4:])} is in no layer "
                                  "(tests/lint/layers.table)")
            continue
        folder = path.rsplit("/", 1)[0]
        counts[folder] = counts.get(folder, 0) + path.endswith(".c")
        if NAMELESS & set(folder.split("/")):
            tree.finding(path, 1, "a folder needs the name of a thing")
        for line, target, quoted in source.includes(tree.read(path)):
            if quoted:
                check_include(tree, tables, (path, line), target)
    for folder, count in counts.items():
        if count > MOST_FILES:
            tree.warning(folder, 1, f"{count} C files in one folder (aim for {MOST_FILES})")


source.main(check)
