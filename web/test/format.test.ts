// SPDX-License-Identifier: PostgreSQL
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatAge, formatBytes, formatCount, formatLoad, formatMs, formatPercent, formatSpan, formatTick, significant,
} from "../src/format";

test("a missing value is a dash and zero is a zero", () => {
  for (const f of [formatCount, formatBytes, formatMs, formatPercent, formatLoad]) {
    assert.equal(f(null), "–");
    assert.equal(f(undefined), "–");
    assert.equal(f(NaN), "–");
    assert.match(f(0), /^0/);
  }
});

test("never more than four significant digits", () => {
  for (const v of [0.0001234, 0.12345, 1.23456, 12.3456, 123.456, 999.9, 1234.56, 99999, 1e6, 123456789, 1e11]) {
    for (const f of [formatCount, formatBytes, formatMs]) {
      const digits = f(v).replace(/[^\d]/g, "").replace(/^0+/, "");
      assert.ok(digits.length <= 4, `${v} became ${f(v)}`);
    }
  }
});

test("scales", () => {
  assert.equal(formatCount(999.6), "1 k");
  assert.equal(formatCount(47_600), "47.6 k");
  assert.equal(formatBytes(1024), "1 KiB");
  assert.equal(formatBytes(16.5e9), "15.4 GiB");
  assert.equal(formatMs(0.31), "310 µs");
  assert.equal(formatMs(1.9), "1.9 ms");
  assert.equal(formatMs(61_000), "61 s");
  assert.equal(formatPercent(0.9912), "99.1 %");
  assert.equal(formatLoad(0.004), "<0.01");
  assert.equal(formatLoad(2.5), "2.50");
  assert.equal(significant(100), "100");
});

test("times", () => {
  const t = Date.UTC(2026, 10, 20, 14, 3, 20);
  assert.equal(formatSpan({ from: t, to: t + 60_000 }, true), "2026-11-20 14:03:20 – 14:04:20");
  assert.equal(formatTick(t, 300_000, true), "14:03");
  assert.equal(formatTick(t, 1000, true), "14:03:20");
  assert.equal(formatTick(Date.UTC(2026, 10, 20), 3_600_000, true), "11-20");
  assert.equal(formatAge(200), "now");
  assert.equal(formatAge(180_000), "3 min ago");
});
