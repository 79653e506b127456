// SPDX-License-Identifier: PostgreSQL
//
// relpanel.tsx: a chart of some columns of one relation, which asks for its data when it comes
// into sight, and says why there is nothing when there is nothing.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Metrics, Num, Relation, TargetDetail } from "../api";
import { Chart } from "../chart/chart";
import { paths, useAnswer, type Answer } from "../data";
import { emptyReason, type ServerData } from "../pages/server";
import type { Line } from "../shape";
import { beat } from "../state";
import { formatDuration } from "../time";
import { ProbeItem, troubled } from "./probes";
import { Failure } from "./status";

export interface Panel {
  title: string;
  relation: string;
  columns: string;
  /** Null: every row is a series; "" all rows are one. */
  by: string | null;
  agg?: string;
  lines: (m: Metrics) => Line[];
  format: (v: Num) => string;
  unit: string;
  stacked?: boolean;
  binary?: boolean;
  top?: number | null;
  threshold?: { value: number; label: string } | null;
  tokens?: string[];
  /** The probe that reads it, when its name is not that of the relation. */
  probe?: string;
  /** Read from the host of the server. */
  host?: boolean;
  /** What a reading without any row means. */
  none?: string;
}

const TOKENS = ["line-1", "line-2", "line-3", "line-5", "line-4", "group-4", "group-8", "group-9"];

/** True from the first time the element comes near the visible part of the page. */
export function useSeen(element: { current: Element | null }): boolean {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (!element.current) return;
    const watch = new IntersectionObserver(
      (entries) => entries.some((x) => x.isIntersecting) && setSeen(true),
      { rootMargin: "300px" },
    );
    watch.observe(element.current);
    return () => watch.disconnect();
  }, []);
  return seen;
}

/** A beat no faster than the clock of the data. */
export function slowBeat(everyMs: number): number {
  return Math.floor(beat.value / Math.max(1, Math.round(everyMs / 5000)));
}

/** The description of a relation that was read at least once, on the target or on its host. */
export function useRelation(
  data: ServerData, name: string, host: boolean,
): { target: string | null; relation: Relation | null } {
  const other = host && data.hostId !== data.id ? data.hostId : null;
  const answer = useAnswer<{ relations?: Relation[] }>(
    other === null ? null : paths.server(other), slowBeat(60_000), other ?? "");
  if (host && data.hostId === null) return { target: null, relation: null };
  const relations = other === null ? data.detail.relations : answer.data?.relations;
  return {
    target: other ?? data.id,
    relation: relations?.find((r) => r.name === name) ?? null,
  };
}

/** Why there is nothing of a host. */
export function noHost(detail: TargetDetail): string {
  if (detail.kind !== "postgresql") return "No host data.";
  return detail.host_hidden
    ? "The host of this server is not among the targets that this account sees."
    : "The agent reads this server over the network: it cannot see the host. An agent on the "
      + "host adds this.";
}

/** Why a relation has no data, as its probe says, or what else is known. */
export function WhyNot(props: {
  data: ServerData; relation: string; probe?: string | undefined; host?: boolean | undefined;
  instead: string;
}) {
  const { data, host } = props;
  const names = [props.relation, props.probe];
  const probe = (data.detail.probes ?? []).find((p) => names.includes(p.probe));
  if (probe && troubled(data.detail).includes(probe)) {
    return probe.state === "no_data"
      ? <p class="muted">{sentence(probe.reason ?? "Nothing there")}</p>
      : <ul class="probe-list"><ProbeItem probe={probe} /></ul>;
  }
  if (host && data.hostId === null) return <p class="muted">{noHost(data.detail)}</p>;
  return <p class="muted">{props.instead}</p>;
}

function sentence(text: string): string {
  const end = /[.!?]$/.test(text) ? "" : ".";
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${end}`;
}

const NOT_TOLD = "The collector of this server does not tell this.";

export function notRead(relation: string, data: ServerData): string {
  const agent = data.detail.collector?.version;
  return `No reading of ${relation} yet${agent ? ` (agent ${agent})` : ""}.`;
}

export function RelPanel({ data, panel: p }: { data: ServerData; panel: Panel }) {
  const place = useRef<HTMLDivElement>(null);
  const seen = useSeen(place);
  const { target, relation } = useRelation(data, p.relation, p.host ?? false);
  const { window } = data;
  // A bucket shorter than the clock of the relation would be empty for every other reading.
  const every = relation?.every_ms ?? 10_000;
  const stepMs = Math.max(data.stepMs, Math.ceil(every / data.stepMs) * data.stepMs);
  const path = seen && target !== null && relation !== null
    ? paths.metrics(target, {
        relation: p.relation, column: p.columns, from: window.from, to: window.to, step: stepMs,
        by: p.by, agg: p.agg ?? null,
      })
    : null;
  const answer = useAnswer<Metrics>(path, slowBeat(every), `${target} ${p.title}`);
  const lines = answer.data ? p.lines(answer.data) : [];
  return (
    <div ref={place} class="rel-panel">
      <Chart
        title={p.title}
        note={p.unit}
        lines={lines}
        tokens={lines.map((_, i) => (p.tokens ?? TOKENS)[i % (p.tokens ?? TOKENS).length]!)}
        times={answer.data?.times ?? []}
        stepMs={answer.data?.step_ms ?? stepMs}
        span={window}
        stacked={p.stacked ?? false}
        format={p.format}
        height="small"
        top={p.top ?? null}
        threshold={p.threshold ?? null}
        binary={p.binary ?? false}
        gaps={data.detail.gaps ?? []}
        unit={answer.data ? `${p.unit}, per ${formatDuration(answer.data.step_ms)}` : p.unit}
        loading={answer.loading}
        instead={hasData(lines) ? null : (
          <Instead data={data} panel={p} relation={relation} answer={answer} lines={lines} />
        )}
      />
    </div>
  );
}

function hasData(lines: Line[]): boolean {
  return lines.some((l) => l.values.some((v) => v !== null));
}

function Instead(props: {
  data: ServerData; panel: Panel; relation: Relation | null; answer: Answer<Metrics>;
  lines: Line[];
}) {
  const { data, panel: p, relation, answer } = props;
  if (relation === null) {
    return (
      <WhyNot
        data={data} relation={p.relation} probe={p.probe} host={p.host}
        instead={notRead(p.relation, data)}
      />
    );
  }
  if (answer.data === null) {
    return answer.error ? <Failure error={answer.error} />
      : <div class="skeleton" aria-busy="true" />;
  }
  const empty = emptyReason(data, props.lines.map((l) => l.values)) ?? "No data in this window.";
  const asked = p.columns.split(",");
  const unread = answer.data.series.length > 0
    && answer.data.series.every((s) => s.values.every((v) => v === null));
  const otherwise = !relation.columns.some((c) => asked.includes(c.name)) ? NOT_TOLD
    : unread ? empty : p.none ?? empty;
  return <WhyNot data={data} relation={p.relation} probe={p.probe} instead={otherwise} />;
}

/** Each row of the answer as a line, named by its labels; the greatest `most` of them. */
export function rowLines(m: Metrics, label: (labels: Record<string, string>) => string, most = 8) {
  const lines = m.series.map((s) => {
    const words = label(s.labels ?? {});
    const peak = Math.max(0, ...s.values.map((v) => v ?? 0));
    return { key: words, label: words, values: s.values, peak };
  });
  lines.sort((a, b) => b.peak - a.peak);
  return lines.slice(0, most).map((l): Line => ({ key: l.key, label: l.label, values: l.values }));
}
