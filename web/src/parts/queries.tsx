// SPDX-License-Identifier: PostgreSQL
//
// queries.tsx: the queries that made the load of the selected window, and one of them in detail.
import { Fragment } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { num, type Num, type QueryRow, type TopQueries } from "../api";
import { paths, useAnswer, type ApiError } from "../data";
import {
  formatClock,
  formatCount,
  formatExact,
  formatLoad,
  formatMs,
  formatPercent,
  formatRate,
  formatSpan,
  formatUnit,
} from "../format";
import { WAIT_CLASSES, waitToken } from "../shape";
import { beat, setView, view } from "../state";
import { formatDuration, type Span } from "../time";
import type { PageData } from "../pages/overview";
import { DEFAULT_VIEW } from "../url";
import { Breakdown, TABS, Tabs } from "./breakdown";
import { CopyButton } from "./copy";
import { Icon } from "./icon";
import { ProbeItem, troubled } from "./probes";
import { QueryLoad } from "./queryload";
import { SqlBlock, SqlLine } from "./sql";
import { Failure } from "./status";

const LIMIT = 50;

interface Column {
  key: string;
  head: string;
  title: string;
  cell: (row: QueryRow, seconds: number) => string;
  exact: (row: QueryRow) => Num;
}

const per = (key: string) => (row: QueryRow, seconds: number): string => {
  const v = num(row, key);
  return v === null ? "–" : formatRate(v / seconds);
};
const own = (key: string) => (row: QueryRow): Num => num(row, key);

const COLUMNS: Column[] = [
  {
    key: "calls",
    head: "Calls/s",
    title: "calls per second",
    cell: per("calls"),
    exact: own("calls"),
  },
  {
    key: "mean_exec_time",
    head: "Mean",
    title: "mean execution time of a call",
    cell: (r) => formatMs(num(r, "mean_exec_time")),
    exact: own("mean_exec_time"),
  },
  {
    key: "rows",
    head: "Rows/s",
    title: "rows returned or changed per second",
    cell: per("rows"),
    exact: own("rows"),
  },
  {
    key: "shared_blks_hit",
    head: "Hit/s",
    title: "blocks found in shared buffers per second",
    cell: per("shared_blks_hit"),
    exact: own("shared_blks_hit"),
  },
  {
    key: "shared_blks_read",
    head: "Read/s",
    title: "blocks read from outside shared buffers per second",
    cell: per("shared_blks_read"),
    exact: own("shared_blks_read"),
  },
  {
    key: "temp_blks_written",
    head: "Temp/s",
    title: "temporary blocks written per second",
    cell: per("temp_blks_written"),
    exact: own("temp_blks_written"),
  },
];

function rowKey(row: QueryRow): string {
  return `${row.queryid}/${row.datname ?? ""}/${row.usename ?? ""}/${row.toplevel ?? ""}`;
}

function seconds(answer: TopQueries): number {
  if (answer.covered_ms) return answer.covered_ms / 1000;
  const from = answer.covered_from_ms ?? answer.from_ms;
  const to = answer.covered_to_ms ?? answer.to_ms;
  return Math.max(1, (to - from) / 1000);
}

/** Mean number of sessions that were executing the query: exact, from its execution time. */
function loadOf(row: QueryRow | null | undefined, secs: number): Num {
  const ms = num(row, "total_exec_time");
  return ms === null ? null : ms / 1000 / secs;
}

/** The list below the charts: queries, or the load by another dimension. */
export function TopPanel({ data, window }: { data: PageData; window: Span }) {
  const v = view.value;
  const tab = TABS.find((t) => t.key === v.tab) ?? TABS[0]!;
  return (
    <section class="panel queries" aria-label="What makes the load">
      <header class="panel-head">
        <h2>{tab.question}</h2>
        <span class="panel-note" data-testid="queries-window">
          {v.sel ? "selected window " : ""}
          {formatSpan(window, v.utc)} ({formatDuration(window.to - window.from)})
        </span>
        <span class="grow" />
        {tab.key === "" && <Find />}
        <Tabs />
      </header>
      {tab.key === "" ? <Queries data={data} window={window} />
        : <Breakdown data={data} window={window} by={tab.key} />}
    </section>
  );
}

