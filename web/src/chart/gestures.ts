// SPDX-License-Identifier: PostgreSQL
//
// gestures.ts: what a pointer does on a chart. Drag zooms, Shift and drag moves, Alt and drag
// selects, Ctrl and wheel zooms around the pointer, two fingers pinch and move; a plain wheel and
// one finger up or down always scroll the page.
import type { Span } from "../time";

export interface Surface {
  /** The element that covers the plotting area. */
  over: HTMLElement;
  span: () => Span;
  /** Draw the box that is being dragged; null removes it. */
  box: (from: number, to: number, kind: Kind) => void;
  unbox: () => void;
  preview: (span: Span) => void;
  commit: (kind: Kind, span: Span) => void;
  click: () => void;
  scrub: (x: number) => void;
}

export type Kind = "zoom" | "pan" | "select" | "wheel";
const SLOP_PX = 4;

export function attachGestures(s: Surface): () => void {
  const touches = new Map<number, number>();
  let drag: { id: number; x0: number; kind: Kind; moved: boolean; span: Span } | null = null;
  let pinch: { a: number; b: number; span: Span } | null = null;
  let last: Span | null = null;

  const rect = (): DOMRect => s.over.getBoundingClientRect();
  const local = (e: PointerEvent): number => e.clientX - rect().left;
  const timeAt = (x: number, span: Span): number =>
    span.from + (Math.min(Math.max(x, 0), rect().width) / rect().width) * (span.to - span.from);

  function down(e: PointerEvent): void {
    if (e.button !== 0) return;
    const x = local(e);
    if (e.pointerType === "touch") {
      touches.set(e.pointerId, x);
      if (touches.size === 2) {
        const [a, b] = [...touches.values()].sort((p, q) => p - q);
        pinch = { a: a!, b: b!, span: s.span() };
      } else {
        s.scrub(x);
      }
      return;
    }
    const kind: Kind = e.shiftKey ? "pan" : e.altKey ? "select" : "zoom";
    drag = { id: e.pointerId, x0: x, kind, moved: false, span: s.span() };
    s.over.setPointerCapture(e.pointerId);
  }

  function movePinch(): void {
    const xs = [...touches.values()].sort((p, q) => p - q);
    if (!pinch || xs.length < 2) return;
    const ta = timeAt(pinch.a, pinch.span);
    const tb = timeAt(pinch.b, pinch.span);
    const width = rect().width;
    const perPx = (tb - ta) / Math.max(20, xs[1]! - xs[0]!);
    const from = ta - xs[0]! * perPx;
    last = { from, to: from + perPx * width };
    s.preview(last);
  }

  function move(e: PointerEvent): void {
    const x = local(e);
    if (touches.has(e.pointerId)) {
      touches.set(e.pointerId, x);
      if (pinch) movePinch();
      else s.scrub(x);
      return;
    }
    if (!drag || e.pointerId !== drag.id) return;
    if (!drag.moved && Math.abs(x - drag.x0) < SLOP_PX) return;
    drag.moved = true;
    if (drag.kind === "pan") {
      const dt = ((drag.x0 - x) / rect().width) * (drag.span.to - drag.span.from);
      last = { from: drag.span.from + dt, to: drag.span.to + dt };
      s.preview(last);
    } else {
      const a = Math.max(0, Math.min(drag.x0, x));
      s.box(a, Math.min(rect().width, Math.max(drag.x0, x)), drag.kind);
    }
  }

  function up(e: PointerEvent): void {
    if (touches.delete(e.pointerId)) {
      if (pinch && last) s.commit("pan", last);
      pinch = null;
      last = null;
      return;
    }
    if (!drag || e.pointerId !== drag.id) return;
    const done = drag;
    drag = null;
    s.unbox();
    if (!done.moved) s.click();
    else if (done.kind === "pan" && last) s.commit("pan", last);
    else {
      const x = local(e);
      const from = timeAt(Math.min(done.x0, x), done.span);
      const to = timeAt(Math.max(done.x0, x), done.span);
      if (to - from >= 1000) s.commit(done.kind, { from, to });
    }
    last = null;
  }

  function cancel(e: PointerEvent): void {
    touches.delete(e.pointerId);
    pinch = null;
    last = null;
    if (drag) {
      drag = null;
      s.unbox();
      s.preview(s.span());
    }
  }

  function wheel(e: WheelEvent): void {
    if (!e.ctrlKey) return;
    e.preventDefault();
    const span = s.span();
    const at = timeAt(e.clientX - rect().left, span);
    const factor = e.deltaY > 0 ? 1.25 : 0.8;
    s.commit("wheel", { from: at - (at - span.from) * factor, to: at + (span.to - at) * factor });
  }

  s.over.addEventListener("pointerdown", down);
  s.over.addEventListener("pointermove", move);
  s.over.addEventListener("pointerup", up);
  s.over.addEventListener("pointercancel", cancel);
  s.over.addEventListener("wheel", wheel, { passive: false });
  return () => {
    s.over.removeEventListener("pointerdown", down);
    s.over.removeEventListener("pointermove", move);
    s.over.removeEventListener("pointerup", up);
    s.over.removeEventListener("pointercancel", cancel);
    s.over.removeEventListener("wheel", wheel);
  };
}
