// SPDX-License-Identifier: PostgreSQL
//
// status.tsx: what state things are in, always with an icon and a word, never by colour alone.
import type { ComponentChildren } from "preact";
import type { Target, TargetState } from "../api";
import type { ApiError } from "../data";
import { outage, retryNow, who } from "../data";
import { formatAge, formatNear } from "../format";
import { clock, view } from "../state";
import { formatDuration } from "../time";
import { Icon, type IconName } from "./icon";

const WORDS: Record<TargetState, { word: string; icon: IconName; tone: string }> = {
  live: { word: "live", icon: "check", tone: "ok" },
  new: { word: "waiting for data", icon: "clock", tone: "unknown" },
  down: { word: "down", icon: "close", tone: "crit" },
  stale: { word: "stale", icon: "warn", tone: "warn" },
  offline: { word: "offline", icon: "close", tone: "unknown" },
};

export function Chip(props: {
  tone: string;
  icon?: IconName;
  title?: string;
  children: ComponentChildren;
}) {
  return (
    <span class={`chip chip-${props.tone}`} title={props.title}>
      {props.icon && <Icon name={props.icon} />}
      {props.children}
    </span>
  );
}

/** The state as the server says it; unknown while the server cannot be asked. */
export function StateChip({ target }: { target: Target }) {
  if (outage.value) {
    return (
      <Chip tone="unknown" icon="help" title={`before the outage: ${target.state}`}>
        state unknown
      </Chip>
    );
  }
  const look = WORDS[target.state] ?? WORDS.new;
  const last = target.last_sample_ms;
  const seen = last
    ? `last sample ${formatNear(last, clock.value, view.value.utc)}`
    : "no sample yet";
  const title = target.reason ? `${target.reason}; ${seen}` : seen;
  return (
    <Chip tone={look.tone} icon={look.icon} title={title}>
      {look.word}
    </Chip>
  );
}

/** How the collector's link to the database is protected; a warning when it is not verified. */
export function LinkChip({ target }: { target: Target }) {
  const mode = target.attributes?.["sslmode"];
  const tls = target.attributes?.["tls"];
  if (typeof mode !== "string" || typeof tls !== "string") return null;
  const host = target.address ?? "";
  const local = host === "" || /^(\/|@|localhost$|127\.|::1$)/.test(host);
  const tone = local || mode === "verify-full" ? "plain" : "warn";
  return (
    <Chip tone={tone} title={`the collector's link to the database: sslmode=${mode}`}>
      {tls === "" ? "no TLS" : tls}
    </Chip>
  );
}

export function Age({ ms }: { ms: number | null | undefined }) {
  if (!ms) return <span class="muted">never</span>;
  return (
    <time dateTime={new Date(ms).toISOString()} title={formatNear(ms, 0, view.value.utc)}>
      {formatAge(Math.max(0, clock.value - ms))}
    </time>
  );
}

export function Banner(props: {
  tone: "warn" | "crit" | "unknown" | "info";
  children: ComponentChildren;
}) {
  return (
    <div class={`banner banner-${props.tone}`} role="status">
      <Icon name={props.tone === "info" ? "info" : "warn"} />
      <div class="banner-body">{props.children}</div>
    </div>
  );
}

/** Says that the server cannot be reached and when it is asked again. */
export function OutageBanner() {
  const out = outage.value;
  if (!out) return null;
  const left = Math.max(0, Math.ceil((out.retryAtMs - Date.now()) / 1000));
  void clock.value; // count down with the clock
  return (
    <Banner tone="crit">
      <strong>The pga server cannot be reached</strong> ({out.reason}) since{" "}
      {formatNear(out.sinceMs, Date.now(), view.value.utc)}. What you see is the last data{" "}
      received.{" "}
      {left > 0 ? `Next try in ${left} s.` : "Trying …"}{" "}
      <button type="button" class="button" onClick={retryNow}>Try now</button>
    </Banner>
  );
}

/** An error in the place of what it kept from being shown. */
export function Failure({ error }: { error: ApiError }) {
  if (error.unreachable) return <p class="muted">No answer from the server yet.</p>;
  const words: Record<number, string> = {
    403: "Your role may not see this.",
    404: "The server does not know this.",
  };
  return (
    <div class="failure">
      <p>
        <Icon name="warn" />{" "}
        <strong>{words[error.status] ?? "The server could not answer."}</strong>
      </p>
      <p class="muted">{error.message}</p>
      {error.status === 403 && <Grant />}
      {error.requestId && <p class="muted small">request {error.requestId}</p>}
    </div>
  );
}

/** How somebody comes to a role. */
function Grant() {
  const w = who.value;
  if (w.state !== "user") return null;
  return (
    <p class="muted">
      An owner gives it, on the page Users or with{" "}
      <code>pga ctl user update {w.user.username} --role ROLE</code>.
    </p>
  );
}

/** The target's own state, in a sentence that says what the numbers mean now. */
export function StaleBanner({ target }: { target: Target }) {
  const last = target.last_sample_ms;
  if (target.state === "down") {
    return (
      <Banner tone="crit">
        <strong>Down: PostgreSQL does not answer</strong>
        {target.reason ? `: ${target.reason}. ` : ". "}
        Its agent goes on trying. Numbers are those before; charts end where the data ends.
      </Banner>
    );
  }
  if ((target.state !== "stale" && target.state !== "offline") || !last) return null;
  const when = formatNear(last, clock.value, view.value.utc);
  const offline = target.state === "offline";
  return (
    <Banner tone={offline ? "unknown" : "warn"}>
      <strong>
        {offline ? "Offline" : "Stale"}: last sample {formatAge(clock.value - last)}
      </strong>{" "}
      (every {formatDuration(target.every_ms ?? 10_000)} expected). Numbers are as of {when}; charts
      end where the data ends.{" "}
      {offline && "Is the agent running, and does it reach both PostgreSQL and this server?"}
    </Banner>
  );
}