function Find() {
  return (
    <label class="picker find">
      <Icon name="search" />
      <input
        id="find" class="input" type="search" placeholder="Filter: text, database, user (/)"
        aria-label="Filter the queries" value={view.value.find}
        onInput={(e) => setView({ find: e.currentTarget.value }, "replace")}
      />
    </label>
  );
}

function Queries({ data, window }: { data: PageData; window: Span }) {
  const v = view.value;
  const path = paths.queries(data.id, {
    from: Math.round(window.from), to: Math.round(window.to), sort: v.sort, limit: LIMIT,
  });
  const answer = useAnswer<TopQueries>(path, beat.value, data.id);
  const top = answer.data;
  const words = v.find.toLowerCase();
  const all = top?.data ?? [];
  const rows =
    words === ""
      ? all
      : all.filter((r) =>
          `${r.text ?? ""} ${r.datname ?? ""} ${r.usename ?? ""} ${r.queryid}`
            .toLowerCase()
            .includes(words),
        );
  return (
    <div class={answer.loading ? "is-loading" : ""}>
      {top === null ? (
        answer.error ? (
          <Refused error={answer.error} />
        ) : (
          <div class="skeleton skeleton-table" aria-busy="true" />
        )
      ) : all.length === 0 ? (
        <NoQueries data={data} top={top} />
      ) : rows.length === 0 ? (
        <div class="empty">
          <p>
            0 of {all.length} queries match <code>{v.find}</code>.
          </p>
          <button
            type="button"
            class="button bordered"
            onClick={() => setView({ find: "" }, "replace")}
          >
            Clear the filter
          </button>
        </div>
      ) : (
        <QueryTable data={data} top={top} rows={rows} window={window} />
      )}
      {top !== null && all.length > 0 && <Coverage top={top} utc={v.utc} />}
    </div>
  );
}

/** An order that this server cannot give must not lock the list. */
function Refused({ error }: { error: ApiError }) {
  const odd = view.value.sort !== DEFAULT_VIEW.sort;
  return (
    <>
      <Failure error={error} />
      {odd && (
        <p class="empty">
          <button
            type="button"
            class="button bordered"
            onClick={() => setView({ sort: DEFAULT_VIEW.sort }, "replace")}
          >
            Sort by load
          </button>
        </p>
      )}
    </>
  );
}

/** Which part of the window the statement counters cover; they are read less often than sessions */
function Coverage({ top, utc }: { top: TopQueries; utc: boolean }) {
  if (!top.covered_from_ms || !top.covered_to_ms) return null;
  return (
    <p class="foot-note muted small">
      Statement counters of {formatClock(top.covered_from_ms, utc)} –{" "}
      {formatClock(top.covered_to_ms, utc)} ({formatDuration(seconds(top) * 1000)} covered); rates
      are means over that time. Load is execution time per second; its colours are the waits seen by
      session sampling.
    </p>
  );
}

function NoQueries({ data, top }: { data: PageData; top: TopQueries }) {
  const probe = troubled(data.detail).find((p) => /statement/.test(p.probe));
  const every =
    data.detail.relations?.find((r) => r.name === "pg_stat_statements")?.every_ms ?? 60_000;
  const short = top.to_ms - top.from_ms < every * 2;
  return (
    <div class="empty">
      <p><strong>No statement statistics in this window.</strong></p>
      {probe ? <ul class="probe-list"><ProbeItem probe={probe} /></ul>
        : <p class="muted">
            They are read every {formatDuration(every)}.
            {short ? " Choose a longer window." : " The first figures need two readings."}
          </p>}
    </div>
  );
}

