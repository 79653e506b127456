// SPDX-License-Identifier: PostgreSQL
//
// api.ts: the answers of /api/v1 that the pages read, as types. The contract is the server's;
// every member that a server or a probe may leave out is written as such here.

export type Num = number | null;

export interface User {
  id: number | string;
  username: string;
  full_name?: string | null;
  email?: string | null;
  role: string;
  /** Groups of targets that the account sees; null: all. */
  groups?: string[] | null;
}

export interface AuthState {
  setup_required: boolean;
  version: string;
}

export interface Session {
  user: User;
  csrf_token: string;
  must_enrol: boolean;
  expires_at?: string;
}

export type TargetState = "new" | "live" | "down" | "stale" | "offline";

export interface Target {
  id: string;
  name: string;
  kind: string;
  group?: string | null;
  address?: string | null;
  port?: number | null;
  role?: string | null;
  version?: string | null;
  version_num?: number | null;
  system_identifier?: string | null;
  collector_id?: string | null;
  attributes?: Record<string, unknown> | null;
  state: TargetState;
  reason?: string | null;
  last_sample_ms: Num;
  every_ms?: Num;
  first_seen_ms?: Num;
  load_aas?: Num;
  vcpus?: Num;
}

export interface RelationColumn {
  name: string;
  kind: string;
  type?: string;
  unit?: string | null;
  help?: string | null;
}

export interface Relation {
  name: string;
  help?: string | null;
  keys?: string[];
  columns: RelationColumn[];
  every_ms?: Num;
  last_t_ms?: Num;
  reason?: string | null;
}

/** A row of a relation as it was read: its keys and columns are members beside `reading`. */
export interface Row {
  reading: { relation: string; scope?: string; t_ms: number; from_ms?: number; complete: boolean };
  [member: string]: unknown;
}

export interface Rows {
  relation: string;
  count: number;
  total: number;
  data: Row[];
}

export interface Probe {
  probe: string;
  state: string;
  reason?: string | null;
  fix?: string | null;
  last_run_ms?: Num;
  duration_ms?: Num;
  rows?: Num;
  runs?: Num;
  errors?: Num;
}

export interface Gap {
  from_ms: number;
  to_ms: number;
  reason?: string | null;
}

export interface TargetDetail extends Target {
  /** The host is known, and not among the targets that this account sees. */
  host_hidden?: boolean;
  relations?: Relation[];
  probes?: Probe[];
  gaps?: Gap[];
  collector?: {
    id: string;
    name?: string | null;
    hostname?: string | null;
    version?: string | null;
    last_seen_ms?: Num;
  } | null;
}

export interface List<T> {
  data: T[];
  next_cursor?: string | null;
  total?: number;
}

export interface MetricSeries {
  column: string;
  kind?: string;
  unit?: string | null;
  labels?: Record<string, string>;
  values: Num[];
}

export interface Metrics {
  relation: string;
  from_ms: number;
  to_ms: number;
  step_ms: number;
  every_ms?: Num;
  times: number[];
  series: MetricSeries[];
  samples?: number;
  truncated?: boolean;
}

export interface LoadSeries {
  key: string;
  values: Num[];
  total_aas: Num;
}

export interface Load {
  from_ms: number;
  to_ms: number;
  step_ms: number;
  times: number[];
  series: LoadSeries[];
  covered?: Num[];
  vcpus?: Num;
  samples?: number;
}

export interface QueryRow {
  queryid: string;
  datname?: string | null;
  usename?: string | null;
  toplevel?: string | boolean | null;
  text?: string | null;
  text_reason?: string | null;
  load_aas?: Num;
  waits?: Record<string, number> | null;
  share?: Num;
  [column: string]: unknown;
}

export interface TopQueries {
  from_ms: number;
  to_ms: number;
  covered_from_ms?: Num;
  covered_to_ms?: Num;
  /** How much of the time between is covered; less when there are gaps. */
  covered_ms?: Num;
  columns?: Array<{ name: string; unit?: string | null; kind?: string | null }>;
  data: QueryRow[];
  other?: QueryRow | null;
  total?: QueryRow | null;
}

export interface EventRow {
  id: number | string;
  t_ms: number;
  server?: string | null;
  kind: string;
  severity: string;
  title: string;
  body?: unknown;
}

export interface Collector {
  id: string;
  name: string;
  hostname?: string | null;
  version?: string | null;
  group?: string | null;
  status: string;
  last_seen?: string | null;
  created_at?: string | null;
  address?: string | null;
  config_version?: Num;
  metrics_count_24h?: Num;
  metrics_count_total?: Num;
  /** Limits beyond which something was left out since the server started. */
  over_limits?: string[];
}

export interface AuditRow {
  number: number;
  at: string;
  actor: string;
  action: string;
  object: string;
  detail: string;
  address: string;
  request: string;
  hash: string;
}

export interface AuditVerdict {
  whole: boolean;
  rows: number;
  signed_to: number;
  bad_row: Num;
  finding: string | null;
}

export interface ManagedInstance {
  id: number | string;
  name: string;
  group?: string | null;
  description: string;
  endpoint: string;
  port: number;
  database: string;
  master_username: string;
  password_is_set: boolean;
  ssl_mode: string;
  verifies_server: boolean;
  monitoring_interval: number;
  status: string;
  last_connection_status: string;
  last_error_message: string | null;
  last_error_stage: string | null;
  fix: string | null;
  state_since: string | null;
  server_version: string | null;
  target_id: string;
}

/** How a connection test went. */
export interface Trial {
  success: boolean;
  code: string;
  error: string | null;
  fix: string | null;
  server_version: string | null;
  duration_ms: number;
}

export interface RegistrationSecret {
  id: number | string;
  name: string;
  group?: string | null;
  /** In the answer that made it, and never again. */
  secret?: string;
  max_registrations?: Num;
  total_registrations?: Num;
  created_at?: string | null;
  last_used_at?: string | null;
  expires_at?: string | null;
}

export interface ApiToken {
  id: number | string;
  name: string;
  scope: string;
  /** In the answer that made it, and never again. */
  token?: string;
  expires_at: string;
  last_used_at?: string | null;
  last_address: string;
  created_at: string;
}

export interface TotpState {
  in_use: boolean;
  recovery_codes_left: number;
}

export interface Signin {
  id: string;
  address: string;
  agent: string;
  current: boolean;
  created_at: string;
  last_used_at: string;
}

export interface Account extends User {
  totp?: boolean;
  is_active?: boolean;
  last_login?: string | null;
}

export interface Stream {
  collector: string;
  stream: string;
  next_seq: number;
  stored: number;
  samples: number;
  gaps: Record<string, number>;
  live: boolean;
  backlog: boolean;
  closed: boolean;
  last_push_ms: Num;
}

export interface Monitoring {
  store: Record<string, unknown> & { refused?: Record<string, number> };
  streams: Stream[];
}

/** What fills the store: row objects by relation, server or collector. */
export interface Cardinality {
  groups: number;
  objects: number;
  rows: number;
  data: Array<{
    relation?: string; server?: string; collector?: string; groups: number; objects: number;
  }>;
}

export interface CollectorLimit {
  limit: string;
  used: Num;
  max: number;
  refused: number;
}

export interface Health {
  status: string;
  version: string;
  uptime: Num;
  checks?: Record<string, { ok: boolean; detail: string }>;
}

/** A number of a row whose columns depend on the server's version; null when it has none. */
export function num(row: Record<string, unknown> | null | undefined, column: string): Num {
  const value = row?.[column];
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value === "string" && value !== "" && Number.isFinite(Number(value)))
    return Number(value);
  return null;
}
