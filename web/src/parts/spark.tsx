// SPDX-License-Identifier: PostgreSQL
//
// spark.tsx: the load of the last hour as a small bar chart in a table cell.
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Load } from "../api";
import { paths, useAnswer } from "../data";
import { formatLoad } from "../format";
import { loadTotals } from "../shape";
import { clock } from "../state";
import { dark, token } from "../theme";

const WIDTH = 120;
const HEIGHT = 24;

export function Spark({ id, vcpus }: { id: string; vcpus: number | null }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const minute = Math.floor(clock.value / 60_000);
  const path = paths.load(id, { from: "-1h", to: "now", step: "60s", by: "wait_class" });
  const { data } = useAnswer<Load>(path, minute, id);
  const isDark = dark.value;
  const sums = data ? loadTotals(data) : [];
  const most = Math.max(0, ...sums.map((v) => v ?? 0));
  useLayoutEffect(() => {
    const ctx = canvas.current?.getContext("2d");
    if (!ctx || !data) return;
    const ratio = devicePixelRatio;
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, WIDTH, HEIGHT);
    const top = Math.max(most, vcpus ?? 0, 0.01);
    const wide = WIDTH / sums.length;
    ctx.fillStyle = token("accent");
    sums.forEach((v, i) => {
      if (v === null) return;
      const tall = Math.max(v > 0 ? 1 : 0, (v / top) * HEIGHT);
      ctx.fillRect(i * wide, HEIGHT - tall, Math.max(1, wide - 0.5), tall);
    });
  }, [data, isDark, vcpus]);
  return (
    <canvas
      ref={canvas}
      class="spark"
      width={WIDTH * devicePixelRatio}
      height={HEIGHT * devicePixelRatio}
      role="img"
      aria-label={data ? `peak ${formatLoad(most)}` : "no data"}
      title={`peak ${formatLoad(most)}`}
    />
  );
}
