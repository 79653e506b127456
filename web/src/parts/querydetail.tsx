// SPDX-License-Identifier: PostgreSQL
//
// querydetail.tsx: the text and the figures of one query, opened in the list.
import { num, type QueryRow } from "../api";
import { formatCount, formatExact, formatMs, formatPercent } from "../format";
import type { ServerData } from "../pages/server";
import { setView, view } from "../state";
import { formatDuration } from "../time";
import { queryPath, timeOf } from "../url";
import { CopyButton } from "./copy";
import { Icon } from "./icon";
import { factFormat, NoText, ratio, statementsOf } from "./querycells";
import { QueryLoad } from "./queryload";
import { SqlBlock } from "./sql";

const SKIP = new Set(["load_aas", "share", "mean_exec_time"]);

/** The figures of one row of the statement statistics, whatever columns the server has. */
export function Facts({ row, secs, data }: { row: QueryRow; secs: number; data: ServerData }) {
  const length = formatDuration(secs * 1000);
  const known = statementsOf(data)?.columns ?? [];
  const facts = Object.keys(row)
    .filter(
      (k) => typeof row[k] === "number" && !SKIP.has(k) && (num(row, k) !== 0 || k === "calls"),
    )
    .map((k) => ({ key: k, value: num(row, k), column: known.find((c) => c.name === k) }));
  return (
    <dl class="facts">
      <div><dt>share of execution time</dt><dd>{formatPercent(row.share)}</dd></div>
      <div><dt>mean time</dt><dd>{formatMs(num(row, "mean_exec_time"))}</dd></div>
      <div><dt>rows per call</dt><dd>{formatCount(ratio(row, "rows", "calls"))}</dd></div>
      {facts.map((f) => (
        <div key={f.key} title={`${f.column?.help ?? ""} ${formatExact(f.value)} in ${length}`}>
          <dt>{f.key}</dt>
          <dd>{factFormat(f.key, f.column?.unit)(f.value)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Detail({ row, secs, data }: { row: QueryRow; secs: number; data: ServerData }) {
  return (
    <div class="detail">
      <div class="detail-sql">
        <div class="detail-tools">
          <span class="muted small">id <code>{row.queryid}</code></span>
          <span class="grow" />
          {row.text && <CopyButton text={row.text} label="Copy the SQL (y)" words="Copy SQL" />}
          <CopyButton text={row.queryid} label="Copy the query id" words="Copy id" />
          <button
            type="button" class="button button-quiet" title="Show only this query in the load chart"
            onClick={() => setView({ only: { dim: "query_id", value: row.queryid } })}
          >
            <Icon name="search" />Filter the load
          </button>
          {row.queryid !== "other" && (
            <a
              class="button button-quiet"
              href={queryPath(data.id, row.queryid) + timeOf(view.value)}
            >
              <Icon name="chart" />Over time
            </a>
          )}
        </div>
        {row.text ? <SqlBlock text={row.text} /> : <p><NoText row={row} /></p>}
        <Facts row={row} secs={secs} data={data} />
      </div>
      {row.queryid !== "other" && <QueryLoad data={data} queryId={row.queryid} by="wait_event" />}
    </div>
  );
}
