// SPDX-License-Identifier: PostgreSQL
//
// grid.ts: order, filter and export of the rows of a table. Pure.
import { csvField } from "./shape";

export type Cell = string | number | null;

interface Valued<R> {
  key: string;
  head: string;
  value: (row: R) => Cell;
}

function compare(a: Cell, b: Cell): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

/**
 * The rows that contain every word of `find`, in the order of `sort` ("-key": greatest first).
 * A missing value comes last in either direction.
 */
export function order<R>(
  rows: readonly R[], columns: ReadonlyArray<Valued<R>>, sort: string, find: string,
): R[] {
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (row: R): string => columns.map((c) => c.value(row) ?? "").join("\n").toLowerCase();
  const found = words.length === 0 ? [...rows] : rows.filter((row) => {
    const all = text(row);
    return words.every((w) => all.includes(w));
  });
  const by = columns.find((c) => c.key === sort.replace(/^-/, ""));
  if (!by) return found;
  const sign = sort.startsWith("-") ? -1 : 1;
  return found
    .map((row) => ({ row, cell: by.value(row) }))
    .sort((a, b) => {
      const missing = Number(a.cell === null) - Number(b.cell === null);
      if (a.cell === null || b.cell === null) return missing;
      return sign * compare(a.cell, b.cell);
    })
    .map((x) => x.row);
}

/** The rows as CSV: exact values, an empty field where there is none. */
export function rowsCsv<R>(rows: readonly R[], columns: ReadonlyArray<Valued<R>>): string {
  const lines = [columns.map((c) => csvField(c.head)).join(",")];
  for (const row of rows) {
    lines.push(columns.map((c) => csvField(String(c.value(row) ?? ""))).join(","));
  }
  return `${lines.join("\r\n")}\r\n`;
}

/** "1 query", "2 queries". */
export function countOf(count: number, things: string): string {
  return `${count} ${count === 1 ? things.replace(/ies$/, "y").replace(/s$/, "") : things}`;
}
