// SPDX-License-Identifier: PostgreSQL
//
// topbar.tsx: the bar on top of every page: where you are, which time, live or not, theme, user.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { logout, serverNow, who } from "../data";
import {
  following, go, goLive, held, range, route, setView, span, togglePause, view,
} from "../state";
import { setTheme, theme, type Theme } from "../theme";
import { isoSeconds, parseRange, PRESETS, shiftSpan, zoomSpan, type Span } from "../time";
import { describeRange, encodeView, freezeView } from "../url";
import { CopyButton } from "./copy";
import { Icon } from "./icon";

const THEMES: Theme[] = ["auto", "light", "dark"];

export function Topbar({ name }: { name: ComponentChildren }) {
  const page = route.value.page;
  const onServer = "id" in route.value;
  return (
    <header class="topbar">
      <a class="brand" href={`/${onServer ? "?all" : ""}`} title="All targets">
        <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
          <rect width="32" height="32" rx="7" class="brand-back" />
          <path
            d="M6 25v-6h4v6zm5.300 0v-12h4v12zm5.300 0V7h4v18zm5.400 0v-9h4v9z"
            class="brand-bars"
          />
        </svg>
        <span>pga</span>
      </a>
      <nav class="crumbs" aria-label="Where you are">
        <ol>
          <li><a href="/?all" aria-current={page === "fleet" ? "page" : undefined}>Fleet</a></li>
          {name && <li aria-current="page">{name}</li>}
        </ol>
      </nav>
      <span class="grow" />
      {onServer ? <TimeControls /> : <LinkButton />}
      <ThemeButton />
      <button type="button" class="icon-button" title="Keys (?)" onClick={openHelp}>
        <Icon name="help" /><span class="sr">Keyboard help</span>
      </button>
      <UserMenu />
    </header>
  );
}

/** On pages without a window the address is the link; it says the same tomorrow. */
function LinkButton() {
  return (
    <CopyButton label="Copy a link to this page" icon="link" text={() => location.href} />
  );
}

export function openHelp(): void {
  const dialog = document.getElementById("help") as HTMLDialogElement | null;
  if (dialog && !dialog.open) dialog.showModal();
}

export function moveWindow(how: "left" | "right" | "out"): void {
  const now = serverNow();
  const next: Span = how === "out"
    ? zoomSpan(span.value, 2, now)
    : shiftSpan(span.value, how === "left" ? -0.5 : 0.5, now);
  const atNow = next.to >= now - 1000 && how !== "left";
  setView({ from: isoSeconds(next.from), to: atNow ? "now" : isoSeconds(next.to), sel: null });
}

export function freezeWindow(): void {
  setView({ from: isoSeconds(span.value.from), to: isoSeconds(span.value.to) });
}

function TimeControls() {
  return (
    <div class="time-controls">
      <LiveButton />
      <div class="joined">
        <button
          type="button"
          class="icon-button bordered"
          title="Earlier (t ←)"
          onClick={() => moveWindow("left")}
        >
          <Icon name="left" />
          <span class="sr">Earlier</span>
        </button>
        <RangePicker />
        <button
          type="button" class="icon-button bordered" title="Later (t →)"
          disabled={following.value} onClick={() => moveWindow("right")}
        >
          <Icon name="right" /><span class="sr">Later</span>
        </button>
        <button
          type="button"
          class="icon-button bordered"
          title="Twice as long (t -)"
          onClick={() => moveWindow("out")}
        >
          <Icon name="out" />
          <span class="sr">Zoom out</span>
        </button>
      </div>
      <CopyButton
        label="Copy a link to exactly this window"
        icon="link"
        text={() =>
          location.origin + location.pathname + encodeView(freezeView(view.value, span.value))
        }
      />
    </div>
  );
}

const HELD: Record<string, string> = {
  paused: "Paused",
  pointing: "Paused while you point",
  selection: "Paused: window selected",
  outage: "No connection",
};

function LiveButton() {
  if (!following.value) {
    return (
      <button type="button" class="button live" onClick={goLive} title="Back to the present">
        <Icon name="clock" />History · <strong>Go live</strong>
      </button>
    );
  }
  const why = held.value;
  const stopped = why === "paused" || why === "selection";
  return (
    <button
      type="button" class={`button live ${why === "" ? "live-on" : "live-held"}`}
      aria-pressed={why === ""} onClick={togglePause}
      title={stopped ? "Continue (space)" : "Pause (space)"}
    >
      {why === "" ? <span class="live-dot" /> : <Icon name={stopped ? "play" : "pause"} />}
      <span class="live-word">{why === "" ? "Live" : HELD[why]}</span>
    </button>
  );
}

