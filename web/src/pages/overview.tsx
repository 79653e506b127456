// SPDX-License-Identifier: PostgreSQL
//
// overview.tsx: one database server: what the load is made of, and which queries make it.
import type { EventRow, List, Load, Metrics } from "../api";
import { paths, useAnswer, type Answer } from "../data";
import { beat, focus, view } from "../state";
import { isoSeconds } from "../time";
import { StaleBanner } from "../parts/status";
import { LoadPanel } from "../parts/load";
import { MemoryPanel, CpuPanel, RowsPanel, BlocksPanel, TransactionsPanel } from "../parts/panels";
import { Probes } from "../parts/probes";
import { TargetHead } from "../parts/head";
import { TopPanel } from "../parts/queries";
import { MorePanels } from "../parts/more";
import { ServerMissing, useServer, type ServerData } from "./server";

/** Answers that several parts of the page read. */
export interface PageData extends ServerData {
  load: Answer<Load>;
  database: Answer<Metrics>;
  instance: Answer<Metrics>;
  cpu: Answer<Metrics>;
  memory: Answer<Metrics>;
  events: EventRow[];
}

const DATABASE_COLUMNS =
  "xact_commit,xact_rollback,blks_read,blks_hit,tup_returned,tup_fetched,tup_inserted," +
  "tup_updated,tup_deleted,temp_bytes,deadlocks";

export function OverviewPage({ id }: { id: string }) {
  const server = useServer(id);
  if (!server.data) return <ServerMissing error={server.error} />;
  return <Overview server={server.data} />;
}

function Overview({ server }: { server: ServerData }) {
  const { id, detail: target, window, stepMs, hostId } = server;
  const v = view.value;
  const times = { from: window.from, to: window.to, step: stepMs };
  const filter = v.only ? { [v.only.dim]: v.only.value } : {};
  const isHost = target.kind === "host";
  const source = isHost ? null : id;
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
    metrics(source, "pg_stat_database", DATABASE_COLUMNS, null), beat.value, id);
  const instance = useAnswer<Metrics>(
    metrics(source, "pg_instance", "connections,max_connections,start_time", "last"),
    beat.value,
    id,
  );
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

  const data: PageData = {
    ...server, load, database, instance, cpu, memory, events: events.data?.data ?? [],
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
      <MorePanels data={data} />
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
