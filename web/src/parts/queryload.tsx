// SPDX-License-Identifier: PostgreSQL
//
// queryload.tsx: what one query waited for, over the window of the page.
import type { Load } from "../api";
import { Chart } from "../chart/chart";
import { paths, useAnswer } from "../data";
import { formatLoad } from "../format";
import { beat } from "../state";
import type { PageData } from "../pages/overview";
import { loadLines } from "./load";
import { Failure } from "./status";

export function QueryLoad({ data, queryId }: { data: PageData; queryId: string }) {
  const { window, stepMs } = data;
  const path = paths.load(data.id, {
    from: window.from, to: window.to, step: stepMs, by: "wait_event", query_id: queryId,
  });
  const answer = useAnswer<Load>(path, beat.value, `${data.id} ${queryId}`);
  const load = answer.data;
  const { lines, tokens } = load ? loadLines(load, "wait_event") : { lines: [], tokens: [] };
  const none = load !== null && !lines.some((l) => l.values.some((v) => (v ?? 0) > 0));
  return (
    <Chart
      title="What it waits for"
      note="active sessions by wait event"
      lines={lines}
      tokens={tokens}
      times={load?.times ?? []}
      stepMs={load?.step_ms ?? stepMs}
      span={window}
      stacked
      format={formatLoad}
      unit="active sessions"
      height="normal"
      showTotal
      gaps={data.detail.gaps ?? []}
      loading={answer.loading}
      instead={
        load === null ? (
          answer.error ? (
            <Failure error={answer.error} />
          ) : (
            <div class="skeleton" aria-busy="true" />
          )
        ) : (
          none && (
            <p class="muted">
              Session sampling never saw this query in this window: its calls are short.
            </p>
          )
        )
      }
    />
  );
}
