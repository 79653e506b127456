// SPDX-License-Identifier: PostgreSQL
//
// data.tsx: everything that is stored of a server, relation by relation, also what no other page
// shows: the newest rows as they were read.
import type { Relation, RelationColumn, Row, Rows } from "../api";
import { paths, useAnswer } from "../data";
import { formatBytes, formatExact, formatStamp } from "../format";
import { clock, view } from "../state";
import { formatDuration } from "../time";
import { overviewPath, rowsPath, timeOf } from "../url";
import type { Cell } from "../grid";
import { Grid, type Column } from "../parts/grid";
import { slowBeat } from "../parts/relpanel";
import { SqlLine } from "../parts/sql";
import { Age, Failure } from "../parts/status";
import { ServerFrame, ServerMissing, useServer, type ServerData } from "./server";

const LIMIT = 1000;

export function DataPage({ id }: { id: string }) {
  const server = useServer(id);
  if (!server.data) return <ServerMissing error={server.error} />;
  return (
    <ServerFrame server={server.data} title="What is stored of this server?">
      <Relations data={server.data} />
    </ServerFrame>
  );
}

function Relations({ data }: { data: ServerData }) {
  const rows = data.detail.relations ?? [];
  const link = (r: Relation): string => rowsPath(data.id, r.name) + timeOf(view.value);
  const columns: Array<Column<Relation>> = [
    {
      key: "name", head: "Relation", names: true, value: (r) => r.name,
      cell: (r) => <a href={link(r)}>{r.name}</a>,
    },
    {
      key: "help", head: "What it tells", value: (r) => r.help ?? "",
      cell: (r) => r.help || <span class="muted">sent without a description</span>,
    },
    { key: "keys", head: "Keys", spare: true, value: (r) => (r.keys ?? []).join(", ") },
    { key: "columns", head: "Columns", numeric: true, value: (r) => r.columns.length },
    {
      key: "every", head: "Read every", numeric: true, value: (r) => r.every_ms ?? null,
      cell: (r) => (r.every_ms ? formatDuration(r.every_ms) : "–"),
    },
    {
      key: "last", head: "Last reading", numeric: true, value: (r) => r.last_t_ms ?? null,
      cell: (r) => <Age ms={r.last_t_ms} />,
    },
  ];
  return (
    <section class="panel" aria-label="Relations">
      <header class="panel-head"><h2>Relations</h2></header>
      <Grid
        name={`relations-${data.detail.name}`} things="relations" rows={rows} columns={columns}
        rowKey={(r) => r.name} sort="name" none={<p>Nothing was stored yet.</p>}
      />
      <p class="foot-note muted small">
        A relation is what one reading brings: rows with keys and columns. Log entries and other
        events stand on the overview, in the chart of the load.
      </p>
    </section>
  );
}

export function RowsPage({ id, relation }: { id: string; relation: string }) {
  const server = useServer(id);
  if (!server.data) return <ServerMissing error={server.error} />;
  return (
    <ServerFrame server={server.data} title="What does the newest reading say?">
      <NewestRows data={server.data} name={relation} />
    </ServerFrame>
  );
}

function NewestRows({ data, name }: { data: ServerData; name: string }) {
  const relation = data.detail.relations?.find((r) => r.name === name) ?? null;
  const beat = slowBeat(relation?.every_ms ?? 60_000);
  const path = relation ? paths.rows(data.id, { relation: name, limit: LIMIT }) : null;
  const answer = useAnswer<Rows>(path, beat, `${data.id} ${name}`);
  const rows = answer.data;
  return (
    <section class="panel" aria-label="Rows">
      <header class="panel-head">
        <h2><code>{name}</code></h2>
        {relation?.last_t_ms && (
          <span class="panel-note">last reading <Age ms={relation.last_t_ms} /></span>
        )}
        <span class="grow" />
        <a class="button bordered" href={`${overviewPath(data.id)}/data${timeOf(view.value)}`}>
          All relations
        </a>
      </header>
      {relation?.help && <p class="foot-note muted">{relation.help}</p>}
      {relation === null ? (
        <p class="empty">Nothing of that name is stored of this server.</p>
      ) : rows === null ? (
        answer.error ? <Failure error={answer.error} />
          : <div class="skeleton skeleton-table" aria-busy="true" />
      ) : (
        <Grid
          name={`${name}-${data.detail.name}`} things="rows" rows={rows.data}
          columns={columnsOf(relation, rows.data)} rowKey={keyOf(relation)} sort=""
          none={<p>The newest reading has no rows: there was nothing to tell of.</p>}
          loading={answer.loading} className="wide-grid"
        />
      )}
      {rows && rows.total > rows.count && (
        <p class="foot-note small">These are the first {rows.count} of {rows.total} rows.</p>
      )}
    </section>
  );
}

