#!/usr/bin/env python3
"""sizes: length of functions, files and lines, nesting, number of parameters."""

import functions
import source

FUNCTION_WARN, FUNCTION_FAIL = 50, 80
NESTING_WARN, NESTING_FAIL = 3, 4
PARAMETERS = 5
FILE_WARN, FILE_FAIL = 500, 800
COLUMNS = 100
FOLDERS = ("src/", "tests/", "web/src/", "vendor/", "packaging/")
C_TEXT = (".c", ".h")
TEXT = C_TEXT + (".py", ".sh", ".ts", ".tsx")


def check_function(tree, path, f):
    if f.lines > FUNCTION_FAIL:
        tree.finding(path, f.line, f"{f.name} has {f.lines} lines (at most {FUNCTION_FAIL})")
    elif f.lines > FUNCTION_WARN:
        tree.warning(path, f.line, f"{f.name} has {f.lines} lines (aim for 20)")
    if f.depth > NESTING_FAIL:
        tree.finding(path, f.line, f"{f.name} nests {f.depth} deep (at most {NESTING_FAIL})")
    elif f.depth > NESTING_WARN:
        tree.warning(path, f.line, f"{f.name} nests {f.depth} deep (aim for {NESTING_WARN})")
    if f.params > PARAMETERS:
        tree.finding(path, f.line, f"{f.name} has {f.params} parameters (at most {PARAMETERS}; "
                                   "use a struct)")


def check_lines(tree, path, text):
    lines = text.expandtabs(8).splitlines()
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            tree.finding(path, number, f"line of {len(line)} columns (at most {COLUMNS})")
    if len(lines) > FILE_FAIL:
        tree.finding(path, 1, f"file of {len(lines)} lines (at most {FILE_FAIL})")
    elif len(lines) > FILE_WARN:
        tree.warning(path, 1, f"file of {len(lines)} lines (aim for {FILE_WARN})")


def check(tree):
    for path in tree.match(FOLDERS, TEXT):
        if path.startswith("vendor/") and path.endswith(C_TEXT):
            continue    # configuration headers keep the shape of the library's own
        text = tree.read(path)
        check_lines(tree, path, text)
        if path.endswith(C_TEXT):
            if not functions.Tokens(text).balanced():
                tree.finding(path, 1, "brackets do not balance: nothing here can be measured")
            for f in functions.functions(text):
                check_function(tree, path, f)


source.main(check)
