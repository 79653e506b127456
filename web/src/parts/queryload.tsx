// SPDX-License-Identifier: PostgreSQL
//
// queryload.tsx: what one query waited for, over the window of the page.
import type { Load } from "../api";
import { Chart } from "../chart/chart";
import { paths, useAnswer } from "../data";
import { formatLoad } from "../format";
import { beat } from "../state";
import { isSampled, NO_SAMPLING, type ServerData } from "../pages/server";
import { loadLines } from "./load";
import { Failure } from "./status";

export function QueryLoad(props: {
  data: ServerData;
  queryId: string;
  by: "wait_event" | "wait_class";
}) {
  const { data, queryId, by } = props;
  const { window, stepMs } = data;
  const path = paths.load(data.id, {
    from: window.from, to: window.to, step: stepMs, by, query_id: queryId,
  });
  const answer = useAnswer<Load>(path, beat.value, `${data.id} ${queryId} ${by}`);
  const load = answer.data;
  const { lines, tokens } = load ? loadLines(load, by) : { lines: [], tokens: [] };
  const none = load !== null && !lines.some((l) => l.values.some((v) => (v ?? 0) > 0));
  return (
    <Chart
      title="What it waits for"
      note={`active sessions by ${by === "wait_event" ? "wait event" : "wait class"}`}
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
              {isSampled(data.detail)
                ? "Session sampling never saw this query in this window: its calls are short."
                : NO_SAMPLING}
            </p>
          )
        )
      }
    />
  );
}
