// SPDX-License-Identifier: PostgreSQL
//
// about.tsx: the monitoring about itself: what is read at which cost, what is missing and why,
// what the store holds, and which versions run.
import type { Health, List, Monitoring, Num, Probe, Relation, Target, TargetDetail } from "../api";
import { num } from "../api";
import { paths, serverNow, useAnswer } from "../data";
import { formatBytes, formatCount, formatMs, formatNear, formatPercent } from "../format";
import { clock, pulse, setView, view } from "../state";
import { formatDuration } from "../time";
import { AdminFrame, seesAll, Shown } from "../parts/admin";
import { Grid, type Column } from "../parts/grid";
import { Age, Chip, Failure } from "../parts/status";
import { FillPanel } from "./fill";

export function AboutPage() {
  const slow = Math.floor(pulse.value / 2);
  const health = useAnswer<Health>(paths.health, slow, "health");
  // The store is that of all groups.
  const monitoring = useAnswer<Monitoring>(
    seesAll() ? paths.monitoring : null, slow, "monitoring",
  );
  const targets = useAnswer<List<Target>>(paths.servers, slow, "fleet");
  return (
    <AdminFrame title="About this monitoring" note="What is read, what it costs, what is missing.">
      <Shown answer={health}>{(h) => <HealthPanel health={h} />}</Shown>
      {seesAll() && <Shown answer={monitoring}>
        {(m) => (
          <>
            <StorePanel m={m} />
            <FillPanel targets={targets.data?.data ?? []} />
            <StreamPanel m={m} targets={targets.data?.data ?? []} />
          </>
        )}
      </Shown>}
      <Shown answer={targets}>{(list) => <Sources targets={list.data} />}</Shown>
    </AdminFrame>
  );
}

