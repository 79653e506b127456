// SPDX-License-Identifier: PostgreSQL
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSql, lex, oneLine } from "../src/sql";

const SAMPLES = [
  "select 1",
  "SELECT a, b FROM t WHERE x BETWEEN $1 AND $2 AND y = 'it''s -- no comment' /* c */ ORDER BY 1",
  "with q as (select * from t where a in (select b from u)) select * from q left outer join r using (id)",
  "insert into t values ($1, $$dollar 'quoted'$$, \"Odd \"\"name\"\"\") on conflict do nothing",
  "select 'never closed",
  "/* never closed",
  "select '<img src=x onerror=alert(1)>'::text, a->>'b', 1e-5 from \"Ünïcode\"",
  "((((",
  "))))",
  "",
];

test("the lexer loses nothing", () => {
  for (const sql of SAMPLES) assert.equal(lex(sql).map((t) => t.text).join(""), sql);
});

test("formatting keeps every token but white space and comments", () => {
  for (const sql of SAMPLES) {
    const flat = oneLine(sql).filter((t) => t.kind !== "space").map((t) => t.text);
    const laid = formatSql(sql).flatMap((l) => l.tokens).filter((t) => t.kind !== "space").map((t) => t.text);
    assert.deepEqual(laid, flat);
  }
});

test("clauses begin lines; the AND of BETWEEN does not", () => {
  const text = formatSql(SAMPLES[1]!).map((l) => `${"  ".repeat(l.indent)}${l.tokens.map((t) => t.text).join("")}`);
  assert.deepEqual(text, [
    "SELECT a, b",
    "FROM t",
    "WHERE x BETWEEN $1 AND $2",
    "  AND y = 'it''s -- no comment'",
    "ORDER BY 1",
  ]);
});

test("a statement in brackets is indented", () => {
  const indents = formatSql("select a from t where b in (select c from u where d)").map((l) => l.indent);
  assert.deepEqual(indents, [0, 0, 0, 2, 2, 2, 0]);
});

test("a line is cut by what is shown, not by the comment in front of it", () => {
  const shown = (most: number): string =>
    oneLine(`/* ${"x".repeat(500)} */ select a, b from t`, most).map((t) => t.text).join("");
  assert.equal(shown(400), "select a, b from t");
  assert.equal(shown(8), "select a");
});
