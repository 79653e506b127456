// SPDX-License-Identifier: PostgreSQL
//
// time.ts: what people write for a time or a range, and what it means. Pure.
//
// An expression is kept as written ("-1h", "now", "2026-11-20T14:03:20Z") so that a relative range
// stays relative in the address bar; it becomes milliseconds only when data is asked for.

export interface Span {
  from: number;
  to: number;
}

export interface RangeText {
  from: string;
  to: string;
}

const UNIT_MS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

export const PRESETS: ReadonlyArray<{ from: string; label: string; long: string }> = [
  { from: "-5m", label: "5 m", long: "Last 5 minutes" },
  { from: "-15m", label: "15 m", long: "Last 15 minutes" },
  { from: "-1h", label: "1 h", long: "Last hour" },
  { from: "-3h", label: "3 h", long: "Last 3 hours" },
  { from: "-6h", label: "6 h", long: "Last 6 hours" },
  { from: "-24h", label: "24 h", long: "Last 24 hours" },
  { from: "-2d", label: "2 d", long: "Last 2 days" },
  { from: "-7d", label: "7 d", long: "Last 7 days" },
  { from: "-30d", label: "30 d", long: "Last 30 days" },
];

/** Milliseconds of "90s", "1h30m", "2d"; null when it is not a duration. */
export function parseDuration(text: string): number | null {
  const rest = text.trim();
  if (!/^(\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*)+$/.test(rest)) return null;
  let total = 0;
  for (const [, num, unit] of rest.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)/g)) {
    total += Number(num) * (UNIT_MS[unit ?? ""] ?? 0);
  }
  return total > 0 ? total : null;
}

export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return join2(Math.floor(s / 60), "min", s % 60, "s");
  if (s < 86400) return join2(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
  return join2(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
}

function join2(a: number, unitA: string, b: number, unitB: string): string {
  return b === 0 ? `${a} ${unitA}` : `${a} ${unitA} ${b} ${unitB}`;
}

function wallClock(
  y: number,
  mo: number,
  d: number,
  h: number,
  mi: number,
  s: number,
  utc: boolean,
) {
  return utc ? Date.UTC(y, mo, d, h, mi, s) : new Date(y, mo, d, h, mi, s).getTime();
}

function parseAbsolute(text: string, nowMs: number, utc: boolean): number | null {
  if (/^\d{9,11}$/.test(text)) return Number(text) * 1000;
  if (/^\d{12,14}$/.test(text)) return Number(text);
  if (/[zZ]$|[+-]\d\d:?\d\d$/.test(text) && text.includes("T")) {
    const t = Date.parse(text);
    return Number.isNaN(t) ? null : t;
  }
  const full = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d{1,2}):(\d\d)(?::(\d\d))?)?$/.exec(text);
  if (full) {
    const [, y, mo, d, h, mi, s] = full.map((v) => Number(v ?? 0));
    return wallClock(y!, mo! - 1, d!, h!, mi!, s!, utc);
  }
  const clock = /^(\d{1,2}):(\d\d)(?::(\d\d))?$/.exec(text);
  if (!clock) return null;
  const [, h, mi, s] = clock.map((v) => Number(v ?? 0));
  const day = new Date(nowMs);
  const t = utc
    ? Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate(), h, mi, s)
    : new Date(day.getFullYear(), day.getMonth(), day.getDate(), h, mi, s).getTime();
  return t > nowMs ? t - UNIT_MS["d"]! : t;
}

/** A time as people write it, in milliseconds; null when it cannot be read. */
export function parseTime(text: string, nowMs: number, utc = false): number | null {
  const t = text.trim();
  if (t === "now") return nowMs;
  const relative = /^(?:now)?\s*-\s*(.+)$/.exec(t);
  if (relative && !/^\d{4}-/.test(t)) {
    const ms = parseDuration(relative[1]!);
    return ms === null ? null : nowMs - ms;
  }
  return parseAbsolute(t, nowMs, utc);
}

export function isoSeconds(ms: number): string {
  return new Date(Math.round(ms / 1000) * 1000).toISOString().replace(".000Z", "Z");
}

