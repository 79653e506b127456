// SPDX-License-Identifier: PostgreSQL
//
// queries.tsx: all queries of the window, with every column the server has.
import { num, type Num, type QueryRow, type TopQueries } from "../api";
import { paths, useAnswer } from "../data";
import {
  formatCount, formatLoad, formatMs, formatPercent, formatRate, formatSpan,
} from "../format";
import { beat, focus, view } from "../state";
import { queryPath, timeOf } from "../url";
import { Grid, type Column } from "../parts/grid";
import {
  Coverage, factFormat, loadOf, LoadBar, NoQueries, NoText, ratio, rowKey, seconds,
} from "../parts/querycells";
import { SqlLine } from "../parts/sql";
import { Failure } from "../parts/status";
import { ServerFrame, ServerMissing, useServer, type ServerData } from "./server";

const LIMIT = 200;

export function QueriesPage({ id }: { id: string }) {
  const server = useServer(id);
  if (!server.data) return <ServerMissing error={server.error} />;
  return (
    <ServerFrame server={server.data} title="Which queries make the load?">
      <QueryList data={server.data} />
    </ServerFrame>
  );
}

/** Derived columns cannot be asked for: the server orders by what it keeps. */
const OURS = new Set([
  "text", "datname", "usename", "queryid", "rows_per_call", "hit_ratio", "share",
]);

function QueryList({ data }: { data: ServerData }) {
  const v = view.value;
  const window = focus.value;
  const wanted = v.sort.replace(/^-/, "");
  const sort = wanted === "" || OURS.has(wanted) ? "total_exec_time" : wanted;
  const path = paths.queries(data.id, {
    from: Math.round(window.from), to: Math.round(window.to), sort, limit: LIMIT,
  });
  const answer = useAnswer<TopQueries>(path, beat.value, data.id);
  const top = answer.data;
  return (
    <section class="panel" aria-label="Queries">
      <header class="panel-head">
        <h2>Queries</h2>
        <span class="panel-note">{formatSpan(window, v.utc)}</span>
      </header>
      {top === null ? (
        answer.error ? <Failure error={answer.error} />
          : <div class="skeleton skeleton-table" aria-busy="true" />
      ) : (
        <>
          <Grid
            name={`queries-${data.detail.name}`} things="queries" rows={top.data}
            rowKey={rowKey} columns={columnsOf(top, data)} sort="-total_exec_time"
            none={<NoQueries data={data} top={top} />} loading={answer.loading}
            className="query-grid"
          />
          {top.data.length > 0 && <Rest top={top} />}
          {top.data.length > 0 && <Coverage top={top} utc={v.utc} />}
        </>
      )}
    </section>
  );
}

/** What is not in the list, so that nobody takes the list for everything. */
function Rest({ top }: { top: TopQueries }) {
  const secs = seconds(top);
  const other = loadOf(top.other, secs);
  const total = loadOf(top.total, secs);
  if (total === null) return null;
  const left = top.data.length < LIMIT
    ? "They are all queries of this window that the agent tells apart."
    : `The list has the ${LIMIT} greatest.`;
  return (
    <p class="foot-note small">
      All queries together: load <strong>{formatLoad(total)}</strong>, outside this list{" "}
      <strong>{formatLoad(other ?? 0)}</strong>. <span class="muted">{left}</span>
    </p>
  );
}

function hitRatio(row: QueryRow): Num {
  const [hit, read] = [num(row, "shared_blks_hit"), num(row, "shared_blks_read")];
  return hit === null || read === null || hit + read === 0 ? null : hit / (hit + read);
}

const FIRST = new Set(["calls", "mean_exec_time", "rows", "shared_blks_read", "temp_blks_written"]);
const WORDS: Record<string, string> = {
  mean_exec_time: "Mean",
  calls: "Calls/s", rows: "Rows/s", shared_blks_hit: "Hit/s", shared_blks_read: "Read/s",
  shared_blks_dirtied: "Dirtied/s", shared_blks_written: "Written/s",
  temp_blks_read: "Temp read/s", temp_blks_written: "Temp/s", wal_bytes: "WAL/s",
};

function columnsOf(top: TopQueries, data: ServerData): Array<Column<QueryRow>> {
  const secs = seconds(top);
  const most = Math.max(0.000001, ...top.data.map((r) => loadOf(r, secs) ?? 0));
  const link = (row: QueryRow): string => queryPath(data.id, row.queryid) + timeOf(view.value);
  const words: Array<Column<QueryRow>> = [
    {
      key: "total_exec_time", head: "Load", numeric: false, className: "load-cell",
      title: "mean number of sessions executing the query",
      value: (r) => loadOf(r, secs), cell: (r) => <LoadBar row={r} secs={secs} most={most} />,
    },
    {
      key: "text", head: "Query", names: true, className: "sql-cell",
      value: (r) => r.text ?? r.text_reason ?? r.queryid,
      cell: (r) => (
        <a class="sql-link" href={link(r)}>
          {r.text ? <SqlLine text={r.text} /> : <NoText row={r} />}
        </a>
      ),
    },
    { key: "datname", head: "Database", value: (r) => r.datname ?? null },
    { key: "usename", head: "User", value: (r) => r.usename ?? null },
    { key: "queryid", head: "Query id", spare: true, value: (r) => r.queryid },
    {
      key: "share", head: "Share", numeric: true, title: "of all execution time",
      value: (r) => r.share ?? null, cell: (r) => formatPercent(r.share), spare: true,
    },
    {
      key: "rows_per_call", head: "Rows/call", numeric: true, spare: true,
      value: (r) => ratio(r, "rows", "calls"), cell: (r) => formatCount(ratio(r, "rows", "calls")),
    },
    {
      key: "hit_ratio", head: "Cache", numeric: true, spare: true,
      title: "blocks found in shared buffers, of all asked for",
      value: hitRatio, cell: (r) => formatPercent(hitRatio(r)),
    },
  ];
  const numbers = (top.columns ?? [])
    .filter((c) => c.name !== "total_exec_time" && c.name !== "load_aas" && c.name !== "share")
    .map((c) => numberColumn(c.name, c.unit ?? null, c.kind ?? "", secs));
  if (!numbers.some((c) => c.key === "mean_exec_time")) {
    numbers.unshift(numberColumn("mean_exec_time", "ms", "gauge", secs));
  }
  return [...words, ...numbers];
}

function numberColumn(
  key: string, unit: string | null, kind: string, secs: number,
): Column<QueryRow> {
  const show = factFormat(key, unit === "1" ? null : unit);
  const isSum = (kind === "delta" || kind === "counter") && !key.startsWith("mean_");
  const rate = isSum && unit !== "ms";
  return {
    key, numeric: true, spare: !FIRST.has(key),
    head: WORDS[key] ?? `${key.replaceAll("_", " ")}${rate ? "/s" : ""}`,
    title: rate ? `${key} per second` : isSum ? `${key}, sum of the window` : key,
    value: (r) => perSecond(num(r, key), rate ? secs : 1),
    cell: (r) => {
      const v = perSecond(num(r, key), rate ? secs : 1);
      if (key === "mean_exec_time") return formatMs(v);
      return rate && unit !== "bytes" ? formatRate(v) : show(v);
    },
  };
}

function perSecond(v: Num, secs: number): Num {
  return v === null ? null : v / secs;
}
