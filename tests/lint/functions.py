"""A small reader of C function definitions: name, lines, parameters, depth of nesting.

It works on text without comments, strings and preprocessor lines, which is enough for code
in our own style; it does not try to be a C parser.
"""

import re

import source

DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
TOKEN = re.compile(r"[A-Za-z_]\w*|[0-9][\w.]*|\S")
PAIR = {"(": ")", "{": "}", "[": "]"}
NOT_NAMES = {"__attribute__", "_Alignas", "_Static_assert", "static_assert", "__declspec"}
PLAIN = {"return", "sizeof", "_Alignof"}


class Function:
    def __init__(self, name, params, start, open_line, end, depth, body):
        self.name = name
        self.params = params
        self.line = start
        self.lines = end - start + 1
        self.open_line = open_line
        self.end = end
        self.depth = depth
        self.body = body


class Tokens:
    def __init__(self, text):
        clean = DIRECTIVE.sub(lambda m: source.blank(m[0]), source.strip(text))
        self.words = []
        self.lines = []
        line, last = 1, 0
        for m in TOKEN.finditer(clean):
            line += clean.count("\n", last, m.start())
            last = m.start()
            self.words.append(m[0])
            self.lines.append(line)

    def balanced(self):
        """False when conditional compilation splits a brace: then nothing can be measured."""
        return all(self.words.count(a) == self.words.count(b) for a, b in PAIR.items())

    def at(self, i):
        return self.words[i] if i < len(self.words) else ""

    def skip(self, i):
        """Index after the bracket that closes the one at i."""
        depth = 0
        while i < len(self.words):
            if self.words[i] in PAIR:
                depth += 1
            elif self.words[i] in PAIR.values():
                depth -= 1
                if depth == 0:
                    return i + 1
            i += 1
        return i


class Nesting:
    """Walks statements; `deepest` counts if, loops and switch inside each other."""

    def __init__(self, tokens):
        self.t = tokens
        self.deepest = 0
        self.line = 0

    def enter(self, i, depth):
        if depth > self.deepest:
            self.deepest, self.line = depth, self.t.lines[min(i, len(self.t.lines) - 1)]

    def block(self, i, depth):
        i += 1
        while i < len(self.t.words) and self.t.at(i) != "}":
            i = self.statement(i, depth)
        return i + 1

    def statement(self, i, depth):
        word = self.t.at(i)
        if word == "{":
            return self.block(i, depth)
        if word in ("for", "while", "switch"):
            self.enter(i, depth + 1)
            return self.statement(self.t.skip(i + 1), depth + 1)
        if word == "if":
            return self.branch(i, depth)
        if word == "do":
            self.enter(i, depth + 1)
            return self.expression(self.statement(i + 1, depth + 1))
        if word == "case" or self.t.at(i + 1) == ":":
            return self.label(i)
        return self.simple(i, depth)

    def branch(self, i, depth):
        self.enter(i, depth + 1)
        i = self.statement(self.t.skip(i + 1), depth + 1)
        while self.t.at(i) == "else" and self.t.at(i + 1) == "if":
            i = self.statement(self.t.skip(i + 2), depth + 1)
        if self.t.at(i) == "else":
            i = self.statement(i + 1, depth + 1)
        return i

    def simple(self, i, depth):
        """An expression, a label, or a loop written with a macro: `list_each(a, b) {`."""
        word = self.t.at(i)
        if re.match(r"[A-Za-z_]", word) and word not in PLAIN and self.t.at(i + 1) == "(":
            after = self.t.skip(i + 1)
            if self.t.at(after) == "{":
                self.enter(i, depth + 1)
                return self.block(after, depth + 1)
        return self.expression(i)

    def label(self, i):
        while i < len(self.t.words) and self.t.at(i) != ":":
            i += 1
        return i + 1

    def expression(self, i):
        while i < len(self.t.words) and self.t.at(i) != ";":
            if self.t.at(i) == "}":
                return i
            i = self.t.skip(i) if self.t.at(i) in PAIR else i + 1
        return i + 1


def count_params(words):
    if words in ([], ["void"]):
        return 0
    depth, count = 0, 1
    for w in words:
        depth += (w in PAIR) - (w in PAIR.values())
        count += w == "," and depth == 0
    return count


def header(tokens, first, brace):
    """(name, parameter words) when the tokens before a brace are a function's head."""
    found, i = None, first
    while i < brace:
        if tokens.at(i) == "=":
            return None
        if tokens.at(i) == "(":
            end = tokens.skip(i)
            name = tokens.at(i - 1)
            if i > first and re.match(r"[A-Za-z_]\w*$", name) and name not in NOT_NAMES:
                found = (name, tokens.words[i + 1:end - 1])
            i = end
        else:
            i += 1
    return found


def functions(text):
    """Every function defined in C text."""
    tokens = Tokens(text)
    result, first, i = [], 0, 0
    while i < len(tokens.words):
        word = tokens.at(i)
        if word == "{":
            end = tokens.skip(i)
            head = header(tokens, first, i)
            if head:
                nest = Nesting(tokens)
                nest.block(i, 0)
                lines = tokens.lines
                result.append(Function(head[0], count_params(head[1]), lines[first], lines[i],
                                       lines[end - 1], nest.deepest, (i, end)))
                first = end
            i = end
        elif word == ";":
            first = i = i + 1
        else:
            i += 1
    return result
