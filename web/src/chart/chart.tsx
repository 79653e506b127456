// SPDX-License-Identifier: PostgreSQL
//
// chart.tsx: a chart as a part of a page: plot, legend, tooltip, keyboard cursor, table, export.
import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";
import type { Gap, Num } from "../api";
import { serverNow } from "../data";
import { formatNear, formatStamp } from "../format";
import { lastValue, nearest, sumAt, summarize, toCsv, type Line } from "../shape";
import { pointing, setView, view, zoomBack } from "../state";
import { dark, token } from "../theme";
import { isoSeconds, type Span } from "../time";
import { Icon } from "../parts/icon";
import { download } from "../parts/copy";
import { DataTable } from "./table";
import { attachGestures, type Kind } from "./gestures";
import { Plot, type Mark, type Scene } from "./plot";

const SYNC = "pga";
const KEYS_HELP = "Arrow keys move a cursor, v shows a table.";

export interface ChartProps {
  title: string;
  note?: ComponentChildren;
  controls?: ComponentChildren;
  /** Between the plot and its legend. */
  below?: ComponentChildren;
  footer?: ComponentChildren;
  lines: Line[];
  /** Names of custom properties, one per line. */
  tokens: string[];
  times: number[];
  stepMs: number;
  span: Span;
  stacked?: boolean;
  format: (value: Num) => string;
  unit: string;
  height: "small" | "normal" | "large";
  threshold?: { value: number; label: string } | null;
  top?: number | null;
  /** Ticks of the y axis at round powers of two instead of ten. */
  binary?: boolean;
  gaps?: readonly Gap[];
  marks?: readonly Mark[];
  loading?: boolean;
  /** Shown instead of the plot, in its place and size. */
  instead?: ComponentChildren;
  showTotal?: boolean;
  /** Follow one series to what it is made of; offered beside its name. */
  drill?: { label: (line: Line) => string; go: (key: string) => void } | null;
}

/** Apply what a gesture or a key asked for, to the address. */
export function applySpan(kind: Kind, span: Span): void {
  const now = serverNow();
  const how = kind === "wheel" ? "replace" : "push";
  if (kind === "select") {
    setView({ sel: { from: span.from, to: Math.min(span.to, now) } });
    return;
  }
  const length = Math.max(span.to - span.from, 10_000);
  const to = Math.min(span.to, now);
  const from = kind !== "zoom" ? to - length : Math.min(span.from, to - 10_000);
  const sel = view.value.sel;
  const inside = sel !== null && sel.from >= from && sel.to <= to && kind !== "zoom";
  setView({ from: isoSeconds(from), to: isoSeconds(to), sel: inside ? sel : null }, how);
}

