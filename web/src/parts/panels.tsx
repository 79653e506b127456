// SPDX-License-Identifier: PostgreSQL
//
// panels.tsx: the small charts beside the load: throughput of the databases, and the host.
import type { Metrics, Num } from "../api";
import { Chart } from "../chart/chart";
import type { Answer } from "../data";
import { formatBytes, formatPercent, formatRate } from "../format";
import { column, cpuShares, lastValue, memoryParts, type Line } from "../shape";
import { formatDuration } from "../time";
import type { PageData } from "../pages/overview";
import { emptyReason } from "../pages/server";
import { ProbeItem, troubled } from "./probes";
import { noHost } from "./relpanel";
import { Failure } from "./status";

interface SmallProps {
  data: PageData;
  title: string;
  answer: Answer<Metrics>;
  lines: Line[];
  tokens: string[];
  format: (v: Num) => string;
  unit: string;
  stacked?: boolean;
  top?: number | null;
  binary?: boolean;
  probe: RegExp;
}

function Small(p: SmallProps) {
  const { answer, data } = p;
  const why = answer.data ? emptyReason(data, p.lines.map((l) => l.values)) : null;
  const probe = why ? troubled(data.detail).find((x) => p.probe.test(x.probe)) : undefined;
  return (
    <Chart
      title={p.title}
      note={p.unit}
      lines={p.lines}
      tokens={p.tokens}
      times={answer.data?.times ?? []}
      stepMs={answer.data?.step_ms ?? data.stepMs}
      span={data.window}
      stacked={p.stacked ?? false}
      format={p.format}
      height={data.detail.kind === "host" ? "large" : "small"}
      top={p.top ?? null}
      binary={p.binary ?? false}
      gaps={data.detail.gaps ?? []}
      unit={answer.data ? `${p.unit}, mean over ${formatDuration(answer.data.step_ms)}` : p.unit}
      loading={answer.loading}
      instead={
        answer.data === null ? (
          answer.error ? (
            <Failure error={answer.error} />
          ) : (
            <div class="skeleton" aria-busy="true" />
          )
        ) : (
          why &&
          (probe ? (
            <ul class="probe-list">
              <ProbeItem probe={probe} />
            </ul>
          ) : (
            <p class="muted">{why}</p>
          ))
        )
      }
    />
  );
}

function pickColumns(m: Metrics | null, wanted: Array<[string, string]>): Line[] {
  return wanted.flatMap(([key, label]) => {
    const values = column(m, key);
    return values ? [{ key, label, values }] : [];
  });
}

export function TransactionsPanel({ data }: { data: PageData }) {
  const lines = pickColumns(data.database.data, [
    ["xact_commit", "commits"],
    ["xact_rollback", "rollbacks"],
  ]);
  return (
    <Small
      data={data}
      title="Transactions"
      answer={data.database}
      lines={lines}
      tokens={["line-1", "line-4"]}
      format={formatRate}
      unit="per second"
      probe={/database/}
    />
  );
}

export function RowsPanel({ data }: { data: PageData }) {
  const lines = pickColumns(data.database.data, [
    ["tup_returned", "returned"], ["tup_fetched", "fetched"], ["tup_inserted", "inserted"],
    ["tup_updated", "updated"], ["tup_deleted", "deleted"],
  ]);
  return (
    <Small
      data={data}
      title="Rows"
      answer={data.database}
      lines={lines}
      tokens={["line-1", "line-2", "line-3", "line-5", "line-4"]}
      format={formatRate}
      unit="per second"
      probe={/database/}
    />
  );
}

export function BlocksPanel({ data }: { data: PageData }) {
  const lines = pickColumns(data.database.data, [
    ["blks_hit", "from cache"],
    ["blks_read", "read"],
  ]);
  return (
    <Small
      data={data} title="Blocks" answer={data.database} lines={lines} tokens={["line-3", "line-2"]}
      format={formatRate} unit="per second" probe={/database/}
    />
  );
}

/** Without a host there is nothing to be waited for: say why instead. */
function Hostless({ data, title }: { data: PageData; title: string }) {
  return (
    <section class="panel chart" aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
      </header>
      <div class="plot plot-small">
        <div class="plot-instead"><p class="muted">{noHost(data.detail)}</p></div>
      </div>
    </section>
  );
}

export function CpuPanel({ data }: { data: PageData }) {
  if (!data.hostId) return <Hostless data={data} title="Host CPU" />;
  const lines = cpuShares(data.cpu.data);
  return (
    <Small
      data={data}
      title="Host CPU"
      answer={data.cpu}
      lines={lines}
      tokens={["line-1", "line-5", "line-2", "line-4"]}
      format={formatPercent}
      unit="of all CPUs"
      stacked
      top={1}
      probe={/cpu|host/}
    />
  );
}

export function MemoryPanel({ data }: { data: PageData }) {
  if (!data.hostId) return <Hostless data={data} title="Memory" />;
  const lines = memoryParts(data.memory.data);
  const total = lastValue(column(data.memory.data, "total") ?? []).value;
  return (
    <Small
      data={data}
      title="Memory"
      answer={data.memory}
      lines={lines}
      tokens={["line-1", "line-cache", "line-free"]}
      binary
      format={formatBytes}
      unit={total === null ? "" : `of ${formatBytes(total)}`}
      stacked
      top={total}
      probe={/memory|host/}
    />
  );
}
