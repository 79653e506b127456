// SPDX-License-Identifier: PostgreSQL
//
// plot.ts: one uPlot instance for one chart, and what is painted on its canvas.
//
// Stacked charts are painted here, bucket by bucket: a bucket (t - step, t] is a bar from its start
// to its end, so a bucket without data is a hole and nothing is drawn between two samples that were
// never connected. Lines are uPlot's own.
import uPlot from "uplot";
import { formatTick } from "../format";
import { emptyStretches, gapReason, totals, type Line } from "../shape";
import type { Gap, Num } from "../api";
import { token } from "../theme";
import type { Span } from "../time";

export interface Mark {
  t_ms: number;
  title: string;
  severity: string;
}

export interface Scene {
  times: number[];
  stepMs: number;
  lines: Line[];
  /** CSS colours, one per line. */
  colors: string[];
  stacked: boolean;
  span: Span;
  sel: Span | null;
  gaps: readonly Gap[];
  marks: readonly Mark[];
  threshold: { value: number; label: string } | null;
  /** A y axis that always ends here (shares end at 1); null follows the data. */
  top: number | null;
  format: (value: Num) => string;
  utc: boolean;
  binary: boolean;
  small: boolean;
}

interface Palette {
  text: string;
  muted: string;
  grid: string;
  bg: string;
  accent: string;
  gap: string;
  warn: string;
  limit: string;
}

function palette(): Palette {
  return {
    text: token("text"), muted: token("text-muted"), grid: token("grid"), bg: token("panel"),
    accent: token("accent"), gap: token("gap"), warn: token("warn"), limit: token("limit"),
  };
}

/** Distances between ticks for bytes: 1, 2, 4 ... up to 2^60. */
const BINARY_STEPS = Array.from({ length: 61 }, (_, i) => 2 ** i);

const FONT = "11px ui-sans-serif, system-ui, sans-serif";

export class Plot {
  readonly u: uPlot;
  private colors: Palette;
  private sums: Num[] = [];
  private holes: Span[] = [];

  constructor(
    host: HTMLElement,
    public scene: Scene,
    size: { width: number; height: number },
    syncKey: string,
    onCursor: (index: number | null, u: uPlot) => void,
  ) {
    this.colors = palette();
    this.measure();
    this.u = new uPlot(this.options(size, syncKey, onCursor), this.table(), host);
  }

  /** True when the scene can be shown without making the instance anew. */
  fits(next: Scene): boolean {
    const now = this.scene;
    return (
      now.stacked === next.stacked && now.lines.length === next.lines.length &&
      now.colors.every((c, i) => c === next.colors[i])
    );
  }

  update(next: Scene): void {
    this.scene = next;
    this.measure();
    this.u.batch(() => {
      this.u.setData(this.table(), false);
      this.u.setScale("x", { min: next.span.from, max: next.span.to });
    });
    this.u.redraw(true, true);
  }

  private measure(): void {
    const { lines, times } = this.scene;
    this.sums = totals(lines, times.length);
  }

  private table(): uPlot.AlignedData {
    const { times, lines, stacked } = this.scene;
    const body = stacked ? [this.sums] : lines.map((l) => l.values);
    return [times, ...body] as uPlot.AlignedData;
  }

  private topValue(): number {
    const { scene } = this;
    if (scene.top !== null) return scene.top;
    let most = 0;
    const rows = scene.stacked ? [this.sums] : scene.lines.map((l) => l.values);
    scene.times.forEach((t, i) => {
      if (t < scene.span.from || t - scene.stepMs > scene.span.to) return;
      for (const row of rows) most = Math.max(most, row[i] ?? 0);
    });
    // The limit belongs in the picture unless that would press the data flat.
    const limit = scene.threshold?.value ?? 0;
    if (limit > 0 && limit <= Math.max(most * 4, 0.001)) most = Math.max(most, limit * 1.02);
    return most > 0 ? most * 1.08 : 1;
  }

