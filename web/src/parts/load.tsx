// SPDX-License-Identifier: PostgreSQL
//
// load.tsx: the load of a server by wait class, or by another dimension, with the vCPU line.
import type { EventRow, Load } from "../api";
import { Chart } from "../chart/chart";
import type { Answer } from "../data";
import { formatCount, formatLoad, formatNear, formatSpan } from "../format";
import {
  foldLoad,
  loadTotals,
  meanIn,
  orderWaits,
  waitClassOf,
  waitToken,
  type Line,
} from "../shape";
import { clock, setView, view } from "../state";
import { formatDuration, isoSeconds } from "../time";
import type { Dimension } from "../url";
import { emptyReason, isSampled, NO_SAMPLING, type ServerData } from "../pages/server";
import { Icon } from "./icon";
import { Lane } from "./lane";
import { ProbeItem, troubled } from "./probes";
import { Failure } from "./status";

/** What the chart of the load needs beside the target and the window. */
export interface LoadData extends ServerData {
  load: Answer<Load>;
  events: EventRow[];
}

export const DIMENSION_WORDS: Record<Dimension, string> = {
  wait_class: "Wait class", wait_event: "Wait event", query_id: "Query", datname: "Database",
  usename: "User", application_name: "Application", backend_type: "Backend", state: "State",
};
const MOST_GROUPS = 9;

export function loadLines(load: Load, by: Dimension): { lines: Line[]; tokens: string[] } {
  if (by === "wait_class") {
    const seen = orderWaits(load.series).filter((s) => s.values.some((v) => (v ?? 0) > 0));
    if (seen.length === 0) return { lines: [idle(load, "CPU")], tokens: ["wait-cpu"] };
    return {
      lines: seen.map((s) => ({ key: s.key, label: s.key, values: s.values })),
      tokens: seen.map((s) => waitToken(s.key)),
    };
  }
  const lines = foldLoad(load, MOST_GROUPS).map((l) => ({ ...l, label: groupLabel(l.label, by) }));
  if (lines.length === 0) return { lines: [idle(load, "nobody active")], tokens: ["wait-other"] };
  return { lines, tokens: groupTokens(lines, by) };
}

/** Sampled, and nobody was active: zero where that is known, a gap where it is not. */
function idle(load: Load, label: string): Line {
  return { key: label, label, values: loadTotals(load) };
}

function groupLabel(label: string, by: Dimension): string {
  if (label !== "") return label;
  return by === "query_id" ? "(no query id)" : "(none)";
}

/** Colours for the second event of a class: far from those that classes have. */
const SPARE = [9, 4, 8, 3, 5, 10, 6];

/** A wait event takes the colour of its class; other groups a palette in order of size. */
function groupTokens(lines: Line[], by: Dimension): string[] {
  if (by !== "wait_event") {
    return lines.map((l, i) => (l.key === "\u0000rest" ? "wait-other" : `group-${(i % 10) + 1}`));
  }
  const used = new Map<string, number>();
  let spare = 0;
  return lines.map((l) => {
    const own = waitToken(waitClassOf(l.key));
    const n = used.get(own) ?? 0;
    used.set(own, n + 1);
    return n === 0 ? own : `group-${SPARE[spare++ % SPARE.length]}`;
  });
}