export function Chart(props: ChartProps) {
  const { lines, times, span, stepMs, format } = props;
  const host = useRef<HTMLDivElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);
  const index = useSignal<number | null>(null);
  const inside = useSignal(false);
  /** Time of the bucket that a click has pinned the tooltip to. */
  const pinned = useSignal<number | null>(null);
  const isolated = useSignal<ReadonlySet<string>>(new Set());
  const asTable = useSignal(false);
  const spoken = useSignal("");
  const keyMark = useRef<number | null>(null);
  const isDark = dark.value;
  const { utc, sel } = view.value;

  const hidden = isolated.value;
  const shown = lines.map((l) => hidden.size === 0 || hidden.has(l.key));
  const kept = lines.filter((_, i) => shown[i]);
  const colors = useMemo(
    () => props.tokens.filter((_, i) => shown[i]).map((name) => token(name)),
    [props.tokens.join(), isDark, shown.join()],
  );
  const scene: Scene = {
    times,
    stepMs,
    lines: kept,
    colors,
    stacked: props.stacked ?? false,
    span,
    sel,
    gaps: props.gaps ?? [],
    marks: props.marks ?? [],
    threshold: props.threshold ?? null,
    top: props.top ?? null,
    format,
    utc,
    binary: props.binary ?? false,
    small: props.height === "small",
  };
  const sceneRef = useRef(scene);
  sceneRef.current = scene;
  const blank = Boolean(props.instead);

  useLayoutEffect(() => {
    const element = host.current;
    if (!element || blank) return;
    const size = { width: element.clientWidth, height: element.clientHeight };
    const made = new Plot(element, sceneRef.current, size, SYNC, (i) => (index.value = i));
    plot.current = made;
    const detach = attachGestures(surface(made, sceneRef, {
      click: () => pin(),
    }));
    made.u.over.addEventListener("dblclick", zoomBack);
    const watch = new ResizeObserver(() => {
      if (element.clientWidth > 0) {
        made.u.setSize({ width: element.clientWidth, height: element.clientHeight });
      }
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
      detach();
      made.u.destroy();
      plot.current = null;
    };
  }, [blank, isDark, scene.stacked, colors, asTable.value]);

  useEffect(() => {
    const made = plot.current;
    if (made && made.fits(scene)) made.update(scene);
  }, [
    lines, times, span.from, span.to, sel?.from, sel?.to, props.gaps, props.marks, hidden, utc,
    props.threshold?.value, props.top, colors,
  ]);
  useEffect(() => () => {
    if (inside.value || pinned.value !== null) pointing.value = false;
  }, []);

  const hovered = index.value !== null && times[index.value] !== undefined ? index.value : null;
  const at = pinned.value === null ? hovered : nearest(times, pinned.value);
  const summary = summarize(kept, times, scene.stacked, format, (t) =>
    formatNear(t, span.to, utc));

  /** Keep the tooltip where it is, or let it go; time stands still as long as it is kept. */
  function pin(): void {
    const i = index.value;
    const t = i === null ? undefined : sceneRef.current.times[i];
    pinned.value = pinned.value !== null || t === undefined ? null : t;
    pointing.value = pinned.value !== null || inside.value;
  }

  function release(): void {
    if (pinned.value === null && !inside.value) return;
    pinned.value = null;
    inside.value = false;
    pointing.value = false;
  }

  function moveCursor(next: number): void {
    const made = plot.current;
    if (!made || times.length === 0) return;
    const i = Math.min(times.length - 1, Math.max(0, next));
    made.u.setCursor({ left: made.u.valToPos(times[i]!, "x"), top: 10 });
    inside.value = true;
    const words = kept
      .filter((l) => (l.values[i] ?? 0) !== 0)
      .map((l) => `${l.label} ${format(l.values[i] ?? null)}`);
    const empty = sumAt(kept, i) === null ? "no data" : "zero";
    spoken.value = `${formatNear(times[i]!, span.to, utc)}: ${words.join(", ") || empty}`;
  }

  function onKey(e: KeyboardEvent): void {
    if (e.target !== e.currentTarget || e.ctrlKey || e.metaKey || e.altKey) return;
    const i = at ?? nearest(times, span.to);
    const move: Record<string, number> = {
      ArrowLeft: i - (e.shiftKey ? 10 : 1), ArrowRight: i + (e.shiftKey ? 10 : 1),
      Home: 0, End: times.length - 1,
    };
    const next = move[e.key];
    if (next !== undefined) moveCursor(next);
    else if (e.key === "s") markEdge(i);
    else if (e.key === "Enter") pin();
    else if (e.key === "Escape" && (pinned.value !== null || inside.value)) release();
    else if (e.key === "v") asTable.value = !asTable.value;
    else return;
    e.preventDefault();
    e.stopPropagation();
  }

  function markEdge(i: number): void {
    const t = times[i];
    if (t === undefined) return;
    if (keyMark.current === null) {
      keyMark.current = t;
      const from = formatNear(t, span.to, utc);
      spoken.value = `Selection starts at ${from}. Press s again at its end.`;
      return;
    }
    const [a, b] = [Math.min(keyMark.current, t), Math.max(keyMark.current, t)];
    keyMark.current = null;
    applySpan("select", { from: a - stepMs, to: b });
    spoken.value = "Window selected. Tables now show it.";
  }

  function enter(on: boolean, touch: boolean): void {
    pointing.value = on || pinned.value !== null;
    if (!on && touch) return; // what a finger has asked for stays until it touches elsewhere
    inside.value = on;
  }
  useEffect(() => {
    function elsewhere(e: PointerEvent): void {
      if (!frame.current?.contains(e.target as Node)) release();
    }
    document.addEventListener("pointerdown", elsewhere);
    return () => document.removeEventListener("pointerdown", elsewhere);
  }, []);

  const tip = useComputed(() => pinned.value !== null || (inside.value && index.value !== null));
  return (
    <section class={`panel chart ${props.loading ? "is-loading" : ""}`} aria-label={props.title}>
      <header class="panel-head">
        <h2>{props.title}</h2>
        {props.note && <span class="panel-note">{props.note}</span>}
        <span class="grow" />
        {props.controls}
        <button
          type="button" class="icon-button" aria-pressed={asTable.value}
          title={asTable.value ? "Show the chart (v)" : "Show as a table (v)"}
          onClick={() => (asTable.value = !asTable.value)}
        >
          <Icon name={asTable.value ? "chart" : "table"} />
          <span class="sr">{props.title} as a table</span>
        </button>
        <button
          type="button" class="icon-button" title="Download as CSV" disabled={blank}
          onClick={() => download(`${props.title}.csv`, "text/csv",
            toCsv(lines, times, (t) => formatStamp(t, utc)))}
        >
          <Icon name="download" />
          <span class="sr">Download {props.title} as CSV</span>
        </button>
      </header>
      <div
        ref={frame} class={`plot plot-${props.height}`} role="figure" tabIndex={0}
        aria-label={`${props.title}. ${blank ? "" : summary} ${KEYS_HELP}`}
        onKeyDown={onKey} hidden={asTable.value && !blank}
        onPointerEnter={(e) => enter(true, e.pointerType === "touch")}
        onPointerLeave={(e) => enter(false, e.pointerType === "touch")}
        onBlur={() => { if (!pointing.value) inside.value = false; }}
      >
        {blank ? (
          <div class="plot-instead">{props.instead}</div>
        ) : (
          <div ref={host} class="plot-host" />
        )}
        {!blank && tip.value && at !== null && plot.current && (
          <Tooltip
            plot={plot.current} at={at} lines={kept} colors={colors} scene={scene} unit={props.unit}
            total={props.showTotal ?? false} pinned={pinned.value !== null}
          />
        )}
      </div>
      {!blank && asTable.value && (
        <DataTable title={props.title} lines={kept} times={times} format={format} utc={utc} />
      )}
      {props.below}
      <div class="chart-foot">
        {!blank && (
          <Legend
            lines={lines} tokens={props.tokens} shown={shown} at={at} format={format}
            drill={props.drill ?? null}
            onPick={(key, toggle) => (isolated.value = pick(hidden, key, toggle, lines))}
          />
        )}
        {props.footer}
      </div>
      <div class="sr" aria-live="polite">{spoken.value}</div>
    </section>
  );
}

