#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Requests that two readers could understand differently (security H1). Prints TAP.

    smuggle.py --port PORT

Each case is bytes on a socket; behind it comes a second request, which a server that reads the
first in another way than we do would answer. Right is one answer, 400, and the end of the
connection. Cases that name another host may be answered 421 as well.
"""

import argparse
import os
import re
import socket
import sys

PATIENCE_S = 30 * float(os.environ.get("PGA_SLOW", "1"))
GET = b"GET /healthz HTTP/1.1\r\nHost: @H\r\n"
POST = (b"POST /api/v1/auth/login HTTP/1.1\r\nHost: @H\r\nContent-Type: application/json\r\n")
CHUNKS = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = b"0\r\n\r\n"
ANSWER = rb"HTTP/1\.\d \d\d\d "
SECOND = b"GET /healthz?second HTTP/1.1\r\nHost: @H\r\n\r\n"


def lines(text):
    return POST + text + b"\r\n\r\n" + BODY


def get(text):
    return GET + text + b"\r\n\r\n"


# The length of the body.
FRAMING = [
    ("length, then chunks", lines(b"Content-Length: 5\r\nTransfer-Encoding: chunked")),
    ("chunks, then length", lines(b"Transfer-Encoding: chunked\r\nContent-Length: 5")),
    ("length 0 and chunks", lines(b"Content-Length: 0\r\nTransfer-Encoding: chunked")),
    ("the same length twice", lines(b"Content-Length: 5\r\nContent-Length: 5")),
    ("two lengths", lines(b"Content-Length: 5\r\nContent-Length: 0")),
    ("two lengths, cased differently", lines(b"Content-Length: 5\r\ncontent-length: 0")),
    ("a list of lengths", lines(b"Content-Length: 5, 5")),
    ("a length with a plus", lines(b"Content-Length: +5")),
    ("a length with a minus", lines(b"Content-Length: -5")),
    ("minus nought", lines(b"Content-Length: -0")),
    ("a length in hexadecimal", lines(b"Content-Length: 0x5")),
    ("a length with an exponent", lines(b"Content-Length: 5e0")),
    ("a length with a fraction", lines(b"Content-Length: 5.0")),
    ("a length with a blank inside", lines(b"Content-Length: 5 0")),
    ("a length with a semicolon", lines(b"Content-Length: 5;a=b")),
    ("a length in other digits", lines(b"Content-Length: \xef\xbc\x95")),
    ("an empty length", lines(b"Content-Length:")),
    ("a length of eleven digits", lines(b"Content-Length: 00000000005")),
    ("a length beyond 64 bits", lines(b"Content-Length: 18446744073709551621")),
    ("a length with an underscore", lines(b"Content_Length: 5")),
    ("a coding with an underscore", lines(b"Transfer_Encoding: chunked")),
    ("chunked twice", lines(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
    ("chunked and identity", lines(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")),
    ("a list: chunked, chunked", lines(b"Transfer-Encoding: chunked, chunked")),
    ("a list: gzip, chunked", lines(b"Transfer-Encoding: gzip, chunked")),
    ("a list: chunked, identity", lines(b"Transfer-Encoding: chunked, identity")),
    ("identity", lines(b"Transfer-Encoding: identity")),
    ("a coding that only ends like it", lines(b"Transfer-Encoding: xchunked")),
    ("a coding in quotes", lines(b'Transfer-Encoding: "chunked"')),
    ("a coding with a parameter", lines(b"Transfer-Encoding: chunked;q=1")),
    ("an empty coding", lines(b"Transfer-Encoding:")),
    ("a comma before the coding", lines(b"Transfer-Encoding: ,chunked")),
    ("chunks in HTTP/1.0",
     lines(b"Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0", 1)),
]

# The lines of the head.
LINES = [
    ("a blank before the colon", lines(b"Transfer-Encoding : chunked")),
    ("a tab before the colon", lines(b"Transfer-Encoding\t: chunked")),
    ("a blank before the name", lines(b" Transfer-Encoding: chunked")),
    ("a folded value", lines(b"Transfer-Encoding:\r\n chunked")),
    ("a folded value, by a tab", lines(b"X-A: b\r\n\tTransfer-Encoding: chunked")),
    ("a vertical tab in the value", lines(b"Transfer-Encoding: \x0bchunked")),
    ("a form feed in the value", lines(b"Transfer-Encoding: chunked\x0c")),
    ("a NUL in the value", lines(b"Transfer-Encoding: chunked\0")),
    ("a NUL in the name", lines(b"Transfer-Enc\0oding: chunked")),
    ("a DEL in the value", lines(b"X-A: \x7f")),
    ("a control character in the name", lines(b"X-A\x01: b")),
    ("a name that is no token", lines(b"X(A): b")),
    ("a name beyond ASCII", lines(b"X-\xc3\xa4: b")),
    ("no name", lines(b": chunked")),
    ("no colon", lines(b"Transfer-Encoding chunked")),
    ("a line feed alone between two lines", lines(b"X-A: b\nTransfer-Encoding: chunked")),
    ("a carriage return alone", lines(b"X-A: b\rTransfer-Encoding: chunked")),
    ("two carriage returns", lines(b"X-A: b\r\r\nTransfer-Encoding: chunked")),
    ("line feeds alone", b"GET /healthz HTTP/1.1\nHost: @H\n\n"),
    ("a line feed alone at the end", GET + b"\n"),
    ("65 lines", GET + b"X-A: b\r\n" * 64 + b"\r\n"),
]

# The first line.
FIRST = [
    ("two blanks", b"GET  /healthz HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("tabs for blanks", b"GET\t/healthz\tHTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("a blank at the end", b"GET /healthz HTTP/1.1 \r\nHost: @H\r\n\r\n"),
    ("a blank in the address", b"GET /healthz x HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("an empty line before it", b"\r\nGET /healthz HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("a blank before it", b" GET /healthz HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("a version in small letters", b"GET /healthz http/1.1\r\nHost: @H\r\n\r\n"),
    ("version 1.10", b"GET /healthz HTTP/1.10\r\nHost: @H\r\n\r\n"),
    ("version 1.2", b"GET /healthz HTTP/1.2\r\nHost: @H\r\n\r\n"),
    ("version 2.0", b"GET /healthz HTTP/2.0\r\nHost: @H\r\n\r\n"),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("no version", b"GET /healthz\r\nHost: @H\r\n\r\n"),
    ("a method that is no token", b"G@T /healthz HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("an absolute address", b"GET http://@H/healthz HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("an authority", b"CONNECT @H HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("an asterisk", b"OPTIONS * HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("a NUL in the address", b"GET /healthz\0 HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("bytes beyond ASCII in the address", b"GET /healthz\xff HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("a fragment in the address", b"GET /healthz#x HTTP/1.1\r\nHost: @H\r\n\r\n"),
    ("an address of 5000 bytes", b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: @H\r\n\r\n"),
]

# Whom it is for.
HOSTS = [
    ("no Host", b"GET /healthz HTTP/1.1\r\n\r\n"),
    ("an empty Host", b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n"),
    ("two Hosts", get(b"Host: @H")),
    ("two Hosts, the second another", get(b"hOST: evil.example")),
    ("a list of Hosts", b"GET /healthz HTTP/1.1\r\nHost: @H, evil.example\r\n\r\n"),
    ("a Host with a user", b"GET /healthz HTTP/1.1\r\nHost: x@@H\r\n\r\n"),
    ("a Host with a path", b"GET /healthz HTTP/1.1\r\nHost: @H/x\r\n\r\n"),
    ("a Host with two ports", b"GET /healthz HTTP/1.1\r\nHost: @H:80\r\n\r\n"),
    ("a Host with a port that is none", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:x\r\n\r\n"),
    ("a Host in brackets that do not close", b"GET /healthz HTTP/1.1\r\nHost: [::1\r\n\r\n"),
]

# The framing of chunks.
BODIES = [
    ("a size that is none", CHUNKS + b"zz\r\n{}\r\n" + BODY),
    ("an empty size", CHUNKS + b"\r\n{}\r\n" + BODY),
    ("a size with a minus", CHUNKS + b"-2\r\n{}\r\n" + BODY),
    ("a size with a plus", CHUNKS + b"+2\r\n{}\r\n" + BODY),
    ("a size with 0x", CHUNKS + b"0x2\r\n{}\r\n" + BODY),
    ("a blank before the size", CHUNKS + b" 2\r\n{}\r\n" + BODY),
    ("a blank behind the size", CHUNKS + b"2 \r\n{}\r\n" + BODY),
    ("a NUL in the size", CHUNKS + b"2\0\r\n{}\r\n" + BODY),
    ("an extension", CHUNKS + b"2;a=b\r\n{}\r\n" + BODY),
    ("an extension with a line feed", CHUNKS + b"2;a\n\r\n{}\r\n" + BODY),
    ("an extension of the last chunk", CHUNKS + b"2\r\n{}\r\n0;a\r\n\r\n"),
    ("a size of nine digits", CHUNKS + b"000000002\r\n{}\r\n" + BODY),
    ("a size beyond 64 bits", CHUNKS + b"10000000000000002\r\n{}\r\n" + BODY),
    ("a size that ends with a line feed", CHUNKS + b"2\n{}\r\n" + BODY),
    ("a size that ends with a carriage return", CHUNKS + b"2\r{}\r\n" + BODY),
    ("a chunk longer than its size", CHUNKS + b"1\r\n{}\r\n" + BODY),
    ("a chunk shorter than its size", CHUNKS + b"4\r\n{}\r\n" + BODY),
    ("a chunk that ends with a line feed", CHUNKS + b"2\r\n{}\n" + BODY),
    ("a chunk that does not end", CHUNKS + b"2\r\n{}" + BODY),
    ("a trailer", CHUNKS + b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n"),
    ("an end with a line feed", CHUNKS + b"2\r\n{}\r\n0\r\n\n"),
]

# What has to be taken, so that refusing all is no solution: two answers.
GOOD = [
    ("two requests", GET + b"\r\n", 200),
    ("a body of known length", POST + b"Content-Length: 2\r\n\r\n{}", 400),
    ("a body in two chunks", CHUNKS + b"1\r\n{\r\n01\r\n}\r\n" + BODY, 400),
    ("Chunked in another case",
     POST + b"Transfer-Encoding: Chunked\r\n\r\n2\r\n{}\r\n" + BODY, 400),
    ("64 lines", GET + b"X-A: b\r\n" * 63 + b"\r\n", 200),
    ("a long address", b"GET /healthz?" + b"a" * 4000 + b" HTTP/1.1\r\nHost: @H\r\n\r\n", 200),
]


def exchange(port, data):
    """All that comes back until the end; whether the end came."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as s:
        try:
            s.sendall(data.replace(b"@H", b"127.0.0.1:%d" % port))
            while True:
                piece = s.recv(65536)
                if not piece:
                    return answer, True
                answer += piece
        except ConnectionResetError:
            return answer, True
        except OSError:
            return answer, False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    count = failed = 0
    for kind, cases in (("framing", FRAMING), ("line", LINES), ("first line", FIRST),
                        ("host", HOSTS), ("chunk", BODIES)):
        for name, data in cases:
            answer, ended = exchange(port, data + SECOND)
            status = answer[9:12]
            good = ended and len(re.findall(ANSWER, answer)) == 1 and (
                status == b"400" or (kind == "host" and status == b"421"))
            count += 1
            failed += not good
            print("%s %d - %s: %s" % ("ok" if good else "not ok", count, kind, name))
            if not good:
                print("#   ended %s, %r" % (ended, answer[:200]))
    bad = count
    last = SECOND.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    for name, data, status in GOOD:
        answer, ended = exchange(port, data + last)
        good = (ended and len(re.findall(ANSWER, answer)) == 2 and answer[9:12] == b"%d" % status
                and b"HTTP/1.1 200" in answer[12:])
        count += 1
        failed += not good
        print("%s %d - taken: %s" % ("ok" if good else "not ok", count, name))
        if not good:
            print("#   ended %s, %r" % (ended, answer[:400]))
    print("# %d requests that must be refused" % bad)
    print("1..%d" % count)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
