#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""A server that is not pga: HTTPS with a certificate of its own, which answers GET /api/v1/ca.

    certserver.py --port PORT --cert PEM --key PEM --ca FILE --log FILE

Whatever comes is written to the log, headers too; anything but that GET is answered 500.
"""

import argparse
import http.server
import ssl


class Handler(http.server.BaseHTTPRequestHandler):
    """Notes each request."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        """GET of the authorities has an answer, nothing else."""
        with open(self.server.log, "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path}\n{self.headers}\n")
        good = self.command == "GET" and self.path == "/api/v1/ca"
        body = b"{}"
        if good:
            with open(self.server.answer, "rb") as file:
                body = file.read()
        self.send_response(200 if good else 500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *args):
        """The log has it."""


def main():
    """Serves until it is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    for name in ("cert", "key", "ca", "log"):
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", args.port), Handler)
    server.answer, server.log = args.ca, args.log
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(args.cert, args.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
