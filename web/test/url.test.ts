// SPDX-License-Identifier: PostgreSQL
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeRoute, decodeView, DEFAULT_VIEW, encodeView, freezeView, overviewPath, queryPath, rowsPath, timeOf, type View } from "../src/url";

test("the default view is an empty query", () => {
  assert.equal(encodeView(DEFAULT_VIEW), "");
  assert.deepEqual(decodeView(""), DEFAULT_VIEW);
});

test("what is written is read back", () => {
  const views: View[] = [
    { ...DEFAULT_VIEW, from: "-6h" },
    { ...DEFAULT_VIEW, from: "2026-11-20T14:00:00Z", to: "2026-11-20T14:30:00Z" },
    { ...DEFAULT_VIEW, sel: { from: 1_763_650_000_000, to: 1_763_651_800_000 } },
    { ...DEFAULT_VIEW, by: "datname", only: { dim: "usename", value: "a:b&c=d é" } },
    { ...DEFAULT_VIEW, only: { dim: "datname", value: "" }, tab: "wait_event" },
    { ...DEFAULT_VIEW, sort: "-calls", cols: ["calls", "mean_exec_time"], q: "-123/db/user/true", utc: true, find: "select 1 + $1" },
  ];
  for (const v of views) assert.deepEqual(decodeView(encodeView(v)), v, encodeView(v));
});

test("broken and unknown values mean the default", () => {
  const text = "?from=gestern&to=%00&sel=5-1&by=pid&sort=a;drop&only=pid:4&tab=pid&cols=%27.A&x=1&tz=Mars";
  assert.deepEqual(decodeView(text), DEFAULT_VIEW);
  assert.equal(decodeView("?sel=1763651800-1763650000").sel, null);
});

test("a frozen view has absolute times", () => {
  const frozen = freezeView(DEFAULT_VIEW, { from: Date.UTC(2026, 0, 1), to: Date.UTC(2026, 0, 2) });
  assert.equal(encodeView(frozen), "?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z");
});

test("routes", () => {
  assert.deepEqual(decodeRoute("/", ""), { page: "fleet", all: false });
  assert.deepEqual(decodeRoute("/", "?all"), { page: "fleet", all: true });
  assert.deepEqual(decodeRoute(overviewPath("a b/ü"), ""), { page: "overview", id: "a b/ü" });
  assert.deepEqual(decodeRoute("/s/%E0%A4%A", ""), { page: "missing", path: "/s/%E0%A4%A" });
  assert.deepEqual(decodeRoute("/s/a/queries", ""), { page: "queries", id: "a" });
  assert.deepEqual(decodeRoute(rowsPath("a/b", "pg_locks"), ""), { page: "rows", id: "a/b", relation: "pg_locks" });
  assert.deepEqual(decodeRoute("/s/a/data", ""), { page: "data", id: "a" });
  assert.deepEqual(decodeRoute(queryPath("a/b", "-12"), ""), { page: "query", id: "a/b", query: "-12" });
  assert.deepEqual(decodeRoute("/s/a/sessions/", ""), { page: "sessions", id: "a" });
  assert.deepEqual(decodeRoute("/s/a/nope", ""), { page: "missing", path: "/s/a/nope" });
  assert.deepEqual(decodeRoute("/s/a/sessions/1", ""), { page: "missing", path: "/s/a/sessions/1" });
  assert.deepEqual(decodeRoute("/users", ""), { page: "users" });
  assert.deepEqual(decodeRoute("/nope", ""), { page: "missing", path: "/nope" });
});

test("only the time goes along to another page", () => {
  const v: View = { ...DEFAULT_VIEW, from: "-6h", utc: true, sort: "-calls", find: "x", q: "1", cols: ["a"] };
  assert.equal(timeOf(v), "?from=-6h&tz=UTC");
});
