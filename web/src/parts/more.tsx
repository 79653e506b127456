// SPDX-License-Identifier: PostgreSQL
//
// more.tsx: what the overview shows below the load: sessions, cache, WAL, checkpoints, I/O,
// replication, databases, and the host's disks, network and pressure.
import type { ComponentChildren } from "preact";
import type { Metrics, Num } from "../api";
import { formatBytes, formatCount, formatMs, formatPercent, formatRate } from "../format";
import type { PageData } from "../pages/overview";
import type { ServerData } from "../pages/server";
import { addColumns, column, divide, lastValue, type Line } from "../shape";
import { DatabaseList, FilesystemList, SlotList, StandbyList } from "./lists";
import { RelPanel, rowLines, type Panel } from "./relpanel";

const STATES = ["active", "idle in transaction", "idle in transaction (aborted)", "idle"];

/** One line for each named column; columns that this server's version has not are left out. */
function named(wanted: Array<[string, string]>) {
  return (m: Metrics): Line[] =>
    wanted.flatMap(([key, label]) => {
      const values = column(m, key);
      return values && values.some((v) => v !== null) ? [{ key, label, values }] : [];
    });
}

function scale(values: Num[], by: number): Num[] {
  return values.map((v) => (v === null ? null : v * by));
}

const bytesRate = (v: Num): string => (v === null ? "–" : `${formatBytes(v)}/s`);

function connections(most: Num): Panel {
  const rank = (s: string): number => (STATES.indexOf(s) + STATES.length + 1) % (STATES.length + 1);
  return {
    title: "Connections by state", relation: "pg_stat_activity", columns: "count", by: "state",
    agg: "avg", stacked: true, format: formatCount, unit: "sessions",
    threshold: most === null ? null : { value: most, label: `max_connections ${most}` },
    lines: (m) =>
      m.series
        .map((s) => ({ state: s.labels?.["state"] ?? "", values: s.values }))
        .filter((s) => s.values.some((v) => v !== null))
        .sort((a, b) => rank(a.state) - rank(b.state))
        .map((s) => ({
          key: s.state, label: s.state || "background", values: s.values,
        })),
  };
}

const CACHE: Panel = {
  title: "Cache hits", relation: "pg_stat_database", columns: "blks_hit,blks_read", by: "",
  format: formatPercent, unit: "of the blocks asked for", top: 1,
  lines: (m) => {
    const hits = divide(column(m, "blks_hit"), addColumns(m, ["blks_hit", "blks_read"]));
    return hits ? [{ key: "hit", label: "from shared buffers", values: hits }] : [];
  },
};

const TEMP: Panel = {
  title: "Temporary files", relation: "pg_stat_database", columns: "temp_bytes", by: "datname",
  format: bytesRate, unit: "written per second", binary: true,
  lines: (m) =>
    rowLines(m, (l) => l["datname"] || "(shared)", 6)
      .filter((l) => l.values.some((v) => (v ?? 0) > 0)),
  none: "No temporary file was written in this window.",
};

const BLOCKED: Panel = {
  title: "Sessions waiting for locks", relation: "pg_blocking", probe: "blocking",
  columns: "waiting,chains", by: "", agg: "max", format: formatCount, unit: "at most",
  lines: named([["waiting", "waiting"], ["chains", "blockers"]]),
};

const WAL: Panel = {
  title: "WAL written", relation: "pg_stat_wal", columns: "wal_bytes", by: "",
  format: bytesRate, unit: "bytes per second", binary: true, lines: named([["wal_bytes", "WAL"]]),
};

/** Before PostgreSQL 14 the position of the log alone says how much was written. */
const WAL_POSITION: Panel = {
  ...WAL, relation: "pg_wal_position", columns: "current_lsn",
  lines: named([["current_lsn", "WAL"]]),
};

const CHECKPOINTS_17: Panel = {
  title: "Checkpoints", relation: "pg_stat_checkpointer", columns: "num_timed,num_requested",
  by: "", agg: "increase", format: formatCount, unit: "begun in each bucket",
  lines: named([["num_timed", "timed"], ["num_requested", "requested"]]),
  tokens: ["line-3", "line-4"],
};
const CHECKPOINTS: Panel = {
  ...CHECKPOINTS_17, relation: "pg_stat_bgwriter", columns: "checkpoints_timed,checkpoints_req",
  lines: named([["checkpoints_timed", "timed"], ["checkpoints_req", "requested"]]),
};

const CHECKPOINT_TIME_17: Panel = {
  title: "Checkpoint time", relation: "pg_stat_checkpointer", columns: "write_time,sync_time",
  by: "", agg: "increase", format: formatMs, unit: "in each bucket",
  lines: named([["write_time", "writing"], ["sync_time", "syncing"]]),
};
const CHECKPOINT_TIME: Panel = {
  ...CHECKPOINT_TIME_17, relation: "pg_stat_bgwriter",
  columns: "checkpoint_write_time,checkpoint_sync_time",
  lines: named([["checkpoint_write_time", "writing"], ["checkpoint_sync_time", "syncing"]]),
};

