#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Small client of the server's HTTP API for scenarios and for the oracle.

    api.py --url URL [--token-file FILE] METHOD PATH [BODY]    status on the first line, then body
    api.py --get a.0.b                                         picks a member from JSON on stdin

BODY is sent as JSON; `@FILE` sends a file as it is. --header 'Name: value' may be repeated.
An https URL is verified by the authorities in the file named by PGA_API_CA.
A member path walks objects by name and arrays by index; `#` gives the length. Text prints
bare, anything else as JSON; an absent member prints nothing and fails.
"""

import argparse
import http.client
import json
import os
import ssl
import sys
import urllib.parse


PATIENCE_S = 30 * float(os.environ.get("PGA_SLOW", "1"))  # sanitizers are slow


class Api:
    """Requests to one server, with one bearer token."""

    def __init__(self, url, token=None, timeout=PATIENCE_S):
        parts = urllib.parse.urlsplit(url)
        self.tls = ssl.create_default_context(cafile=os.environ.get("PGA_API_CA")) \
            if parts.scheme == "https" else None
        self.host = parts.hostname
        self.port = parts.port or (443 if self.tls else 80)
        self.token = token
        self.timeout = timeout

    def connect(self):
        if self.tls:
            return http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout,
                                               context=self.tls)
        return http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)

    def request(self, method, path, body=None, headers=None):
        """Returns (status, headers, bytes)."""
        if not path.startswith("/"):
            path = "/api/v1/" + path
        fields = dict(headers or {})
        if self.token:
            fields.setdefault("Authorization", "Bearer " + self.token)
        if body is not None:
            fields.setdefault("Content-Type", "application/json")
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=fields)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path, **query):
        """The JSON of a successful GET; anything else is an error."""
        if query:
            path += "?" + urllib.parse.urlencode(query)
        status, _, body = self.request("GET", path)
        if status != 200:
            raise RuntimeError("GET %s: %d %s"
                               % (path, status, body[:300].decode("utf-8", "replace")))
        return json.loads(body)

    def pages(self, path, **query):
        """All members of a list, page by page."""
        while True:
            page = self.get(path, **query)
            yield from page["data"]
            if not page.get("next_cursor"):
                return
            query["cursor"] = page["next_cursor"]


def pick(value, path):
    for name in [n for n in path.split(".") if n]:
        if name == "#":
            value = len(value)
        elif isinstance(value, list):
            value = value[int(name)]
        else:
            value = value[name]
    return value


def main():
    parser = argparse.ArgumentParser(description="client of the pga API")
    parser.add_argument("--url", default="")
    parser.add_argument("--token-file")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--show-headers", action="store_true")
    parser.add_argument("--get", metavar="PATH")
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    if args.get is not None:
        try:
            value = pick(json.load(sys.stdin), args.get)
        except (KeyError, IndexError, ValueError, TypeError):
            return 1
        print(value if isinstance(value, str) else json.dumps(value))
        return 0
    token = None
    if args.token_file:
        with open(args.token_file, encoding="utf-8") as f:
            token = f.read().strip()
    body = args.words[2] if len(args.words) > 2 else None
    if body is not None and body.startswith("@"):
        with open(body[1:], "rb") as f:
            body = f.read()
    elif body is not None:
        body = body.encode()
    headers = dict(h.split(": ", 1) for h in args.header)
    try:
        status, fields, data = Api(args.url, token).request(*args.words[:2], body, headers)
    except (OSError, http.client.HTTPException) as e:
        print("000\n%s" % e)
        return 6
    print(status)
    if args.show_headers:
        for name, value in fields.items():
            print("%s: %s" % (name, value))
        print()
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
