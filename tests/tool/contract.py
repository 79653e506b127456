#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Does the server keep what /openapi.json says? TAP on standard output.

    contract.py --url URL --token-file FILE [--param NAME=VALUE]...

First the document itself: the structure that OpenAPI 3.1 asks for, every reference and every
schema. Then each GET operation is called with the parameters given (a path with a name that is
not given is reported as a skipped test), and the answer is checked against its schema in both
directions: a member that must be there, and a member that nobody described.
"""

import argparse
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import api  # noqa: E402

METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}
TYPES = {"string", "integer", "number", "boolean", "object", "array", "null"}
SCHEMA = {"type", "properties", "required", "additionalProperties", "items", "enum", "format",
          "description", "$ref", "anyOf"}
OPERATION = {"operationId", "tags", "summary", "description", "parameters", "requestBody",
             "responses", "security", "x-pga-role", "x-pga-proof", "x-pga-enrols"}


class Document:
    def __init__(self, root):
        self.root = root
        self.problems = []

    def complain(self, where, what):
        self.problems.append("%s: %s" % (where, what))

    def members(self, where, value, need, may=()):
        if not isinstance(value, dict):
            self.complain(where, "not an object")
            return False
        for name in need:
            if name not in value:
                self.complain(where, "no " + name)
        for name in value:
            if name not in need and name not in may:
                self.complain(where, "unexpected member " + name)
        return all(name in value for name in need)

    def resolve(self, where, ref):
        parts = ref.split("/")
        if parts[:3] != ["#", "components", "schemas"] or len(parts) != 4:
            self.complain(where, "reference " + ref)
            return {}
        found = self.root["components"]["schemas"].get(parts[3])
        if found is None:
            self.complain(where, "nothing is named " + ref)
            return {}
        return found

    def schema(self, where, value):
        if not self.members(where, value, (), SCHEMA):
            return
        if "$ref" in value:
            self.resolve(where, value["$ref"])
        kinds = value.get("type", [])
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            if kind not in TYPES:
                self.complain(where, "type %r" % (kind,))
        for name in value.get("required", []):
            if name not in value.get("properties", {}):
                self.complain(where, "required, but no property: " + name)
        if len(set(value.get("required", []))) != len(value.get("required", [])):
            self.complain(where, "required twice")
        for name, inner in value.get("properties", {}).items():
            self.schema(where + "." + name, inner)
        if "items" in value:
            self.schema(where + "[]", value["items"])
        if isinstance(value.get("additionalProperties", True), dict):
            self.schema(where + ".*", value["additionalProperties"])
        for inner in value.get("anyOf", []):
            self.schema(where + "|", inner)

    def content(self, where, value):
        if not isinstance(value, dict) or not value:
            self.complain(where, "content is empty")
            return
        for media, inner in value.items():
            if not re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", media):
                self.complain(where, "media type %r" % media)
            if self.members(where + " " + media, inner, ("schema",)):
                self.schema(where + " " + media, inner["schema"])

    def parameters(self, where, path, value):
        seen = set()
        for one in value:
            if not self.members(where, one, ("name", "in", "schema"), ("required", "description")):
                continue
            key = (one["in"], one["name"])
            if key in seen:
                self.complain(where, "parameter twice: %s" % (key,))
            seen.add(key)
            if one["in"] not in ("path", "query", "header", "cookie"):
                self.complain(where, "parameter in " + one["in"])
            if one["in"] == "path" and one.get("required") is not True:
                self.complain(where, "a path parameter must be required")
            if one["in"] != "path" and not one.get("description"):
                self.complain(where, "no description: " + one["name"])
            self.schema(where + " " + one["name"], one["schema"])
        if {n for i, n in seen if i == "path"} != set(re.findall(r"{(\w+)}", path)):
            self.complain(where, "the names in the path are not its parameters")

    def operation(self, path, method, value, ids):
        where = "%s %s" % (method.upper(), path)
        if not self.members(where, value, ("operationId", "responses", "summary", "x-pga-role"),
                            OPERATION):
            return
        if value["operationId"] in ids:
            self.complain(where, "operationId twice")
        ids.add(value["operationId"])
        self.parameters(where, path, value.get("parameters", []))
        if "requestBody" in value and self.members(where, value["requestBody"], ("content",),
                                                   ("required", "description")):
            self.content(where + " body", value["requestBody"]["content"])
        good = 0
        for status, answer in value["responses"].items():
            if not re.fullmatch(r"[1-5]\d\d|default", status):
                self.complain(where, "status " + status)
            good += status.startswith("2")
            if self.members(where + " " + status, answer, ("description",), ("content",)) and \
                    "content" in answer:
                self.content(where + " " + status, answer["content"])
        if good == 0:
            self.complain(where, "no answer of success")
        schemes = self.root["components"]["securitySchemes"]
        for need in value.get("security", []):
            for name in need:
                if name not in schemes:
                    self.complain(where, "security scheme " + name)

    def check(self):
        root = self.root
        if not self.members("document", root, ("openapi", "info", "paths", "components"),
                            ("servers", "tags", "security")):
            return
        if not re.fullmatch(r"3\.1\.\d+", root["openapi"]):
            self.complain("document", "openapi " + str(root["openapi"]))
        self.members("info", root["info"], ("title", "version"), ("summary", "license",
                                                                  "description"))
        ids = set()
        for path, item in root["paths"].items():
            if not path.startswith("/") or "*" in path:
                self.complain(path, "not a path")
            for method, value in item.items():
                if method not in METHODS:
                    self.complain(path, "method " + method)
                self.operation(path, method, value, ids)
        for name, value in root["components"]["schemas"].items():
            self.schema(name, value)


class Checker:
    """A value against a schema; members that nobody described count as well."""

    def __init__(self, document):
        self.document = document
        self.problems = []

    def kind_ok(self, value, kind):
        if kind == "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        if kind == "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        return isinstance(value, {"string": str, "boolean": bool, "object": dict, "array": list,
                                  "null": type(None)}[kind])

    def complain(self, where, what):
        if len(self.problems) < 20:
            self.problems.append("%s: %s" % (where or ".", what))

    def check(self, where, value, schema):
        if "$ref" in schema:
            return self.check(where, value, self.document.resolve(where, schema["$ref"]))
        if "anyOf" in schema:
            for inner in schema["anyOf"]:
                trial = Checker(self.document)
                trial.check(where, value, inner)
                if not trial.problems:
                    return None
            trial = Checker(self.document)
            trial.check(where, value, schema["anyOf"][0])
            self.problems += trial.problems[:20]
            return None
        kinds = schema.get("type")
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(self.kind_ok(value, kind) for kind in kinds):
            return self.complain(where, "%r is no %s" % (value, "/".join(kinds)))
        if "enum" in schema and value not in schema["enum"]:
            return self.complain(where, "%r is none of %s" % (value, schema["enum"]))
        if value is None:
            return None
        if schema.get("format") == "date-time" and not re.fullmatch(
                r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value):
            self.complain(where, "%r is no RFC 3339 time in UTC" % value)
        if schema.get("format") == "uuid" and not re.fullmatch(
                r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value):
            self.complain(where, "%r is no UUID" % value)
        if isinstance(value, dict) and "properties" in schema:
            self.check_object(where, value, schema)
        if isinstance(value, list):
            for at, inner in enumerate(value):
                self.check("%s[%d]" % (where, at), inner, schema.get("items", {}))
        return None

    def check_object(self, where, value, schema):
        for name in schema.get("required", []):
            if name not in value:
                self.complain(where, "no member " + name)
        others = schema.get("additionalProperties")
        for name, inner in value.items():
            if name in schema["properties"]:
                self.check(where + "." + name, inner, schema["properties"][name])
            elif isinstance(others, dict):
                self.check(where + "." + name, inner, others)
            else:
                self.complain(where, "nobody described the member " + name)


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def result(self, good, name, problems=()):
        self.count += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.count, name))
        for problem in problems:
            print("#   " + problem)


def arguments_of(operation, given):
    """(values by place and name, names that are missing)"""
    values, missing = {"path": {}, "query": {}, "header": {}}, []
    tag = operation["tags"][0]
    for one in operation.get("parameters", []):
        name = given.get(tag + "." + one["name"], given.get(one["name"]))
        if not one.get("required"):
            continue
        if name is None:
            missing.append(one["name"])
        else:
            values[one["in"]][one["name"]] = name
    return values, missing


def walk(tap, server, document, given):
    for path, item in document.root["paths"].items():
        operation = item.get("get")
        if operation is None:
            continue
        name = "GET " + path
        values, missing = arguments_of(operation, given)
        if missing:
            tap.result(True, "%s # SKIP no value of %s" % (name, ", ".join(missing)))
            continue
        address = re.sub(r"{(\w+)}", lambda m: values["path"][m.group(1)], path)
        if values["query"]:
            address += "?" + "&".join("%s=%s" % pair for pair in values["query"].items())
        status, headers, body = server.request("GET", address)
        answer = operation["responses"].get(str(status))
        media = headers.get("Content-Type", "").split(";")[0]
        if not 200 <= status < 300:
            tap.result(False, name, ["%d %s" % (status, body[:300])])
        elif answer is None or media not in answer.get("content", {}):
            tap.result(False, name, ["%d %s is not described" % (status, media)])
        elif media != "application/json":
            tap.result(True, name + " as " + media)
        else:
            checker = Checker(document)
            checker.check("", json.loads(body), answer["content"][media]["schema"])
            tap.result(not checker.problems, name, checker.problems)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--param", action="append", default=[])
    args = parser.parse_args()
    with open(args.token_file, encoding="utf-8") as file:
        server = api.Api(args.url, file.read().strip())
    tap = Tap()
    document = Document(server.get("/openapi.json"))
    document.check()
    tap.result(not document.problems, "/openapi.json is an OpenAPI 3.1 document",
               document.problems[:40])
    walk(tap, server, document, dict(param.split("=", 1) for param in args.param))
    print("1..%d" % tap.count)
    return tap.failed > 0


if __name__ == "__main__":
    sys.exit(main())