/** A typed range: "6h", "-6h", "yesterday", "14:00 → 14:30", "2026-11-20 14:00 → +30m". */
export function parseRange(text: string, nowMs: number, utc = false): RangeText | null {
  const t = text.trim().toLowerCase();
  if (t === "today" || t === "yesterday") return dayRange(t, nowMs, utc);
  const alone = /^-?\s*(.+)$/.exec(t);
  if (alone && parseDuration(alone[1]!) !== null)
    return { from: `-${compact(alone[1]!)}`, to: "now" };
  const parts = text.trim().split(/\s*(?:→|->|\.\.|–|\bto\b)\s*/);
  if (parts.length !== 2) return null;
  const from = parseTime(parts[0]!, nowMs, utc);
  if (from === null) return null;
  const plus = /^\+\s*(.+)$/.exec(parts[1]!);
  const length = plus ? parseDuration(plus[1]!) : null;
  const to = plus ? (length === null ? null : from + length) : parseTime(parts[1]!, nowMs, utc);
  if (to === null || to <= from) return null;
  return { from: isoSeconds(from), to: parts[1] === "now" ? "now" : isoSeconds(to) };
}

function compact(text: string): string {
  return text.replace(/\s+/g, "");
}

function dayRange(which: string, nowMs: number, utc: boolean): RangeText {
  const d = new Date(nowMs);
  const start = utc
    ? Date.UTC(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate())
    : new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
  if (which === "today") return { from: isoSeconds(start), to: "now" };
  return { from: isoSeconds(start - UNIT_MS["d"]!), to: isoSeconds(start) };
}

/** The window an expression pair means at `nowMs`; a broken pair means the last hour. */
export function resolveRange(range: RangeText, nowMs: number, utc = false): Span {
  const to = parseTime(range.to, nowMs, utc);
  const from = parseTime(range.from, nowMs, utc);
  if (to === null || from === null || from >= to) return { from: nowMs - UNIT_MS["h"]!, to: nowMs };
  return { from, to };
}

/** The start of the window when none was chosen: a target a minute old has no hour to show. */
export function autoFrom(firstSeenMs: number | null, nowMs: number): string {
  const age = firstSeenMs === null ? Infinity : nowMs - firstSeenMs;
  if (age < 4 * UNIT_MS["m"]!) return "-5m";
  return age < 14 * UNIT_MS["m"]! ? "-15m" : "-1h";
}

const STEPS_S = [
  1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400,
];

/** The smallest round step, a multiple of `everyMs`, that gives at most `points` buckets. */
export function niceStep(spanMs: number, points: number, everyMs: number): number {
  for (const s of STEPS_S) {
    const step = s * 1000;
    if (step >= everyMs && step % everyMs === 0 && spanMs / step <= points) return step;
  }
  return Math.ceil(spanMs / points / everyMs) * everyMs;
}

/** Widen a window to whole steps, so that buckets keep their place while time moves on. */
export function alignSpan(span: Span, stepMs: number, offsetMs = 0): Span {
  return {
    from: Math.floor((span.from - offsetMs) / stepMs) * stepMs + offsetMs,
    to: Math.ceil((span.to - offsetMs) / stepMs) * stepMs + offsetMs,
  };
}

/**
 * Where bucket edges should lie when buckets are about as long as the clock of the samples: half
 * way between two samples. Edges at the samples themselves would let a sample that is a little
 * early or late leave one bucket empty. Long buckets hold many samples and keep round edges.
 */
export function bucketOffset(stepMs: number, everyMs: number, lastMs: number | null): number {
  if (lastMs === null || stepMs >= everyMs * 4) return 0;
  const pace = Math.max(1, everyMs / 10);
  return (Math.round(((lastMs % everyMs) + everyMs / 2) / pace) * pace) % everyMs;
}

/** The window moved by a share of its length; it never ends after now. */
export function shiftSpan(span: Span, share: number, nowMs: number): Span {
  const length = span.to - span.from;
  const to = Math.min(span.to + length * share, nowMs);
  return { from: to - length, to };
}

/** The window made `factor` times as long around its middle; it never ends after now. */
export function zoomSpan(span: Span, factor: number, nowMs: number): Span {
  const middle = (span.from + span.to) / 2;
  const half = ((span.to - span.from) / 2) * factor;
  const to = Math.min(middle + half, nowMs);
  return { from: to - half * 2, to };
}