function QueryTable(props: { data: PageData; top: TopQueries; rows: QueryRow[]; window: Span }) {
  const { top, rows } = props;
  const v = view.value;
  const secs = seconds(top);
  const most = Math.max(0.000001, ...rows.map((r) => loadOf(r, secs) ?? 0));
  const known = new Set((top.columns ?? []).map((c) => c.name));
  const columns = COLUMNS.filter(
    (c) => known.size === 0 || known.has(c.key) || num(rows[0], c.key) !== null,
  );
  const body = useRef<HTMLTableSectionElement>(null);
  useRowKeys(body);
  const head = (key: string, words: string, title: string, numeric: boolean) => (
    <th
      scope="col"
      class={numeric ? "num" : ""}
      aria-sort={v.sort === key ? "descending" : "none"}
      key={key}
    >
      <button
        type="button"
        class="sort"
        title={`${title}; click to sort`}
        onClick={() => setView({ sort: key }, "replace")}
      >
        {words}
        {v.sort === key && <span aria-hidden="true"> ↓</span>}
      </button>
    </th>
  );
  return (
    <div class="table-scroll">
      <table class="query-table cards">
        <caption class="sr">Queries by {v.sort}</caption>
        <thead>
          <tr>
            {head("total_exec_time", "Load", "mean number of sessions executing the query", false)}
            <th scope="col">Query</th>
            <th scope="col">Database · user</th>
            {columns.map((c) => head(c.key, c.head, c.title, true))}
          </tr>
        </thead>
        <tbody ref={body}>
          {rows.map((row) => (
            <Row
              key={rowKey(row)}
              row={row}
              secs={secs}
              most={most}
              columns={columns}
              data={props.data}
              window={props.window}
            />
          ))}
        </tbody>
        <Sums
          top={top}
          listed={rows.length}
          secs={secs}
          most={most}
          columns={columns}
          filtered={rows.length < top.data.length}
        />
      </table>
    </div>
  );
}

function Row(props: {
  row: QueryRow; secs: number; most: number; columns: Column[]; data: PageData; window: Span;
}) {
  const { row, secs, columns } = props;
  const key = rowKey(row);
  const open = view.value.q === key;
  const toggle = (): void => setView({ q: open ? "" : key }, "replace");
  return (
    <Fragment>
      <tr
        class={`query-row ${open ? "is-open" : ""}`}
        data-key={key}
        onClick={(e) => {
          if (!(e.target as Element).closest("button, a") && !getSelection()?.toString()) toggle();
        }}
      >
        <td class="load-cell" data-label="Load">
          <LoadBar row={row} secs={secs} most={props.most} />
        </td>
        <td class="sql-cell" data-label="Query">
          <button type="button" class="row-open" aria-expanded={open} onClick={toggle}>
            {row.text ? <SqlLine text={row.text} /> : <NoText row={row} />}
          </button>
        </td>
        <td class="muted nowrap" data-label="Database · user">
          {row.datname || "–"}
          {row.usename ? ` · ${row.usename}` : ""}
        </td>
        {columns.map((c) => (
          <td class="num" key={c.key} data-label={c.head} title={formatExact(c.exact(row))}>
            {c.cell(row, secs)}
          </td>
        ))}
      </tr>
      {open && (
        <tr class="query-detail">
          <td colSpan={columns.length + 3}><Detail {...props} /></td>
        </tr>
      )}
    </Fragment>
  );
}

function NoText({ row }: { row: QueryRow }) {
  if (row.queryid === "other")
    return <span class="muted">all queries outside the agent's top list</span>;
  return (
    <span class="muted">
      {row.text_reason || "text not received yet"} · id {row.queryid}
    </span>
  );
}

/** Length: load by execution time. Colours: how that time divides over wait classes, as sampled. */
function LoadBar({ row, secs, most }: { row: QueryRow; secs: number; most: number }) {
  const load = loadOf(row, secs);
  const waits = Object.entries(row.waits ?? {}).filter(([, v]) => v > 0);
  const rank = (k: string): number => (WAIT_CLASSES as readonly string[]).indexOf(k);
  waits.sort((a, b) => rank(a[0]) - rank(b[0]));
  const sum = waits.reduce((s, [, v]) => s + v, 0);
  const words = waits.map(([k, v]) => `${k} ${formatPercent(v / sum)}`).join(", ");
  const share = row.share ?? null;
  return (
    <div class="load-bar-row" title={
      `${formatExact(load)} sessions on average (execution time ÷ time)` +
      (share === null ? "" : `; ${formatPercent(share)} of the total`) +
      (words ? `; waits as sampled: ${words}` : "; never seen by session sampling")
    }>
      <span class="load-value">{formatLoad(load)}</span>
      <span class="load-bar" role="img" aria-label={words || "no samples"}>
        <span
          class="load-bar-fill"
          style={{ width: `${Math.max(0.5, ((load ?? 0) / most) * 100)}%` }}
        >
          {sum === 0 ? (
            <span class="load-part" style={{ flexGrow: 1, background: "var(--wait-unsampled)" }} />
          ) : (
            waits.map(([k, v]) => (
              <span
                key={k}
                class="load-part"
                style={{ flexGrow: v / sum, background: `var(--${waitToken(k)})` }}
              />
            ))
          )}
        </span>
      </span>
    </div>
  );
}

