// SPDX-License-Identifier: PostgreSQL
//
// blocking.ts: from events about lock waits to chains and their trees. Pure.
import type { EventRow } from "./api";

type Body = Record<string, unknown>;

export interface Blocked {
  pid: number;
  /** Distance from the blocker that waits for nobody. */
  level: number;
  blockedBy: number[];
  datname: string | null;
  usename: string | null;
  application: string | null;
  state: string | null;
  mode: string | null;
  locktype: string | null;
  object: string | null;
  queryId: string | null;
  /** How long it waited; of the blocker, how long its transaction was open. */
  waitS: number | null;
}

export interface Chain {
  key: string;
  title: string;
  startedMs: number;
  endedMs: number | null;
  root: Body;
  sessions: Body[];
  leftOut: number;
}

function text(b: Body, key: string): string | null {
  const v = b[key];
  return typeof v === "string" && v !== "" ? v : typeof v === "number" ? String(v) : null;
}

function number(b: Body, key: string): number | null {
  const v = b[key];
  return typeof v === "number" && Number.isFinite(v) ? v : null;
}

function isBody(v: unknown): v is Body {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}

/** The chains that began, newest first, each with the end that was seen, if any was. */
export function chainsOf(started: readonly EventRow[], ended: readonly EventRow[]): Chain[] {
  const ends = ended
    .map((e) => ({ key: isBody(e.body) ? text(e.body, "chain") : null, t: e.t_ms }))
    .sort((a, b) => a.t - b.t);
  // One transaction can block, stop blocking and block again: the first end after each start.
  const endOf = (key: string, startMs: number): number | null =>
    ends.find((e) => e.key === key && e.t > startMs)?.t ?? null;
  return started
    .flatMap((e): Chain[] => {
      const body = isBody(e.body) ? e.body : {};
      const key = text(body, "chain") ?? String(e.id);
      const sessions = body["sessions"];
      return [{
        key, title: e.title, startedMs: e.t_ms, endedMs: endOf(key, e.t_ms),
        root: isBody(body["root"]) ? body["root"] : {},
        sessions: Array.isArray(sessions) ? sessions.filter(isBody) : [],
        leftOut: number(body, "sessions_left_out") ?? 0,
      }];
    })
    .sort((a, b) => b.startedMs - a.startedMs);
}

function blocked(b: Body, level: number): Blocked {
  return {
    pid: number(b, "pid") ?? 0, level,
    blockedBy: (text(b, "blocked_by") ?? "").split(",").map(Number).filter((n) => n > 0),
    datname: text(b, "datname"), usename: text(b, "usename"),
    application: text(b, "application_name"), state: text(b, "state"), mode: text(b, "mode"),
    locktype: text(b, "locktype"), object: text(b, "object"), queryId: text(b, "query_id"),
    waitS: number(b, level === 0 ? "xact_age_s" : "wait_s"),
  };
}

/** Root first, each below the blocker that is nearest to it; nobody twice, nobody lost. */
export function blockingTree(chain: Chain): Blocked[] {
  const root = blocked(chain.root, 0);
  const left = chain.sessions.map((s) => blocked(s, 1)).filter((s) => s.pid !== root.pid);
  const rows: Blocked[] = [root];
  const levels = new Map([[root.pid, 0]]);
  for (let level = 1, found = true; found; level++) {
    const next = left.filter((s) =>
      !levels.has(s.pid) && s.blockedBy.some((pid) => levels.get(pid) === level - 1));
    for (const s of next) levels.set(s.pid, level);
    found = next.length > 0;
  }
  function below(pid: number, level: number): void {
    for (const s of left) {
      const above = s.blockedBy.find((by) => levels.get(by) === level - 1);
      if (levels.get(s.pid) !== level || above !== pid || rows.includes(s)) continue;
      rows.push(s);
      s.level = level;
      below(s.pid, level + 1);
    }
  }
  below(root.pid, 1);
  for (const s of left) if (!rows.includes(s)) rows.push(s);
  return rows;
}
