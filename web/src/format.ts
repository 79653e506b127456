// SPDX-License-Identifier: PostgreSQL
//
// format.ts: numbers and times as text. Pure.
//
// Rules: never more than four significant digits, SI for rates, IEC for bytes, milliseconds and
// seconds as fits, 24 hour clock. A missing value is an en dash, never a zero.

export const NONE = "–";

export type Maybe = number | null | undefined;
export type Formatter = (value: Maybe) => string;

function has(value: Maybe): value is number {
  return value !== null && value !== undefined && Number.isFinite(value);
}

/** At most `digits` significant digits, without a useless tail of zeros. */
export function significant(value: number, digits = 3): string {
  if (value === 0) return "0";
  const abs = Math.abs(value);
  const whole = Math.floor(Math.log10(abs)) + 1;
  const decimals = Math.max(0, Math.min(4, digits - Math.max(whole, 1)));
  return value.toFixed(decimals).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let i = 0;
  let v = value;
  while (Math.abs(v) >= (base === 1000 ? 999.5 : 1023.5) && i < units.length - 1) {
    v /= base;
    i++;
  }
  const unit = units[i]!;
  return unit === "" ? significant(v) : `${significant(v)} ${unit}`;
}

export function formatCount(value: Maybe): string {
  return has(value) ? scaled(value, 1000, ["", "k", "M", "G", "T"]) : NONE;
}

export function formatRate(value: Maybe): string {
  if (has(value) && value !== 0 && Math.abs(value) < 0.001) return "<0.001";
  return formatCount(value);
}

export function formatBytes(value: Maybe): string {
  return has(value) ? scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]) : NONE;
}

export function formatMs(value: Maybe): string {
  if (!has(value)) return NONE;
  const abs = Math.abs(value);
  if (abs === 0) return "0 ms";
  if (abs < 0.001) return `${significant(value * 1e6)} ns`;
  if (abs < 1) return `${significant(value * 1000)} µs`;
  if (abs < 1000) return `${significant(value)} ms`;
  if (abs < 120_000) return `${significant(value / 1000)} s`;
  if (abs < 7_200_000) return `${significant(value / 60_000)} min`;
  if (abs < 172_800_000) return `${significant(value / 3_600_000)} h`;
  return `${significant(value / 86_400_000)} d`;
}

export function formatPercent(ratio: Maybe): string {
  if (!has(ratio)) return NONE;
  const pct = ratio * 100;
  if (pct !== 0 && Math.abs(pct) < 0.1) return "<0.1 %";
  return `${significant(pct)} %`;
}

/** Average active sessions: two decimals below ten, so that small loads stay readable. */
export function formatLoad(value: Maybe): string {
  if (!has(value)) return NONE;
  if (value !== 0 && Math.abs(value) < 0.01) return "<0.01";
  return Math.abs(value) < 10 ? value.toFixed(2) : significant(value);
}

/** The exact number for a title: digits grouped, nothing rounded away. */
export function formatExact(value: Maybe): string {
  return has(value) ? value.toLocaleString("en-US", { maximumFractionDigits: 6 }) : NONE;
}

const two = (n: number): string => String(n).padStart(2, "0");

export function dateParts(ms: number, utc: boolean) {
  const d = new Date(ms);
  return utc
    ? {
        y: d.getUTCFullYear(), mo: d.getUTCMonth() + 1, d: d.getUTCDate(),
        h: d.getUTCHours(), mi: d.getUTCMinutes(), s: d.getUTCSeconds(),
      }
    : {
        y: d.getFullYear(), mo: d.getMonth() + 1, d: d.getDate(),
        h: d.getHours(), mi: d.getMinutes(), s: d.getSeconds(),
      };
}

export function formatDate(ms: number, utc = false): string {
  const p = dateParts(ms, utc);
  return `${p.y}-${two(p.mo)}-${two(p.d)}`;
}

export function formatClock(ms: number, utc = false): string {
  const p = dateParts(ms, utc);
  return `${two(p.h)}:${two(p.mi)}:${two(p.s)}`;
}

export function formatStamp(ms: number, utc = false): string {
  return `${formatDate(ms, utc)} ${formatClock(ms, utc)}`;
}

/** The clock alone when it is today, else with the date. */
export function formatNear(ms: number, nowMs: number, utc = false): string {
  const sameDay = formatDate(ms, utc) === formatDate(nowMs, utc);
  return sameDay ? formatClock(ms, utc) : formatStamp(ms, utc);
}

export function formatSpan(span: { from: number; to: number }, utc = false): string {
  const sameDay = formatDate(span.from, utc) === formatDate(span.to, utc);
  const end = sameDay ? formatClock(span.to, utc) : formatStamp(span.to, utc);
  return `${formatStamp(span.from, utc)} – ${end}`;
}

/** A tick label of a time axis whose ticks are `incrMs` apart. */
export function formatTick(ms: number, incrMs: number, utc: boolean): string {
  const p = dateParts(ms, utc);
  if (incrMs >= 86_400_000) return `${two(p.mo)}-${two(p.d)}`;
  if (p.h === 0 && p.mi === 0 && p.s === 0) return `${two(p.mo)}-${two(p.d)}`;
  const clock = `${two(p.h)}:${two(p.mi)}`;
  return incrMs < 60_000 ? `${clock}:${two(p.s)}` : clock;
}

export function formatAge(ms: number): string {
  if (ms < 1500) return "now";
  const s = Math.round(ms / 1000);
  if (s < 90) return `${s} s ago`;
  if (s < 5400) return `${Math.round(s / 60)} min ago`;
  if (s < 172_800) return `${Math.round(s / 3600)} h ago`;
  return `${Math.round(s / 86400)} days ago`;
}

export function formatUnit(unit: string | null | undefined): Formatter {
  switch (unit) {
    case "bytes": return formatBytes;
    case "ms": return formatMs;
    case "ratio": return formatPercent;
    default: return formatCount;
  }
}
