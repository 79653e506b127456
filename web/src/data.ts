// SPDX-License-Identifier: PostgreSQL
//
// data.ts: the only module that talks to the server.
//
// Every request has a deadline and is dropped when its answer is no longer wanted. A request that
// does not reach the server opens the "unreachable" state: pages keep what they show, and one
// countdown decides when all of them ask again. An answer 401 ends the session in this tab and
// leaves the address as it is, so that signing in comes back to the same view.
import { batch, signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import type { AuthState, RegistrationSecret, Session, User } from "./api";

const DEADLINE_MS = 20_000;
const RETRY_MS = [2000, 5000, 10_000, 20_000, 30_000];
const BASE = "/api/v1";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly title: string,
    readonly requestId: string,
    readonly retryAfterS: number | null = null,
    readonly type = "",
  ) {
    super(message);
  }
  /** True when no answer came at all. */
  get unreachable(): boolean {
    return this.status === 0;
  }
}

export type Who = { state: "unknown" } | { state: "none" }
  /** mustEnrol: the server answers nothing else before there is a second factor. */
  | { state: "user"; user: User; mustEnrol: boolean };

export const who = signal<Who>({ state: "unknown" });
/** null while the server answers; else when it went away and when it is asked again. */
export const outage = signal<{ sinceMs: number; retryAtMs: number; reason: string } | null>(null);
/** How far the server's clock is ahead of this browser's. */
export const clockOffsetMs = signal(0);
/** Grows by one whenever everything on the page should be asked for again. */
export const reload = signal(0);

let csrfToken = "";
let failures = 0;
let inFlight = 0;
let retryTimer: ReturnType<typeof setTimeout> | undefined;

export function isBusy(): boolean {
  return inFlight > 0;
}

export function serverNow(): number {
  return Date.now() + clockOffsetMs.value;
}

function noteReached(response: Response): void {
  failures = 0;
  if (outage.value) outage.value = null;
  const date = Date.parse(response.headers.get("Date") ?? "");
  if (Number.isNaN(date)) return;
  // The header has whole seconds: only a clear difference says anything.
  const offset = date + 500 - Date.now();
  const wanted = Math.abs(offset) < 2000 ? 0 : offset;
  if (Math.abs(wanted - clockOffsetMs.value) > 2000) clockOffsetMs.value = wanted;
}

function noteUnreached(reason: string): void {
  const now = Date.now();
  const current = outage.value;
  if (current && current.retryAtMs > now) return;
  const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]!;
  failures++;
  outage.value = { sinceMs: current?.sinceMs ?? now, retryAtMs: now + wait, reason };
  clearTimeout(retryTimer);
  retryTimer = setTimeout(retryNow, wait);
}

/** Ask one small thing; when it is answered, everything on the page is asked for again. */
export function retryNow(): void {
  clearTimeout(retryTimer);
  const current = outage.value;
  if (current) outage.value = { ...current, retryAtMs: 0 };
  ask("/auth/state", { anonymous: true }).then(
    () => reload.value++,
    (error: unknown) => {
      // An answer that is an error is an answer: the server can be reached.
      if (error instanceof ApiError && !error.unreachable) reload.value++;
    },
  );
}

async function readError(response: Response): Promise<ApiError> {
  let detail = "";
  let title = "";
  let type = "";
  try {
    const body = (await response.json()) as Record<string, string | undefined>;
    type = body.type ?? "";
    detail = body.detail ?? body.message ?? "";
    title = body.title ?? "";
  } catch {
    // Not a problem document: the status line has to do.
  }
  const after = Number(response.headers.get("Retry-After") ?? "");
  return new ApiError(
    response.status,
    detail || title || response.statusText || `status ${response.status}`,
    title,
    response.headers.get("X-Request-Id") ?? "",
    after > 0 ? after : null,
    type,
  );
}

interface Ask {
  method?: string;
  body?: unknown;
  signal?: AbortSignal;
  /** A 401 is an answer here, not the end of a session. */
  anonymous?: boolean;
}