/** Legend logic: a click isolates, Ctrl and click adds or removes one; the empty set shows all. */
function pick(now: ReadonlySet<string>, key: string, toggle: boolean, lines: Line[]) {
  if (!toggle) return now.size === 1 && now.has(key) ? new Set<string>() : new Set([key]);
  const next = new Set(now.size === 0 ? lines.map((l) => l.key) : now);
  if (!next.delete(key)) next.add(key);
  return next.size === 0 || next.size === lines.length ? new Set<string>() : next;
}

function surface(
  made: Plot, scene: { current: Scene }, on: { click: () => void },
): Parameters<typeof attachGestures>[0] {
  const box = document.createElement("div");
  box.className = "drag-box";
  made.u.over.append(box);
  return {
    over: made.u.over,
    span: () => scene.current.span,
    box: (from, to, kind) => {
      box.dataset["kind"] = kind;
      box.style.display = "block";
      box.style.left = `${from}px`;
      box.style.width = `${to - from}px`;
    },
    unbox: () => (box.style.display = "none"),
    preview: (span) => made.update({ ...scene.current, span }),
    commit: applySpan,
    click: on.click,
    scrub: (x) => made.u.setCursor({ left: x, top: 10 }),
  };
}

function Legend(props: {
  lines: Line[];
  tokens: string[];
  shown: boolean[];
  at: number | null;
  format: (v: Num) => string;
  drill: ChartProps["drill"];
  onPick: (key: string, toggle: boolean) => void;
}) {
  const drill = props.drill;
  return (
    <ul class="legend">
      {props.lines.map((line, i) => {
        const value =
          props.at === null ? lastValue(line.values).value : (line.values[props.at] ?? null);
        return (
          <li key={line.key}>
            <button
              type="button" class="legend-item" aria-pressed={props.shown[i]}
              title="Click: show only this. Ctrl and click: show or hide this."
              onClick={(e) => props.onPick(line.key, e.ctrlKey || e.metaKey)}
            >
              <span class="swatch" style={{ background: `var(--${props.tokens[i]})` }} />
              <span class="legend-label">{line.label}</span>
              <span class="legend-value">{props.format(value)}</span>
            </button>
            {drill && !line.key.startsWith("\u0000") && (
              <button
                type="button"
                class="legend-drill"
                title={drill.label(line)}
                onClick={() => drill.go(line.key)}
              >
                <Icon name="search" /><span class="sr">{drill.label(line)}</span>
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}

function Tooltip(props: {
  plot: Plot;
  at: number;
  lines: Line[];
  colors: string[];
  scene: Scene;
  unit: string;
  total: boolean;
  pinned: boolean;
}) {
  const { plot, at, lines, scene } = props;
  const t = scene.times[at]!;
  const over = plot.u.over;
  const x = plot.u.valToPos(t, "x") + over.offsetLeft;
  const right = x > (over.clientWidth + over.offsetLeft) * 0.5;
  const rows = lines
    .map((line, i) => ({ line, color: props.colors[i] ?? "", value: line.values[at] ?? null }))
    .filter((r) => !scene.stacked || (r.value !== null && r.value > 0));
  if (scene.stacked) rows.reverse();
  const near = scene.marks.filter((m) => Math.abs(m.t_ms - t) <= scene.stepMs);
  const total = sumAt(lines, at);
  const px = Math.round(x);
  const left = right ? `calc(${px}px - 100% - 12px)` : `${px + 12}px`;
  return (
    <div
      class={`tooltip ${props.pinned ? "tooltip-pinned" : ""}`}
      aria-hidden="true"
      style={{ transform: `translate(${left}, 8px)` }}
    >
      <div class="tooltip-time">
        {formatStamp(t, scene.utc)} <span class="muted">{props.unit}</span>
      </div>
      {total === null && <div class="muted">no data</div>}
      {rows.map((r) => (
        <div class="tooltip-row" key={r.line.key}>
          <span class="swatch" style={{ background: r.color }} />
          <span class="tooltip-label">{r.line.label}</span>
          <span class="tooltip-value">{scene.format(r.value)}</span>
        </div>
      ))}
      {props.total && total !== null && (
        <div class="tooltip-row tooltip-total">
          <span class="tooltip-label">total</span>
          <span class="tooltip-value">{scene.format(total)}</span>
        </div>
      )}
      {props.pinned && <div class="muted">pinned: click or Esc to release</div>}
      {near.map((m) => <div class="tooltip-mark" key={m.t_ms}>▾ {m.title}</div>)}
    </div>
  );
}