const WRITERS_17: Panel = {
  title: "Blocks written by", relation: "pg_stat_bgwriter", columns: "buffers_clean,buffers_alloc",
  by: "", format: formatRate, unit: "per second",
  lines: named([["buffers_clean", "background writer"], ["buffers_alloc", "allocated"]]),
};
const WRITERS: Panel = {
  ...WRITERS_17, columns: "buffers_checkpoint,buffers_clean,buffers_backend",
  lines: named([
    ["buffers_checkpoint", "checkpointer"], ["buffers_clean", "background writer"],
    ["buffers_backend", "backends"],
  ]),
};

const IO_READ: Panel = {
  title: "Reads by", relation: "pg_stat_io", columns: "reads", by: "backend_type,context",
  format: formatRate, unit: "operations per second",
  lines: (m) => rowLines(m, (l) => `${l["backend_type"]} · ${l["context"]}`, 6),
};
const IO_WRITE: Panel = { ...IO_READ, title: "Writes by", columns: "writes" };

const LAG_BYTES: Panel = {
  title: "Replication lag", relation: "pg_stat_replication", columns: "replay_lag_bytes",
  by: "application_name,client_addr", agg: "max", format: formatBytes, unit: "bytes to be replayed",
  binary: true, none: "Nobody receives WAL from here.",
  lines: (m) => rowLines(m, (l) => l["application_name"] || l["client_addr"] || "standby"),
};
const SLOTS: Panel = {
  title: "WAL kept for slots", relation: "pg_replication_slots", columns: "retained_bytes",
  by: "slot_name", agg: "max", format: formatBytes, unit: "bytes", binary: true,
  none: "There are no replication slots.",
  lines: (m) => rowLines(m, (l) => l["slot_name"] ?? ""),
};

const DISK: Panel = {
  title: "Disk throughput", relation: "host_disk", columns: "read_bytes,written_bytes",
  by: "device", host: true, format: bytesRate, unit: "bytes per second", binary: true,
  lines: (m) => deviceLines(m, "device", { read_bytes: "read", written_bytes: "written" }),
};
const DISK_BUSY: Panel = {
  title: "Disk busy", relation: "host_disk", columns: "io_ms", by: "device", host: true,
  format: formatPercent, unit: "of the time", top: 1,
  lines: (m) =>
    rowLines(m, (l) => l["device"] ?? "").map((l) => ({ ...l, values: scale(l.values, 0.001) })),
};
const NETWORK: Panel = {
  title: "Network", relation: "host_network", columns: "rx_bytes,tx_bytes", by: "interface",
  host: true, format: bytesRate, unit: "bytes per second", binary: true,
  lines: (m) => deviceLines(m, "interface", { rx_bytes: "in", tx_bytes: "out" }),
};
const PRESSURE: Panel = {
  title: "Pressure", relation: "host_pressure", columns: "some_total", by: "resource", host: true,
  format: formatPercent, unit: "of the time somebody waits",
  lines: (m) =>
    rowLines(m, (l) => l["resource"] ?? "").map((l) => ({ ...l, values: scale(l.values, 1e-6) })),
};

function deviceLines(m: Metrics, key: string, words: Record<string, string>): Line[] {
  const ways = Object.entries(words).flatMap(([name, word]) =>
    rowLines({ ...m, series: m.series.filter((s) => s.column === name) },
      (l) => `${l[key] ?? ""} ${word}`, 4));
  return ways.filter((l) => l.values.some((v) => (v ?? 0) > 0));
}

function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="section" aria-label={title}>
      <h2>{title}</h2>
      <div class="tiles">{children}</div>
    </section>
  );
}

export function MorePanels({ data }: { data: PageData }) {
  const isHost = data.detail.kind === "host";
  return (
    <>
      {!isHost && <ServerSections data={data} />}
      <Section title="Disks, network and pressure of the host">
        {[DISK, DISK_BUSY, NETWORK, PRESSURE].map((p) => (
          <RelPanel key={p.title} data={data} panel={p} />
        ))}
        <FilesystemList data={data} />
      </Section>
    </>
  );
}

function ServerSections({ data }: { data: PageData }) {
  const version = data.detail.version_num ?? 0;
  const most = lastValue(column(data.instance.data, "max_connections") ?? []).value;
  const panel = (p: Panel, server: ServerData = data) => (
    <RelPanel key={p.title} data={server} panel={p} />
  );
  const since17 = version >= 170000;
  return (
    <>
      <Section title="Sessions and memory">
        {[connections(most), BLOCKED, CACHE, TEMP].map((p) => panel(p))}
      </Section>
      <Section title="WAL, checkpoints and I/O">
        {panel(version >= 140000 ? WAL : WAL_POSITION)}
        {panel(since17 ? CHECKPOINTS_17 : CHECKPOINTS)}
        {panel(since17 ? CHECKPOINT_TIME_17 : CHECKPOINT_TIME)}
        {panel(since17 ? WRITERS_17 : WRITERS)}
        {panel(IO_READ)}
        {panel(IO_WRITE)}
      </Section>
      <Section title="Replication">
        {panel(LAG_BYTES)}
        {panel(SLOTS)}
        <StandbyList data={data} />
        <SlotList data={data} />
      </Section>
      <Section title="Databases"><DatabaseList data={data} /></Section>
    </>
  );
}
