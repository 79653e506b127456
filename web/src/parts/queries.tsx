// SPDX-License-Identifier: PostgreSQL
//
// queries.tsx: the queries that made the load of the selected window, and one of them in detail.
import { Fragment } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { num, type Num, type QueryRow, type TopQueries } from "../api";
import { paths, useAnswer, type ApiError } from "../data";
import { formatExact, formatLoad, formatMs, formatRate, formatSpan } from "../format";
import type { ServerData } from "../pages/server";
import { beat, setView, view } from "../state";
import { formatDuration, type Span } from "../time";
import { overviewPath, timeOf } from "../url";
import { Breakdown, TABS, Tabs } from "./breakdown";
import { Icon } from "./icon";
import { Coverage, loadOf, LoadBar, NoQueries, NoText, rowKey, seconds } from "./querycells";
import { Detail } from "./querydetail";
import { SqlLine } from "./sql";
import { Failure } from "./status";

/** How many are listed, so that what follows stays in reach; a filter looks at more of them. */
const LISTED = 15;
const SEARCHED = 200;

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

/** The list holds those with most of a column, so it is never in rising order. */
function sortKey(): string {
  return view.value.sort.replace(/^-/, "") || "total_exec_time";
}

/** The list below the charts: queries, or the load by another dimension. */
export function TopPanel({ data, window }: { data: ServerData; window: Span }) {
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
        {tab.key === "" && (
          <a class="button bordered" href={`${overviewPath(data.id)}/queries${timeOf(v)}`}>
            All queries
          </a>
        )}
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

function Queries({ data, window }: { data: ServerData; window: Span }) {
  const v = view.value;
  const words = v.find.toLowerCase();
  const path = paths.queries(data.id, {
    from: Math.round(window.from), to: Math.round(window.to), sort: sortKey(),
    limit: words === "" ? LISTED : SEARCHED,
  });
  const answer = useAnswer<TopQueries>(path, beat.value, data.id);
  const top = answer.data;
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
  const odd = view.value.sort !== "";
  return (
    <>
      <Failure error={error} />
      {odd && (
        <p class="empty">
          <button
            type="button"
            class="button bordered"
            onClick={() => setView({ sort: "" }, "replace")}
          >
            Sort by load
          </button>
        </p>
      )}
    </>
  );
}

function QueryTable(props: { data: ServerData; top: TopQueries; rows: QueryRow[]; window: Span }) {
  const { top, rows } = props;
  const sorted = sortKey();
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
      aria-sort={sorted === key ? "descending" : "none"}
      key={key}
    >
      <button
        type="button"
        class="sort"
        title={`${title}; click to sort`}
        onClick={() => setView({ sort: key }, "replace")}
      >
        {words}
        {sorted === key && <span aria-hidden="true"> ↓</span>}
      </button>
    </th>
  );
  return (
    <div class="table-scroll">
      <table class="query-table cards">
        <caption class="sr">Queries by {sorted}</caption>
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
  row: QueryRow; secs: number; most: number; columns: Column[]; data: ServerData; window: Span;
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
          <td colSpan={columns.length + 3}><Detail row={row} secs={secs} data={props.data} /></td>
        </tr>
      )}
    </Fragment>
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

/** j and k walk the rows, Enter opens one (it is a button). */
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
      else return;
      e.preventDefault();
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