function Sums(props: {
  top: TopQueries; listed: number; secs: number; most: number; columns: Column[]; filtered: boolean;
}) {
  const { top, secs, columns } = props;
  const line = (name: string, row: QueryRow | null | undefined, why: string) =>
    row &&
    num(row, "calls") !== null && (
      <tr title={why}>
        <td class="load-cell" data-label="Load">
          <span class="load-value">{formatLoad(loadOf(row, secs))}</span>
        </td>
        <th scope="row" colSpan={2}>
          {name}
        </th>
        {columns.map((c) => (
          <td class="num" key={c.key} data-label={c.head} title={formatExact(c.exact(row))}>
            {c.cell(row, secs)}
          </td>
        ))}
      </tr>
    );
  return (
    <tfoot>
      {line("All other queries", top.other, "the sum of every query that is not in the list")}
      {line("All queries", top.total, "the list and all others together")}
    </tfoot>
  );
}

const SKIP = new Set(["load_aas", "share", "mean_exec_time"]);

function Detail(props: {
  row: QueryRow;
  secs: number;
  data: PageData;
  window: Span;
  columns: Column[];
}) {
  const { row, secs, data } = props;
  const length = formatDuration(secs * 1000);
  const known = data.detail.relations?.find((r) => r.name === "pg_stat_statements")?.columns ?? [];
  const facts = Object.keys(row)
    .filter(
      (k) => typeof row[k] === "number" && !SKIP.has(k) && (num(row, k) !== 0 || k === "calls"),
    )
    .map((k) => ({ key: k, value: num(row, k), column: known.find((c) => c.name === k) }));
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
        </div>
        {row.text ? <SqlBlock text={row.text} /> : <p><NoText row={row} /></p>}
        <dl class="facts">
          <div><dt>share of execution time</dt><dd>{formatPercent(row.share)}</dd></div>
          <div><dt>mean time</dt><dd>{formatMs(num(row, "mean_exec_time"))}</dd></div>
          <div><dt>rows per call</dt><dd>{formatCount(ratio(row, "rows", "calls"))}</dd></div>
          {facts.map((f) => (
            <div
              key={f.key}
              title={`${f.column?.help ?? ""} ${formatExact(f.value)} in ${length}`}
            >
              <dt>{f.key}</dt>
              <dd>{factFormat(f.key, f.column?.unit)(f.value)}</dd>
            </div>
          ))}
        </dl>
      </div>
      {row.queryid !== "other" && <QueryLoad data={data} queryId={row.queryid} />}
    </div>
  );
}

function ratio(row: QueryRow, a: string, b: string): Num {
  const [x, y] = [num(row, a), num(row, b)];
  return x === null || y === null || y === 0 ? null : x / y;
}

function factFormat(key: string, unit: string | null | undefined) {
  if (unit) return formatUnit(unit);
  if (key.endsWith("_time")) return formatMs;
  return key.endsWith("_bytes") ? formatUnit("bytes") : formatCount;
}

/** j and k walk the rows, Enter opens one (it is a button), y copies its SQL. */
function useRowKeys(body: { current: HTMLTableSectionElement | null }): void {
  useEffect(() => {
    function onKey(e: KeyboardEvent): void {
      if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || !body.current) return;
      if (e.target instanceof Element && e.target.closest("input, select, textarea, dialog"))
        return;
      const rows = [...body.current.querySelectorAll<HTMLElement>(".query-row .row-open")];
      const i = rows.indexOf(document.activeElement as HTMLElement);
      if (e.key === "j") rows[Math.min(rows.length - 1, i + 1)]?.focus();
      else if (e.key === "k") rows[Math.max(0, i - 1)]?.focus();
      else if (e.key === "y") {
        body.current.querySelector<HTMLElement>(".query-detail .detail-tools button")?.click();
      } else return;
      e.preventDefault();
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
