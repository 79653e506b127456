// SPDX-License-Identifier: PostgreSQL
//
// head.tsx: who the target is, how it is, and five numbers that say what it does now.
import type { Num } from "../api";
import {
  formatBytes,
  formatExact,
  formatLoad,
  formatNear,
  formatPercent,
  formatRate,
} from "../format";
import {
  addColumns,
  column,
  cpuShares,
  divide,
  lastValue,
  loadTotals,
  memoryParts,
  totals,
} from "../shape";
import { clock, following, view } from "../state";
import { formatDuration } from "../time";
import type { PageData } from "../pages/overview";
import { Group } from "./group";
import { Age, Chip, LinkChip, StateChip } from "./status";

export function TargetHead({ data }: { data: PageData }) {
  const t = data.detail;
  const started = lastValue(column(data.instance.data, "start_time") ?? []).value;
  return (
    <div class="target-head">
      <div class="target-name">
        <h1>{t.name}</h1>
        <div class="target-facts">
          <StateChip target={t} />
          {t.role && <Chip tone="plain">{t.role}</Chip>}
          <LinkChip target={t} />
          {t.version && <span>PostgreSQL {shortVersion(t.version)}</span>}
          {t.address && (
            <span class="muted">
              {t.address}
              {t.port ? `:${t.port}` : ""}
            </span>
          )}
          {started !== null && (
            <span class="muted" title="since the server process started">
              up {formatDuration(clock.value - started * 1000)}
            </span>
          )}
          <Group group={t.group} name={t.name} path={`/servers/${t.id}`} />
          <span class="muted">
            last sample <Age ms={t.last_sample_ms} />
          </span>
        </div>
      </div>
      <Figures data={data} />
    </div>
  );
}

/** "17.2" of "PostgreSQL 17.2 (Debian ...)". */
function shortVersion(text: string): string {
  return /\d+(\.\d+)?(beta\d+|rc\d+|devel)?/.exec(text)?.[0] ?? text;
}

interface Figure {
  name: string;
  value: string;
  extra: string;
  title: string;
  at: number | null;
}

function latest(
  times: number[] | undefined,
  values: readonly Num[] | null,
): { value: Num; at: number | null } {
  const { value, index } = lastValue(values ?? []);
  return { value, at: index < 0 ? null : (times?.[index] ?? null) };
}

function figures(data: PageData): Figure[] {
  const { detail, database, instance, cpu, memory } = data;
  const db = database.data;
  const commits = latest(db?.times, addColumns(db, ["xact_commit", "xact_rollback"]));
  const hit = latest(
    db?.times,
    divide(column(db, "blks_hit"), addColumns(db, ["blks_hit", "blks_read"])),
  );
  const used = latest(instance.data?.times, column(instance.data, "connections"));
  const most = latest(instance.data?.times, column(instance.data, "max_connections"));
  const busy = latest(cpu.data?.times, cpuShares(cpu.data).length === 0 ? null
    : totals(cpuShares(cpu.data), cpu.data?.times.length ?? 0));
  const mem = latest(memory.data?.times, memoryParts(memory.data)[0]?.values ?? null);
  // The server's own figure is of the last minute: it says nothing about a window of the past.
  const past = latest(data.load.data?.times, data.load.data ? loadTotals(data.load.data) : null);
  const now = { value: detail.load_aas ?? null, at: detail.last_sample_ms };
  const { value: load, at: loadAt } = following.value ? now : past;
  const lastMinute = following.value ? " of the last minute" : "";
  const host: Figure[] = [
    { name: "Host CPU", value: formatPercent(busy.value), extra: "",
      title: "CPU time not idle, of all CPU time of the host", at: busy.at },
    { name: "Memory used", value: formatBytes(mem.value), extra: "",
      title: "memory of the host without page cache and free memory", at: mem.at },
  ];
  if (detail.kind === "host") return host;
  return [
    {
      name: "Load",
      value: formatLoad(load),
      extra: detail.vcpus ? `of ${detail.vcpus} vCPU` : "sessions",
      title: `mean active sessions${lastMinute}: ${formatExact(load)}`,
      at: loadAt,
    },
    {
      name: "Transactions",
      value: formatRate(commits.value),
      extra: "/s",
      title: `${formatExact(commits.value)} commits and rollbacks per second`,
      at: commits.at,
    },
    {
      name: "Cache hits",
      value: formatPercent(hit.value),
      extra: "",
      title: "blocks found in shared buffers, of all blocks asked for",
      at: hit.at,
    },
    {
      name: "Connections",
      value: used.value === null ? "–" : String(used.value),
      extra: most.value === null ? "" : `of ${most.value}`,
      title: "connections, of max_connections",
      at: used.at,
    },
    ...host,
  ];
}

function Figures({ data }: { data: PageData }) {
  // The time of a bucket is its end, which a last sample need not reach.
  const last = data.detail.last_sample_ms ?? Infinity;
  const stale = ["down", "stale", "offline"].includes(data.detail.state);
  const old = stale || !following.value;
  return (
    <dl class={`figures ${stale ? "figures-old" : ""}`}>
      {figures(data).map((f) => (
        <div key={f.name} title={f.title}>
          <dt>{f.name}</dt>
          <dd>
            <span class="figure-value">{f.value}</span> <span class="muted">{f.extra}</span>
            {old && f.at !== null && f.value !== "–" && (
              <span class="figure-asof">
                as of {formatNear(Math.min(f.at, last), clock.value, view.value.utc)}
              </span>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}