async function ask<T>(path: string, opt: Ask = {}): Promise<T> {
  const limit = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    limit.abort();
  }, DEADLINE_MS);
  const drop = (): void => limit.abort();
  opt.signal?.addEventListener("abort", drop);
  inFlight++;
  try {
    return await exchange<T>(path, opt, limit.signal);
  } catch (error) {
    if (error instanceof ApiError || opt.signal?.aborted) throw error;
    const reason = late ? "no answer in time" : "no connection";
    noteUnreached(reason);
    throw new ApiError(0, reason, "Server unreachable", "");
  } finally {
    inFlight--;
    clearTimeout(timer);
    opt.signal?.removeEventListener("abort", drop);
  }
}

async function exchange<T>(path: string, opt: Ask, abort: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  const method = opt.method ?? "GET";
  if (opt.body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrfToken) headers["X-CSRF-Token"] = csrfToken;
  const response = await fetch(BASE + path, {
    method,
    headers,
    signal: abort,
    credentials: "same-origin",
    cache: "no-store",
    redirect: "error",
    body: opt.body === undefined ? null : JSON.stringify(opt.body),
  });
  noteReached(response);
  if (response.status === 401 && !opt.anonymous) endSession();
  if (!response.ok) throw noteMustEnrol(await readError(response));
  return (response.status === 204 || method === "HEAD" ? null : await response.json()) as T;
}

const ENROL = "urn:pga:problem:enrol";

function noteMustEnrol(error: ApiError): ApiError {
  const w = who.value;
  if (error.type === ENROL && w.state === "user") who.value = { ...w, mustEnrol: true };
  return error;
}

function isNow(session: Session): Who {
  return { state: "user", user: session.user, mustEnrol: session.must_enrol };
}

function endSession(): void {
  csrfToken = "";
  who.value = { state: "none" };
}

function beginSession(session: Session): void {
  csrfToken = session.csrf_token;
  batch(() => {
    who.value = isNow(session);
    reload.value++;
  });
}

// --- people --------------------------------------------------------------------------------------

/** Find out who sits here; asked once at the start and after an outage that began before it. */
export async function loadSession(): Promise<void> {
  try {
    const session = await ask<Session>("/auth/me", { anonymous: true });
    csrfToken = session.csrf_token;
    who.value = isNow(session);
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) endSession();
    else if (!(error instanceof ApiError && error.unreachable)) throw error;
  }
}

export function loadAuthState(): Promise<AuthState> {
  return ask<AuthState>("/auth/state", { anonymous: true });
}

/** The type of the answer that says: the same once more, with a code of the second factor. */
export const WANTS_CODE = "urn:pga:problem:code";

export async function login(username: string, password: string, code: string): Promise<void> {
  const body = code === "" ? { username, password } : { username, password, code };
  beginSession(await ask<Session>("/auth/login", { method: "POST", body, anonymous: true }));
}

export async function setup(code: string, username: string, password: string): Promise<void> {
  const body = { code, username, password };
  beginSession(await ask<Session>("/auth/setup", { method: "POST", body, anonymous: true }));
}

export async function logout(): Promise<void> {
  await ask("/auth/logout", { method: "POST", anonymous: true });
  endSession();
}

export function createSecret(name: string): Promise<RegistrationSecret> {
  const body = { name, max_registrations: 1, expires_in_s: 3600 };
  return send<RegistrationSecret>("POST", "/registration-secrets", body);
}

const STEP_UP = "urn:pga:problem:step-up";
/** Set while somebody is asked to prove once more who it is; takes whether that was done. */
export const proofWanted = signal<((given: boolean) => void) | null>(null);

/** What the server wants before it changes accounts and the like; good for five minutes there. */
export async function prove(proof: { password: string } | { code: string }): Promise<void> {
  await ask("/auth/confirm", { method: "POST", body: proof, anonymous: true });
}

export async function changePassword(old: string, wanted: string): Promise<void> {
  const body = { old_password: old, new_password: wanted };
  beginSession(
    await ask<Session>("/auth/change-password", { method: "POST", body, anonymous: true }));
}

/** Change something; everything on the page is asked for again afterwards. */
export async function send<T>(
  method: "POST" | "PUT" | "DELETE",
  path: string,
  body?: unknown,
): Promise<T> {
  const answer = await sendProven<T>(path, { method, body });
  reload.value++;
  return answer;
}

