// SPDX-License-Identifier: PostgreSQL
//
// lane.tsx: the strip under the load chart on which a window is selected. The tables below the
// charts follow the selection while the charts keep their range. Both edges are sliders, so the
// selection can be made and moved with the keyboard as well.
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { formatNear, formatSpan } from "../format";
import { setView, view } from "../state";
import type { Span } from "../time";

const GUTTER_LEFT = 58; // the width of the chart's y axis
const GUTTER_RIGHT = 8;

type Grip = "new" | "from" | "to" | "move";

export function Lane({ window }: { window: Span }) {
  const track = useRef<HTMLDivElement>(null);
  const draft = useSignal<Span | null>(null);
  const grip = useRef<{ kind: Grip; t0: number; start: Span } | null>(null);
  const sel = draft.value ?? view.value.sel;
  const length = window.to - window.from;

  const timeAt = (clientX: number): number => {
    const r = track.current!.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (clientX - r.left) / r.width));
    return window.from + share * length;
  };
  const percent = (t: number): number =>
    Math.min(100, Math.max(0, ((t - window.from) / length) * 100));

  function down(e: PointerEvent, kind: Grip): void {
    if (e.button !== 0) return;
    e.stopPropagation();
    e.preventDefault();
    const t0 = timeAt(e.clientX);
    grip.current = { kind, t0, start: sel && kind !== "new" ? sel : { from: t0, to: t0 } };
    track.current!.setPointerCapture(e.pointerId);
  }
  function move(e: PointerEvent): void {
    const g = grip.current;
    if (!g) return;
    const t = timeAt(e.clientX);
    if (g.kind === "new") draft.value = { from: Math.min(g.t0, t), to: Math.max(g.t0, t) };
    else if (g.kind === "move") draft.value = shift(g.start, t - g.t0, window);
    else {
      const other = g.kind === "from" ? g.start.to : g.start.from;
      draft.value = { from: Math.min(other, t), to: Math.max(other, t) };
    }
  }
  function up(): void {
    const done = draft.value;
    const kind = grip.current?.kind;
    grip.current = null;
    draft.value = null;
    if (done && done.to - done.from >= length / 400) setView({ sel: done });
    else if (kind === "new" && view.value.sel) setView({ sel: null });
  }
  function edge(which: "from" | "to", e: KeyboardEvent): void {
    const pace = (e.shiftKey ? 0.1 : 0.01) * length;
    const by: Record<string, number> = { ArrowLeft: -pace, ArrowRight: pace };
    const delta = by[e.key];
    if (delta === undefined) return;
    e.preventDefault();
    e.stopPropagation();
    const now = sel ?? window;
    const next = {
      ...now,
      [which]: Math.min(window.to, Math.max(window.from, now[which] + delta)),
    };
    if (next.to - next.from >= 1000) setView({ sel: next }, view.value.sel ? "replace" : "push");
  }

  const shown = sel ?? window;
  const handle = (which: "from" | "to") => (
    <div
      class={`lane-edge ${sel ? "" : "lane-edge-idle"}`} role="slider" tabIndex={0}
      aria-label={which === "from" ? "Start of the selected window" : "End of the selected window"}
      aria-valuemin={window.from} aria-valuemax={window.to} aria-valuenow={Math.round(shown[which])}
      aria-valuetext={formatNear(shown[which], window.to, view.value.utc)}
      style={{ left: `${percent(shown[which])}%` }}
      onPointerDown={(e) => down(e, sel ? which : "new")} onKeyDown={(e) => edge(which, e)}
    />
  );
  return (
    <div class="lane" style={{ marginLeft: `${GUTTER_LEFT}px`, marginRight: `${GUTTER_RIGHT}px` }}>
      <div
        ref={track}
        class="lane-track"
        data-testid="lane"
        onPointerDown={(e) => down(e, "new")}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={() => {
          grip.current = null;
          draft.value = null;
        }}
      >
        {!sel && <span class="lane-hint">Drag to select a window for the queries below</span>}
        {sel && (
          <div
            class="lane-sel"
            title={formatSpan(sel, view.value.utc)}
            style={{
              left: `${percent(sel.from)}%`,
              width: `${percent(sel.to) - percent(sel.from)}%`,
            }}
            onPointerDown={(e) => down(e, "move")}
          />
        )}
        {handle("from")}
        {handle("to")}
      </div>
    </div>
  );
}

function shift(start: Span, by: number, window: Span): Span {
  const length = start.to - start.from;
  const from = Math.min(window.to - length, Math.max(window.from, start.from + by));
  return { from, to: from + length };
}
