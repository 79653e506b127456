#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""A TLS server that no client should talk to: says what each connection gave away.

    tlsserver.py --port PORT --cert FILE --key FILE [--version 1.2]

Prints "ready", then a line a connection: "handshake failed" or "payload N", the bytes that came
after a handshake. It answers every payload with an HTTP 200 of its own.
"""

import argparse
import socket
import ssl

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--cert", required=True)
parser.add_argument("--key", required=True)
parser.add_argument("--version", choices=["1.2", "1.3"], default="1.3")
args = parser.parse_args()

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.set_ciphers("DEFAULT:@SECLEVEL=0")
context.load_cert_chain(args.cert, args.key)
if args.version == "1.2":
    context.maximum_version = ssl.TLSVersion.TLSv1_2
listener = socket.create_server(("127.0.0.1", args.port))
print("ready", flush=True)
while True:
    s, _ = listener.accept()
    s.settimeout(20)
    try:
        c = context.wrap_socket(s, server_side=True)
        data = c.recv(65536)
        print("payload %d" % len(data), flush=True)
        if data:
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                      b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
        c.close()
    except OSError as e:
        print("handshake failed: %s" % e, flush=True)
        s.close()
