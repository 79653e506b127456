#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""tomlcases.py: documents that are TOML 1.0 and what they say, and documents that are not.

tomlcases.py DECODER [--mutants N] runs the decoder over every case and prints TAP. VALID has the
document and the tree it must give; INVALID has the document and where the mistake stands. Then N
mutations of the valid documents are judged by Python's tomllib as well: both must agree on whether
a mutant is TOML, and on what it says, save for the differences named in `excused`.
"""

import argparse
import datetime
import json
import math
import random
import subprocess
import sys

try:
    import tomllib
except ImportError:  # before Python 3.11
    tomllib = None


def tag(kind):
    return lambda value: {"type": kind, "value": value}


S, I, F, B = tag("string"), tag("integer"), tag("float"), tag("bool")
DT, DTL, DL, TL = tag("datetime"), tag("datetime-local"), tag("date-local"), tag("time-local")

VALID = [
    ("nothing at all", b"", {}),
    ("white space and comments", b" \t\n# only \xc3\xa4 comment\t.\r\n\t# at the end", {}),
    ("a mark of byte order", b"\xef\xbb\xbfa = 1", {"a": I("1")}),
    ("no line end behind the last value", b"a=1#c", {"a": I("1")}),
    ("line ends of DOS", b"a = 1\r\nb = \"\"\"x\r\ny\"\"\"\r\n", {"a": I("1"), "b": S("x\ny")}),
    # keys
    ("bare keys", b"a-b_C9 = 1\n1234 = 2\n- = 3\n_ = 4\n2001-02-03 = 5",
     {"a-b_C9": I("1"), "1234": I("2"), "-": I("3"), "_": I("4"), "2001-02-03": I("5")}),
    ("quoted keys", b"\"a b\" = 1\n'c\"d' = 2\n\"\" = 3\n\"\\u00e4\\n\" = 4\n\"a.b\" = 5",
     {"a b": I("1"), "c\"d": I("2"), "": I("3"), "\u00e4\n": I("4"), "a.b": I("5")}),
    ("dotted keys", b"a.b.c = 1\na . b\t. d = 2\na.\"e f\".'g' = 3\n3.14 = 4",
     {"a": {"b": {"c": I("1"), "d": I("2")}, "e f": {"g": I("3")}}, "3": {"14": I("4")}}),
    ("words that are keys too", b"true = 1\ninf = 2\nnan.false = 3",
     {"true": I("1"), "inf": I("2"), "nan": {"false": I("3")}}),
    ("keys differ by case", b"a = 1\nA = 2", {"a": I("1"), "A": I("2")}),
    ("a key that holds NUL", b"\"a\\u0000b\" = \"\\u0000\"", {"a\0b": S("\0")}),
    # strings
    ("escapes", b"a = \"\\b\\t\\n\\f\\r\\\"\\\\ \\u00E9\\U0001f600\"",
     {"a": S("\b\t\n\f\r\"\\ \u00e9\U0001f600")}),
    ("the ends of Unicode", b"a = \"\\uD7FF\\uE000\\U0010FFFF\\U00000041\"",
     {"a": S("\ud7ff\ue000\U0010ffffA")}),
    ("a tab and DEL by escape", b"a = \"\t\\u007f\"", {"a": S("\t\x7f")}),
    ("literal strings", b"a = 'C:\\x\\'\nb = ''\nc = '\"\t'", {"a": S("C:\\x\\"), "b": S(""),
                                                            "c": S("\"\t")}),
    ("several lines", b"a = \"\"\"\nx\n y\"\"\"\nb = '''\n\nx\\n'''",
     {"a": S("x\n y"), "b": S("\nx\\n")}),
    ("folded lines", b"a = \"\"\"\\\n  x \\  \n\n \t y\\\r\n  \"\"\"", {"a": S("x y")}),
    ("quotes inside of three", b"a = \"\"\"\"x\"\" \\\"\"\" \"\"\"\nb = '''''x'' '''",
     {"a": S("\"x\"\" \"\"\" "), "b": S("''x'' ")}),
    ("quotes in front of the end", b"a = \"\"\"x\"\"\"\"\"\nb = '''x'''''\nc = \"\"\"\"\"\"\"\"",
     {"a": S("x\"\""), "b": S("x''"), "c": S("\"\"")}),
    ("three empty forms", b"a = \"\"\nb = \"\"\"\"\"\"\nc = ''''''", {"a": S(""), "b": S(""),
                                                                  "c": S("")}),
    ("text that looks like something else", b"a = \"1979-05-27\"\nb = '[t]'\nc = \"# no\" # yes",
     {"a": S("1979-05-27"), "b": S("[t]"), "c": S("# no")}),
    ("two to four bytes a character", "a = \"\u00e4\u20ac\U0001f600\"".encode(),
     {"a": S("\u00e4\u20ac\U0001f600")}),
    # integers
    ("integers", b"a = 0\nb = +0\nc = -0\nd = +99\ne = -17\nf = 1_000_000",
     {"a": I("0"), "b": I("0"), "c": I("0"), "d": I("99"), "e": I("-17"), "f": I("1000000")}),
    ("the largest and the least", b"a = 9223372036854775807\nb = -9223372036854775808\n"
     b"c = 0x7fffffffffffffff", {"a": I(str(2**63 - 1)), "b": I(str(-2**63)),
                                 "c": I(str(2**63 - 1))}),
    ("other bases", b"a = 0xDEAD_beef\nb = 0o01_7\nc = 0b1101\nd = 0x00ff\ne = 0x0",
     {"a": I("3735928559"), "b": I("15"), "c": I("13"), "d": I("255"), "e": I("0")}),
    # floats
    ("floats", b"a = 1.0\nb = -0.5\nc = +3.25\nd = 6.5e-3\ne = 1E6\nf = 1e+06\ng = 9_0.1_2e1_0",
     {"a": F("1"), "b": F("-0.5"), "c": F("3.25"), "d": F("0.0065"), "e": F("1e6"),
      "f": F("1e6"), "g": F("901200000000")}),
    ("zeros with a sign", b"a = -0.0\nb = +0.0\nc = 0e5", {"a": F("-0"), "b": F("0"),
                                                         "c": F("0")}),
    ("infinite, and no number", b"a = inf\nb = +inf\nc = -inf\nd = nan\ne = +nan\nf = -nan",
     {"a": F("inf"), "b": F("inf"), "c": F("-inf"), "d": F("nan"), "e": F("nan"),
      "f": F("nan")}),
    ("more digits than a double has", b"a = 0." + b"1234567890" * 12,
     {"a": F("0.12345678901234568")}),
    ("the largest double", b"a = 1.7976931348623157e308\nb = 5e-324",
     {"a": F("1.7976931348623157e308"), "b": F("5e-324")}),
    # booleans
    ("booleans", b"a = true\nb=false", {"a": B("true"), "b": B("false")}),
    # dates and times
    ("an instant", b"a = 1979-05-27T07:32:00Z\nb = 1979-05-27 07:32:00z\n"
     b"c = 1979-05-27t00:32:00-07:00\nd = 1979-05-27T00:32:00.5+23:59",
     {"a": DT("1979-05-27T07:32:00Z"), "b": DT("1979-05-27T07:32:00Z"),
      "c": DT("1979-05-27T00:32:00-07:00"), "d": DT("1979-05-27T00:32:00.5+23:59")}),
    ("date and time without an offset", b"a = 1979-05-27T07:32:00\nb = 1979-05-27 07:32:00.001 # c",
     {"a": DTL("1979-05-27T07:32:00"), "b": DTL("1979-05-27T07:32:00.001")}),
    ("a date", b"a = 1979-05-27\nb = 2000-02-29\nc = 0001-01-01\nd = 9999-12-31#c",
     {"a": DL("1979-05-27"), "b": DL("2000-02-29"), "c": DL("0001-01-01"), "d": DL("9999-12-31")}),
    ("a time", b"a = 07:32:00\nb = 23:59:59.999999\nc = 00:00:00.0",
     {"a": TL("07:32:00"), "b": TL("23:59:59.999999"), "c": TL("00:00:00")}),
    ("a fraction is cut off, not rounded", b"a = 07:32:00.1234567899999",
     {"a": TL("07:32:00.123456789")}),
    ("a leap second", b"a = 1990-12-31T23:59:60Z", {"a": DT("1990-12-31T23:59:60Z")}),
    ("no offset with a sign", b"a = 1979-05-27T07:32:00-00:00", {"a": DT("1979-05-27T07:32:00Z")}),
    ("dates in arrays and tables", b"a = [1979-05-27,07:32:00 , 1979-05-27 07:32:00]\n"
     b"b = {c=1979-05-27, d=07:32:00}",
     {"a": [DL("1979-05-27"), TL("07:32:00"), DTL("1979-05-27T07:32:00")],
      "b": {"c": DL("1979-05-27"), "d": TL("07:32:00")}}),
    ("a space behind a date", b"a = 1979-05-27 \nb = [1979-05-27 ,1]",
     {"a": DL("1979-05-27"), "b": [DL("1979-05-27"), I("1")]}),
    # arrays
    ("arrays", b"a = []\nb = [1,]\nc = [ 1 , 'x', [2, []], {d = 3} ]",
     {"a": [], "b": [I("1")], "c": [I("1"), S("x"), [I("2"), []], {"d": I("3")}]}),
    ("arrays over lines", b"a = [ # one\n\n 1, # two\n # three\n 2\n # four\n ,\r\n] # five",
     {"a": [I("1"), I("2")]}),
    ("several lines inside", b"a = [\"\"\"x\ny\"\"\", {b = [\n1\n]}]",
     {"a": [S("x\ny"), {"b": [I("1")]}]}),
    # inline tables
    ("inline tables", b"a = {}\nb = { }\nc = {d=1,\"e\"=2 , f.g=3, f.h={i=4}}",
     {"a": {}, "b": {}, "c": {"d": I("1"), "e": I("2"), "f": {"g": I("3"), "h": {"i": I("4")}}}}),
    # tables
    ("tables", b"[a]\nb = 1\n[a.c]\n[ d . 'e' ] # note\nf = 2\n[\"\"]\n",
     {"a": {"b": I("1"), "c": {}}, "d": {"e": {"f": I("2")}}, "": {}}),
    ("the table above comes later", b"[a.b.c]\nd = 1\n[a]\ne = 2\n[a.b]\nf = 3",
     {"a": {"b": {"c": {"d": I("1")}, "f": I("3")}, "e": I("2")}}),
    ("a header below a dotted key", b"[a]\nb.c = 1\n[a.b.d]\ne = 2\n[[a.b.f]]\ng = 3",
     {"a": {"b": {"c": I("1"), "d": {"e": I("2")}, "f": [{"g": I("3")}]}}}),
    ("dotted keys apart", b"a.b = 1\nc.d = 2\na.e = 3", {"a": {"b": I("1"), "e": I("3")},
                                                       "c": {"d": I("2")}}),
    ("a table of the root's dotted key", b"a.b = 1\n[a.c]\nd = 2",
     {"a": {"b": I("1"), "c": {"d": I("2")}}}),
    # arrays of tables
    ("arrays of tables", b"[[a]]\nb = 1\n[[a]]\n[[a]]\nb = 3\n[[ c . d ]]",
     {"a": [{"b": I("1")}, {}, {"b": I("3")}], "c": {"d": [{}]}}),
    ("tables of a row", b"[[a]]\n[a.b]\nc = 1\n[[a.d]]\n[[a.d]]\n[[a]]\n[a.b]\nc = 2\n[a.e.f]",
     {"a": [{"b": {"c": I("1")}, "d": [{}, {}]}, {"b": {"c": I("2")}, "e": {"f": {}}}]}),
    ("dotted keys of a row", b"[[a]]\nb.c = 1\n[[a]]\nb.c = 2", {"a": [{"b": {"c": I("1")}},
                                                                     {"b": {"c": I("2")}}]}),
    ("a deep tree", b"a = " + b"[" * 30 + b"1" + b"]" * 30, None),
]

INVALID = [
    # encoding and control characters
    ("no UTF-8", b"a = \"\xff\"", "1:6"),
    ("no UTF-8 in a comment", b"a = 1\n# \xc3(", "2:3"),
    ("a surrogate in UTF-8", b"a = \"\xed\xa0\x80\"", "1:6"),
    ("an overlong character", b"a = \"\xc0\x80\"", "1:6"),
    ("a character beyond Unicode", b"a = \"\xf4\x90\x80\x80\"", "1:6"),
    ("half a character", b"a = 1 # \xe2\x82", "1:9"),
    ("UTF-16", "\ufeffa = 1".encode("utf-16-le"), "1:1"),
    ("a second mark of byte order", b"\xef\xbb\xbf\xef\xbb\xbfa = 1", "1:1"),
    ("a mark of byte order later", b"a = 1\n\xef\xbb\xbfb = 2", "2:1"),
    ("NUL", b"a = 1\0", "1:6"),
    ("NUL in a comment", b"# \0", "1:3"),
    ("NUL in a string", b"a = '\0'", "1:6"),
    ("DEL in a comment", b"# \x7f", "1:3"),
    ("DEL in a string", b"a = \"\x7f\"", "1:6"),
    ("a bare CR", b"a = 1\rb = 2", "1:6"),
    ("a bare CR at the end", b"a = 1\r", "1:6"),
    ("a bare CR in a comment", b"# x\ry", "1:4"),
    ("a bare CR in three quotes", b"a = \"\"\"x\ry\"\"\"", "1:"),
    ("a form feed between lines", b"a = 1\n\x0cb = 2", "2:1"),
    ("white space that is none", "\u00a0a = 1".encode(), "1:1"),
    ("an ideographic space", "a =\u30001".encode(), "1:4"),
    # keys
    ("no value", b"a", "1:2"),
    ("no value behind the sign", b"a =", "1:4"),
    ("no key", b"= 1", "1:1"),
    ("a value in the next line", b"a =\n1", "1:4"),
    ("a sign in the next line", b"a\n= 1", "1:2"),
    ("two values in a line", b"a = 1 b = 2", "1:7"),
    ("two signs", b"a == 1", "1:4"),
    ("a key with a space", b"a b = 1", "1:3"),
    ("a key beyond ASCII", "\u00e4 = 1".encode(), "1:1"),
    ("a key with an odd character", b"a! = 1", "1:2"),
    ("a key of three quotes", b"\"\"\"a\"\"\" = 1", "1:1"),
    ("a literal key of three quotes", b"'''a''' = 1", "1:1"),
    ("a key with a line end", b"\"a\nb\" = 1", "1:1"),
    ("a key with a bad escape", b"\"\\x\" = 1", "1:3"),
    ("two dots", b"a..b = 1", "1:3"),
    ("a dot at the end", b"a. = 1", "1:4"),
    ("a dot in front", b".a = 1", "1:1"),
    ("a plus in a key", b"+1 = 1", "1:1"),
    # the same twice
    ("a key twice", b"a = 1\na = 2", "2:1"),
    ("a key twice, quoted once", b"a = 1\n\"a\" = 2", "2:1"),
    ("a value that becomes a table", b"a = 1\na.b = 2", "2:1"),
    ("a table that becomes a value", b"a.b = 1\na = 2", "2:1"),
    ("a value below a value", b"a.b = 1\na.b.c = 2", "2:1"),
    ("a table twice", b"[a]\n[b]\n[a]", "3:2"),
    ("a table that is a value", b"a = 1\n[a]", "2:2"),
    ("a table below a value", b"a = 1\n[a.b]", "2:2"),
    ("a value that is a table", b"[a.b]\n[a]\nb = 1", "3:1"),
    ("a header for a dotted key", b"[a]\nb.c = 1\n[a.b]", "3:2"),
    ("a header for a part of one", b"[a]\nb.c.d = 1\n[a.b.c]", "3:2"),
    ("a header for the root's dotted key", b"a.b = 1\n[a]", "2:2"),
    ("dotted keys into a header's table", b"[a.b]\nc = 1\n[a]\nb.d = 2", "4:1"),
    ("dotted keys into an implied table", b"[a.b.c]\n[a]\nb.d = 2", "3:1"),
    ("dotted keys into a deeper one", b"[a.b.c.d]\nz = 9\n[a]\nb.c.d.e = 2", "4:1"),
    ("dotted keys into an array of tables", b"[[a.b]]\n[a]\nb.c = 2", "3:1"),
    ("rows of a plain array", b"a = []\n[[a]]", "2:3"),
    ("rows of a plain array of tables", b"a = [{b = 1}]\n[[a]]", "2:3"),
    ("a table in a plain array", b"a = [{b = 1}]\n[a.c]", "2:2"),
    ("rows of a table", b"[a]\n[[a]]", "2:3"),
    ("rows of an implied table", b"[a.b]\n[[a]]", "2:3"),
    ("rows of a dotted key", b"[a]\nb.c = 1\n[[a.b]]", "3:3"),
    ("a table of rows", b"[[a]]\n[a]", "2:2"),
    ("a row's table twice", b"[[a]]\n[a.b]\n[a.b]", "3:2"),
    ("a row's table that becomes rows", b"[[a]]\n[a.b]\n[[a.b]]", "3:3"),
    ("rows that become a table", b"[[a]]\n[[a.b]]\n[a.b]", "3:2"),
    ("the array's name comes too late", b"[[a.b]]\n[[a]]", "2:3"),
    # inline tables
    ("an inline table is closed", b"a = {}\na.b = 1", "2:1"),
    ("and takes no header", b"a = {b = 1}\n[a.c]", "2:2"),
    ("nor one of its own name", b"a = {b = 1}\n[a]", "2:2"),
    ("nor below its dotted key", b"a = {b.c = 1}\n[a.b.d]", "2:2"),
    ("nor rows", b"a = {}\n[[a.b]]", "2:3"),
    ("a key twice inside", b"a = {b = 1, b = 2}", "1:13"),
    ("a dotted key into a value inside", b"a = {b = 1, b.c = 2}", "1:13"),
    ("into a closed table inside", b"a = {b = {c = 1}, b.d = 2}", "1:19"),
    ("into an array inside", b"a = {b.c = [{}], b.c.d = 2}", "1:18"),
    ("a value for a dotted key inside", b"a = {b.c = 1, b = 2}", "1:15"),
    ("a table for an inline one from above", b"[t.a]\ni = {n = {}}\n[t]\na.i.n.x = 1", "4:1"),
    ("a comma at the end inside", b"a = {b = 1,}", "1:12"),
    ("two commas inside", b"a = {b = 1,,c = 2}", "1:12"),
    ("a comma alone inside", b"a = {,}", "1:6"),
    ("no comma inside", b"a = {b = 1 c = 2}", "1:12"),
    ("a line end inside", b"a = {b = 1\n}", "1:11"),
    ("a line end behind the brace", b"a = {\nb = 1}", "1:6"),
    ("a comment inside", b"a = {b = 1 # c\n}", "1:12"),
    ("no end of an inline table", b"a = {b = 1", "1:11"),
    ("a value without key inside", b"a = {1}", "1:7"),
    # strings
    ("no end of a string", b"a = \"x", "1:5"),
    ("a line end in a string", b"a = \"x\ny\"", "1:5"),
    ("a line end in a literal", b"a = 'x\ny'", "1:5"),
    ("no end of three quotes", b"a = \"\"\"x\"\"", "1:5"),
    ("no end of three quotes, escaped", b"a = \"\"\"x\\\"\"\"", "1:5"),
    ("six quotes at the end", b"a = \"\"\"x\"\"\"\"\"\"", "1:14"),
    ("six literal quotes at the end", b"a = '''x''''''", "1:14"),
    ("an unknown escape", b"a = \"\\q\"", "1:7"),
    ("an escape of TOML 1.1", b"a = \"\\e\"", "1:7"),
    ("another one", b"a = \"\\x41\"", "1:7"),
    ("a fold in one line", b"a = \"x\\\ny\"", "1:"),
    ("a fold with text behind", b"a = \"\"\"x\\ y\"\"\"", "1:10"),
    ("three digits", b"a = \"\\u123\"", "1:8"),
    ("seven digits", b"a = \"\\U0001f60\"", "1:8"),
    ("digits that are none", b"a = \"\\u12G4\"", "1:8"),
    ("a surrogate by escape", b"a = \"\\ud800\"", "1:8"),
    ("a pair of surrogates", b"a = \"\\ud83d\\ude00\"", "1:8"),
    ("an escape beyond Unicode", b"a = \"\\U00110000\"", "1:8"),
    ("a control character", b"a = \"\x1f\"", "1:6"),
    ("a control character in three quotes", b"a = '''\n\x01'''", "2:1"),
    ("a backslash at the end", b"a = \"\\", "1:7"),
    ("text without quotes", b"a = word", "1:5"),
    ("text behind a string", b"a = \"x\"y", "1:8"),
    ("two strings", b"a = 'x' 'y'", "1:9"),
    ("mixed quotes", b"a = \"x'", "1:5"),
    # integers
    ("a zero in front", b"a = 01", "1:5"),
    ("a zero in front, with sign", b"a = -01", "1:5"),
    ("two zeros", b"a = 00", "1:5"),
    ("two signs", b"a = ++1", "1:5"),
    ("a sign alone", b"a = -", "1:5"),
    ("an underscore in front", b"a = _1", "1:5"),
    ("an underscore behind", b"a = 1_", "1:5"),
    ("two underscores", b"a = 1__0", "1:5"),
    ("an underscore behind the sign", b"a = -_1", "1:5"),
    ("too large", b"a = 9223372036854775808", "1:5"),
    ("too small", b"a = -9223372036854775809", "1:5"),
    ("too large in another base", b"a = 0x8000000000000000", "1:5"),
    ("a base without digits", b"a = 0x", "1:5"),
    ("a base with a sign", b"a = +0x1", "1:5"),
    ("a base in capitals", b"a = 0X1", "1:5"),
    ("a digit beyond the base", b"a = 0b2", "1:5"),
    ("another digit beyond the base", b"a = 0o8", "1:5"),
    ("a hexadecimal digit that is none", b"a = 0xg", "1:5"),
    ("an underscore behind the base", b"a = 0x_1", "1:5"),
    ("an underscore at the end of a base", b"a = 0b1_", "1:5"),
    ("text behind a number", b"a = 1x", "1:5"),
    ("a space in a number", b"a = 1 000", "1:7"),
    # floats
    ("no digits behind the point", b"a = 1.", "1:5"),
    ("no digits in front of the point", b"a = .5", "1:5"),
    ("a point and an exponent", b"a = 1.e5", "1:5"),
    ("an exponent of nothing", b"a = 1e", "1:5"),
    ("an exponent with a point", b"a = 1e1.5", "1:5"),
    ("two points", b"a = 1.2.3", "1:5"),
    ("two exponents", b"a = 1e2e3", "1:5"),
    ("a zero in front of a float", b"a = 03.14", "1:5"),
    ("an underscore at the point", b"a = 1_.2", "1:5"),
    ("an underscore behind the point", b"a = 1._2", "1:5"),
    ("an underscore at the exponent", b"a = 1_e2", "1:5"),
    ("an underscore in the exponent's front", b"a = 1e_2", "1:5"),
    ("a hexadecimal float", b"a = 0x1.8p3", "1:5"),
    ("infinite in capitals", b"a = Inf", "1:5"),
    ("infinite in full", b"a = infinity", "1:5"),
    ("no number in capitals", b"a = NaN", "1:5"),
    ("a float that no double holds", b"a = 1e999", "1:5"),
    # booleans
    ("true in capitals", b"a = True", "1:5"),
    ("half of true", b"a = tru", "1:5"),
    ("more than true", b"a = truex", "1:5"),
    ("a sign and true", b"a = +true", "1:5"),
    # dates and times
    ("the thirteenth month", b"a = 2020-13-01", "1:5"),
    ("month zero", b"a = 2020-00-01", "1:5"),
    ("day zero", b"a = 2020-01-00", "1:5"),
    ("the thirty-first of April", b"a = 2021-04-31", "1:5"),
    ("a leap day in a common year", b"a = 2021-02-29", "1:5"),
    ("a leap day in 2100", b"a = 2100-02-29T00:00:00Z", "1:5"),
    ("year zero", b"a = 0000-01-01", "1:5"),
    ("a year of three digits", b"a = 979-05-27", "1:5"),
    ("a year of five digits", b"a = 19790-05-27", "1:5"),
    ("a month of one digit", b"a = 1979-5-27", "1:5"),
    ("a day of one digit", b"a = 1979-05-7", "1:5"),
    ("a day of three digits", b"a = 1979-05-270", "1:5"),
    ("slashes", b"a = 1979/05/27", "1:5"),
    ("hour 24", b"a = 24:00:00", "1:5"),
    ("minute 60", b"a = 00:60:00", "1:5"),
    ("second 61", b"a = 00:00:61", "1:5"),
    ("no seconds", b"a = 07:32", "1:5"),
    ("no seconds with a date", b"a = 1979-05-27T07:32", "1:5"),
    ("no seconds, but an offset", b"a = 1979-05-27T07:32Z", "1:5"),
    ("an hour of one digit", b"a = 7:32:00", "1:5"),
    ("a point without fraction", b"a = 07:32:00.", "1:5"),
    ("a fraction that is none", b"a = 07:32:00.x", "1:5"),
    ("a comma for the fraction", b"a = 07:32:00,5", "1:13"),
    ("a T alone", b"a = 1979-05-27T", "1:5"),
    ("no T", b"a = 1979-05-2707:32:00", "1:5"),
    ("two spaces", b"a = 1979-05-27  07:32:00", "1:17"),
    ("an offset behind a time", b"a = 07:32:00Z", "1:5"),
    ("an offset behind a date", b"a = 1979-05-27Z", "1:5"),
    ("an offset of 24 hours", b"a = 1979-05-27T07:32:00+24:00", "1:5"),
    ("an offset of 60 minutes", b"a = 1979-05-27T07:32:00+01:60", "1:5"),
    ("an offset without minutes", b"a = 1979-05-27T07:32:00+01", "1:5"),
    ("an offset without colon", b"a = 1979-05-27T07:32:00+0100", "1:5"),
    ("two offsets", b"a = 1979-05-27T07:32:00ZZ", "1:5"),
    ("a sign in front of a date", b"a = +1979-05-27", "1:5"),
    ("underscores in a date", b"a = 19_79-05-27", "1:5"),
    # arrays
    ("no end of an array", b"a = [1", "1:7"),
    ("no end behind the comma", b"a = [1,", "1:8"),
    ("no comma", b"a = [1 2]", "1:8"),
    ("two commas", b"a = [1,,2]", "1:8"),
    ("a comma first", b"a = [,1]", "1:6"),
    ("a key in an array", b"a = [b = 1]", "1:6"),
    ("the wrong bracket", b"a = [1}", "1:7"),
    ("text behind an array", b"a = [] x", "1:8"),
    ("too deep", b"a = " + b"[" * 1000, "1:"),
    # headers
    ("an empty header", b"[]", "1:2"),
    ("an empty row", b"[[]]", "1:3"),
    ("no end of a header", b"[a", "1:3"),
    ("no end of a row", b"[[a]", "1:4"),
    ("a space in the brackets in front", b"[ [a]]", "1:3"),
    ("a space in the brackets behind", b"[[a] ]", "1:4"),
    ("too many brackets", b"[a]]", "1:4"),
    ("a line end in a header", b"[a\n]", "1:3"),
    ("a dot at the end of a header", b"[a.]", "1:4"),
    ("a dot in front in a header", b"[.a]", "1:2"),
    ("two dots in a header", b"[a..b]", "1:4"),
    ("a value behind a header", b"[a] b = 1", "1:5"),
    ("two words in a header", b"[a b]", "1:4"),
    ("a value as header", b"[a=1]", "1:3"),
    ("a comment in a header", b"[a#b]", "1:3"),
    ("a header with three quotes", b"['''a''']", "1:2"),
    ("a header in a line with a value", b"a = 1 [b]", "1:7"),
]


def decode(program, text):
    done = subprocess.run([program], input=text, capture_output=True)
    return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace").strip()


def same(got, want):
    """Whether two tagged trees say the same; floats are compared as numbers."""
    if isinstance(want, list):
        return isinstance(got, list) and len(got) == len(want) and all(map(same, got, want))
    if not isinstance(got, dict) or got.keys() != want.keys():
        return False
    if want.get("type") == "float" == got.get("type") and isinstance(want["value"], str):
        a, b = float(got["value"]), float(want["value"])
        return (math.isnan(a) and math.isnan(b)) or \
            (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(want.get("type"), str) and isinstance(want.get("value"), str):
        return got == want
    return all(same(got[key], want[key]) for key in want)


def tagged(value):
    """A value of tomllib as the suite tags it."""
    if isinstance(value, dict):
        return {key: tagged(item) for key, item in value.items()}
    if isinstance(value, list):
        return [tagged(item) for item in value]
    if isinstance(value, bool):
        return B(str(value).lower())
    if isinstance(value, (datetime.datetime, datetime.time)):
        text = value.isoformat().replace("+00:00", "Z")
        if "." in text:  # fraction without the zeros at its end
            head, tail = text.split(".")
            text = head + "." + tail[:6].rstrip("0") + tail[6:]
        if isinstance(value, datetime.time):
            return TL(text)
        return (DT if value.tzinfo else DTL)(text)
    if isinstance(value, datetime.date):
        return DL(value.isoformat())
    if isinstance(value, float):
        return F(repr(value))
    return (I if isinstance(value, int) else S)(str(value))


def mutate(rng, texts):
    """One valid document with a few bytes changed, moved, doubled or taken from another."""
    text = bytearray(rng.choice(texts))
    pieces = [b"\n", b"\"", b"'", b"[", b"]", b"{", b"}", b"=", b".", b",", b"#", b" ", b"_", b"0",
              b"1", b"-", b":", b"e", b"T", b"Z", b"\\", b"\r", b"\r\n", b"a", b"\"\"\"", b"'''",
              b"\xc3", b"\x00", b"[[a]]\n", b"[a.b]\n", b"a.b = 1\n", b"+", b"x", b"inf", b"true"]
    for _ in range(rng.randint(1, 3)):
        at, to = rng.randint(0, len(text)), rng.randint(0, len(text))
        what = rng.randint(0, 4)
        if what == 0:
            text[at:at] = rng.choice(pieces)
        elif what == 1:
            text[at:at + 1] = rng.choice(pieces)
        elif what == 2:
            del text[at:at + rng.randint(1, 4)]
        elif what == 3:
            text[at:at] = text[min(at, to):max(at, to)]
        else:
            text += b"\n" + rng.choice(texts)
    return bytes(text)


def excused(text, message):
    """Where tomllib and the specification, or our bounds, are known to differ."""
    if "no number that fits" in message:  # tomllib takes integers and exponents of any size
        return True
    return b":60" in text or b"\xef\xbb\xbf" in text or "deeper than" in message


def judge(text):
    """What tomllib makes of it: a tagged tree, or None."""
    try:
        return tagged(tomllib.loads(text.decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError, OverflowError):
        return None


def cut(tree):
    """Fractions to the microseconds that tomllib keeps."""
    if isinstance(tree, list):
        return [cut(item) for item in tree]
    if not isinstance(tree.get("type"), str) or not isinstance(tree.get("value"), str):
        return {key: cut(item) for key, item in tree.items()}
    if ":" in tree["value"] and "." in tree["value"] and tree["type"] != "string":
        head, tail = tree["value"].split(".")
        digits = len(tail) - len(tail.lstrip("0123456789"))
        kept = tail[:min(digits, 6)].rstrip("0")
        return {"type": tree["type"],
                "value": head + ("." if kept else "") + kept + tail[digits:]}
    return tree


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, name, *why):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}")
        for line in why if not good else ():
            print(f"# {line}"[:1000])

    def end(self):
        print(f"1..{self.count}")
        return self.failed > 0


def try_valid(tap, program):
    for name, text, want in VALID:
        status, out, message = decode(program, text)
        got = json.loads(out) if status == 0 else None
        good = status == 0 and (want is None or same(got, want))
        tap.ok(good, f"taken: {name}", repr(text), f"{status} {out}{message}")


def try_invalid(tap, program):
    for name, text, where in INVALID:
        status, out, message = decode(program, text)
        line, column = where.split(":")
        place = f"line {line}, column {column}"
        good = status == 1 and out == "" and message.startswith(f"toml-decode: {place}") \
            and (not column or message[len(f"toml-decode: {place}")] == ":")
        tap.ok(good, f"refused at {where}: {name}", repr(text), f"{status} {out}{message}")


def try_mutants(tap, program, number, seed):
    rng, texts = random.Random(seed), [text for _, text, want in VALID if want is not None]
    differ, taken, told = 0, 0, []
    for _ in range(number):
        text = mutate(rng, texts)
        want = judge(text)
        status, out, message = decode(program, text)
        taken += status == 0
        if status not in (0, 1):
            told.append(f"status {status}: {text!r}")
        elif (status == 0) != (want is not None):
            differ += not excused(text, message)
            if not excused(text, message):
                told.append(f"{text!r}: {message or 'taken'}; tomllib: {want}")
        elif status == 0 and not same(cut(json.loads(out)), cut(want)):
            told.append(f"{text!r}: {out.strip()}; tomllib: {want}")
    tap.ok(not told, f"{number} mutants, {taken} of them TOML: the decoder and tomllib agree",
           *told[:10])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--mutants", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    tap = Tap()
    try_valid(tap, args.program)
    try_invalid(tap, args.program)
    if args.mutants and tomllib is None:
        print("# no tomllib in this Python")
    elif args.mutants:
        try_mutants(tap, args.program, args.mutants, args.seed)
    sys.exit(tap.end())


main()
