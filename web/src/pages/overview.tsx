// SPDX-License-Identifier: PostgreSQL
//
// overview.tsx: one database server: what the load is made of, and which queries make it.
import { useEffect, useMemo } from "preact/hooks";
import type { EventRow, Gap, List, Load, Metrics, Num, TargetDetail } from "../api";
import { paths, useAnswer, type Answer } from "../data";
import { beat, clock, firstSeenMs, focus, pulse, span, view } from "../state";
import { alignSpan, bucketOffset, isoSeconds, niceStep, type Span } from "../time";
import { Failure, StaleBanner } from "../parts/status";
import { LoadPanel } from "../parts/load";
import { MemoryPanel, CpuPanel, RowsPanel, BlocksPanel, TransactionsPanel } from "../parts/panels";
import { Probes } from "../parts/probes";
import { TargetHead } from "../parts/head";
import { TopPanel } from "../parts/queries";

/** Answers that several parts of the page read. */
export interface PageData {
  id: string;
  detail: TargetDetail;
  window: Span;
  stepMs: number;
  load: Answer<Load>;
  database: Answer<Metrics>;
  instance: Answer<Metrics>;
  cpu: Answer<Metrics>;
  memory: Answer<Metrics>;
  hostId: string | null;
  events: EventRow[];
}

const DATABASE_COLUMNS =
  "xact_commit,xact_rollback,blks_read,blks_hit,tup_returned,tup_fetched,tup_inserted," +
  "tup_updated,tup_deleted,temp_bytes,deadlocks";

function hostOf(detail: TargetDetail | null): string | null {
  if (detail?.kind === "host") return detail.id;
  const host = detail?.attributes?.["host_target"];
  return typeof host === "string" && host !== "" ? host : null;
}

/** The time before a target was first seen is a gap like any other, and has a name. */
function withBeginning(detail: TargetDetail | null): TargetDetail | null {
  if (!detail?.first_seen_ms) return detail;
  const before: Gap = { from_ms: 0, to_ms: detail.first_seen_ms, reason: "not watched yet" };
  return { ...detail, gaps: [...(detail.gaps ?? []), before] };
}

function everyOf(detail: TargetDetail | null, relation: string, otherwise: number): number {
  const every = detail?.relations?.find((r) => r.name === relation)?.every_ms;
  return every && every > 0 ? every : otherwise;
}

/** How many buckets fit: one for every four pixels of the load chart, within the API's bounds. */
function bucketCount(): number {
  return Math.min(480, Math.max(80, Math.floor((Math.min(innerWidth, 1600) - 100) / 4)));
}

export function OverviewPage({ id }: { id: string }) {
  const detail = useAnswer<TargetDetail>(paths.server(id), pulse.value, id);
  const v = view.value;
  const target = useMemo(() => withBeginning(detail.data), [detail.data]);
  const every = everyOf(target, "pg_session_history", 10_000);
  const stepMs = niceStep(span.value.to - span.value.from, bucketCount(), every);
  const sampled = target?.relations?.find((r) => r.name === "pg_session_ticks")?.last_t_ms ?? null;
  const window = alignSpan(span.value, stepMs, bucketOffset(stepMs, every, sampled));
  const times = { from: window.from, to: window.to, step: stepMs };
  const filter = v.only ? { [v.only.dim]: v.only.value } : {};
  const isHost = target?.kind === "host";
  const server = isHost ? null : id;
  const load = useAnswer<Load>(
    isHost ? null : paths.load(id, { ...times, by: v.by, ...filter }),
    beat.value,
    `${id} ${v.by} ${v.only?.value}`,
  );
  const metrics = (
    target_: string | null,
    relation: string,
    columns: string,
    agg: string | null,
  ): string | null =>
    target_ === null
      ? null
      : paths.metrics(target_, { relation, column: columns, ...times, by: "", agg });
  const database = useAnswer<Metrics>(
    metrics(server, "pg_stat_database", DATABASE_COLUMNS, null), beat.value, id);
  const instance = useAnswer<Metrics>(
    metrics(server, "pg_instance", "connections,max_connections,start_time", "last"),
    beat.value,
    id,
  );
  const hostId = hostOf(target);
  const cpu = useAnswer<Metrics>(
    metrics(
      hostId,
      "host_cpu",
      "user_s,nice_s,system_s,idle_s,iowait_s,irq_s,softirq_s,steal_s",
      null,
    ),
    beat.value,
    hostId ?? "",
  );
  const memory = useAnswer<Metrics>(
    metrics(hostId, "host_memory", "total,free,cached,buffers", null), beat.value, hostId ?? "");
  const events = useAnswer<List<EventRow>>(
    paths.events({ server: id, from: window.from, to: window.to, limit: 50 }), beat.value, id);

  const seen = target?.first_seen_ms ?? null;
  useEffect(() => {
    firstSeenMs.value = seen;
  }, [seen]);
  useEffect(() => {
    document.title = target ? `${target.name} · pga` : "pga";
    return () => void (document.title = "pga");
  }, [target?.name]);

  if (!target) {
    return (
      <main id="main" class="page" tabIndex={-1}>
        {detail.error ? (
          <Failure error={detail.error} />
        ) : (
          <div class="skeleton skeleton-page" aria-busy="true">
            <span class="sr">Loading</span>
          </div>
        )}
      </main>
    );
  }
  const data: PageData = {
    id, detail: target, window, stepMs, load, database, instance, cpu, memory, hostId,
    events: events.data?.data ?? [],
  };
  return (
    <main id="main" class="page" tabIndex={-1}>
      <TargetHead data={data} />
      <StaleBanner target={target} />
      <Probes detail={target} />
      {!isHost && <LoadPanel data={data} />}
      <div class={isHost ? "pair" : "strip"}>
        {!isHost && <TransactionsPanel data={data} />}
        {!isHost && <RowsPanel data={data} />}
        {!isHost && <BlocksPanel data={data} />}
        <CpuPanel data={data} />
        <MemoryPanel data={data} />
      </div>
      {!isHost && <TopPanel data={data} window={focus.value} />}
      <footer class="page-foot muted small">
        {target.collector?.name && (
          <>
            Agent {target.collector.name} {target.collector.version} on{" "}
            {target.collector.hostname} ·{" "}
          </>
        )}
        window {isoSeconds(window.from)} – {isoSeconds(window.to)} · one bucket is {stepMs / 1000} s
      </footer>
    </main>
  );
}

/** Why a chart of this window is empty, when it is; null when there is something to draw. */
export function emptyReason(
  data: PageData,
  values: ReadonlyArray<ReadonlyArray<Num>>,
): string | null {
  if (values.some((row) => row.some((x) => x !== null))) return null;
  const { last_sample_ms: last, first_seen_ms: first } = data.detail;
  if (!last) return "Waiting for the first sample …";
  if (first && data.window.to < first) return "This window ends before the server was first seen.";
  if (data.window.from > last) return "No data: this window begins after the last sample.";
  if (data.window.from > clock.value) return "This window lies in the future.";
  return "No data in this window.";
}
