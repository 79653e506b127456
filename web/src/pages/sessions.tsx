// SPDX-License-Identifier: PostgreSQL
//
// sessions.tsx: who works, who waits, who blocks whom; from one-second samples of the sessions.
import type { EventRow, List, Load, Metrics, Num } from "../api";
import { paths, useAnswer } from "../data";
import { formatExact, formatLoad, formatMs, formatSpan } from "../format";
import { beat, focus, view } from "../state";
import { formatDuration } from "../time";
import { queryPath, timeOf } from "../url";
import { waitToken } from "../shape";
import { Blocking } from "../parts/blocking";
import { Breakdown, TABS, Tabs } from "../parts/breakdown";
import { Grid, type Column } from "../parts/grid";
import { latestRows, useLatest, type LatestRow } from "../parts/lists";
import { LoadPanel } from "../parts/load";
import { WhyNot } from "../parts/relpanel";
import { Failure } from "../parts/status";
import { ServerFrame, ServerMissing, useServer, type ServerData } from "./server";

export function SessionsPage({ id }: { id: string }) {
  const server = useServer(id);
  if (!server.data) return <ServerMissing error={server.error} />;
  return (
    <ServerFrame server={server.data} title="Who works, who waits, who blocks?">
      <Sessions data={server.data} />
    </ServerFrame>
  );
}

function Sessions({ data }: { data: ServerData }) {
  const v = view.value;
  const { window, stepMs, id } = data;
  const filter = v.only ? { [v.only.dim]: v.only.value } : {};
  const load = useAnswer<Load>(
    paths.load(id, { from: window.from, to: window.to, step: stepMs, by: v.by, ...filter }),
    beat.value, `${id} ${v.by} ${v.only?.value}`);
  const events = useAnswer<List<EventRow>>(
    paths.events({ server: id, from: window.from, to: window.to, limit: 50 }), beat.value, id);
  return (
    <>
      <LoadPanel data={{ ...data, load, events: events.data?.data ?? [] }} />
      <Groups data={data} />
      <Blocking data={data} />
      <LongTransactions data={data} />
    </>
  );
}

const KEYS = [
  "state", "datname", "usename", "application_name", "backend_type", "wait_event_type",
  "wait_event", "query_id",
];

/** The sampled sessions of the window, alike ones together; or the load by one dimension. */
function Groups({ data }: { data: ServerData }) {
  const v = view.value;
  const tab = v.tab === "" ? null : (TABS.find((t) => t.key === v.tab) ?? null);
  return (
    <section class="panel" aria-label="Sessions">
      <header class="panel-head">
        <h2>{tab ? tab.question : "What did the sessions do?"}</h2>
        <span class="panel-note">{formatSpan(focus.value, v.utc)}</span>
        <span class="grow" />
        <Tabs first="Sessions" />
      </header>
      {tab && tab.key !== "" ? <Breakdown data={data} window={focus.value} by={tab.key} />
        : <SessionGroups data={data} />}
    </section>
  );
}

function SessionGroups({ data }: { data: ServerData }) {
  const from = Math.round(focus.value.from);
  const to = Math.round(focus.value.to);
  const whole = { from, to, step: to - from, agg: "sum" };
  const samples = useAnswer<Metrics>(
    paths.metrics(data.id, {
      relation: "pg_session_history", column: "samples", by: KEYS.join(","), ...whole }),
    beat.value, data.id);
  const ticks = useAnswer<Metrics>(
    paths.metrics(data.id, {
      relation: "pg_session_ticks", column: "ticks", by: "", ...whole }),
    beat.value, data.id);
  const taken = ticks.data?.series[0]?.values[0] ?? null;
  if (samples.data === null) {
    return samples.error ? <Failure error={samples.error} />
      : <div class="skeleton skeleton-table" aria-busy="true" />;
  }
  const mean = (r: LatestRow): Num =>
    taken === null || taken === 0 ? null : (r.values["samples"] ?? 0) / taken;
  return (
    <>
      <Grid
        name={`sessions-${data.detail.name}`} things="session groups"
        rows={latestRows(samples.data, KEYS)} columns={groupColumns(data, mean)} sort="-mean"
        rowKey={(r) => KEYS.map((k) => r.labels[k] ?? "").join("/")} loading={samples.loading}
        none={<WhyNot
          data={data} relation="pg_session_history" probe="sessions"
          instead="No session was seen at work in this window."
        />}
      />
      <p class="foot-note muted small">
        {taken === null ? "How often sessions were looked at is not known. "
          : `${formatExact(taken)} looks at all sessions in this window. `}
        Idle sessions are not sampled; see the connections by state on the overview.
        {samples.data.truncated && " Only the first 1000 groups are listed."}
      </p>
    </>
  );
}

