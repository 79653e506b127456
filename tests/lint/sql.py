#!/usr/bin/env python3
"""sql: statements live in .sql and .toml files, not in C strings."""

import re

import source

STRING = re.compile(r'(?:"(?:\\.|[^"\\\n])*"\s*)+')
PIECE = re.compile(r'"((?:\\.|[^"\\\n])*)"')
SPACE = re.compile(r"(?:\\[nrt]|\s|\()+")
UPPER = re.compile(r"(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|WITH|MERGE|TRUNCATE)\s+\S")
ANY_CASE = re.compile(r"select\s.+\sfrom\s|select\s+\w+\(|insert\s+into\s|update\s+\w+\s+set\s|"
                      r"delete\s+from\s|(?:create|alter|drop)\s+(?:table|index|view|temp)\b",
                      re.I | re.S)
SESSION_FOLDER = "src/pgclient/"


def check(tree):
    for path in tree.match("src/", (".c", ".h")):
        if path.startswith(SESSION_FOLDER):
            continue
        text = source.strip_comments(tree.read(path))
        for m in STRING.finditer(text):
            words = SPACE.sub(" ", "".join(PIECE.findall(m[0]))).strip()
            if UPPER.match(words) or ANY_CASE.match(words):
                tree.finding(path, source.line_of(text, m.start()),
                             f'SQL in a C string: "{words[:40]}"')


source.main(check)
