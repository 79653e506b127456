#!/usr/bin/env python3
"""unpack SEED DIR: write the little tree that a seed describes; print what it must provoke.

A seed is text: `expect: TEXT`, then for each file `== PATH` (or `== PATH size=BYTES`) and its
content. `%%` is dropped, so that a seed need not contain the word that it seeds.
"""

import os
import sys


def write(folder, head, lines):
    path, _, size = head.partition(" size=")
    target = os.path.join(folder, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "w", encoding="utf-8") as f:
        f.write("x" * int(size) if size else "".join(lines).replace("%%", ""))
    if "".join(lines).startswith("#!"):
        os.chmod(target, 0o755)


def main(seed, folder):
    expect, head, lines = "", None, []
    with open(seed, encoding="utf-8") as f:
        text = f.readlines()
    for line in text:
        if line.startswith("== "):
            if head:
                write(folder, head, lines)
            head, lines = line[3:].strip(), []
        elif head:
            lines.append(line)
        elif line.startswith("expect: "):
            expect = line[len("expect: "):].strip()
    write(folder, head, lines)
    print(expect)


main(sys.argv[1], sys.argv[2])
