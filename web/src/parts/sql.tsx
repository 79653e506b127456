// SPDX-License-Identifier: PostgreSQL
//
// sql.tsx: SQL as text nodes with colours.
import { useMemo } from "preact/hooks";
import { formatSql, oneLine, type Token } from "../sql";

const ONE_LINE_CHARS = 400;
/** Of the text that is looked at: a comment may stand in front. */
const ONE_LINE_FROM = 4000;
const FORMAT_CHARS = 100_000;

function spans(tokens: readonly Token[]) {
  return tokens.map((t, i) =>
    t.kind === "word" || t.kind === "punct" || t.kind === "space" ? (
      t.text
    ) : (
      <span class={`sql-${t.kind}`} key={i}>{t.text}</span>
    ),
  );
}

export function SqlLine({ text }: { text: string }) {
  return useMemo(
    () => (
      <code class="sql-line">
        {spans(oneLine(text.slice(0, ONE_LINE_FROM), ONE_LINE_CHARS))}
      </code>
    ),
    [text],
  );
}

export function SqlBlock({ text }: { text: string }) {
  return useMemo(() => {
    if (text.length > FORMAT_CHARS) return <pre class="sql-block"><code>{text}</code></pre>;
    return (
      <pre class="sql-block" tabIndex={0}>
        <code>
          {formatSql(text).map((line, i) => (
            <span key={i}>{"  ".repeat(line.indent)}{spans(line.tokens)}{"\n"}</span>
          ))}
        </code>
      </pre>
    );
  }, [text]);
}
