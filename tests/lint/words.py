#!/usr/bin/env python3
"""words: no package registry host, no path of one machine, no promise of later work."""

import re

import source

# By their form, so that this file names none of them.
HOSTS = re.compile(r"\bregistry\.[a-z]{3,}\b|\bresolved\W+https?://|\bunpkg\.[a-z]+|"
                   r"\b(?:deb|security|snapshot|ftp|proxy|files|static|repo)"
                   r"\.[a-z]{3,}\.(?:org|io|com)\b", re.I)
PLACES = re.compile(r"(?<![\w.*}$/-])/(?:home|Users|root|work)/[\w.]")
LATER = re.compile(r"\b(?:TODO|FIXME|XXX)\b|\bcoming[ ]soon\b|\bplaceholders?\b", re.I)
LATER_FOLDERS = ("src/", "web/", "packaging/", "README")
# The attribute and the CSS selector of an input field are a name, not a promise.
ATTRIBUTE = re.compile(r"\bplaceholder\s*[=:]|::placeholder|:placeholder-shown|\.placeholder\b")
BINARY = (".png", ".ico", ".woff2", ".gz", ".zst", ".jpg", ".db", ".bin")


def check_line(tree, path, number, line):
    for m in HOSTS.finditer(line):
        tree.finding(path, number, f"package registry host: {m[0]}")
    for m in PLACES.finditer(line):
        tree.finding(path, number, f"path of one machine: {m[0]}")
    if path.startswith(LATER_FOLDERS):
        text = ATTRIBUTE.sub("", line) if path.startswith("web/") else line
        for m in LATER.finditer(text):
            if m[0].upper() != "XXX" or m[0] == "XXX":
                tree.finding(path, number, f"promise of later work: {m[0]}")


def check(tree):
    for path in tree.paths:
        if path.endswith(BINARY) or "/corpus/" in path:
            continue
        for number, line in enumerate(tree.read(path).splitlines(), 1):
            check_line(tree, path, number, line)


source.main(check)
