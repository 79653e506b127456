// SPDX-License-Identifier: PostgreSQL
//
// shape.ts: from answers of the API to what charts and tables draw. Pure.
//
// A missing value stays null all the way: it is drawn as a gap and written as a dash.
import type { Gap, Load, Metrics, MetricSeries, Num } from "./api";
import type { Span } from "./time";

export interface Line {
  key: string;
  label: string;
  values: Num[];
}

export const WAIT_CLASSES = [
  "CPU", "IO", "Lock", "LWLock", "IPC", "Client", "BufferPin", "Timeout", "Extension", "Other",
] as const;

/** Name of the custom property with the colour of a wait class; unknown ones are "Other". */
export function waitToken(name: string): string {
  const known = (WAIT_CLASSES as readonly string[]).includes(name) ? name : "Other";
  return `wait-${known.toLowerCase()}`;
}

/** The class of a wait event; the API writes "IO:DataFileRead", "IO.DataFileRead" or "CPU". */
export function waitClassOf(event: string): string {
  const m = /^([A-Za-z]+)(?:[:./]|$)/.exec(event);
  return m?.[1] ?? "Other";
}

/** Wait classes in their fixed order, whatever order they came in; strangers at the end. */
export function orderWaits<T extends { key: string }>(series: T[]): T[] {
  const rank = (key: string): number => {
    const i = (WAIT_CLASSES as readonly string[]).indexOf(key);
    return i < 0 ? WAIT_CLASSES.length : i;
  };
  return [...series].sort((a, b) => rank(a.key) - rank(b.key));
}

/** Sum of the values at one time; null when there is none at all. */
export function sumAt(lines: ReadonlyArray<{ values: Num[] }>, i: number): Num {
  let total: Num = null;
  for (const line of lines) {
    const v = line.values[i];
    if (v !== null && v !== undefined) total = (total ?? 0) + v;
  }
  return total;
}

export function totals(lines: ReadonlyArray<{ values: Num[] }>, count: number): Num[] {
  return Array.from({ length: count }, (_, i) => sumAt(lines, i));
}

export function mean(values: readonly Num[]): Num {
  let sum = 0;
  let n = 0;
  for (const v of values) {
    if (v === null || v === undefined) continue;
    sum += v;
    n++;
  }
  return n === 0 ? null : sum / n;
}

export function lastValue(values: readonly Num[]): { value: Num; index: number } {
  for (let i = values.length - 1; i >= 0; i--) {
    const v = values[i];
    if (v !== null && v !== undefined) return { value: v, index: i };
  }
  return { value: null, index: -1 };
}

/** Mean of the values whose bucket (t - step, t] touches the window. */
export function meanIn(times: number[], values: readonly Num[], stepMs: number, span: Span): Num {
  return mean(values.filter((_, i) => times[i]! > span.from && times[i]! - stepMs < span.to));
}

export function column(m: Metrics | null, name: string): Num[] | null {
  return m?.series.find((s: MetricSeries) => s.column === name)?.values ?? null;
}

/** a + b + ...; null where all are null, and null as a whole when no column is there. */
export function addColumns(m: Metrics | null, names: readonly string[]): Num[] | null {
  const found = names.map((n) => column(m, n)).filter((v): v is Num[] => v !== null);
  if (found.length === 0 || !m) return null;
  return totals(found.map((values) => ({ values })), m.times.length);
}

export function divide(a: readonly Num[] | null, b: readonly Num[] | null): Num[] | null {
  if (!a || !b) return null;
  return a.map((v, i) => {
    const d = b[i];
    return v === null || v === undefined || d === null || d === undefined || d === 0 ? null : v / d;
  });
}

/** Seconds of CPU time per second, by mode, as shares of all time that passed. */
export function cpuShares(m: Metrics | null): Line[] {
  const modes: Array<[string, string, string[]]> = [
    ["user", "user", ["user_s", "nice_s"]],
    ["system", "system", ["system_s", "irq_s", "softirq_s"]],
    ["iowait", "I/O wait", ["iowait_s"]],
    ["steal", "steal", ["steal_s"]],
  ];
  const all = addColumns(m, [
    "user_s", "nice_s", "system_s", "idle_s", "iowait_s", "irq_s", "softirq_s", "steal_s",
  ]);
  const lines: Line[] = [];
  for (const [key, label, columns] of modes) {
    const values = divide(addColumns(m, columns), all);
    if (values) lines.push({ key, label, values });
  }
  return lines;
}