function groupColumns(data: ServerData, mean: (r: LatestRow) => Num): Array<Column<LatestRow>> {
  const label = (key: string) => (r: LatestRow): string => r.labels[key] ?? "";
  const color = (r: LatestRow): string => waitToken(label("wait_event_type")(r) || "CPU");
  const wait = (r: LatestRow): string => {
    const type = label("wait_event_type")(r);
    return type === "" ? "CPU" : `${type}: ${label("wait_event")(r)}`;
  };
  return [
    {
      key: "mean", head: "Sessions", numeric: true, title: "mean number of sessions like this",
      value: mean, cell: (r) => formatLoad(mean(r)),
    },
    {
      key: "samples", head: "Seen", numeric: true, spare: true, title: "times seen",
      value: (r) => r.values["samples"] ?? null,
    },
    { key: "state", head: "State", names: true, value: (r) => label("state")(r) || "background" },
    {
      key: "wait", head: "Waits for", value: wait,
      cell: (r) => (
        <span class="wait-name">
          <i class="swatch" style={{ background: `var(--${color(r)})` }} />
          {wait(r)}
        </span>
      ),
    },
    { key: "datname", head: "Database", value: label("datname") },
    { key: "usename", head: "User", value: label("usename") },
    { key: "application_name", head: "Application", value: label("application_name") },
    { key: "backend_type", head: "Backend", value: label("backend_type") },
    {
      key: "query_id", head: "Query", value: label("query_id"),
      cell: (r) => queryLink(data, label("query_id")(r)),
    },
  ];
}

function queryLink(data: ServerData, id: string) {
  if (id === "" || id === "0") return <span class="muted">–</span>;
  return <a class="mono" href={queryPath(data.id, id) + timeOf(view.value)}>{id}</a>;
}

function LongTransactions({ data }: { data: ServerData }) {
  const keys = [
    "pid", "datname", "usename", "application_name", "backend_type", "state", "query_id",
  ];
  const { rows, answer, relation } = useLatest(
    data, "pg_long_transactions", "xact_age_s,query_age_s,state_age_s,xid_age,snapshot_age", keys,
    true);
  const seconds = (key: string, head: string): Column<LatestRow> => ({
    key, head, numeric: true, value: (r) => r.values[key] ?? null,
    cell: (r) => {
      const v = r.values[key] ?? null;
      return v === null ? "–" : formatDuration(v * 1000);
    },
  });
  const text = (key: string, head: string): Column<LatestRow> => ({
    key, head, value: (r) => r.labels[key] ?? "",
  });
  const why = (
    <WhyNot
      data={data} relation="pg_long_transactions"
      instead={relation ? "No transaction was a minute old at the last look."
        : "Long transactions were not read yet."}
    />
  );
  return (
    <section class="panel" aria-label="Long transactions">
      <header class="panel-head">
        <h2>Which transactions are open for long?</h2>
        {relation && <span class="panel-note">
          newest look, every {formatMs(relation.every_ms ?? null)}</span>}
      </header>
      {answer.error && answer.data === null ? <Failure error={answer.error} /> : (
        <Grid
          own name="long-transactions" things="transactions" rows={rows} none={why}
          rowKey={(r) => keys.map((k) => r.labels[k] ?? "").join("/")} sort="-xact_age_s"
          columns={[
            { ...text("pid", "pid"), names: true },
            seconds("xact_age_s", "Open for"), text("state", "State"),
            seconds("state_age_s", "In this state"), seconds("query_age_s", "Query since"),
            text("datname", "Database"), text("usename", "User"),
            text("application_name", "Application"),
            {
              key: "xid_age", head: "xid age", numeric: true,
              value: (r) => r.values["xid_age"] ?? null,
            },
            {
              key: "query_id", head: "Query", value: (r) => r.labels["query_id"] ?? "",
              cell: (r) => queryLink(data, r.labels["query_id"] ?? ""),
            },
          ]}
        />
      )}
    </section>
  );
}
