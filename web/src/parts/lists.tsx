// SPDX-License-Identifier: PostgreSQL
//
// lists.tsx: the newest reading of relations whose rows are things: databases, standbys, slots,
// filesystems.
import { useRef } from "preact/hooks";
import type { Metrics, Num } from "../api";
import { paths, useAnswer } from "../data";
import { formatBytes, formatCount, formatMs, formatPercent } from "../format";
import type { ServerData } from "../pages/server";
import { lastValue } from "../shape";
import { Grid, type Column } from "./grid";
import { notRead, slowBeat, useRelation, useSeen, WhyNot } from "./relpanel";
import { Failure } from "./status";

export interface LatestRow {
  labels: Record<string, string>;
  values: Record<string, Num>;
}

/** The rows of an answer with one bucket or some: the newest value of each column. */
export function latestRows(m: Metrics | null, keys: readonly string[]): LatestRow[] {
  const rows = new Map<string, LatestRow>();
  for (const s of m?.series ?? []) {
    const labels = s.labels ?? {};
    const id = keys.map((k) => labels[k] ?? "").join("\n");
    const row = rows.get(id) ?? { labels, values: {} };
    row.values[s.column] = lastValue(s.values).value;
    rows.set(id, row);
  }
  return [...rows.values()];
}

/** The newest rows of a relation in the window: those of the last two readings. */
export function useLatest(
  data: ServerData, name: string, columns: string, keys: readonly string[], on: boolean,
  host = false,
) {
  const { target, relation } = useRelation(data, name, host);
  const every = relation?.every_ms ?? 60_000;
  const last = relation?.last_t_ms ?? 0;
  const to = Math.min(Math.max(data.window.to, 0), last + 1000);
  const path = on && target !== null && relation !== null
    ? paths.metrics(target, {
        relation: name, column: columns, from: Math.round(to - every * 1.5), to: Math.round(to),
        step: Math.round(every * 1.5), by: keys.join(","), agg: "last",
      })
    : null;
  const answer = useAnswer<Metrics>(path, slowBeat(every), `${target} ${name}`);
  return { rows: latestRows(answer.data, keys), answer, relation };
}

const label = (key: string) => (r: LatestRow): string => r.labels[key] ?? "";
const value = (key: string) => (r: LatestRow): Num => r.values[key] ?? null;

function text(key: string, head: string): Column<LatestRow> {
  return { key, head, value: label(key) };
}

function number(
  key: string, head: string, show: (v: Num) => string, title = head,
): Column<LatestRow> {
  return { key, head, title, numeric: true, value: value(key), cell: (r) => show(value(key)(r)) };
}

interface ListProps {
  data: ServerData;
  title: string;
  relation: string;
  probe?: string;
  host?: boolean;
  keys: string[];
  columns: Array<Column<LatestRow>>;
  /** Names of the columns to ask for. */
  ask: string;
  sort: string;
  things: string;
  none: string;
}

function List(p: ListProps) {
  const place = useRef<HTMLElement>(null);
  const seen = useSeen(place);
  const { rows, answer, relation } = useLatest(p.data, p.relation, p.ask, p.keys, seen, p.host);
  const why = (instead: string) => (
    <WhyNot
      data={p.data} relation={p.relation} probe={p.probe} host={p.host} instead={instead}
    />
  );
  return (
    <section ref={place} class="panel tile-wide" aria-label={p.title}>
      <header class="panel-head"><h3>{p.title}</h3></header>
      {relation === null ? (
        <div class="empty">{why(notRead(p.relation, p.data))}</div>
      ) : answer.data === null ? (
        answer.error ? <Failure error={answer.error} /> : <div class="skeleton" aria-busy="true" />
      ) : (
        <Grid
          own name={p.things} rows={rows} columns={p.columns} sort={p.sort} things={p.things}
          rowKey={(r) => p.keys.map((k) => r.labels[k] ?? "").join("\n")} none={why(p.none)}
        />
      )}
    </section>
  );
}

const seconds = (v: Num): string => formatMs(v === null ? null : v * 1000);

