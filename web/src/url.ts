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
  /** Text that the rows of the list must contain. */
  find: string;
  /** Columns of the list, when not the usual ones. */
  cols: string[];
}

/** No window was chosen: the last hour, or less for a target that has just been added. */
export const AUTO = "auto";

export const DEFAULT_VIEW: View = {
  from: AUTO, to: "now", sel: null, by: "wait_class", only: null, sort: "",
  tab: "", q: "", utc: false, find: "", cols: [],
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
    sort: /^-?[a-z_0-9]{1,128}$/.test(sort) ? sort : DEFAULT_VIEW.sort,
    tab: isDimension(p.get("tab") ?? undefined) ? (p.get("tab") as Dimension) : DEFAULT_VIEW.tab,
    q: p.get("q") ?? "",
    utc: p.get("tz") === "UTC",
    find: p.get("find") ?? "",
    cols: decodeCols(p.get("cols")),
  };
}

function decodeCols(text: string | null): string[] {
  return (text ?? "").split(".").filter((name) => /^[a-z_0-9]{1,128}$/.test(name)).slice(0, 60);
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
  if (v.cols.length > 0) p.set("cols", v.cols.join("."));
  const text = p.toString().replaceAll("%3A", ":");
  return text === "" ? "" : `?${text}`;
}

/** The same view with its window written as absolute times: what a copied link carries. */
export function freezeView(v: View, window: Span): View {
  return { ...v, from: isoSeconds(window.from), to: isoSeconds(window.to) };
}

/** The part of a view that goes along to another page: the time, not the order of a list. */
export function timeOf(v: View): string {
  return encodeView({ ...DEFAULT_VIEW, from: v.from, to: v.to, sel: v.sel, utc: v.utc });
}

export const ADMIN_PAGES = [
  "collectors", "managed", "secrets", "users", "account", "audit", "about",
] as const;
export type AdminPage = (typeof ADMIN_PAGES)[number];
export const SERVER_PAGES = ["queries", "sessions", "data"] as const;
export type ServerPage = (typeof SERVER_PAGES)[number];

export type Route =
  | { page: "fleet"; all: boolean }
  | { page: "login" }
  | { page: "setup" }
  | { page: AdminPage }
  | { page: "overview"; id: string }
  | { page: ServerPage; id: string }
  | { page: "query"; id: string; query: string }
  | { page: "rows"; id: string; relation: string }
  | { page: "missing"; path: string };

export function decodeRoute(path: string, search: string): Route {
  if (path === "/" || path === "") {
    return { page: "fleet", all: new URLSearchParams(search).has("all") };
  }
  if (path === "/login") return { page: "login" };
  if (path === "/setup") return { page: "setup" };
  const admin = ADMIN_PAGES.find((name) => path === `/${name}`);
  if (admin) return { page: admin };
  return decodeServer(path) ?? { page: "missing", path };
}

function decodeServer(path: string): Route | null {
  const m = /^\/s\/([^/]+)(?:\/([a-z]+)(?:\/([^/]+))?)?\/?$/.exec(path);
  if (!m) return null;
  try {
    const id = decodeURIComponent(m[1]!);
    if (!m[2]) return { page: "overview", id };
    if (m[3]) {
      const name = decodeURIComponent(m[3]);
      if (m[2] === "data") return { page: "rows", id, relation: name };
      return m[2] === "queries" ? { page: "query", id, query: name } : null;
    }
    const page = SERVER_PAGES.find((name) => name === m[2]);
    return page ? { page, id } : null;
  } catch {
    return null;
  }
}

export function queryPath(id: string, queryId: string): string {
  return `${overviewPath(id)}/queries/${encodeURIComponent(queryId)}`;
}

export function rowsPath(id: string, relation: string): string {
  return `${overviewPath(id)}/data/${encodeURIComponent(relation)}`;
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
