// SPDX-License-Identifier: PostgreSQL
import assert from "node:assert/strict";
import { test } from "node:test";
import { countOf, order, rowsCsv } from "../src/grid";
import { toCsv } from "../src/shape";

interface Row {
  name: string;
  size: number | null;
}
const columns = [
  { key: "name", head: "Name", value: (r: Row) => r.name },
  { key: "size", head: "Size", value: (r: Row) => r.size },
];
const rows: Row[] = [{ name: "b10", size: 3 }, { name: "b9", size: null }, { name: "a", size: 20 }];
const names = (list: Row[]): string => list.map((r) => r.name).join(" ");

test("rows are put in order, and what has no value comes last both ways", () => {
  assert.equal(names(order(rows, columns, "size", "")), "b10 a b9");
  assert.equal(names(order(rows, columns, "-size", "")), "a b10 b9");
  assert.equal(names(order(rows, columns, "name", "")), "a b9 b10");
  assert.equal(names(order(rows, columns, "unknown", "")), "b10 b9 a");
});

test("a row is found by all words, in any column", () => {
  assert.equal(names(order(rows, columns, "name", "B")), "b9 b10");
  assert.equal(names(order(rows, columns, "name", "b 3")), "b10");
  assert.equal(names(order(rows, columns, "name", "b 20")), "");
});

const HOSTILE = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", '="a,b"', "-2-3", "+5"];

test("H9: no cell, head or label of a CSV file begins a formula", () => {
  for (const name of HOSTILE) {
    const cells = [
      rowsCsv([{ name, size: -1.5e-7 }], columns).split("\r\n")[1]!,
      rowsCsv([], [{ key: "k", head: name, value: () => null }]),
      toCsv([{ key: "k", label: name, values: [-1] }], [0], () => "t").slice("time,".length),
    ];
    for (const cell of cells) assert.match(cell, /^(?:'[^"]|"')/, JSON.stringify([name, cell]));
  }
  assert.match(rowsCsv([{ name: "-12.5", size: -3 }], columns), /\r\n-12\.5,-3\r\n$/);
});

test("CSV keeps exact values, quotes, and makes no formula", () => {
  const csv = rowsCsv([{ name: '=1+"1"', size: 0.125 }, { name: "-12", size: null }], columns);
  assert.equal(csv, 'Name,Size\r\n"\'=1+""1""",0.125\r\n-12,\r\n');
});

test("one thing, two things", () => {
  assert.equal(countOf(1, "queries"), "1 query");
  assert.equal(countOf(1, "servers"), "1 server");
  assert.equal(countOf(0, "servers"), "0 servers");
});
