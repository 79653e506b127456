// SPDX-License-Identifier: PostgreSQL
//
// collectors.tsx: the enrolled agents: how they fare, and taking their identity away.
import type { Collector, List, Target } from "../api";
import { paths, send, useAnswer } from "../data";
import { formatCount } from "../format";
import { pulse } from "../state";
import { overviewPath } from "../url";
import { AdminFrame, Danger, mayAct, Shown, timeOfText } from "../parts/admin";
import { Group } from "../parts/group";
import { Grid, type Column } from "../parts/grid";
import { Age, Chip } from "../parts/status";

const LOOK: Record<string, { tone: string; icon: "check" | "clock" | "warn" | "close" }> = {
  active: { tone: "ok", icon: "check" },
  registered: { tone: "unknown", icon: "clock" },
  offline: { tone: "warn", icon: "warn" },
  error: { tone: "crit", icon: "warn" },
  revoked: { tone: "unknown", icon: "close" },
};

export function CollectorsPage() {
  const answer = useAnswer<List<Collector>>(paths.collectors, pulse.value, "collectors");
  const targets = useAnswer<List<Target>>(paths.servers, pulse.value, "fleet");
  return (
    <AdminFrame
      title="Collectors"
      note={<>The enrolled agents. A new one needs a <a href="/secrets">registration secret</a>.</>}
    >
      <Shown answer={answer}>
        {(list) => <CollectorTable rows={list.data} targets={targets.data?.data ?? []} />}
      </Shown>
    </AdminFrame>
  );
}

function CollectorTable({ rows, targets }: { rows: Collector[]; targets: Target[] }) {
  const mine = (c: Collector): Target[] => targets.filter((t) => t.collector_id === c.id);
  const columns: Array<Column<Collector>> = [
    { key: "name", head: "Agent", names: true, value: (c) => c.name },
    {
      key: "status", head: "State", value: (c) => c.status,
      cell: (c) => (
        <Chip tone={LOOK[c.status]?.tone ?? "unknown"} icon={LOOK[c.status]?.icon ?? "help"}>
          {c.status}
        </Chip>
      ),
    },
    {
      key: "group", head: "Group", value: (c) => c.group ?? null,
      title: "which its targets get when they are first seen; they move with it",
      cell: (c) => <Group group={c.group} name={c.name} path={`/collectors/${c.id}`} />,
    },
    { key: "hostname", head: "Host", value: (c) => c.hostname ?? null },
    { key: "address", head: "Address", value: (c) => c.address || null },
    { key: "version", head: "Version", value: (c) => c.version || null },
    {
      key: "last_seen", head: "Last seen", value: (c) => c.last_seen ?? null,
      cell: (c) => <Age ms={timeOfText(c.last_seen)} />,
    },
    {
      key: "targets", head: "Targets", value: (c) => mine(c).map((t) => t.name).join(" "),
      cell: (c) => mine(c).map((t, i) => (
        <span key={t.id}>{i > 0 && ", "}<a href={overviewPath(t.id)}>{t.name}</a></span>
      )),
    },
    {
      key: "day", head: "Values/24 h", numeric: true, value: (c) => c.metrics_count_24h ?? null,
      cell: (c) => formatCount(c.metrics_count_24h),
    },
    {
      key: "total", head: "Values", numeric: true, spare: true,
      value: (c) => c.metrics_count_total ?? null, cell: (c) => formatCount(c.metrics_count_total),
    },
    {
      key: "over", head: "Over its limits", title: "what was left out beyond, since the start",
      value: (c) => (c.over_limits ?? []).join(" "),
      cell: (c) => c.over_limits?.length
        ? <Chip tone="warn" icon="warn">{c.over_limits.join(", ").replaceAll("_", " ")}</Chip>
        : "–",
    },
    { key: "id", head: "Id", spare: true, value: (c) => c.id, cell: (c) => <code>{c.id}</code> },
  ];
  if (mayAct("operator")) {
    columns.push({
      key: "actions", head: "Actions", value: () => null,
      cell: (c) => c.status === "revoked" ? null : (
        <Danger
          words="Revoke" act={() => send("DELETE", `/collectors/${c.id}`)}
          ask={`Revoke ${c.name} on ${c.hostname ?? "its host"}? It can send nothing any ` +
            "more until it enrols again. Its data stays."}
        />
      ),
    });
  }
  return (
    <section class="panel" aria-label="Agents">
      <Grid
        name="collectors" things="agents" rows={rows} columns={columns} sort="name"
        rowKey={(c) => c.id}
        none={<p>No agent is enrolled. The <a href="/?all">fleet page</a> has the three steps.</p>}
      />
    </section>
  );
}
