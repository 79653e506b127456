// SPDX-License-Identifier: PostgreSQL
//
// breakdown.tsx: the load of the selected window by wait event, database, user and so on, as a
// list; and the tabs that choose between these lists and the list of queries.
import type { Load, Num } from "../api";
import { paths, useAnswer } from "../data";
import { formatExact, formatLoad, formatPercent } from "../format";
import { waitClassOf, waitToken } from "../shape";
import { beat, setView, view } from "../state";
import type { Span } from "../time";
import type { Dimension } from "../url";
import type { ServerData } from "../pages/server";
import { Icon } from "./icon";
import { Failure } from "./status";

export const TABS: Array<{ key: Dimension | ""; word: string; question: string }> = [
  { key: "", word: "Queries", question: "Which queries make it?" },
  { key: "wait_event", word: "Waits", question: "What does it wait for?" },
  { key: "datname", word: "Databases", question: "Which databases make it?" },
  { key: "usename", word: "Users", question: "Who makes it?" },
  { key: "application_name", word: "Applications", question: "Which applications make it?" },
  { key: "backend_type", word: "Backends", question: "Which kinds of backend make it?" },
  { key: "state", word: "States", question: "What are the sessions doing?" },
];

export function Tabs({ first }: { first?: string }) {
  const now = view.value.tab;
  return (
    <div class="tabs" role="group" aria-label="List the load by">
      {TABS.map((t) => (
        <button
          type="button" key={t.key} class="tab" aria-pressed={now === t.key}
          onClick={() => setView({ tab: t.key, q: "" }, "replace")}
        >
          {t.key === "" ? (first ?? t.word) : t.word}
        </button>
      ))}
    </div>
  );
}

interface Group {
  key: string;
  load: number;
}

function groups(load: Load): Group[] {
  return load.series
    .map((s) => ({ key: s.key, load: s.total_aas ?? 0 }))
    .filter((g) => g.load > 0)
    .sort((a, b) => b.load - a.load);
}

export function Breakdown(props: { data: ServerData; window: Span; by: Dimension }) {
  const { window, by } = props;
  const { only } = view.value;
  const from = Math.round(window.from);
  const to = Math.round(window.to);
  const path = paths.load(props.data.id, {
    from, to, step: to - from, by, ...(only ? { [only.dim]: only.value } : {}),
  });
  const answer = useAnswer<Load>(path, beat.value, `${props.data.id} tab ${by} ${only?.value}`);
  if (answer.data === null) {
    return answer.error ? <Failure error={answer.error} />
      : <div class="skeleton skeleton-table" aria-busy="true" />;
  }
  const list = groups(answer.data);
  if (list.length === 0) {
    const known = (answer.data.covered ?? []).some((c) => (c ?? 0) > 0);
    return (
      <p class="empty">
        {known ? "Nobody was active in this window." : "Sessions were not sampled in this window."}
      </p>
    );
  }
  return <GroupTable list={list} by={by} />;
}

function GroupTable({ list, by }: { list: Group[]; by: Dimension }) {
  const total = list.reduce((s, g) => s + g.load, 0);
  const most = list[0]!.load;
  const head = TABS.find((t) => t.key === by)?.word ?? by;
  return (
    <div class="table-scroll">
      <table class="group-table">
        <caption class="sr">Load by {head}</caption>
        <thead>
          <tr>
            <th scope="col">Load</th>
            <th scope="col">{head}</th>
            <th scope="col" class="num">Share</th>
            <th scope="col"><span class="sr">Filter</span></th>
          </tr>
        </thead>
        <tbody>
          {list.map((g) => (
            <tr key={g.key}>
              <td title={`${formatExact(g.load as Num)} sessions on average`}>
                <div class="load-bar-row">
                  <span class="load-value">{formatLoad(g.load)}</span>
                  <span class="load-bar" aria-hidden="true">
                    <span class="load-bar-fill" style={{ width: `${(g.load / most) * 100}%` }}>
                      <span
                        class="load-part"
                        style={{ flexGrow: 1, background: `var(--${colorOf(g.key, by)})` }}
                      />
                    </span>
                  </span>
                </div>
              </td>
              <th scope="row">{g.key === "" ? "(none)" : g.key}</th>
              <td class="num">{formatPercent(g.load / total)}</td>
              <td class="num">{by !== "wait_event" && <Follow by={by} value={g.key} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function colorOf(key: string, by: Dimension): string {
  return by === "wait_event" ? waitToken(waitClassOf(key)) : "accent";
}

function Follow({ by, value }: { by: Dimension; value: string }) {
  const words = `What does ${value === "" ? "(none)" : value} wait for?`;
  return (
    <button
      type="button" class="button button-quiet" title={words}
      onClick={() => setView({ only: { dim: by, value }, by: "wait_class" })}
    >
      <Icon name="search" />Filter<span class="sr"> the load by {value}</span>
    </button>
  );
}