function keyOf(relation: Relation): (row: Row) => string {
  const keys = relation.keys ?? [];
  return (row) =>
    [row.reading.scope ?? "", row.reading.t_ms, ...keys.map((k) => row[k] ?? "")].join("\n");
}

function cellOf(row: Row, name: string): Cell {
  const v = row[name];
  return typeof v === "number" || typeof v === "string" ? v : null;
}

/** Members of the rows that are no columns: texts that the server looked up beside their key. */
function textsOf(relation: Relation, rows: Row[]): string[] {
  const columns = relation.columns.map((c) => c.name);
  const known = new Set(["reading", ...(relation.keys ?? []), ...columns]);
  return [...new Set(rows.flatMap((r) => Object.keys(r)))].filter((name) => !known.has(name));
}

function columnsOf(relation: Relation, rows: Row[]): Array<Column<Row>> {
  const there = new Set(rows.flatMap((r) => Object.keys(r)));
  const keys: Array<Column<Row>> = (relation.keys ?? []).filter((k) => there.has(k)).map((k) => ({
    key: k, head: k, title: "a key", value: (r: Row) => cellOf(r, k),
  }));
  if (keys[0]) keys[0].names = true;
  const texts: Array<Column<Row>> = textsOf(relation, rows).map((name) => ({
    key: name, head: name, value: (r: Row) => cellOf(r, name),
    cell: (r: Row) => <SqlLine text={String(cellOf(r, name) ?? "")} />,
  }));
  const values = relation.columns.filter((c) => there.has(c.name)).map(valueColumn);
  const scope: Array<Column<Row>> = rows.some((r) => r.reading.scope)
    ? [{ key: "scope", head: "Read in", spare: true, value: (r) => r.reading.scope ?? "" }] : [];
  const read: Column<Row> = {
    key: "read_at", head: "Read", spare: new Set(rows.map((r) => r.reading.t_ms)).size < 2,
    value: (r) => r.reading.t_ms, cell: (r) => formatStamp(r.reading.t_ms, view.value.utc),
  };
  return [...keys, ...texts, ...values, ...scope, read];
}

function valueColumn(c: RelationColumn): Column<Row> {
  const unit = c.unit && c.unit !== "1" ? ` (${c.unit})` : "";
  const since = c.kind === "counter" ? ", since the last reset" : "";
  return {
    key: c.name, head: c.name, numeric: c.type !== "text",
    title: `${c.help || c.name}${unit}${since}`,
    value: (r) => cellOf(r, c.name), cell: (r) => shown(c, cellOf(r, c.name)),
  };
}

/** Seconds since 1970, of this century so far. */
function isMoment(c: RelationColumn, v: number): boolean {
  return c.unit === "s" && v > 946_684_800 && v < clock.value / 1000 + 10 * 365 * 86_400;
}

function shown(c: RelationColumn, v: Cell): string {
  if (v === null) return "–";
  if (typeof v === "string") return v;
  if (isMoment(c, v)) return formatStamp(v * 1000, view.value.utc);
  if (c.unit === "bytes" && c.kind === "gauge") return formatBytes(v);
  return formatExact(v);
}
