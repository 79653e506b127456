// SPDX-License-Identifier: PostgreSQL
//
// query.tsx: one query: its text, its work over time, what it waits for, and who runs it.
import { num, type Metrics, type Num, type QueryRow, type TopQueries } from "../api";
import { paths, useAnswer } from "../data";
import { formatCount, formatLoad, formatMs, formatPercent, formatRate } from "../format";
import { Chart } from "../chart/chart";
import { addColumns, column, divide, type Line } from "../shape";
import { beat, focus, view } from "../state";
import { formatDuration } from "../time";
import { overviewPath, timeOf } from "../url";
import { CopyButton } from "../parts/copy";
import { Grid, type Column } from "../parts/grid";
import { latestRows, type LatestRow } from "../parts/lists";
import { Coverage, seconds, statementsOf } from "../parts/querycells";
import { Facts } from "../parts/querydetail";
import { QueryLoad } from "../parts/queryload";
import { SqlBlock } from "../parts/sql";
import { Failure } from "../parts/status";
import { ServerFrame, ServerMissing, useServer, type ServerData } from "./server";

export function QueryPage({ id, query }: { id: string; query: string }) {
  const server = useServer(id);
  if (!server.data) return <ServerMissing error={server.error} />;
  return (
    <ServerFrame server={server.data} title="What does this query do?">
      <Query data={server.data} query={query} />
    </ServerFrame>
  );
}

/** The rows of one query, one for each database and user, as one. */
function sumRows(rows: QueryRow[]): QueryRow | null {
  const [first] = rows;
  if (!first) return null;
  const sum: QueryRow = { queryid: first.queryid, text: first.text ?? null, share: 0 };
  if (first.text_reason) sum.text_reason = first.text_reason;
  const skip = new Set([
    "queryid", "text", "text_reason", "datname", "usename", "toplevel", "waits",
  ]);
  for (const row of rows) {
    for (const key of Object.keys(row)) {
      const v = skip.has(key) ? null : num(row, key);
      if (v !== null) sum[key] = (num(sum, key) ?? 0) + v;
    }
  }
  const [time, calls] = [num(sum, "total_exec_time"), num(sum, "calls")];
  sum["mean_exec_time"] = time === null || !calls ? null : time / calls;
  return sum;
}

function Query({ data, query }: { data: ServerData; query: string }) {
  const window = focus.value;
  const span = { from: Math.round(window.from), to: Math.round(window.to) };
  const path = paths.queries(data.id, { ...span, sort: "total_exec_time", limit: 200 });
  const answer = useAnswer<TopQueries>(path, beat.value, data.id);
  const rows = (answer.data?.data ?? []).filter((r) => r.queryid === query);
  const sum = sumRows(rows);
  const back = `${overviewPath(data.id)}/queries${timeOf(view.value)}`;
  return (
    <>
      <section class="panel" aria-label="Text">
        <header class="panel-head">
          <h2>Query <code>{query}</code></h2>
          <span class="grow" />
          {sum?.text && <CopyButton text={sum.text} label="Copy the SQL (y)" words="Copy SQL" />}
          <CopyButton text={query} label="Copy the query id" words="Copy id" />
          <a class="button bordered" href={back}>All queries</a>
        </header>
        {answer.data === null ? (
          answer.error ? <Failure error={answer.error} />
            : <div class="skeleton skeleton-table" aria-busy="true" />
        ) : sum === null ? (
          <p class="empty">
            This query is not among the {answer.data.data.length} with most execution time in this
            window. Choose another window, or look at its charts below.
          </p>
        ) : (
          <div class="detail">
            {sum.text ? <SqlBlock text={sum.text} /> : (
              <p class="muted">{sum.text_reason || "The text was not received yet."}</p>
            )}
            <div>
              <Facts row={sum} secs={seconds(answer.data)} data={data} />
              <Coverage top={answer.data} utc={view.value.utc} />
            </div>
          </div>
        )}
      </section>
      <Charts data={data} query={query} />
      <QueryLoad data={data} queryId={query} by="wait_class" />
      <Users data={data} query={query} />
    </>
  );
}

const ASK =
  "calls,total_exec_time,rows,shared_blks_hit,shared_blks_read,shared_blks_dirtied," +
  "temp_blks_read,temp_blks_written";

interface Drawn {
  title: string;
  unit: string;
  format: (v: Num) => string;
  lines: Line[];
}