  private options(
    size: { width: number; height: number },
    syncKey: string,
    onCursor: (index: number | null, u: uPlot) => void,
  ): uPlot.Options {
    const { scene, colors } = this;
    const axis = { stroke: colors.muted, font: FONT, ticks: { show: false } };
    const lines: uPlot.Series[] = scene.stacked
      ? [{ paths: () => null, points: { show: false } }]
      : scene.lines.map((_, i) => ({
          stroke: scene.colors[i] ?? colors.muted, width: 1.5, spanGaps: false,
          points: { show: (u, s, i0, i1) => this.lonely(u, s, i0, i1), size: 4 },
        }));
    return {
      ...size,
      ms: 1,
      padding: [10, scene.small ? 16 : 8, 0, 0],
      legend: { show: false },
      tzDate: (ms) => (this.scene.utc ? uPlot.tzDate(new Date(ms), "Etc/UTC") : new Date(ms)),
      cursor: {
        y: false, drag: { x: false, y: false },
        points: { show: !scene.stacked, size: 6 },
        sync: { key: syncKey, scales: ["x", null] },
      },
      scales: {
        x: { time: true, range: () => [this.scene.span.from, this.scene.span.to] },
        y: { range: () => [0, this.topValue()] },
      },
      series: [{}, ...lines],
      axes: [
        {
          ...axis, size: 22, gap: 4, space: 76,
          grid: { stroke: colors.grid, width: 1 },
          values: (_u, splits, _axis, _space, incr) =>
            splits.map((ms) => formatTick(ms, incr, this.scene.utc)),
        },
        {
          ...axis, size: scene.small ? 52 : 58, gap: 6, space: scene.small ? 26 : 32,
          ...(scene.binary ? { incrs: BINARY_STEPS } : {}),
          grid: { stroke: colors.grid, width: 1 },
          values: (_u, splits) => splits.map((v) => this.tick(v)),
        },
      ],
      hooks: {
        drawClear: [() => this.drawBelow()],
        draw: [() => this.drawAbove()],
        setCursor: [(u) => onCursor(u.cursor.idx ?? null, u)],
      },
    };
  }

  /** A tick is round already: it needs fewer digits than a value. */
  private tick(value: number): string {
    const text = this.scene.format(value);
    return /^\d+\.\d*0$/.test(text) ? text.replace(/\.?0+$/, "") : text;
  }

  /** Draw a dot for samples without neighbours: a line could not show them. */
  private lonely(u: uPlot, s: number, i0: number, i1: number): boolean {
    const values = u.data[s]!;
    let runs = 0;
    for (let i = i0; i <= i1; i++) {
      if (values[i] != null && values[i - 1] == null && values[i + 1] == null) runs++;
    }
    return runs > 0 && runs <= 400;
  }

  private x(ms: number): number {
    const { left, width } = this.u.bbox;
    const { from, to } = this.scene.span;
    return left + Math.min(1, Math.max(0, (ms - from) / (to - from))) * width;
  }

  private drawBelow(): void {
    const { ctx } = this.u;
    const { scene } = this;
    ctx.save();
    this.holes = emptyStretches(scene.times, this.sums, scene.stepMs)
      .filter((hole) => hole.to - hole.from >= scene.stepMs * 1.5);
    for (const hole of this.holes) this.drawHole(hole);
    ctx.restore();
  }

  private drawHole(hole: Span): void {
    const { ctx, bbox } = this.u;
    const a = this.x(hole.from);
    const b = this.x(hole.to);
    if (b - a < 1) return;
    ctx.save();
    ctx.beginPath();
    ctx.rect(a, bbox.top, b - a, bbox.height);
    ctx.clip();
    ctx.strokeStyle = this.colors.gap;
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    const pace = 7 * devicePixelRatio;
    const first = Math.floor((a - bbox.height) / pace) * pace; // hatching stays put while it grows
    for (let x = first; x < b; x += pace) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.restore();
  }

  /** Name a hole, above the grid, where there is room. */
  private drawHoleWords(): void {
    const { ctx, bbox } = this.u;
    ctx.font = scaleFont(FONT);
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    for (const hole of this.holes) {
      const words = gapReason(hole, this.scene.gaps) || "no data";
      const [a, b] = [this.x(hole.from), this.x(hole.to)];
      const wide = ctx.measureText(words).width + 10 * devicePixelRatio;
      if (b - a < wide + 4 * devicePixelRatio) continue;
      const middle = (a + b) / 2;
      const tall = 16 * devicePixelRatio;
      const top = bbox.top + bbox.height * 0.5 - tall / 2;
      ctx.fillStyle = this.colors.bg;
      ctx.fillRect(middle - wide / 2, top, wide, tall);
      ctx.fillStyle = this.colors.muted;
      ctx.fillText(words, middle, top + tall / 2);
    }
  }

  private drawAbove(): void {
    const { ctx, bbox } = this.u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    if (this.scene.stacked) this.drawStack();
    this.drawEdges();
    this.drawMarks();
    this.drawThreshold();
    this.drawHoleWords();
    ctx.restore();
  }

