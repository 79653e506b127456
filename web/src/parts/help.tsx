// SPDX-License-Identifier: PostgreSQL
//
// help.tsx: the list of keys, and what they do.
import { following, go, route, setView, togglePause, view, zoomBack } from "../state";
import { overviewPath, timeOf } from "../url";
import { freezeWindow, moveWindow, openHelp } from "./topbar";

const KEYS: Array<[string, string]> = [
  ["?", "This list"],
  ["/", "Filter the list"],
  ["Space", "Pause or continue"],
  ["t ← / t →", "Earlier, later"],
  ["t -", "Twice as long"],
  ["t a", "Freeze: write the window as fixed times"],
  ["z", "UTC or local time"],
  ["g f / g c / g a", "Go to the fleet, the collectors, about"],
  ["g o / g q / g s", "On a server: overview, queries, sessions"],
  ["j / k", "Next, previous row"],
  ["Enter", "Open the row"],
  ["y", "Copy the SQL of the query"],
  ["Esc", "Close, clear the selection, or one window back"],
];

const ON_CHART: Array<[string, string]> = [
  ["drag", "Zoom"],
  ["Alt + drag", "Select a window for the table below"],
  ["Shift + drag", "Move"],
  ["Ctrl + wheel", "Zoom around the pointer"],
  ["double click", "One window back"],
  ["← → Home End", "Move the cursor (chart has the focus)"],
  ["s … s", "Select from one cursor position to another"],
  ["v", "The data as a table"],
];

export function HelpDialog() {
  const list = (rows: Array<[string, string]>) => (
    <dl class="keys">
      {rows.map(([key, what]) => (
        <div key={key}><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>
      ))}
    </dl>
  );
  return (
    <dialog id="help" class="dialog" aria-labelledby="help-title">
      <form method="dialog">
        <header class="dialog-head">
          <h2 id="help-title">Keys</h2>
          <button class="button bordered" value="close">Close</button>
        </header>
      </form>
      <div class="help-columns">
        <section><h3>Everywhere</h3>{list(KEYS)}</section>
        <section><h3>On a chart</h3>{list(ON_CHART)}</section>
      </div>
    </dialog>
  );
}

let prefix = "";
let prefixTimer: ReturnType<typeof setTimeout> | undefined;

function setPrefix(key: string): void {
  prefix = key;
  clearTimeout(prefixTimer);
  prefixTimer = setTimeout(() => (prefix = ""), 1500);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, dialog") !== null;
}

function onEscape(e: KeyboardEvent): void {
  if (document.querySelector(":popover-open")) return; // the browser closes it
  const v = view.value;
  if (v.q) setView({ q: "" });
  else if (v.sel) setView({ sel: null });
  else if (v.find) setView({ find: "" }, "replace");
  else if (!following.value) zoomBack();
  else return;
  e.preventDefault();
}

const AFTER_T: Record<string, () => void> = {
  ArrowLeft: () => moveWindow("left"),
  ArrowRight: () => moveWindow("right"),
  "-": () => moveWindow("out"),
  a: freezeWindow,
};

function goTo(key: string): void {
  const everywhere: Record<string, string> = { f: "/?all", c: "/collectors", a: "/about" };
  const onServer: Record<string, string> = { o: "", q: "/queries", s: "/sessions" };
  const r = route.value;
  if (everywhere[key] !== undefined) go(everywhere[key]);
  else if ("id" in r && onServer[key] !== undefined) {
    go(overviewPath(r.id) + onServer[key] + timeOf(view.value));
  }
}

function onPrefixed(key: string): boolean {
  if (prefix === "t") AFTER_T[key]?.();
  else if (prefix === "g") goTo(key);
  const used = prefix !== "";
  prefix = "";
  return used;
}

function onPlain(e: KeyboardEvent): boolean {
  const onButton = e.target instanceof Element && e.target.closest("button, a, summary") !== null;
  switch (e.key) {
    case "?": openHelp(); return true;
    case "/": {
      const field = document.getElementById("find");
      field?.focus();
      return field !== null;
    }
    case "t": case "g": setPrefix(e.key); return true;
    case "y": return copySql();
    case "z": setView({ utc: !view.value.utc }, "replace"); return true;
    case " ": if (onButton) return false; togglePause(); return true;
    default: return false;
  }
}

/** The button that copies the SQL of the query that is open, if one is. */
function copySql(): boolean {
  const button = document.querySelector<HTMLElement>('[title="Copy the SQL (y)"]');
  button?.click();
  return button !== null;
}

export function startKeys(): void {
  addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Escape") {
      if (!isTyping(e.target)) onEscape(e);
      else if (e.target instanceof HTMLInputElement) e.target.blur();
      return;
    }
    if (isTyping(e.target)) return;
    if (prefix !== "" ? onPrefixed(e.key) : onPlain(e)) e.preventDefault();
  });
}
