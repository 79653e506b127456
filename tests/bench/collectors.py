#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Registers collectors t0, t1, ... Prints a line "collector_id token" of each.

    collectors.py URL SECRET_FILE COUNT
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tool"))
from api import Api  # noqa: E402


def main():
    url, secret_file, count = sys.argv[1:]
    with open(secret_file, encoding="utf-8") as f:
        secret = f.read().strip()
    for i in range(int(count)):
        status, _, body = Api(url).request(
            "POST", "collectors/register",
            json.dumps({"name": "t%d" % i, "hostname": "t%d" % i}),
            {"X-Registration-Secret": secret})
        if status not in (200, 201):
            sys.exit("register: %d %s" % (status, body))
        answer = json.loads(body)
        print(answer["collector_id"], answer["token"])


if __name__ == "__main__":
    main()