  private drawStack(): void {
    const { u, scene } = this;
    const { ctx, bbox } = u;
    const base = bbox.top + bbox.height;
    const perUnit = bbox.height / this.topValue();
    const heights = new Float64Array(scene.times.length);
    const slit = ((bbox.width * scene.stepMs) / (scene.span.to - scene.span.from)) > 7 ? 1 : 0;
    const seam = devicePixelRatio;
    scene.lines.forEach((line, s) => {
      ctx.fillStyle = scene.colors[s] ?? this.colors.muted;
      ctx.beginPath();
      for (let i = 0; i < scene.times.length; i++) {
        const v = line.values[i];
        if (v === null || v === undefined || v <= 0) continue;
        const t = scene.times[i]!;
        if (t <= scene.span.from || t - scene.stepMs >= scene.span.to) continue;
        const x0 = Math.round(this.x(t - scene.stepMs)) + slit * devicePixelRatio;
        const x1 = Math.round(this.x(t));
        const low = heights[i]!;
        heights[i] = low + v;
        const y0 = base - low * perUnit;
        const tall = v * perUnit;
        // A seam in the colour of the panel keeps two bands apart without relying on hue.
        const gap = low > 0 && tall > 3 * seam ? seam : 0;
        ctx.rect(x0, y0 - tall, Math.max(1, x1 - x0), tall - gap);
      }
      ctx.fill();
    });
  }

  private drawEdges(): void {
    const { sel } = this.scene;
    if (!sel) return;
    const { ctx, bbox } = this.u;
    const [a, b] = [this.x(sel.from), this.x(sel.to)];
    ctx.globalAlpha = 0.62; // what is outside steps back
    ctx.fillStyle = this.colors.bg;
    ctx.fillRect(bbox.left, bbox.top, a - bbox.left, bbox.height);
    ctx.fillRect(b, bbox.top, bbox.left + bbox.width - b, bbox.height);
    ctx.globalAlpha = 0.07;
    ctx.fillStyle = this.colors.accent;
    ctx.fillRect(a, bbox.top, b - a, bbox.height);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = this.colors.accent;
    ctx.lineWidth = devicePixelRatio;
    for (const edge of [sel.from, sel.to]) {
      const x = Math.round(this.x(edge)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
  }

  private drawMarks(): void {
    const { ctx, bbox } = this.u;
    for (const mark of this.scene.marks) {
      if (mark.t_ms < this.scene.span.from || mark.t_ms > this.scene.span.to) continue;
      const x = Math.round(this.x(mark.t_ms)) + 0.5;
      ctx.strokeStyle = this.colors.warn;
      ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.lineWidth = devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.fillStyle = this.colors.warn;
      const half = 4 * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x - half, bbox.top);
      ctx.lineTo(x + half, bbox.top);
      ctx.lineTo(x, bbox.top + half * 1.5);
      ctx.fill();
    }
  }

  private drawThreshold(): void {
    const limit = this.scene.threshold;
    if (!limit) return;
    const { ctx, bbox } = this.u;
    const top = this.topValue();
    const inside = limit.value <= top;
    const y = inside
      ? Math.round(bbox.top + bbox.height * (1 - limit.value / top)) + 0.5
      : bbox.top;
    ctx.font = scaleFont(`600 ${FONT}`);
    const words = inside ? limit.label : `${limit.label} ↑`;
    if (inside) {
      ctx.strokeStyle = this.colors.limit;
      ctx.lineWidth = 1.5 * devicePixelRatio;
      ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    const pad = 4 * devicePixelRatio;
    const wide = ctx.measureText(words).width + pad * 2;
    const tall = 16 * devicePixelRatio;
    const above = inside && y - tall - 2 > bbox.top;
    const labelTop = above ? y - tall - 2 : y + 2;
    ctx.globalAlpha = 0.85;
    ctx.fillStyle = this.colors.bg;
    ctx.fillRect(bbox.left + bbox.width - wide, labelTop, wide, tall);
    ctx.globalAlpha = 1;
    ctx.fillStyle = this.colors.limit;
    ctx.textAlign = "right";
    ctx.textBaseline = "middle";
    ctx.fillText(words, bbox.left + bbox.width - pad, labelTop + tall / 2);
  }
}

function scaleFont(font: string): string {
  return font.replace(/(\d+)px/, (_, n: string) => `${Number(n) * devicePixelRatio}px`);
}
