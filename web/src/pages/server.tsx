// SPDX-License-Identifier: PostgreSQL
//
// server.tsx: what every page of one target begins with: its description and the window shown.
import type { ComponentChildren } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { Gap, Num, TargetDetail } from "../api";
import { paths, useAnswer, type ApiError } from "../data";
import { clock, firstSeenMs, pulse, span } from "../state";
import { alignSpan, bucketOffset, niceStep, type Span } from "../time";
import { Group } from "../parts/group";
import { Probes } from "../parts/probes";
import { Age, Chip, Failure, StaleBanner, StateChip } from "../parts/status";

export interface ServerData {
  id: string;
  detail: TargetDetail;
  window: Span;
  stepMs: number;
  hostId: string | null;
}

function hostOf(detail: TargetDetail | null): string | null {
  if (detail?.kind === "host") return detail.id;
  if (detail?.host_hidden) return null;
  const host = detail?.attributes?.["host_target"];
  return typeof host === "string" && host !== "" ? host : null;
}

/** The time before a target was first seen is a gap like any other, and has a name. */
function withBeginning(detail: TargetDetail | null): TargetDetail | null {
  if (!detail?.first_seen_ms) return detail;
  const before: Gap = { from_ms: 0, to_ms: detail.first_seen_ms, reason: "not watched yet" };
  return { ...detail, gaps: [...(detail.gaps ?? []), before] };
}

function everyOf(detail: TargetDetail | null, relation: string, otherwise: number): number {
  const every = detail?.relations?.find((r) => r.name === relation)?.every_ms;
  return every && every > 0 ? every : otherwise;
}

/** Older collectors read no sessions one by one. */
export const NO_SAMPLING = "The collector of this server does not sample sessions.";

export function isSampled(detail: TargetDetail): boolean {
  return detail.relations?.some((r) => r.name === "pg_session_ticks") ?? false;
}

/** The clock of what the page draws: of the sessions, else of what comes without them. */
function clockOf(detail: TargetDetail | null): number {
  const otherwise = detail?.kind === "host" ? "host_memory" : "pg_stat_database";
  return everyOf(detail, "pg_session_history", everyOf(detail, otherwise, 10_000));
}

/** How many buckets fit: one for every four pixels of the load chart, within the API's bounds. */
function bucketCount(): number {
  return Math.min(480, Math.max(80, Math.floor((Math.min(innerWidth, 1600) - 100) / 4)));
}

/** One target and the window of the page; data is null until the target is known. */
export function useServer(id: string): { data: ServerData | null; error: ApiError | null } {
  const answer = useAnswer<TargetDetail>(paths.server(id), pulse.value, id);
  const detail = useMemo(() => withBeginning(answer.data), [answer.data]);
  const every = clockOf(detail);
  const stepMs = niceStep(span.value.to - span.value.from, bucketCount(), every);
  const ticks = detail?.relations?.find((r) => r.name === "pg_session_ticks")?.last_t_ms ?? null;
  const window = alignSpan(span.value, stepMs, bucketOffset(stepMs, every, ticks));
  const seen = detail?.first_seen_ms ?? null;
  useEffect(() => {
    firstSeenMs.value = seen;
  }, [seen]);
  useEffect(() => {
    document.title = detail ? `${detail.name} · pga` : "pga";
    return () => void (document.title = "pga");
  }, [detail?.name]);
  if (!detail) return { data: null, error: answer.error };
  return { data: { id, detail, window, stepMs, hostId: hostOf(detail) }, error: answer.error };
}

export function ServerMissing({ error }: { error: ApiError | null }) {
  return (
    <main id="main" class="page" tabIndex={-1}>
      {error ? (
        <Failure error={error} />
      ) : (
        <div class="skeleton skeleton-page" aria-busy="true">
          <span class="sr">Loading</span>
        </div>
      )}
    </main>
  );
}

/** The frame of a page about one part of a target. */
export function ServerFrame(props: {
  server: ServerData;
  title: string;
  children: ComponentChildren;
}) {
  const { detail } = props.server;
  return (
    <main id="main" class="page" tabIndex={-1}>
      <div class="target-head">
        <div class="target-name">
          <h1>{props.title}</h1>
          <div class="target-facts">
            <strong>{detail.name}</strong>
            <StateChip target={detail} />
            {detail.role && <Chip tone="plain">{detail.role}</Chip>}
            <Group group={detail.group} name={detail.name} path={`/servers/${detail.id}`} />
            <span class="muted">last sample <Age ms={detail.last_sample_ms} /></span>
          </div>
        </div>
      </div>
      <StaleBanner target={detail} />
      <Probes detail={detail} />
      {props.children}
    </main>
  );
}

/** Why a chart of this window is empty, when it is; null when there is something to draw. */
export function emptyReason(
  data: ServerData,
  values: ReadonlyArray<ReadonlyArray<Num>>,
): string | null {
  if (values.some((row) => row.some((x) => x !== null))) return null;
  const { last_sample_ms: last, first_seen_ms: first } = data.detail;
  if (!last) return "Waiting for the first sample …";
  if (first && data.window.to < first) return "This window ends before the server was first seen.";
  if (data.window.from > last) return "No data: this window begins after the last sample.";
  if (data.window.from > clock.value) return "This window lies in the future.";
  return "No data in this window.";
}