/** Memory as people think of it: used, page cache, free; the parts add up to the total. */
export function memoryParts(m: Metrics | null): Line[] {
  const total = column(m, "total");
  const free = column(m, "free");
  const cache = addColumns(m, ["cached", "buffers"]);
  if (!total || !free || !cache) return [];
  const used = total.map((t, i) => {
    const f = free[i];
    const c = cache[i];
    if (t === null || f === null || f === undefined || c === null || c === undefined) return null;
    return Math.max(0, t - f - c);
  });
  return [
    { key: "used", label: "used", values: used },
    { key: "cache", label: "page cache", values: cache },
    { key: "free", label: "free", values: free },
  ];
}

/** Was the load of this bucket measured at all? Nobody active is a measured zero. */
function isCovered(load: Load, i: number): boolean {
  return (load.covered?.[i] ?? 0) > 0;
}

/** Load of all groups together: zero where sessions were sampled and none was active. */
export function loadTotals(load: Load): Num[] {
  return load.times.map((_, i) => sumAt(load.series, i) ?? (isCovered(load, i) ? 0 : null));
}

/** Groups of a load answer beyond the first `keep` become one, so that colours stay apart. */
export function foldLoad(load: Load, keep: number): Line[] {
  const sorted = [...load.series];
  const head: Line[] = sorted
    .slice(0, keep)
    .map((s) => ({ key: s.key, label: s.key, values: s.values }));
  const rest = sorted.slice(keep);
  if (rest.length > 0) {
    const values = totals(rest, load.times.length);
    head.push({ key: "\u0000rest", label: `${rest.length} others`, values });
  }
  return head;
}

/** Stretches without any value, wider than one bucket: what a chart shades as "no data". */
export function emptyStretches(times: number[], sums: readonly Num[], stepMs: number): Span[] {
  const found: Span[] = [];
  let start: number | null = null;
  for (let i = 0; i < times.length; i++) {
    if (sums[i] === null || sums[i] === undefined) {
      start ??= times[i]! - stepMs;
    } else if (start !== null) {
      found.push({ from: start, to: times[i]! - stepMs });
      start = null;
    }
  }
  if (start !== null) found.push({ from: start, to: times[times.length - 1]! });
  return found;
}

/** Why a stretch is empty: the recorded gap that covers most of it. */
export function gapReason(stretch: Span, gaps: readonly Gap[]): string {
  let best = "";
  let most = 0;
  for (const gap of gaps) {
    const overlap = Math.min(stretch.to, gap.to_ms) - Math.max(stretch.from, gap.from_ms);
    if (overlap > most) {
      most = overlap;
      best = gap.reason ?? "";
    }
  }
  return best;
}

/** The index of the bucket nearest to a time; -1 when there are none. */
export function nearest(times: readonly number[], t: number): number {
  let lo = 0;
  let hi = times.length - 1;
  if (hi < 0) return -1;
  while (hi - lo > 1) {
    const mid = (lo + hi) >> 1;
    if (times[mid]! < t) lo = mid;
    else hi = mid;
  }
  return Math.abs(times[lo]! - t) <= Math.abs(times[hi]! - t) ? lo : hi;
}

/** One sentence for people who do not see the chart. */
export function summarize(
  lines: readonly Line[], times: readonly number[], stacked: boolean,
  show: (v: Num) => string, when: (ms: number) => string,
): string {
  const withData = lines.filter((l) => l.values.some((v) => v !== null));
  if (withData.length === 0) return "No data in this window.";
  const sums = stacked ? totals(lines, times.length) : null;
  let peak = -Infinity;
  let at = 0;
  let who = "";
  for (const line of withData) {
    for (let i = 0; i < times.length; i++) {
      const v = sums ? sums[i] : line.values[i];
      if (v !== null && v !== undefined && v > peak) [peak, at, who] = [v, i, line.label];
    }
  }
  if (sums) {
    const top = [...withData].sort((a, b) => (b.values[at] ?? 0) - (a.values[at] ?? 0))[0];
    who = top ? `mostly ${top.label}` : "";
  }
  return `${withData.length} series, peak ${show(peak)} at ${when(times[at]!)}, ${who}.`;
}

/**
 * Text of a database must not become a formula in somebody's spreadsheet: it is kept text by a
 * quote in front. A number is no formula.
 */
export function csvField(cell: string): string {
  const risky = /^[=+\-@\t\r]/.test(cell) && !/^-?\d+(\.\d+)?$/.test(cell);
  const text = risky ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The data of a chart as CSV; an empty field is a missing value. */
export function toCsv(
  lines: readonly Line[],
  times: readonly number[],
  stamp: (ms: number) => string,
) {
  const rows = [["time", ...lines.map((l) => l.label)].map(csvField).join(",")];
  times.forEach((t, i) => {
    const cells = lines.map((l) => {
      const v = l.values[i];
      return v === null || v === undefined ? "" : String(v);
    });
    rows.push([csvField(stamp(t)), ...cells].join(","));
  });
  return `${rows.join("\r\n")}\r\n`;
}
