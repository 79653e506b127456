#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Replays the examples of packaging/doc/protocol.md against a server. Prints TAP.

    examples.py --url URL --secret-file FILE --page PATH

Registers a collector with the registration secret, then sends each block marked `json push`
in order, with the identity and the times replaced, and compares the status with the one
that the text above the block names; answers are checked as far as the text promises it.
"""

import argparse
import json
import re
import sys
import time
import os

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from api import Api  # noqa: E402

EXAMPLE_COLLECTOR = "11111111-1111-4111-8111-111111111111"
PROMISED = ("success", "status", "message", "collector_id", "stream", "next_seq", "store_epoch",
            "metrics_inserted", "metrics_rejected", "errors", "duplicate", "bytes_received",
            "processing_time_ms", "server_time", "server_ms", "next_config_version",
            "next_check_in_seconds")


class Tap:
    count = failed = 0

    def ok(self, good, name, detail=""):
        self.count += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.count, name))
        if not good:
            print("\n".join("# " + line for line in str(detail).splitlines()))


def examples(page):
    """Yields (title, status, text above, body) of each example."""
    with open(page, encoding="utf-8") as f:
        text = f.read()
    end = 0
    for match in re.finditer(r"^```json push\n(.*?)^```$", text, re.M | re.S):
        above = text[end:match.start()].strip().rsplit("\n\n", 1)[-1]
        end = match.end()
        status = re.search(r"Status (\d{3})", above)
        yield above.split(".")[0].replace("\n", " "), int(status.group(1)), above, match.group(1)


def fill_in(body, collector, now):
    body = re.sub(r"@now(?:-(\d+))?", lambda m: str(now - int(m.group(1) or 0)), body)
    return body.replace(EXAMPLE_COLLECTOR, collector)


def register(url, secret):
    api = Api(url)
    status, _, body = api.request(
        "POST", "collectors/register", json.dumps({"name": "examples", "hostname": "db1"}),
        {"X-Registration-Secret": secret})
    if status not in (200, 201):
        sys.exit("register: %d %s" % (status, body))
    answer = json.loads(body)
    return answer["collector_id"], Api(url, answer["token"])


def check(tap, api, example, collector, now):
    title, want, above, text = example
    body = fill_in(text, collector, now)
    push = json.loads(body)
    status, headers, raw = api.request("POST", "metrics/push", body)
    tap.ok(status == want, "%s: status %d" % (title, want), "got %d %s" % (status, raw[:500]))
    try:
        answer = json.loads(raw)
    except ValueError:
        tap.ok(False, "%s: the answer is JSON" % title, raw[:500])
        return
    if want == 200:
        missing = [name for name in PROMISED if name not in answer]
        tap.ok(not missing, "%s: the answer has every promised member" % title, missing)
        if "seq" in push:
            tap.ok(answer.get("next_seq") == push["seq"] + push["count"],
                   "%s: next_seq follows the push" % title, answer)
        refused = re.search(r"`metrics_rejected` is (\d+)", above)
        if refused:
            tap.ok(answer.get("metrics_rejected") == int(refused.group(1))
                   and len(answer.get("errors", [])) > 0,
                   "%s: metrics_rejected and errors tell what was not taken" % title, answer)
        if "`duplicate` is true" in above:
            tap.ok(answer.get("duplicate") is True, "%s: duplicate is true" % title, answer)
    else:
        tap.ok(headers.get("Content-Type", "").startswith("application/problem+json"),
               "%s: the answer is a problem" % title, headers.get("Content-Type"))
        named = re.search(r"`next_seq` (\d+)", above)
        if named:
            tap.ok(answer.get("next_seq") == int(named.group(1)) and "store_epoch" in answer,
                   "%s: the answer names next_seq and store_epoch" % title, answer)


def main():
    parser = argparse.ArgumentParser(description="replays the examples of the protocol page")
    parser.add_argument("--url", required=True)
    parser.add_argument("--secret-file", required=True)
    parser.add_argument("--page", required=True)
    args = parser.parse_args()
    with open(args.secret_file, encoding="utf-8") as f:
        collector, api = register(args.url, f.read().strip())
    tap = Tap()
    now = int(time.time() * 1000)
    found = list(examples(args.page))
    for example in found:
        check(tap, api, example, collector, now)
    tap.ok(len(found) > 0, "the page has examples")
    print("1..%d" % tap.count)
    print("# now=%d" % now)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
