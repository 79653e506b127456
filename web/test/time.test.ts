// SPDX-License-Identifier: PostgreSQL
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  alignSpan, autoFrom, bucketOffset, formatDuration, niceStep, parseDuration, parseRange, parseTime, resolveRange, shiftSpan, zoomSpan,
} from "../src/time";

const NOW = Date.UTC(2026, 10, 20, 15, 0, 0);

test("durations", () => {
  assert.equal(parseDuration("90s"), 90_000);
  assert.equal(parseDuration("1h30m"), 5_400_000);
  assert.equal(parseDuration("1.5 d"), 129_600_000);
  for (const bad of ["", "h", "5", "5x", "-5m", "5m!", "0s"]) assert.equal(parseDuration(bad), null, bad);
  assert.equal(formatDuration(61_000), "1 min 1 s");
  assert.equal(formatDuration(7_200_000), "2 h");
  assert.equal(formatDuration(90_000_000), "1 d 1 h");
});

test("times", () => {
  assert.equal(parseTime("now", NOW), NOW);
  assert.equal(parseTime("-1h", NOW), NOW - 3_600_000);
  assert.equal(parseTime("now-15m", NOW), NOW - 900_000);
  assert.equal(parseTime("1763650000", NOW), 1_763_650_000_000);
  assert.equal(parseTime("1763650000123", NOW), 1_763_650_000_123);
  assert.equal(parseTime("2026-11-20T14:03:20Z", NOW), Date.UTC(2026, 10, 20, 14, 3, 20));
  assert.equal(parseTime("2026-11-20 14:00", NOW, true), Date.UTC(2026, 10, 20, 14));
  assert.equal(parseTime("14:30", NOW, true), Date.UTC(2026, 10, 20, 14, 30));
  assert.equal(parseTime("23:00", NOW, true), Date.UTC(2026, 10, 19, 23), "a clock ahead is yesterday's");
  for (const bad of ["", "soon", "-", "-1x", "2026-13"]) assert.equal(parseTime(bad, NOW), null, bad);
});

test("typed ranges", () => {
  assert.deepEqual(parseRange("6h", NOW), { from: "-6h", to: "now" });
  assert.deepEqual(parseRange("-90 m", NOW), { from: "-90m", to: "now" });
  assert.deepEqual(parseRange("2026-11-20 14:00 → +30m", NOW, true), {
    from: "2026-11-20T14:00:00Z", to: "2026-11-20T14:30:00Z",
  });
  assert.deepEqual(parseRange("14:00 - 14:10".replace(" - ", " to "), NOW, true), {
    from: "2026-11-20T14:00:00Z", to: "2026-11-20T14:10:00Z",
  });
  assert.deepEqual(parseRange("yesterday", NOW, true), {
    from: "2026-11-19T00:00:00Z", to: "2026-11-20T00:00:00Z",
  });
  assert.deepEqual(parseRange("14:00 → now", NOW, true), { from: "2026-11-20T14:00:00Z", to: "now" });
  for (const bad of ["", "x", "15:00 → 14:00 → 13:00", "14:10 → 14:00", "1h → +x"]) {
    assert.equal(parseRange(bad, NOW, true), null, bad);
  }
});

test("windows", () => {
  assert.deepEqual(resolveRange({ from: "-1h", to: "now" }, NOW), { from: NOW - 3_600_000, to: NOW });
  assert.deepEqual(resolveRange({ from: "now", to: "-1h" }, NOW), { from: NOW - 3_600_000, to: NOW });
  assert.deepEqual(shiftSpan({ from: 0, to: 100 }, 0.5, 120), { from: 20, to: 120 });
  assert.deepEqual(zoomSpan({ from: 100, to: 200 }, 2, 1000), { from: 50, to: 250 });
});

test("a step is round, a multiple of the clock, and gives no more than the wanted buckets", () => {
  assert.equal(niceStep(3_600_000, 300, 10_000), 20_000);
  assert.equal(niceStep(900_000, 300, 10_000), 10_000);
  for (const span of [60_000, 3_600_000, 86_400_000, 30 * 86_400_000]) {
    for (const every of [1000, 10_000, 15_000, 60_000, 7000]) {
      const step = niceStep(span, 300, every);
      assert.equal(step % every, 0);
      assert.ok(span / step <= 300);
    }
  }
  assert.deepEqual(alignSpan({ from: 15, to: 31 }, 10), { from: 10, to: 40 });
});

test("edges of short buckets lie half way between samples", () => {
  assert.equal(bucketOffset(10_000, 10_000, 1_763_650_000_012), 5000);
  assert.equal(bucketOffset(10_000, 10_000, 1_763_650_007_100), 2000);
  assert.equal(bucketOffset(40_000, 10_000, 1_763_650_000_012), 0);
  assert.equal(bucketOffset(10_000, 10_000, null), 0);
  const last = 1_763_650_003_456;
  const offset = bucketOffset(10_000, 10_000, last);
  const window = alignSpan({ from: last - 100_000, to: last }, 10_000, offset);
  for (let i = 0; i < 5; i++) {
    for (const jitter of [-3000, 0, 3000]) {
      const t = last - i * 10_000;
      const bucket = (x: number): number => Math.ceil((x - window.from) / 10_000);
      assert.equal(bucket(t + jitter), bucket(t), "jitter does not move a sample to another bucket");
    }
  }
});

test("a new target has a short window", () => {
  assert.equal(autoFrom(NOW - 60_000, NOW), "-5m");
  assert.equal(autoFrom(NOW - 600_000, NOW), "-15m");
  assert.equal(autoFrom(NOW - 3_600_000, NOW), "-1h");
  assert.equal(autoFrom(null, NOW), "-1h");
});
