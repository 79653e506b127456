// SPDX-License-Identifier: PostgreSQL
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventRow } from "../src/api";
import { blockingTree, chainsOf } from "../src/blocking";

const event = (id: number, t_ms: number, body: unknown): EventRow =>
  ({ id, t_ms, kind: "", severity: "", title: `event ${id}`, body });

test("each start gets the first end after it", () => {
  const started = [event(1, 100, { chain: "k" }), event(2, 300, { chain: "k" }), event(3, 500, { chain: "k" })];
  const ended = [event(4, 200, { chain: "k" }), event(5, 400, { chain: "k" }), event(6, 600, { chain: "other" })];
  assert.deepEqual(chainsOf(started, ended).map((c) => [c.startedMs, c.endedMs]),
    [[500, null], [300, 400], [100, 200]]);
});

test("the tree has the blocker first, who waits below who blocks, nobody twice", () => {
  const [chain] = chainsOf([event(1, 1, {
    chain: "k", root: { pid: 1, xact_age_s: 9 },
    sessions: [
      { pid: 4, blocked_by: "2,3", wait_s: 1 }, { pid: 2, blocked_by: "1" },
      { pid: 3, blocked_by: "1" }, { pid: 5, blocked_by: "77" }, { pid: 6, blocked_by: "4" },
    ],
  })], []);
  const rows = blockingTree(chain!);
  assert.deepEqual(rows.map((r) => [r.pid, r.level]), [[1, 0], [2, 1], [4, 2], [6, 3], [3, 1], [5, 1]]);
  assert.equal(rows[0]!.waitS, 9);
  assert.equal(rows[2]!.waitS, 1);
});

test("who waits for two stands below the one nearer to the blocker", () => {
  const [chain] = chainsOf([event(1, 1, {
    chain: "k", root: { pid: 1 },
    sessions: [
      { pid: 2, blocked_by: "1" }, { pid: 3, blocked_by: "2" }, { pid: 4, blocked_by: "2,3" },
      { pid: 5, blocked_by: "3,1" },
    ],
  })], []);
  const rows = blockingTree(chain!).map((r) => [r.pid, r.level]);
  assert.deepEqual(rows, [[1, 0], [2, 1], [3, 2], [4, 2], [5, 1]]);
});

test("a circle of blockers ends", () => {
  const [chain] = chainsOf([event(1, 1, {
    chain: "k", root: { pid: 1 },
    sessions: [{ pid: 2, blocked_by: "1,3" }, { pid: 3, blocked_by: "2" }],
  })], []);
  assert.deepEqual(blockingTree(chain!).map((r) => r.pid), [1, 2, 3]);
});

test("an event without the expected body is no chain of anybody", () => {
  const [chain] = chainsOf([event(7, 1, null)], [event(8, 2, "x")]);
  assert.equal(chain!.endedMs, null);
  assert.equal(blockingTree(chain!).length, 1);
});
