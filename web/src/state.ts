// SPDX-License-Identifier: PostgreSQL
//
// state.ts: where the person is (address bar) and whether time runs (live).
//
// The address is the only store of what a page shows: setView writes it, the signals below are
// derived from it, and back and forward need nothing else. Time runs when the window ends at "now";
// it stands still while the person points at a chart, has brushed a window, or pressed pause.
import { batch, computed, signal } from "@preact/signals";
import { isBusy, outage, serverNow } from "./data";
import { autoFrom, resolveRange, type RangeText, type Span } from "./time";
import { AUTO, decodeRoute, decodeView, DEFAULT_VIEW, encodeView, type View } from "./url";

const BEAT_MS = 5000;

const place = signal({ path: location.pathname, search: location.search });

export const route = computed(() => decodeRoute(place.value.path, place.value.search));
export const view = computed<View>(() => decodeView(place.value.search));

function sync(): void {
  place.value = { path: location.pathname, search: location.search };
}

/** How many steps of this application lie before the present one. */
function stepsBack(): number {
  return (history.state as { depth?: number } | null)?.depth ?? 0;
}

export function go(path: string, how: "push" | "replace" = "push"): void {
  if (path === location.pathname + location.search) return;
  const depth = stepsBack() + (how === "push" ? 1 : 0);
  history[how === "push" ? "pushState" : "replaceState"]({ depth }, "", path);
  sync();
}

/** Change what the page shows. Each change of the window is a step that "back" undoes. */
export function setView(change: Partial<View>, how: "push" | "replace" = "push"): void {
  const text = encodeView({ ...view.value, ...change });
  const r = route.value;
  const all = r.page === "fleet" && r.all ? `?all${text === "" ? "" : `&${text.slice(1)}`}` : text;
  go(location.pathname + all, how);
}

// --- time ----------------------------------------------------------------------------------------

/** Grows every few seconds while the page can be seen: for what does not depend on the window. */
export const pulse = signal(0);
/** Grows with the pulse while time runs: for everything that follows the window. */
export const beat = signal(0);
/** The present, refreshed every second, for ages and countdowns. */
export const clock = signal(serverNow());
export const paused = signal(false);
/** Number of charts that are pointed at. */
export const pointing = signal(false);

export const following = computed(() => view.value.to === "now");
export const held = computed<"" | "paused" | "pointing" | "selection" | "outage">(() => {
  if (!following.value) return "";
  if (outage.value) return "outage";
  if (paused.value) return "paused";
  if (view.value.sel) return "selection";
  return pointing.value ? "pointing" : "";
});

const anchor = signal(serverNow());
/** When the target on the page was first seen; the page tells. */
export const firstSeenMs = signal<number | null>(null);
/** The range as written, or what no range means for this target. */
export const range = computed<RangeText>(() => {
  const { from, to } = view.value;
  return from === AUTO ? { from: autoFrom(firstSeenMs.value, anchor.value), to } : { from, to };
});
/** The window that the charts show. */
export const span = computed<Span>(() => resolveRange(range.value, anchor.value, view.value.utc));

/** The window that tables are about: the brushed one, else that of the charts. */
export const focus = computed<Span>(() => view.value.sel ?? span.value);

function advance(): void {
  batch(() => {
    anchor.value = serverNow();
    beat.value++;
  });
}

function onPulse(): void {
  if (document.visibilityState !== "visible") return;
  if (outage.value && outage.value.retryAtMs > Date.now()) return;
  if (isBusy()) return; // a slow server is not asked again before it has answered
  pulse.value++;
  if (following.value && held.value === "") advance();
}

export function togglePause(): void {
  paused.value = !paused.value;
  if (!paused.value) {
    if (view.value.sel) setView({ sel: null });
    advance();
  }
}

/** Back to a window that ends now and moves on. */
export function goLive(): void {
  batch(() => {
    paused.value = false;
    if (!following.value) setView({ from: AUTO, to: "now", sel: null });
    else if (view.value.sel) setView({ sel: null });
  });
  advance();
}

/** One step back in the windows shown; to the last hour when there is none. */
export function zoomBack(): void {
  if (!view.value.sel && following.value) return;
  if (stepsBack() > 0) history.back();
  else setView({ from: DEFAULT_VIEW.from, to: DEFAULT_VIEW.to, sel: null }, "replace");
}

export function startState(): void {
  addEventListener("popstate", sync);
  setInterval(() => (clock.value = serverNow()), 1000);
  setInterval(onPulse, BEAT_MS);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") onPulse();
  });
}

/** A click on a link inside the application becomes a step of the router. */
export function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest("a");
  if (!link || link.target || link.origin !== location.origin || link.hasAttribute("download"))
    return;
  if (link.pathname === location.pathname && link.hash) return;
  event.preventDefault();
  go(link.pathname + link.search);
  document.getElementById("main")?.focus();
}