function RangePicker() {
  const typed = useSignal("");
  const wrong = useSignal(false);
  const pop = useRef<HTMLDivElement>(null);
  const v = view.value;
  function choose(from: string, to: string): void {
    setView({ from, to, sel: null });
    pop.current?.hidePopover();
  }
  function submit(e: Event): void {
    e.preventDefault();
    const chosen = parseRange(typed.value, serverNow(), v.utc);
    wrong.value = chosen === null;
    if (chosen) choose(chosen.from, chosen.to);
  }
  const day = (text: string): void => {
    const chosen = parseRange(text, serverNow(), v.utc);
    if (chosen) choose(chosen.from, chosen.to);
  };
  return (
    <>
      <button
        type="button"
        class="button bordered range-button"
        popovertarget="range-pop"
        id="range-button"
      >
        <Icon name="clock" />
        <span class="range-words">{describeRange({ ...range.value, utc: v.utc }, PRESETS)}</span>
        <Icon name="down" />
      </button>
      <div id="range-pop" class="pop range-pop" popover="auto" ref={pop}>
        <form onSubmit={submit}>
          <label for="range-text">Window</label>
          <div class="row">
            <input
              id="range-text"
              class="input"
              value={typed.value}
              autocomplete="off"
              spellcheck={false}
              placeholder="6h · 14:00 → 14:30 · 2026-11-20 14:00 → +30m"
              aria-invalid={wrong.value} aria-describedby="range-hint"
              onInput={(e) => { typed.value = e.currentTarget.value; wrong.value = false; }}
            />
            <button type="submit" class="button button-main">Show</button>
          </div>
          <p id="range-hint" class={wrong.value ? "hint hint-wrong" : "hint"}>
            {wrong.value
              ? "This is no window. Try 90m, 14:00 → 14:30, or 2026-11-20 14:00 → +30m."
              : "A length, or two times with → between them."}
          </p>
        </form>
        <div class="preset-grid">
          {PRESETS.map((p) => (
            <button
              type="button"
              class="button bordered"
              key={p.from}
              title={p.long}
              aria-pressed={range.value.from === p.from && v.to === "now"}
              onClick={() => choose(p.from, "now")}
            >
              {p.label}
            </button>
          ))}
          <button type="button" class="button bordered" onClick={() => day("today")}>
            Today
          </button>
          <button type="button" class="button bordered" onClick={() => day("yesterday")}>
            Yesterday
          </button>
        </div>
        <label class="check">
          <input
            type="checkbox" checked={v.utc}
            onChange={(e) => setView({ utc: e.currentTarget.checked }, "replace")}
          />
          Times in UTC (z)
        </label>
      </div>
    </>
  );
}

function ThemeButton() {
  const now = theme.value;
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]!;
  return (
    <button
      type="button" class="icon-button" onClick={() => setTheme(next)}
      title={`Theme: ${now}. Click for ${next}.`} data-theme-choice={now}
    >
      <Icon name={now === "auto" ? "auto" : now === "dark" ? "moon" : "sun"} />
      <span class="sr">Theme: {now}</span>
    </button>
  );
}

function UserMenu() {
  const w = who.value;
  const failed = useSignal("");
  if (w.state !== "user") return null;
  async function leave(): Promise<void> {
    try {
      await logout();
      go("/login");
    } catch (error) {
      failed.value = error instanceof Error ? error.message : String(error);
    }
  }
  return (
    <>
      <button type="button" class="icon-button" popovertarget="user-pop" title={w.user.username}>
        <Icon name="user" /><span class="sr">Account of {w.user.username}</span>
      </button>
      <div id="user-pop" class="pop user-pop" popover="auto">
        <p><strong>{w.user.full_name || w.user.username}</strong><br />
          <span class="muted">{w.user.username} · {w.user.role}</span></p>
        {failed.value && <p class="hint hint-wrong" role="alert">{failed.value}</p>}
        <p><a href="/account">Password, tokens, sessions</a></p>
        <button type="button" class="button bordered" onClick={leave}>Sign out</button>
      </div>
    </>
  );
}
