#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
#
# collectors.py URL SECRET_FILE COUNT: registers collectors; a line "collector_id token" each.

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tool"))
from api import Api  # noqa: E402

url, secret_file, count = sys.argv[1:]
with open(secret_file) as f:
    secret = f.read().strip()
for i in range(int(count)):
    name = json.dumps({"name": "t%d" % i, "hostname": "t%d" % i})
    status, _, body = Api(url).request(
        "POST", "collectors/register", name, {"X-Registration-Secret": secret})
    if status not in (200, 201):
        sys.exit("register: %d %s" % (status, body))
    answer = json.loads(body)
    print(answer["collector_id"], answer["token"])
