// SPDX-License-Identifier: PostgreSQL
//
// table.tsx: the data of a chart as a real table, newest first.
import type { Num } from "../api";
import { formatExact, formatStamp } from "../format";
import { totals, type Line } from "../shape";

const MOST_ROWS = 500;

export function DataTable(props: {
  title: string;
  lines: Line[];
  times: number[];
  format: (v: Num) => string;
  utc: boolean;
}) {
  const { lines, times } = props;
  const sums = totals(lines, times.length);
  const order = times
    .map((_, i) => i)
    .reverse()
    .filter((i) => sums[i] !== null)
    .slice(0, MOST_ROWS);
  return (
    <div
      class="table-scroll chart-table"
      tabIndex={0}
      role="region"
      aria-label={`${props.title}: table`}
    >
      <table>
        <caption class="sr">{props.title}, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {lines.map((l) => <th scope="col" class="num" key={l.key}>{l.label}</th>)}
          </tr>
        </thead>
        <tbody>
          {order.map((i) => (
            <tr key={times[i]}>
              <th scope="row">{formatStamp(times[i]!, props.utc)}</th>
              {lines.map((l) => (
                <td class="num" key={l.key} title={formatExact(l.values[i] ?? null)}>
                  {props.format(l.values[i] ?? null)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