export function StandbyList({ data }: { data: ServerData }) {
  return (
    <List
      data={data} title="Standbys" relation="pg_stat_replication" sort="-replay_lag_bytes"
      keys={["application_name", "client_addr", "slot_name"]} things="standbys"
      ask="replay_lag_bytes,pending_bytes,write_lag,flush_lag,replay_lag,reply_age_s"
      none="Nobody receives WAL from here."
      columns={[
        { ...text("application_name", "Standby"), names: true },
        text("client_addr", "Address"),
        text("slot_name", "Slot"),
        number("replay_lag_bytes", "To replay", formatBytes, "WAL that is not replayed yet"),
        number("pending_bytes", "To send", formatBytes, "WAL that is not sent yet"),
        number("write_lag", "Write lag", seconds),
        number("flush_lag", "Flush lag", seconds),
        number("replay_lag", "Replay lag", seconds),
        number("reply_age_s", "Last reply", seconds, "since the standby's last message"),
      ]}
    />
  );
}

export function SlotList({ data }: { data: ServerData }) {
  return (
    <List
      data={data} title="Replication slots" relation="pg_replication_slots"
      keys={["slot_name"]} things="slots" sort="-retained_bytes"
      ask="active,retained_bytes,safe_wal_size,xmin_age,catalog_xmin_age"
      none="There are no replication slots."
      columns={[
        { ...text("slot_name", "Slot"), names: true },
        { key: "active", head: "Active", value: (r) => (r.values["active"] ? "yes" : "no") },
        number("retained_bytes", "WAL kept", formatBytes),
        number("safe_wal_size", "Until lost", formatBytes, "WAL until the slot may be lost"),
        number("xmin_age", "xmin age", formatCount),
        number("catalog_xmin_age", "Catalog xmin age", formatCount),
      ]}
    />
  );
}

export function DatabaseList({ data }: { data: ServerData }) {
  const ages = useLatest(
    data, "pg_database_wraparound", "age_datfrozenxid,age_datminmxid", ["datname"], true);
  const age = (r: LatestRow, column: string): Num =>
    ages.rows.find((a) => a.labels["datname"] === r.labels["datname"])?.values[column] ?? null;
  return (
    <List
      data={data} title="Size and age" relation="pg_database" probe="database_size"
      keys={["datname"]} things="databases" sort="-size_bytes" ask="size_bytes"
      none="No database could be measured."
      columns={[
        { ...text("datname", "Database"), names: true },
        number("size_bytes", "Size", formatBytes),
        {
          key: "xid_age", head: "Oldest xid", numeric: true,
          title: "transactions since the oldest unfrozen row; 2 billion is the end",
          value: (r) => age(r, "age_datfrozenxid"),
          cell: (r) => formatCount(age(r, "age_datfrozenxid")),
        },
        {
          key: "xid_share", head: "Towards wraparound", numeric: true,
          title: "of the 2 billion transactions that are possible",
          value: (r) => ratioOf(age(r, "age_datfrozenxid"), 2 ** 31),
          cell: (r) => formatPercent(ratioOf(age(r, "age_datfrozenxid"), 2 ** 31)),
        },
        {
          key: "mxid_age", head: "Oldest multixact", numeric: true,
          value: (r) => age(r, "age_datminmxid"),
          cell: (r) => formatCount(age(r, "age_datminmxid")),
        },
      ]}
    />
  );
}

function ratioOf(a: Num, b: Num): Num {
  return a === null || b === null || b === 0 ? null : a / b;
}

export function FilesystemList({ data }: { data: ServerData }) {
  // an older collector does not tell what is free for everybody
  const left = (r: LatestRow): Num =>
    r.values["available_bytes"] ?? r.values["free_bytes"] ?? null;
  const used = (r: LatestRow): Num => {
    const [size, free] = [r.values["size_bytes"] ?? null, left(r)];
    return size === null || free === null ? null : ratioOf(size - free, size);
  };
  return (
    <List
      data={data} title="Filesystems" relation="host_filesystem" host keys={["mountpoint"]}
      things="filesystems" sort="-used"
      ask="size_bytes,available_bytes,free_bytes,inodes,inodes_free"
      none="The host shows no filesystem."
      columns={[
        { ...text("mountpoint", "Mounted on"), names: true },
        number("size_bytes", "Size", formatBytes),
        {
          key: "available_bytes", head: "Available", numeric: true, value: left,
          cell: (r) => formatBytes(left(r)),
        },
        {
          key: "used", head: "Used", numeric: true, value: used,
          cell: (r) => formatPercent(used(r)),
        },
        {
          key: "inodes_used", head: "Inodes used", numeric: true,
          value: (r) => inodesUsed(r), cell: (r) => formatPercent(inodesUsed(r)),
        },
      ]}
    />
  );
}

function inodesUsed(r: LatestRow): Num {
  const [all, free] = [r.values["inodes"] ?? null, r.values["inodes_free"] ?? null];
  return all === null || free === null ? null : ratioOf(all - free, all);
}
