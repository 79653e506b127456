// SPDX-License-Identifier: PostgreSQL
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Load, Metrics } from "../src/api";
import {
  cpuShares, divide, emptyStretches, foldLoad, gapReason, lastValue, loadTotals, mean, meanIn, memoryParts, nearest, orderWaits,
  sumAt, summarize, toCsv, waitToken,
} from "../src/shape";

function metrics(columns: Record<string, Array<number | null>>): Metrics {
  const series = Object.entries(columns).map(([column, values]) => ({ column, values }));
  return { relation: "r", from_ms: 0, to_ms: 30, step_ms: 10, times: [10, 20, 30], series };
}

test("null stays null and is never counted as zero", () => {
  assert.equal(sumAt([{ values: [null] }, { values: [null] }], 0), null);
  assert.equal(sumAt([{ values: [null] }, { values: [2] }], 0), 2);
  assert.equal(mean([null, 4, null, 2]), 3);
  assert.equal(mean([null]), null);
  assert.deepEqual(divide([1, null, 3], [2, 2, 0]), [0.5, null, null]);
  assert.deepEqual(lastValue([1, 2, null]), { value: 2, index: 1 });
});

test("the mean of a window counts the buckets that touch it", () => {
  assert.equal(meanIn([10, 20, 30], [1, 2, 3], 10, { from: 10, to: 20 }), 2);
  assert.equal(meanIn([10, 20, 30], [1, 2, 3], 10, { from: 5, to: 25 }), 2);
});

test("wait classes keep their order and their colour", () => {
  const order = orderWaits([{ key: "Lock" }, { key: "Weird" }, { key: "CPU" }]).map((s) => s.key);
  assert.deepEqual(order, ["CPU", "Lock", "Weird"]);
  assert.equal(waitToken("LWLock"), "wait-lwlock");
  assert.equal(waitToken("Weird"), "wait-other");
});

test("processor time as shares of all time", () => {
  const m = metrics({ user_s: [1, null, 0], nice_s: [0, null, 0], system_s: [1, null, 0], idle_s: [2, null, 4] });
  const lines = cpuShares(m);
  assert.deepEqual(lines.map((l) => l.key), ["user", "system"]);
  assert.deepEqual(lines[0]!.values, [0.25, null, 0]);
  assert.deepEqual(cpuShares(null), []);
});

test("memory parts add up to the total", () => {
  const m = metrics({ total: [100, null, 100], free: [20, null, 10], cached: [30, null, 40], buffers: [10, null, 0] });
  const parts = memoryParts(m);
  assert.equal(sumAt(parts, 0), 100);
  assert.equal(sumAt(parts, 1), null);
});

test("small groups become one", () => {
  const series = ["a", "b", "c"].map((key, i) => ({ key, values: [i, null], total_aas: i }));
  const load: Load = { from_ms: 0, to_ms: 20, step_ms: 10, times: [10, 20], series };
  const lines = foldLoad(load, 1);
  assert.deepEqual(lines.map((l) => l.label), ["a", "2 others"]);
  assert.deepEqual(lines[1]!.values, [3, null]);
});

test("nobody active is a measured zero, not sampled is unknown", () => {
  const load: Load = { from_ms: 0, to_ms: 30, step_ms: 10, times: [10, 20, 30], series: [], covered: [1, 0, 0.5] };
  assert.deepEqual(loadTotals(load), [0, null, 0]);
  const busy = { ...load, series: [{ key: "CPU", values: [2, null, 0], total_aas: 1 }] };
  assert.deepEqual(loadTotals(busy), [2, null, 0]);
});

test("holes and their reasons", () => {
  const holes = emptyStretches([10, 20, 30, 40], [1, null, null, 2], 10);
  assert.deepEqual(holes, [{ from: 10, to: 30 }]);
  assert.deepEqual(emptyStretches([10, 20], [1, null], 10), [{ from: 10, to: 20 }]);
  assert.equal(gapReason(holes[0]!, [{ from_ms: 12, to_ms: 28, reason: "agent silent" }]), "agent silent");
  assert.equal(gapReason(holes[0]!, []), "");
});

test("the nearest bucket", () => {
  assert.equal(nearest([], 5), -1);
  assert.equal(nearest([10, 20, 30], 24), 1);
  assert.equal(nearest([10, 20, 30], 99), 2);
});

test("a chart in one sentence, and as CSV", () => {
  const lines = [
    { key: "CPU", label: "CPU", values: [1, 2, null] },
    { key: "Lock", label: 'Lo"ck, x', values: [0, 5, null] },
  ];
  const words = summarize(lines, [10, 20, 30], true, (v) => String(v), (t) => `t${t}`);
  assert.equal(words, '2 series, peak 7 at t20, mostly Lo"ck, x.');
  assert.equal(summarize([], [], true, String, String), "No data in this window.");
  assert.equal(toCsv(lines, [10, 20, 30], String), 'time,CPU,"Lo""ck, x"\r\n10,1,0\r\n20,2,5\r\n30,,\r\n');
});
