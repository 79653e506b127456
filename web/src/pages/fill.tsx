// SPDX-License-Identifier: PostgreSQL
//
// fill.tsx: who fills the store: row objects by relation, server and agent, and what each agent has
// of what it may have.
import { useState } from "preact/hooks";
import type { Cardinality, Collector, CollectorLimit, List, Target } from "../api";
import { paths, useAnswer } from "../data";
import { formatBytes, formatCount } from "../format";
import { pulse } from "../state";
import { Shown } from "../parts/admin";
import { Grid, type Column } from "../parts/grid";
import { Chip } from "../parts/status";

const BY = ["relation", "server", "collector"] as const;
type By = (typeof BY)[number];
const WORD: Record<By, string> = { relation: "Relation", server: "Target", collector: "Agent" };

export function FillPanel({ targets }: { targets: Target[] }) {
  const [by, setBy] = useState<By>("relation");
  const slow = Math.floor(pulse.value / 6);
  const answer = useAnswer<Cardinality>(paths.cardinality(by), slow, by);
  const agents = useAnswer<List<Collector>>(paths.collectors, slow, "collectors").data?.data ?? [];
  return (
    <section class="panel" aria-label="What fills it">
      <header class="panel-head">
        <h2>What fills it?</h2>
        <span class="panel-note">rows with an identity of their own, most first</span>
        <span class="grow" />
        <label class="picker">
          <span>by</span>
          <select
            class="input" value={by} aria-label="Count by"
            onChange={(e) => setBy(e.currentTarget.value as By)}
          >
            {BY.map((b) => <option key={b} value={b}>{WORD[b].toLowerCase()}</option>)}
          </select>
        </label>
      </header>
      <Shown answer={answer}>
        {(c) => <FillTable c={c} by={by} targets={targets} agents={agents} />}
      </Shown>
      {agents.length > 0 && <Limits agents={agents} />}
    </section>
  );
}

type Row = Cardinality["data"][number];

function FillTable(
  { c, by, targets, agents }: { c: Cardinality; by: By; targets: Target[]; agents: Collector[] },
) {
  const name = (r: Row): string => {
    const id = r[by] ?? "";
    const known = by === "server" ? targets : by === "collector" ? agents : [];
    return known.find((k) => k.id === id)?.name ?? id;
  };
  const columns: Array<Column<Row>> = [
    { key: "name", head: WORD[by], names: true, value: name },
    {
      key: "objects", head: "Rows", numeric: true, value: (r) => r.objects,
      cell: (r) => formatCount(r.objects),
    },
    {
      key: "groups", head: "Groups", numeric: true, value: (r) => r.groups,
      title: "of a target, relation and scope", cell: (r) => formatCount(r.groups),
    },
  ];
  return (
    <>
      <Grid
        own name="fill" things={`${WORD[by].toLowerCase()}s`} rows={c.data} columns={columns}
        sort="-objects" rowKey={(r) => r[by] ?? ""} none={<p>The store is empty.</p>}
      />
      {c.rows > c.data.length && (
        <p class="foot-note muted small">The first {c.data.length} of {c.rows}.</p>
      )}
    </>
  );
}

function Limits({ agents }: { agents: Collector[] }) {
  const [id, setId] = useState("");
  const chosen = agents.find((a) => a.id === id) ?? agents[0]!;
  const path = paths.limits(chosen.id);
  const answer = useAnswer<List<CollectorLimit>>(path, Math.floor(pulse.value / 6), chosen.id);
  return (
    <>
      <header class="panel-head">
        <h3>What may an agent have?</h3>
        <span class="grow" />
        <label class="picker">
          <span>of</span>
          <select
            class="input" value={chosen.id} aria-label="Agent"
            onChange={(e) => setId(e.currentTarget.value)}
          >
            {agents.map((a) => <option key={a.id} value={a.id}>{a.name}</option>)}
          </select>
        </label>
      </header>
      {answer.error?.status === 404 && !answer.data
        ? <p class="foot-note muted">It has delivered nothing yet.</p>
        : (
          <Shown answer={answer}>
            {(list) => (
              <Grid
                own name="limits" things="limits" rows={list.data} columns={LIMITS} sort="limit"
                rowKey={(l) => l.limit} none={<p>There are no limits.</p>}
              />
            )}
          </Shown>
        )}
    </>
  );
}

const show = (l: CollectorLimit, n: number | null): string =>
  n === null ? "–" : l.limit === "text_bytes" ? formatBytes(n) : formatCount(n);

const HOURLY = ["new_objects", "cells"];
const LIMITS: Array<Column<CollectorLimit>> = [
  {
    key: "limit", head: "Limit", names: true, value: (l) => l.limit,
    cell: (l) => l.limit.replace("_", " ") + (HOURLY.includes(l.limit) ? " in an hour" : ""),
  },
  { key: "used", head: "Used", numeric: true, value: (l) => l.used, cell: (l) => show(l, l.used) },
  { key: "max", head: "At most", numeric: true, value: (l) => l.max, cell: (l) => show(l, l.max) },
  {
    key: "refused", head: "Left out", numeric: true, value: (l) => l.refused,
    title: "values, or texts, since the server started",
    cell: (l) => l.refused === 0 ? "0"
      : <Chip tone="warn" icon="warn">{formatCount(l.refused)}</Chip>,
  },
];