/**
 * The address of a file to take along that wants a fresh proof: it is asked for before the browser
 * goes there, which would save the refusal in place of the file.
 */
export async function provenFile(path: string): Promise<string> {
  await sendProven(path, { method: "HEAD" });
  return BASE + path;
}

/** An answer to HEAD has no body that could tell the reason of a 403. */
function wantsProof(error: unknown, opt: Ask): boolean {
  if (!(error instanceof ApiError)) return false;
  return error.type === STEP_UP || (opt.method === "HEAD" && error.status === 403);
}

async function sendProven<T>(path: string, opt: Ask): Promise<T> {
  try {
    return await ask<T>(path, opt);
  } catch (error) {
    if (!wantsProof(error, opt)) throw error;
    const given = await new Promise<boolean>((resolve) => (proofWanted.value = resolve));
    if (!given) throw error;
    return ask<T>(path, opt);
  }
}

/** What went wrong, in words for the person who asked for it. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// --- reading -------------------------------------------------------------------------------------

export interface Answer<T> {
  data: T | null;
  error: ApiError | null;
  /** A newer answer is on its way; what is shown may be of another window. */
  loading: boolean;
  /** The path that `data` answers. */
  path: string | null;
}

/** Build a path with its parameters; empty ones are left out. */
export function pathOf(path: string, params: Record<string, string | number | null | undefined>) {
  const p = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== null && value !== undefined) p.set(key, String(value));
  }
  const text = p.toString();
  return text === "" ? path : `${path}?${text}`;
}

export const paths = {
  servers: "/servers?limit=500",
  collectors: "/collectors?limit=500",
  managed: "/managed-instances?limit=500",
  secrets: "/registration-secrets?limit=500",
  users: "/users?limit=500",
  tokens: "/tokens?limit=500",
  sessions: "/sessions",
  auditVerify: "/audit/verify",
  totp: "/auth/totp",
  monitoring: "/monitoring",
  health: "/health",
  cardinality: (by: string) => pathOf("/cardinality", { by, limit: 200 }),
  limits: (collector: string) => `/collectors/${encodeURIComponent(collector)}/limits`,
  server: (id: string) => `/servers/${encodeURIComponent(id)}`,
  load: (id: string, p: Record<string, string | number | null>) =>
    pathOf(`/servers/${encodeURIComponent(id)}/sessions/load`, p),
  metrics: (id: string, p: Record<string, string | number | null>) =>
    pathOf(`/servers/${encodeURIComponent(id)}/metrics`, { ...p, missing: "skip" }),
  rows: (id: string, p: Record<string, string | number | null>) =>
    pathOf(`/servers/${encodeURIComponent(id)}/rows`, p),
  queries: (id: string, p: Record<string, string | number | null>) =>
    pathOf(`/servers/${encodeURIComponent(id)}/queries/top`, p),
  events: (p: Record<string, string | number | null>) => pathOf("/events", p),
};

/**
 * Keep the answer to `path` up to date: asked again when the path or `beat` changes. Previous data
 * stays while a newer answer is on its way, and when that fails. `subject` names what the data is
 * about: data of another subject is never shown.
 */
export function useAnswer<T>(path: string | null, beat: number, subject: string): Answer<T> {
  const [answer, setAnswer] = useState<Answer<T> & { subject: string }>({
    data: null, error: null, loading: path !== null, path: null, subject,
  });
  const again = reload.value;
  const shown = useRef(subject);
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    const fresh = shown.current !== subject;
    shown.current = subject;
    setAnswer((a) => ({
      ...a, data: fresh ? null : a.data, error: fresh ? null : a.error,
      loading: fresh || a.data === null || a.path !== path, subject,
    }));
    ask<T>(path, { signal: abort.signal }).then(
      (data) => setAnswer({ data, error: null, loading: false, path, subject }),
      (error: unknown) => {
        if (abort.signal.aborted) return;
        const known = error instanceof ApiError ? error : new ApiError(0, String(error), "", "");
        setAnswer((a) => ({ ...a, error: known, loading: false }));
      },
    );
    return () => abort.abort();
  }, [path, beat, again, subject]);
  if (path === null) return { data: null, error: null, loading: false, path: null };
  if (answer.subject !== subject) return { data: null, error: null, loading: true, path: null };
  return answer;
}
