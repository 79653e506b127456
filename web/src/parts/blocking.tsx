// SPDX-License-Identifier: PostgreSQL
//
// blocking.tsx: chains of lock waits of the window: who blocks, and everybody behind, as a tree.
import type { EventRow, List } from "../api";
import { paths, useAnswer } from "../data";
import { formatDuration } from "../time";
import { formatNear } from "../format";
import type { ServerData } from "../pages/server";
import { beat, clock, focus, view } from "../state";
import { queryPath, timeOf } from "../url";
import { blockingTree, type Blocked, type Chain, chainsOf } from "../blocking";
import { WhyNot } from "./relpanel";
import { Chip, Failure } from "./status";

const MOST = 20;

export function Blocking({ data }: { data: ServerData }) {
  const from = Math.round(focus.value.from);
  const to = Math.round(focus.value.to);
  const ask = (kind: string): string =>
    paths.events({ server: data.id, from, to, kind, limit: 200 });
  const started = useAnswer<List<EventRow>>(ask("blocking_started"), beat.value, data.id);
  const ended = useAnswer<List<EventRow>>(ask("blocking_ended"), beat.value, data.id);
  const chains = chainsOf(started.data?.data ?? [], ended.data?.data ?? []);
  const open = chains.filter((c) => c.endedMs === null).length;
  return (
    <section class="panel" aria-label="Blocking">
      <header class="panel-head">
        <h2>Who blocks whom?</h2>
        {chains.length > 0 && (
          <span class="panel-note">
            {chains.length} {chains.length === 1 ? "chain" : "chains"} began in this window
            {open > 0 ? `, ${open} without a known end` : ""}
          </span>
        )}
      </header>
      {started.data === null ? (
        started.error ? <Failure error={started.error} />
          : <div class="skeleton skeleton-table" aria-busy="true" />
      ) : chains.length === 0 ? (
        <div class="empty">
          <WhyNot
            data={data} relation="pg_blocking" probe="blocking"
            instead="Nobody blocked anybody in this window, at any of the looks taken every 10 s."
          />
        </div>
      ) : (
        <>
          <ul class="chains">
            {chains.slice(0, MOST).map((c, i) => (
              <ChainItem key={c.key} chain={c} data={data} open={i === 0} />
            ))}
          </ul>
          {chains.length > MOST && (
            <p class="foot-note muted small">
              The newest {MOST} of {chains.length}. Choose a shorter window for the others.
            </p>
          )}
        </>
      )}
    </section>
  );
}

function ChainItem({ chain, data, open }: { chain: Chain; data: ServerData; open: boolean }) {
  const utc = view.value.utc;
  return (
    <li>
      <details open={open}>
        <summary>
          <time>{formatNear(chain.startedMs, clock.value, utc)}</time>{" "}
          {chain.endedMs === null ? (
            <Chip tone="warn" icon="warn">no end seen</Chip>
          ) : (
            <Chip tone="plain">{formatDuration(chain.endedMs - chain.startedMs)}</Chip>
          )}{" "}
          {chain.title}
        </summary>
        <div class="table-scroll">
          <table class="grid">
            <caption class="sr">Sessions of this chain as it was first seen</caption>
            <thead>
              <tr>
                <th scope="col">Process</th><th scope="col">Database</th><th scope="col">User</th>
                <th scope="col">Application</th><th scope="col">State</th>
                <th scope="col">Waits for</th><th scope="col" class="num">For</th>
                <th scope="col">Query</th>
              </tr>
            </thead>
            <tbody>
              {blockingTree(chain).map((b) => <Session key={b.pid} row={b} data={data} />)}
            </tbody>
          </table>
        </div>
        {chain.leftOut > 0 && (
          <p class="foot-note muted small">{chain.leftOut} more sessions wait in this chain.</p>
        )}
      </details>
    </li>
  );
}

function Session({ row, data }: { row: Blocked; data: ServerData }) {
  const lock = [row.mode, row.locktype, row.object].filter(Boolean).join(" · ");
  return (
    <tr>
      <th scope="row">
        <span style={{ paddingLeft: `${row.level * 20}px` }} class="nowrap">
          {row.level > 0 && <span aria-hidden="true" class="muted">└ </span>}
          {row.pid}
          {row.level > 0 && <span class="sr"> behind {row.blockedBy.join(", ")}</span>}
        </span>
      </th>
      <td>{row.datname ?? "–"}</td>
      <td>{row.usename ?? "–"}</td>
      <td>{row.application ?? "–"}</td>
      <td>{row.state ?? "–"}</td>
      <td>{row.level === 0 ? <strong>blocks the others</strong> : lock || "–"}</td>
      <td class="num">{row.waitS === null ? "–" : formatDuration(row.waitS * 1000)}</td>
      <td>
        {row.queryId ? (
          <a class="mono" href={queryPath(data.id, row.queryId) + timeOf(view.value)}>
            {row.queryId}
          </a>
        ) : "–"}
      </td>
    </tr>
  );
}
