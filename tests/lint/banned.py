#!/usr/bin/env python3
"""banned: functions that are not called in src/, and where the few exceptions are.

base/banned.h stops the worst ones in the compiler; this rule also knows who may allocate,
who may write to stdout and who may exit. In web/, whatever makes markup or code of text (H9).
"""

import re

import source

ALWAYS = {
    "strcpy": "str_/buf_", "strcat": "buf_", "strncpy": "str_/buf_", "strncat": "buf_",
    "stpcpy": "buf_", "sprintf": "buf_/snprintf", "vsprintf": "buf_/vsnprintf",
    "gets": "file_", "scanf": "num_", "sscanf": "num_", "fscanf": "num_",
    "strtok": "str_", "gmtime": "gmtime_r", "localtime": "localtime_r", "ctime": "strftime",
    "asctime": "strftime", "atoi": "num_", "atol": "num_", "atoll": "num_", "atof": "num_",
    "rand": "os/entropy", "srand": "os/entropy", "random": "os/entropy",
    "drand48": "os/entropy", "system": "os/process", "popen": "os/process",
    "tmpnam": "os/file", "mktemp": "os/file", "alloca": "arena_",
}
MEMORY = {"malloc", "calloc", "realloc", "reallocarray", "free", "strdup", "strndup",
          "asprintf", "vasprintf", "aligned_alloc", "posix_memalign"}
# Values are bound and never written into SQL; large objects and PQfn trust the server's lengths.
LIBPQ = re.compile(r"PQ(?:un)?escape\w*|PQfn|lo_\w+|PQgetCancel|PQcancel|PQrequestCancel")
OUTPUT = {"printf", "vprintf", "puts", "putchar", "putchar_unlocked"}
# Host programs of the build are not linked with base/, so they have no other memory.
MEMORY_PLACES = ("src/base/alloc.c", "src/tool/")
TOP_FOLDERS = ("src/app/", "src/tool/", "src/main.c")
CALL = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")
STDOUT = re.compile(r"\bstdout\b")


# What comes from a server becomes a text node or an attribute that Preact sets.
MARKUP = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|srcdoc|"
                    r"setHTMLUnsafe|parseHTMLUnsafe|createContextualFragment|DOMParser|"
                    r"trustedTypes|eval|new Function|document\.write(?:ln)?)\b|\bjavascript:")


def reason(path, name):
    """Why `name` may not be called in `path`, or None."""
    if name in ALWAYS:
        return f"use {ALWAYS[name]} instead"
    if LIBPQ.fullmatch(name):
        return "values are bound, cancelling is PQcancelStart"
    if name in MEMORY and not path.startswith(MEMORY_PLACES):
        return "memory comes from alloc_* or an arena"
    if path.startswith(TOP_FOLDERS) or path == MEMORY_PLACES[0]:
        return None
    if name in OUTPUT:
        return "a library does not write to stdout"
    if name == "exit":
        return "a library does not exit"
    return None


def check(tree):
    for path in tree.match("src/", (".c", ".h")):
        if path == "src/base/banned.h":
            continue
        text = source.strip(tree.read(path))
        for m in CALL.finditer(text):
            why = reason(path, m[1])
            if why:
                tree.finding(path, source.line_of(text, m.start()), f"{m[1]}() is banned: {why}")
        if not path.startswith(TOP_FOLDERS):
            for m in STDOUT.finditer(text):
                tree.finding(path, source.line_of(text, m.start()),
                             "stdout is banned: a library does not write to stdout")
    for path in tree.match("web/src/", (".ts", ".tsx")):
        text = tree.read(path)
        for m in MARKUP.finditer(text):
            tree.finding(path, source.line_of(text, m.start()),
                         f"{m[0]} is banned: text of a server is never markup")


source.main(check)
