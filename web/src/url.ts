// SPDX-License-Identifier: PostgreSQL
//
// url.ts: the one codec between the address bar and what a page shows. Pure.
//
// Invariants: (1) decode(encode(v)) = v; (2) defaults are left out; (3) unknown keys are ignored
// and broken values mean the default, so an old link never fails.
import { formatSpan, formatStamp } from "./format";
import { isoSeconds, parseTime, type Span } from "./time";

export const DIMENSIONS = [
  "wait_class", "wait_event", "query_id", "datname", "usename", "application_name",
  "backend_type", "state",
] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export interface View {
  from: string;
  to: string;
  /** The brushed window: what the tables below the charts are about. */
  sel: Span | null;
  by: Dimension;
  /** Keep only this value of a dimension in the load chart. */
  only: { dim: Dimension; value: string } | null;
  sort: string;
  /** What the list below the charts is by; empty: queries. */
  tab: Dimension | "";
  /** The query whose details are open. */
  q: string;
  utc: boolean;
  /** Text that the list of queries must contain. */
  find: string;
}

/** No window was chosen: the last hour, or less for a target that has just been added. */
export const AUTO = "auto";

export const DEFAULT_VIEW: View = {
  from: AUTO, to: "now", sel: null, by: "wait_class", only: null, sort: "total_exec_time",
  tab: "", q: "", utc: false, find: "",
};

function isDimension(text: string | undefined): text is Dimension {
  return (DIMENSIONS as readonly string[]).includes(text ?? "");
}

function decodeSel(text: string | null): Span | null {
  const m = /^(\d{9,11})-(\d{9,11})$/.exec(text ?? "");
  if (!m) return null;
  const span = { from: Number(m[1]) * 1000, to: Number(m[2]) * 1000 };
  return span.from < span.to ? span : null;
}

function decodeOnly(text: string | null): View["only"] {
  const at = (text ?? "").indexOf(":");
  if (at < 1) return null;
  const dim = text!.slice(0, at);
  return isDimension(dim) ? { dim, value: text!.slice(at + 1) } : null;
}

function decodeTime(text: string | null, fallback: string): string {
  return text !== null && parseTime(text, 0) !== null ? text : fallback;
}

export function decodeView(search: string): View {
  const p = new URLSearchParams(search);
  const by = p.get("by") ?? undefined;
  const sort = p.get("sort") ?? "";
  return {
    from: decodeTime(p.get("from"), DEFAULT_VIEW.from),
    to: decodeTime(p.get("to"), DEFAULT_VIEW.to),
    sel: decodeSel(p.get("sel")),
    by: isDimension(by) ? by : DEFAULT_VIEW.by,
    only: decodeOnly(p.get("only")),
    sort: /^[a-z_]{1,40}$/.test(sort) ? sort : DEFAULT_VIEW.sort,
    tab: isDimension(p.get("tab") ?? undefined) ? (p.get("tab") as Dimension) : DEFAULT_VIEW.tab,
    q: p.get("q") ?? "",
    utc: p.get("tz") === "UTC",
    find: p.get("find") ?? "",
  };
}

/** The query part of a link, with its "?" unless it is empty. */
export function encodeView(v: View): string {
  const p = new URLSearchParams();
  if (v.from !== DEFAULT_VIEW.from) p.set("from", v.from);
  if (v.to !== DEFAULT_VIEW.to) p.set("to", v.to);
  if (v.sel) p.set("sel", `${Math.round(v.sel.from / 1000)}-${Math.round(v.sel.to / 1000)}`);
  if (v.by !== DEFAULT_VIEW.by) p.set("by", v.by);
  if (v.only) p.set("only", `${v.only.dim}:${v.only.value}`);
  if (v.sort !== DEFAULT_VIEW.sort) p.set("sort", v.sort);
  if (v.tab) p.set("tab", v.tab);
  if (v.q) p.set("q", v.q);
  if (v.utc) p.set("tz", "UTC");
  if (v.find) p.set("find", v.find);
  const text = p.toString().replaceAll("%3A", ":");
  return text === "" ? "" : `?${text}`;
}

/** The same view with its window written as absolute times: what a copied link carries. */
export function freezeView(v: View, window: Span): View {
  return { ...v, from: isoSeconds(window.from), to: isoSeconds(window.to) };
}

export type Route =
  | { page: "fleet"; all: boolean }
  | { page: "login" }
  | { page: "setup" }
  | { page: "overview"; id: string }
  | { page: "missing"; path: string };

export function decodeRoute(path: string, search: string): Route {
  if (path === "/" || path === "") {
    return { page: "fleet", all: new URLSearchParams(search).has("all") };
  }
  if (path === "/login") return { page: "login" };
  if (path === "/setup") return { page: "setup" };
  const m = /^\/s\/([^/]+)\/?$/.exec(path);
  if (m) {
    try {
      return { page: "overview", id: decodeURIComponent(m[1]!) };
    } catch {
      return { page: "missing", path };
    }
  }
  return { page: "missing", path };
}

export function overviewPath(id: string): string {
  return `/s/${encodeURIComponent(id)}`;
}

/** How a range reads on its button. */
export function describeRange(
  v: { from: string; to: string; utc: boolean },
  presets: ReadonlyArray<{ from: string; long: string }>,
): string {
  if (v.to === "now") {
    const known = presets.find((p) => p.from === v.from);
    if (known) return known.long;
    if (v.from.startsWith("-")) return `Last ${v.from.slice(1)}`;
  }
  const from = parseTime(v.from, Date.now(), v.utc);
  const to = parseTime(v.to, Date.now(), v.utc);
  if (from === null || to === null) return `${v.from} – ${v.to}`;
  return v.to === "now" ? `${formatStamp(from, v.utc)} – now` : formatSpan({ from, to }, v.utc);
}
