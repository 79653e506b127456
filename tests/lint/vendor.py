#!/usr/bin/env python3
"""vendor: each vendored library's headers are included in one folder (vendor.table)."""

import source


def check(tree):
    owners = source.table("vendor.table")
    for path in tree.match("src/", (".c", ".h", ".list")):
        folder = path.split("/")[1]
        for line, target, _ in source.includes(tree.read(path)):
            for name, owner in owners:
                hit = target.startswith(name) if name.endswith("/") else target == name
                if hit and folder != owner:
                    tree.finding(path, line, f"<{target}> belongs to src/{owner}/ alone")


source.main(check)