function drawn(m: Metrics | null): Drawn[] {
  const pick = (wanted: Array<[string, string]>): Line[] =>
    wanted.flatMap(([key, label]) => {
      const values = column(m, key);
      return values ? [{ key, label, values }] : [];
    });
  const one = (key: string, label: string, values: Num[] | null): Line[] =>
    values ? [{ key, label, values }] : [];
  const time = column(m, "total_exec_time");
  return [
    { title: "Calls", unit: "per second", format: formatRate, lines: pick([["calls", "calls"]]) },
    {
      title: "Time of a call", unit: "mean", format: formatMs,
      lines: one("mean", "mean", divide(time, column(m, "calls"))),
    },
    {
      title: "Load", unit: "sessions executing it", format: formatLoad,
      lines: one("load", "load", time?.map((v) => (v === null ? null : v / 1000)) ?? null),
    },
    { title: "Rows", unit: "per second", format: formatRate, lines: pick([["rows", "rows"]]) },
    {
      title: "Blocks", unit: "per second", format: formatRate,
      lines: pick([
        ["shared_blks_hit", "from cache"], ["shared_blks_read", "read"],
        ["shared_blks_dirtied", "dirtied"],
      ]),
    },
    {
      title: "Temporary blocks", unit: "per second", format: formatRate,
      lines: one("temp", "read and written",
        addColumns(m, ["temp_blks_read", "temp_blks_written"])),
    },
  ];
}

function Charts({ data, query }: { data: ServerData; query: string }) {
  const statements = statementsOf(data);
  const every = statements?.every_ms;
  const { from, to } = data.window;
  const step = Math.max(data.stepMs, every ?? data.stepMs);
  const path = paths.metrics(data.id, {
    relation: statements?.name ?? "pg_stat_statements", column: ASK, from, to, step, by: "",
    "key.queryid": query,
  });
  const answer = useAnswer<Metrics>(path, beat.value, `${data.id} ${query}`);
  const m = answer.data;
  return (
    <div class="tiles">
      {drawn(m).map((d) => (
        <Chart
          key={d.title} title={d.title} note={d.unit} lines={d.lines}
          tokens={["line-1", "line-2", "line-4"]} times={m?.times ?? []}
          stepMs={m?.step_ms ?? step} span={data.window} format={d.format} height="small"
          gaps={data.detail.gaps ?? []} loading={answer.loading}
          unit={m ? `${d.unit}, per ${formatDuration(m.step_ms)}` : d.unit}
          instead={
            m === null
              ? answer.error ? <Failure error={answer.error} />
                : <div class="skeleton" aria-busy="true" />
              : d.lines.some((l) => l.values.some((v) => v !== null)) ? null
                : <p class="muted">The query did not run in this window.</p>
          }
        />
      ))}
    </div>
  );
}

/** Who runs it, and where. */
function Users({ data, query }: { data: ServerData; query: string }) {
  const { from, to } = { from: Math.round(focus.value.from), to: Math.round(focus.value.to) };
  const keys = ["datname", "usename", "toplevel"];
  const path = paths.metrics(data.id, {
    relation: statementsOf(data)?.name ?? "pg_stat_statements",
    column: "calls,total_exec_time,rows", from, to,
    step: to - from, by: keys.join(","), agg: "increase", "key.queryid": query,
  });
  const answer = useAnswer<Metrics>(path, beat.value, `${data.id} ${query} users`);
  const rows = latestRows(answer.data, keys);
  const total = rows.reduce((s, r) => s + (r.values["total_exec_time"] ?? 0), 0);
  const of = (key: string) => (r: LatestRow): Num => r.values[key] ?? null;
  const mean = (r: LatestRow): Num => {
    const [t, c] = [of("total_exec_time")(r), of("calls")(r)];
    return t === null || !c ? null : t / c;
  };
  const share = (r: LatestRow): Num =>
    total === 0 ? null : (of("total_exec_time")(r) ?? 0) / total;
  const columns: Array<Column<LatestRow>> = [
    { key: "datname", head: "Database", names: true, value: (r) => r.labels["datname"] ?? "" },
    { key: "usename", head: "User", value: (r) => r.labels["usename"] ?? "" },
    { key: "toplevel", head: "Top level", spare: true, value: (r) => r.labels["toplevel"] ?? "" },
    {
      key: "share", head: "Share", numeric: true, title: "of the execution time of this query",
      value: share, cell: (r) => formatPercent(share(r)),
    },
    {
      key: "calls", head: "Calls", numeric: true, value: of("calls"),
      cell: (r) => formatCount(of("calls")(r)),
    },
    { key: "mean", head: "Mean", numeric: true, value: mean, cell: (r) => formatMs(mean(r)) },
    {
      key: "rows", head: "Rows", numeric: true, value: of("rows"),
      cell: (r) => formatCount(of("rows")(r)),
    },
  ];
  return (
    <section class="panel" aria-label="Who runs it">
      <header class="panel-head"><h2>Who runs it?</h2></header>
      {answer.data === null ? (
        answer.error ? <Failure error={answer.error} />
          : <div class="skeleton skeleton-table" aria-busy="true" />
      ) : (
        <Grid
          own name={`query-${query}-users`} things="users" rows={rows} columns={columns}
          rowKey={(r) => keys.map((k) => r.labels[k] ?? "").join("/")} sort="-share"
          none={<p class="muted">Nobody ran it in this window.</p>}
        />
      )}
    </section>
  );
}
