#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""notify.py SOCKET: what systemd's notification socket would get, one line a message: the seconds
since the start, then the message with its lines joined by spaces."""

import os
import socket
import sys
import time

path = sys.argv[1]
start = time.monotonic()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as box:
    box.bind(path)
    print("ready", flush=True)
    while os.path.exists(path):
        text = box.recv(4096).decode()
        print(f"{time.monotonic() - start:.3f} {' '.join(text.splitlines())}", flush=True)
