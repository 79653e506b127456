// SPDX-License-Identifier: PostgreSQL
//
// sql.ts: SQL text as coloured, indented tokens for reading. Pure.
//
// This is for the eye alone: it never changes the text that is copied. Literals and comments are
// kept whole; what the lexer does not know becomes plain text.

export type TokenKind =
  "word" | "keyword" | "string" | "number" | "param" | "comment" | "punct" | "space";

export interface Token {
  kind: TokenKind;
  text: string;
}

const KEYWORDS = new Set(
  (
    "select from where and or not in is null as on join left right full inner outer cross " +
    "lateral group by order having limit offset union all except intersect insert into values " +
    "update set delete returning with recursive case when then else end distinct exists between " +
    "like ilike create table index view drop alter begin commit rollback for share using asc " +
    "desc nulls first last over partition window filter fetch next rows only copy to analyze " +
    "vacuum explain conflict do nothing merge matched true false any some array cast interval " +
    "default primary key references truncate lock call declare cursor close savepoint release " +
    "prepare execute show grant revoke"
  ).split(" "),
);

const LEXER = new RegExp(
  [
    String.raw`(?<comment>--[^\n]*|/\*[\s\S]*?(?:\*/|$))`,
    "(?<string>" +
      [
        String.raw`[eEbBxXnN]?'(?:[^']|'')*(?:'|$)`,
        String.raw`\$(?<tag>[A-Za-z_]*)\$[\s\S]*?(?:\$\k<tag>\$|$)`,
        String.raw`"(?:[^"]|"")*(?:"|$)`,
      ].join("|") +
      ")",
    String.raw`(?<param>\$\d+)`,
    String.raw`(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)`,
    String.raw`(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`,
    String.raw`(?<space>\s+)`,
    String.raw`(?<punct>::|[<>!=]=|<>|\|\||->>|->|.)`,
  ].join("|"),
  "gsu",
);

export function lex(sql: string): Token[] {
  const out: Token[] = [];
  for (const m of sql.matchAll(LEXER)) {
    const kind = (["comment", "string", "param", "number", "word", "space", "punct"] as const).find(
      (k) => m.groups?.[k] !== undefined,
    );
    const text = m[0];
    if (kind === "word" && KEYWORDS.has(text.toLowerCase())) out.push({ kind: "keyword", text });
    else out.push({ kind: kind ?? "punct", text });
  }
  return out;
}

/**
 * The statement on one line: white space and comments shrink to one space. Past `most` characters
 * of what is left it ends.
 */
export function oneLine(sql: string, most = Infinity): Token[] {
  const out: Token[] = [];
  let length = 0;
  for (const token of lex(sql)) {
    if (length > most) break;
    length += token.kind === "comment" ? 0 : token.text.length;
    const blank = token.kind === "space" || token.kind === "comment";
    if (!blank) out.push(token);
    else if (out.length > 0 && out[out.length - 1]!.kind !== "space") {
      out.push({ kind: "space", text: " " });
    }
  }
  return out;
}

const CLAUSES = new Set(
  (
    "select from where group order having limit offset union except intersect insert values " +
    "update set delete returning with window fetch merge"
  ).split(" "),
);
const JOINS = new Set("join left right full inner cross".split(" "));

/** Lines of tokens: every clause on its own line, AND/OR and joins indented, brackets nested. */
export function formatSql(sql: string): Array<{ indent: number; tokens: Token[] }> {
  const lines: Array<{ indent: number; tokens: Token[] }> = [{ indent: 0, tokens: [] }];
  const nests: boolean[] = []; // one entry per open bracket: does it hold a statement?
  const tokens = oneLine(sql);
  let before = "";
  const depth = (): number => nests.filter(Boolean).length;
  const newLine = (extra: number): void => {
    const last = lines[lines.length - 1]!;
    while (last.tokens[last.tokens.length - 1]?.kind === "space") last.tokens.pop();
    if (last.tokens.length === 0) last.indent = depth() * 2 + extra;
    else lines.push({ indent: depth() * 2 + extra, tokens: [] });
  };
  tokens.forEach((token, i) => {
    const word = token.kind === "keyword" ? token.text.toLowerCase() : "";
    const flat = nests.length > 0 && !nests[nests.length - 1];
    if (token.text === ")" && token.kind === "punct" && nests.pop()) newLine(0);
    if (word !== "" && !flat) {
      const afterJoin = JOINS.has(before) || before === "outer";
      if (CLAUSES.has(word) && !(word === "from" && before === "distinct")) {
        if (!(word === "set" && before === "do") && before !== "for") newLine(0);
      } else if (JOINS.has(word) && !afterJoin) newLine(1);
      else if ((word === "and" || word === "or") && !inBetween(tokens, i)) newLine(1);
    }
    const line = lines[lines.length - 1]!;
    if (!(token.kind === "space" && line.tokens.length === 0)) line.tokens.push(token);
    if (token.text === "(" && token.kind === "punct") {
      const next = tokens.slice(i + 1).find((t) => t.kind !== "space")?.text.toLowerCase();
      nests.push(next === "select" || next === "with" || next === "values");
    }
    if (token.kind !== "space") before = word;
  });
  return lines.filter((l) => l.tokens.length > 0);
}

/** Does this AND belong to a BETWEEN? */
function inBetween(tokens: readonly Token[], at: number): boolean {
  let depth = 0;
  for (let i = at - 1; i >= 0 && i > at - 40; i--) {
    const t = tokens[i]!;
    if (t.text === ")") depth++;
    else if (t.text === "(" && depth-- === 0) return false;
    const word = t.kind === "keyword" ? t.text.toLowerCase() : "";
    if (depth > 0 || word === "") continue;
    if (word === "between") return true;
    if (word === "and" || word === "or" || CLAUSES.has(word)) return false;
  }
  return false;
}
