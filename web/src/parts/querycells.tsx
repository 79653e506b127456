// SPDX-License-Identifier: PostgreSQL
//
// querycells.tsx: what lists of queries and the page of one query show alike.
import { num, type Num, type QueryRow, type Relation, type TopQueries } from "../api";
import {
  formatClock, formatCount, formatExact, formatLoad, formatMs, formatPercent, formatUnit,
} from "../format";
import type { ServerData } from "../pages/server";
import { WAIT_CLASSES, waitToken } from "../shape";
import { formatDuration } from "../time";
import { ProbeItem, troubled } from "./probes";

export function rowKey(row: QueryRow): string {
  return `${row.queryid}/${row.datname ?? ""}/${row.usename ?? ""}/${row.toplevel ?? ""}`;
}

export function seconds(answer: TopQueries): number {
  if (answer.covered_ms) return answer.covered_ms / 1000;
  const from = answer.covered_from_ms ?? answer.from_ms;
  const to = answer.covered_to_ms ?? answer.to_ms;
  return Math.max(1, (to - from) / 1000);
}

/** Mean number of sessions that were executing the query: exact, from its execution time. */
export function loadOf(row: QueryRow | null | undefined, secs: number): Num {
  const ms = num(row, "total_exec_time");
  return ms === null ? null : ms / 1000 / secs;
}

export function NoText({ row }: { row: QueryRow }) {
  if (row.queryid === "other")
    return <span class="muted">all queries outside the agent's top list</span>;
  return (
    <span class="muted">
      {row.text_reason || "text not received yet"} · id {row.queryid}
    </span>
  );
}

/** Length: load by execution time. Colours: how that time divides over wait classes, as sampled. */
export function LoadBar({ row, secs, most }: { row: QueryRow; secs: number; most: number }) {
  const load = loadOf(row, secs);
  const waits = Object.entries(row.waits ?? {}).filter(([, v]) => v > 0);
  const rank = (k: string): number => (WAIT_CLASSES as readonly string[]).indexOf(k);
  waits.sort((a, b) => rank(a[0]) - rank(b[0]));
  const sum = waits.reduce((s, [, v]) => s + v, 0);
  const words = waits.map(([k, v]) => `${k} ${formatPercent(v / sum)}`).join(", ");
  const share = row.share ?? null;
  return (
    <div class="load-bar-row" title={
      `${formatExact(load)} sessions on average (execution time ÷ time)` +
      (share === null ? "" : `; ${formatPercent(share)} of the total`) +
      (words ? `; waits as sampled: ${words}` : "; never seen by session sampling")
    }>
      <span class="load-value">{formatLoad(load)}</span>
      <span class="load-bar" role="img" aria-label={words || "no samples"}>
        <span
          class="load-bar-fill"
          style={{ width: `${Math.max(0.5, ((load ?? 0) / most) * 100)}%` }}
        >
          {sum === 0 ? (
            <span class="load-part" style={{ flexGrow: 1, background: "var(--wait-unsampled)" }} />
          ) : (
            waits.map(([k, v]) => (
              <span
                key={k}
                class="load-part"
                style={{ flexGrow: v / sum, background: `var(--${waitToken(k)})` }}
              />
            ))
          )}
        </span>
      </span>
    </div>
  );
}

export function ratio(row: QueryRow, a: string, b: string): Num {
  const [x, y] = [num(row, a), num(row, b)];
  return x === null || y === null || y === 0 ? null : x / y;
}

export function factFormat(key: string, unit: string | null | undefined) {
  if (unit) return formatUnit(unit);
  if (key.endsWith("_time")) return formatMs;
  return key.endsWith("_bytes") ? formatUnit("bytes") : formatCount;
}

/** Which part of the window the statement counters cover; they are read less often than sessions */
export function Coverage({ top, utc }: { top: TopQueries; utc: boolean }) {
  if (!top.covered_from_ms || !top.covered_to_ms) return null;
  return (
    <p class="foot-note muted small">
      Statement counters of {formatClock(top.covered_from_ms, utc)} –{" "}
      {formatClock(top.covered_to_ms, utc)} ({formatDuration(seconds(top) * 1000)} covered); rates
      are means over that time. Load is execution time per second; its colours are the waits seen by
      session sampling.
    </p>
  );
}

/** The relation that tells of statements: an agent's, or an older collector's counters. */
export function statementsOf(data: ServerData): Relation | null {
  const find = (name: string): Relation | undefined =>
    data.detail.relations?.find((r) => r.name === name);
  return find("pg_stat_statements") ?? find("pg_stat_statements_total") ?? null;
}

export function NoQueries({ data, top }: { data: ServerData; top: TopQueries }) {
  const probe = troubled(data.detail).find((p) => /statement/.test(p.probe));
  const every = statementsOf(data)?.every_ms ?? 60_000;
  const short = top.to_ms - top.from_ms < every * 2;
  return (
    <div class="empty">
      <p><strong>No statement statistics in this window.</strong></p>
      {probe ? <ul class="probe-list"><ProbeItem probe={probe} /></ul>
        : <p class="muted">
            They are read every {formatDuration(every)}.
            {short ? " Choose a longer window." : " The first figures need two readings."}
          </p>}
    </div>
  );
}
