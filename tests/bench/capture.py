#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Every sample of a server, as PromQL gives them; written to a file, counted, sent elsewhere.

The file has one JSON value a line for each series: its labels and its samples, in time order.
They are sent by Prometheus's remote write, a minute of all series after the other.
"""
import argparse
import json
import struct
import urllib.parse
import urllib.request

SERIES_A_REQUEST = 2000


# --- fetch -----------------------------------------------------------------------------------

def call(args, path, **params):
    request = urllib.request.Request(args.base + path + "?" + urllib.parse.urlencode(params))
    with open(args.token_file, encoding="ascii") as f:
        request.add_header("Authorization", "Bearer " + f.read().strip())
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)["data"]


def fetch(args):
    names = call(args, "/label/__name__/values", start=args.start, end=args.end)
    with open(args.out, "w", encoding="utf-8") as out:
        for name in names:
            query = '{__name__="%s"}[%ds]' % (name, args.end - args.start)
            for series in call(args, "/query", query=query, time=args.end)["result"]:
                series["metric"]["__name__"] = name
                json.dump([series["metric"], series["values"]], out)
                out.write("\n")


def read(path):
    with open(path, encoding="utf-8") as f:
        for line in f:
            yield json.loads(line)


# --- remote write: protobuf in snappy's form, without compression ------------------------------

def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def label_bytes(metric):
    return b"".join(field(1, field(1, k.encode()) + field(2, v.encode()))
                    for k, v in sorted(metric.items()))


def sample_bytes(t, v):
    return field(2, b"\x09" + struct.pack("<d", float(v)) + b"\x10" + varint(round(t * 1000)))


def snappy(data):
    out = bytearray(varint(len(data)))
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out += b"\xf4" + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


def post(url, parts):
    request = urllib.request.Request(url, snappy(b"".join(parts)), headers={
        "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
        "X-Prometheus-Remote-Write-Version": "0.1.0"})
    urllib.request.urlopen(request, timeout=60).close()


def send(args):
    minutes = {}
    for metric, values in read(args.send):
        labels = label_bytes(metric)
        pieces = {}
        for t, v in values:
            pieces.setdefault(int(t) // 60, []).append(sample_bytes(t, v))
        for minute, samples in pieces.items():
            minutes.setdefault(minute, []).append(field(1, labels + b"".join(samples)))
    for minute in sorted(minutes):
        parts = minutes[minute]
        for at in range(0, len(parts), SERIES_A_REQUEST):
            post(args.to, parts[at:at + SERIES_A_REQUEST])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--base")
    parser.add_argument("--token-file")
    parser.add_argument("--start", type=int)
    parser.add_argument("--end", type=int)
    parser.add_argument("--out")
    parser.add_argument("--count")
    parser.add_argument("--send")
    parser.add_argument("--to")
    args = parser.parse_args()
    if args.count:
        print(sum(len(values) for _, values in read(args.count)))
    elif args.send:
        send(args)
    else:
        fetch(args)


if __name__ == "__main__":
    main()