export function LoadPanel({ data }: { data: LoadData }) {
  const v = view.value;
  const { load, detail, window } = data;
  const answer = load.data;
  const { lines, tokens } = answer ? loadLines(answer, v.by) : { lines: [], tokens: [] };
  const vcpus = answer?.vcpus ?? detail.vcpus ?? null;
  const why = answer ? emptyReason(data, lines.map((l) => l.values)) : null;
  const sums = answer ? loadTotals(answer) : [];
  const focused = v.sel ?? window;
  const average = answer ? meanIn(answer.times, sums, answer.step_ms, focused) : null;
  return (
    <Chart
      title="What is the load made of?"
      note={
        <span>
          mean <strong>{formatLoad(average)}</strong> active sessions
          {answer?.samples ? ` · ${formatCount(answer.samples)} samples` : ""}
          {answer ? ` · per ${formatDuration(answer.step_ms)}` : ""}
        </span>
      }
      controls={<DimensionPicker />}
      lines={lines}
      tokens={tokens}
      times={answer?.times ?? []}
      stepMs={answer?.step_ms ?? data.stepMs}
      span={window}
      stacked
      format={formatLoad}
      unit="active sessions"
      height="large"
      showTotal
      threshold={vcpus ? { value: vcpus, label: `${vcpus} vCPU` } : null}
      gaps={detail.gaps ?? []} marks={data.events} loading={load.loading}
      instead={answer === null
        ? (load.error ? <Failure error={load.error} /> : <div class="skeleton" aria-busy="true" />)
        : why && <EmptyLoad data={data} why={why} />}
      drill={v.by === "wait_class" || v.by === "wait_event" ? null : {
        label: (line) => `What does ${line.label} wait for?`,
        go: (key) => setView({ only: { dim: v.by, value: key }, by: "wait_class" }),
      }}
      below={answer === null || why ? null : <Lane window={window} />}
      footer={<>
        <Filters />
        <EventList data={data} />
      </>}
    />
  );
}

function EmptyLoad({ data, why }: { data: LoadData; why: string }) {
  const probe = troubled(data.detail).find((p) => /session|activity/.test(p.probe));
  const last = data.detail.last_sample_ms;
  return (
    <div class="empty">
      <p><strong>{why}</strong></p>
      {probe ? <ul class="probe-list"><ProbeItem probe={probe} /></ul>
        : last && !isSampled(data.detail) && <p class="muted">{NO_SAMPLING}</p>}
      {last && last < data.window.from && (
        <p>
          The newest sample is of {formatNear(last, clock.value, view.value.utc)}.{" "}
          <button
            type="button"
            class="button bordered"
            onClick={() =>
              setView({ from: isoSeconds(last - 3_600_000), to: isoSeconds(last), sel: null })
            }
          >
            Show the hour before it
          </button>
        </p>
      )}
    </div>
  );
}

function DimensionPicker() {
  const v = view.value;
  return (
    <label class="picker">
      <span>by</span>
      <select
        class="input" value={v.by} aria-label="Group the load by"
        onChange={(e) => setView({ by: e.currentTarget.value as Dimension })}
      >
        {Object.entries(DIMENSION_WORDS).map(([key, word]) => (
          <option key={key} value={key}>
            {word}
          </option>
        ))}
      </select>
    </label>
  );
}

function Filters() {
  const { only, sel, utc } = view.value;
  if (!only && !sel) return null;
  return (
    <div class="filters">
      {sel && (
        <span class="filter-chip">
          Selected {formatSpan(sel, utc)} ({formatDuration(sel.to - sel.from)})
          <button
            type="button"
            class="button button-quiet"
            onClick={() =>
              setView({ from: isoSeconds(sel.from), to: isoSeconds(sel.to), sel: null })
            }
          >
            Zoom in
          </button>
          <button type="button" class="button button-quiet" onClick={() => setView({ sel: null })}>
            <Icon name="close" />Clear (Esc)
          </button>
        </span>
      )}
      {only && (
        <span class="filter-chip">
          {DIMENSION_WORDS[only.dim]}: <strong>{only.value || "(none)"}</strong>
          <button type="button" class="button button-quiet" onClick={() => setView({ only: null })}>
            <Icon name="close" />Remove
          </button>
        </span>
      )}
    </div>
  );
}

const MOST_EVENTS = 3;

function EventList({ data }: { data: LoadData }) {
  if (data.events.length === 0) return null;
  const utc = view.value.utc;
  return (
    <ul class="event-list" aria-label="Events in this window">
      {data.events.slice(0, MOST_EVENTS).map((e) => (
        <li key={e.id}>
          <span class="event-mark" aria-hidden="true">▾</span>{" "}
          <time>{formatNear(e.t_ms, clock.value, utc)}</time> {e.title}
        </li>
      ))}
      {data.events.length > MOST_EVENTS && (
        <li class="muted">and {data.events.length - MOST_EVENTS} more events in this window</li>
      )}
    </ul>
  );
}