function Facts({ rows }: { rows: Array<[string, string, string?]> }) {
  return (
    <dl class="facts facts-padded">
      {rows.map(([name, text, title]) => (
        <div key={name} title={title} class={text.length > 24 ? "fact-long" : undefined}>
          <dt>{name}</dt><dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function HealthPanel({ health }: { health: Health }) {
  const well = health.status === "ok";
  return (
    <section class="panel" aria-label="Health">
      <header class="panel-head">
        <h2>Is the server well?</h2>
        <Chip tone={well ? "ok" : "crit"} icon={well ? "check" : "warn"}>
          {health.status}
        </Chip>
      </header>
      <Facts rows={[
        ["version of the server", health.version],
        ["up for", health.uptime === null ? "–" : formatDuration(health.uptime * 1000)],
        ...Object.entries(health.checks ?? {}).map(([name, c]): [string, string] =>
          [name, c.ok ? c.detail : `not well: ${c.detail}`]),
      ]} />
    </section>
  );
}

const BYTES = [
  "disk_bytes", "journal_bytes", "head_bytes", "free_bytes", "max_bytes", "removed_bytes",
];

function StorePanel({ m }: { m: Monitoring }) {
  const s = m.store;
  const refused = Object.entries(s.refused ?? {}).filter(([, n]) => n > 0);
  const of = (key: string): Num => num(s, key);
  const show = (key: string): string => (BYTES.includes(key) ? formatBytes : formatCount)(of(key));
  const last = of("last_flush_ms");
  return (
    <section class="panel" aria-label="Store">
      <header class="panel-head">
        <h2>What does the store hold?</h2>
        {s["full"] === true && <Chip tone="crit" icon="warn">full: nothing is taken</Chip>}
      </header>
      <Facts rows={[
        ["engine", String(s["engine"] ?? "–")],
        ["on disk", show("disk_bytes")],
        ["quota", of("max_bytes") ? show("max_bytes") : "none", "store.max_bytes"],
        ["free on that disk", show("free_bytes")],
        [
          "removed", show("removed_bytes"),
          `since the start: ${show("removed_for_age")} files for their age, ` +
            `${show("removed_for_quota")} for the quota`,
        ],
        ["waiting in the journal", show("journal_bytes"), "taken, and not yet in its final files"],
        ["in memory", show("head_bytes")],
        ["values stored", show("samples_stored")],
        [
          "bytes for a value", perValue(of("disk_bytes"), of("samples_stored")),
          "all files, by all values",
        ],
        ["pushes", show("pushes")],
        ["records", show("records")],
        ["sent twice, kept once", show("duplicates")],
        ["relations", show("relations")],
        ["row objects", show("objects")],
        ["flushes", show("flushes")],
        ["flushes that failed", show("flush_errors")],
        ["compactions", show("compactions")],
        ["damaged pieces put aside", show("quarantined"), "since the start; pga migrate verify"],
        ["last flush", last ? formatNear(last, clock.value, view.value.utc) : "none yet"],
        ["store epoch", String(s["epoch"] ?? "–")],
      ]} />
      <p class="foot-note small">
        {refused.length === 0 ? <span class="muted">Nothing was refused since the start.</span>
          : `Refused since the start: ${refused
              .map(([why, n]) => `${why} ${formatCount(n)}`).join(", ")}.`}
      </p>
    </section>
  );
}

function perValue(bytes: Num, values: Num): string {
  return bytes === null || !values ? "–" : formatBytes(bytes / values);
}

function StreamPanel({ m, targets }: { m: Monitoring; targets: Target[] }) {
  type S = Monitoring["streams"][number];
  const lost = (s: S): number => Object.values(s.gaps).reduce((a, b) => a + b, 0);
  const name = (s: S): string =>
    targets.filter((t) => t.collector_id === s.collector).map((t) => t.name).join(", ")
    || s.collector;
  const columns: Array<Column<S>> = [
    { key: "collector", head: "Agent of", names: true, value: name },
    { key: "stream", head: "Stream", spare: true, value: (s) => s.stream },
    {
      key: "state", head: "State",
      value: (s) => (s.closed ? "closed" : s.backlog ? "catching up" : "live"),
    },
    {
      key: "stored", head: "Records", numeric: true, value: (s) => s.stored,
      cell: (s) => formatCount(s.stored),
    },
    {
      key: "samples", head: "Values", numeric: true, value: (s) => s.samples,
      cell: (s) => formatCount(s.samples),
    },
    {
      key: "lost", head: "Lost records", numeric: true, value: lost,
      title: "records the agent had to give up, by reason",
      cell: (s) => lost(s) === 0 ? "0"
        : Object.entries(s.gaps).map(([why, n]) => `${why} ${n}`).join(", "),
    },
    {
      key: "last", head: "Last push", numeric: true, value: (s) => s.last_push_ms,
      cell: (s) => <Age ms={s.last_push_ms} />,
    },
  ];
  return (
    <section class="panel" aria-label="Streams">
      <header class="panel-head">
        <h2>Did everything arrive?</h2>
        <span class="panel-note">each record is stored, or is a gap with a reason</span>
      </header>
      <Grid
        own name="streams" things="streams" rows={m.streams} columns={columns} sort="-last"
        rowKey={(s) => s.stream} none={<p>No agent has sent anything yet.</p>}
      />
    </section>
  );
}

// --- sources of one target -----------------------------------------------------------------------

function Sources({ targets }: { targets: Target[] }) {
  const chosen = targets.find((t) => t.id === view.value.q) ??
    targets.find((t) => t.kind === "postgresql") ?? targets[0];
  if (!chosen) return <section class="panel"><p class="empty">No target is known yet.</p></section>;
  return (
    <section class="panel" aria-label="Sources">
      <header class="panel-head">
        <h2>What is read, and what does it cost?</h2>
        <span class="grow" />
        <label class="picker">
          <span>of</span>
          <select
            class="input" value={chosen.id} aria-label="Target"
            onChange={(e) => setView({ q: e.currentTarget.value }, "replace")}
          >
            {targets.map((t) => <option key={t.id} value={t.id}>{t.name} ({t.kind})</option>)}
          </select>
        </label>
      </header>
      <SourceTables target={chosen} />
    </section>
  );
}

const STATE: Record<string, string> = {
  ok: "ok", denied: "warn", error: "crit", shed: "unknown", no_data: "unknown",
};

function SourceTables({ target }: { target: Target }) {
  const answer = useAnswer<TargetDetail>(paths.server(target.id), pulse.value, target.id);
  const detail = answer.data;
  if (!detail) {
    return answer.error ? <Failure error={answer.error} />
      : <div class="skeleton skeleton-table" aria-busy="true" />;
  }
  return (
    <>
      <Grid
        name={`probes-${target.name}`} things="probes" rows={detail.probes ?? []} sort="-duration"
        rowKey={(p) => p.probe} columns={PROBES}
        none={<p>This target has no probes; its agent reads the host itself.</p>}
      />
      <Gaps detail={detail} />
      <header class="panel-head"><h3>Relations</h3></header>
      <Grid
        own name={`relations-${target.name}`} things="relations" rows={detail.relations ?? []}
        rowKey={(r) => r.name} sort="name" columns={RELATIONS}
        none={<p>Nothing was read yet.</p>}
      />
    </>
  );
}

const PROBES: Array<Column<Probe>> = [
  { key: "probe", head: "Probe", names: true, value: (p) => p.probe },
  {
    key: "state", head: "State", value: (p) => p.state,
    cell: (p) => <Chip tone={STATE[p.state] ?? "unknown"}>{p.state.replace("_", " ")}</Chip>,
  },
  { key: "reason", head: "Why", className: "cell-long", value: (p) => p.reason ?? null },
  {
    key: "duration", head: "Last run took", numeric: true, value: (p) => p.duration_ms ?? null,
    cell: (p) => formatMs(p.duration_ms),
  },
  { key: "rows", head: "Rows", numeric: true, value: (p) => p.rows ?? null },
  {
    key: "runs", head: "Runs", numeric: true, value: (p) => p.runs ?? null,
    cell: (p) => formatCount(p.runs),
  },
  {
    key: "errors", head: "Errors", numeric: true, value: (p) => p.errors ?? null,
    title: "runs that failed",
    cell: (p) => !p.errors ? "0"
      : `${formatCount(p.errors)} (${formatPercent(p.errors / (p.runs || 1))})`,
  },
  {
    key: "last", head: "Last run", numeric: true, value: (p) => p.last_run_ms ?? null,
    cell: (p) => <Age ms={p.last_run_ms} />,
  },
  {
    key: "fix", head: "What would help", className: "cell-long", value: (p) => p.fix ?? null,
    cell: (p) => p.fix ? <code>{p.fix}</code> : "–",
  },
];

const RELATIONS: Array<Column<Relation>> = [
  { key: "name", head: "Relation", names: true, value: (r) => r.name },
  {
    key: "every", head: "Every", numeric: true, value: (r) => r.every_ms ?? null,
    cell: (r) => r.every_ms ? formatDuration(r.every_ms) : "–",
  },
  {
    key: "last", head: "Last reading", numeric: true, value: (r) => r.last_t_ms ?? null,
    cell: (r) => <Age ms={r.last_t_ms} />,
  },
  { key: "columns", head: "Columns", numeric: true, value: (r) => r.columns.length },
  { key: "reason", head: "Remark", value: (r) => r.reason ?? null },
  { key: "help", head: "What it is", className: "cell-long", value: (r) => r.help ?? null },
];

function Gaps({ detail }: { detail: TargetDetail }) {
  const gaps = detail.gaps ?? [];
  const now = serverNow();
  const utc = view.value.utc;
  return (
    <>
      <header class="panel-head"><h3>Gaps</h3></header>
      {gaps.length === 0 ? <p class="foot-note muted">No gap is known.</p> : (
        <ul class="foot-note">
          {gaps.slice(0, 50).map((g) => (
            <li key={g.from_ms}>
              {formatNear(g.from_ms, now, utc)} – {formatNear(g.to_ms, now, utc)} (
              {formatDuration(g.to_ms - g.from_ms)}): {g.reason || "no reason given"}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
