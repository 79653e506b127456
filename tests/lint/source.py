"""What every lint rule shares: the files of the tree, C text without comments, findings.

A rule is a program `<rule>.py DIR` or `<rule>.sh DIR`. It prints one finding per line,
`path:line: message`, or `warning: path:line: message`, which does not fail. Exit status:
0 no finding, 1 findings, 2 the rule could not run.
"""

import os
import re
import shutil
import subprocess
import sys

SEEDS = "tests/lint/bad/"
SKIPPED = {".git", "build", "node_modules", "dist", "__pycache__"}


class Tree:
    """The files below one root, and the findings in them."""

    def __init__(self, root):
        self.root = os.path.abspath(root)
        self.failed = False
        self.paths = sorted(p for p in self._list() if not p.startswith(SEEDS))

    def _list(self):
        if os.path.exists(os.path.join(self.root, ".git")):
            command = ["git", "-C", self.root, "ls-files", "-z", "-co", "--exclude-standard"]
            names = subprocess.run(command, check=True, capture_output=True).stdout
            found = [os.fsdecode(n) for n in names.split(b"\0") if n]
            return {p for p in found if os.path.lexists(os.path.join(self.root, p))}
        return self._walk()

    def _walk(self):
        found = set()
        for folder, folders, files in os.walk(self.root):
            folders[:] = [f for f in folders if f not in SKIPPED]
            for name in files:
                found.add(os.path.relpath(os.path.join(folder, name), self.root))
        return found

    def match(self, prefixes, suffixes):
        """Paths that start with one of `prefixes` and end with one of `suffixes`."""
        return [p for p in self.paths if p.startswith(prefixes) and p.endswith(suffixes)]

    def full(self, path):
        return os.path.join(self.root, path)

    def read(self, path):
        if not os.path.isfile(self.full(path)):
            return ""       # a link to a folder
        with open(self.full(path), encoding="utf-8", errors="replace") as f:
            return f.read()

    def finding(self, path, line, message):
        self.failed = True
        print(f"{path}:{line}: {message}")

    def warning(self, path, line, message):
        print(f"warning: {path}:{line}: {message}")


def main(check):
    """Run one rule: `check(tree)` reports by `tree.finding`."""
    tree = Tree(sys.argv[1] if len(sys.argv) > 1 else ".")
    check(tree)
    sys.exit(1 if tree.failed else 0)


def broken(message):
    print(message)
    sys.exit(2)


def need(tool, package):
    """Stop unless `tool` is installed: a missing tool must never look like a clean tree."""
    if not shutil.which(tool):
        broken(f"{tool} is missing: install the package {package}")


def table(name):
    """Rows of a data file beside the rules; `#` starts a comment."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with open(path, encoding="utf-8") as f:
        lines = [line.split("#")[0].split() for line in f]
    return [row for row in lines if row]


C_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def strip_comments(text):
    """C text with comments blanked; strings, line numbers and columns stay."""
    return C_TOKEN.sub(lambda m: blank(m[0]) if m[0][0] == "/" else m[0], text)


def strip(text):
    """C text with comments and the contents of strings and characters blanked."""
    def one(m):
        return blank(m[0]) if m[0][0] == "/" else m[0][0] + blank(m[0][1:-1]) + m[0][0]
    return C_TOKEN.sub(one, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)


def includes(text):
    """(line, path, quoted) of each include."""
    text = strip_comments(text)
    return [(line_of(text, m.start(2)), m[2], m[1] == '"') for m in INCLUDE.finditer(text)]
