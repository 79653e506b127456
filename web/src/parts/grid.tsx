// SPDX-License-Identifier: PostgreSQL
//
// grid.tsx: the one table of things: sort, filter, choose columns, save as CSV, walk with the keys.
//
// What a person chose (order, filter, columns) is in the address, so that a link shows the same
// table; a table that is not the main one of its page keeps it for itself (`own`).
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { formatExact } from "../format";
import { countOf, order, rowsCsv, type Cell } from "../grid";
import { setView, view } from "../state";
import { download } from "./copy";
import { Icon } from "./icon";

export interface Column<R> {
  key: string;
  head: string;
  title?: string;
  /** What is sorted, filtered and exported. */
  value: (row: R) => Cell;
  /** What is shown; the value when absent. */
  cell?: (row: R) => ComponentChildren;
  numeric?: boolean;
  /** Not shown until it is chosen. */
  spare?: boolean;
  /** The cell that names the row. */
  names?: boolean;
  className?: string;
}

interface GridProps<R> {
  /** Also the name of the file that is saved. */
  name: string;
  rows: readonly R[];
  columns: ReadonlyArray<Column<R>>;
  rowKey: (row: R) => string;
  /** "-key" begins with the greatest. */
  sort: string;
  own?: boolean;
  /** Words for things: "queries". */
  things: string;
  /** Said in the place of the table when there are no rows at all. */
  none: ComponentChildren;
  tools?: ComponentChildren;
  loading?: boolean;
  className?: string;
}

interface Choice {
  sort: string;
  find: string;
  cols: string[];
}

function useChoice(own: boolean): [Choice, (change: Partial<Choice>) => void] {
  const local = useSignal<Choice>({ sort: "", find: "", cols: [] });
  if (own) return [local.value, (change) => (local.value = { ...local.value, ...change })];
  return [view.value, (change) => setView(change, "replace")];
}

export function Grid<R>(p: GridProps<R>) {
  const [choice, choose] = useChoice(p.own ?? false);
  const body = useRef<HTMLTableSectionElement>(null);
  useRowKeys(body, p.own ?? false);
  const usual = p.columns.filter((c) => !c.spare).map((c) => c.key);
  const keys = choice.cols.length > 0 ? choice.cols : usual;
  const shown = p.columns.filter((c) => keys.includes(c.key) || c.names);
  const wanted = choice.sort || p.sort;
  const found = order(p.rows, p.columns, wanted, choice.find);
  const sortBy = (key: string, numeric: boolean): void => {
    const same = wanted.replace(/^-/, "") === key;
    const down = same ? !wanted.startsWith("-") : numeric;
    choose({ sort: `${down ? "-" : ""}${key}` });
  };
  if (p.rows.length === 0) return <div class="empty">{p.none}</div>;
  return (
    <div class={p.loading ? "is-loading" : ""}>
      <div class="grid-tools">
        <label class="picker find">
          <Icon name="search" />
          <input
            id={p.own ? undefined : "find"} class="input" type="search" value={choice.find}
            placeholder={p.own ? "Filter" : "Filter (/)"} aria-label={`Filter the ${p.things}`}
            onInput={(e) => choose({ find: e.currentTarget.value })}
          />
        </label>
        <span class="panel-note">
          {choice.find ? `${found.length} of ` : ""}{countOf(p.rows.length, p.things)}
        </span>
        <span class="grow" />
        {p.tools}
        <ColumnPicker
          columns={p.columns} keys={keys} name={p.name}
          onChange={(cols) => choose({ cols: cols.join() === usual.join() ? [] : cols })}
        />
        <button
          type="button" class="button button-quiet" title="Save the rows as CSV"
          onClick={() => download(`${p.name}.csv`, "text/csv", rowsCsv(found, shown))}
        >
          <Icon name="download" />CSV
        </button>
      </div>
      {found.length === 0 ? (
        <div class="empty">
          <p>0 of {countOf(p.rows.length, p.things)} match <code>{choice.find}</code>.</p>
          <button type="button" class="button bordered" onClick={() => choose({ find: "" })}>
            Clear the filter
          </button>
        </div>
      ) : (
        <div class="table-scroll">
          <table class={`grid cards ${p.className ?? ""}`}>
            <caption class="sr">{p.things}</caption>
            <thead>
              <tr>
                {shown.map((c) => <Head key={c.key} column={c} sort={wanted} onSort={sortBy} />)}
              </tr>
            </thead>
            <tbody ref={body}>
              {found.map((row) => (
                <tr key={p.rowKey(row)} data-key={p.rowKey(row)}>
                  {shown.map((c) => <Value key={c.key} column={c} row={row} />)}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}

function Head<R>(props: {
  column: Column<R>;
  sort: string;
  onSort: (key: string, numeric: boolean) => void;
}) {
  const { column, sort, onSort } = props;
  const on = sort.replace(/^-/, "") === column.key;
  const down = sort.startsWith("-");
  return (
    <th
      scope="col" class={column.numeric ? "num" : column.className}
      aria-sort={on ? (down ? "descending" : "ascending") : "none"}
    >
      <button
        type="button" class="sort" title={`${column.title ?? column.head}; click to sort`}
        onClick={() => onSort(column.key, column.numeric ?? false)}
      >
        {column.head}
        {on && <span aria-hidden="true"> {down ? "↓" : "↑"}</span>}
      </button>
    </th>
  );
}

function Value<R>({ column, row }: { column: Column<R>; row: R }) {
  const value = column.value(row);
  const inside = column.cell ? column.cell(row) : (value ?? "–");
  const title = column.numeric && typeof value === "number" ? formatExact(value) : undefined;
  const look = `${column.numeric ? "num " : ""}${column.className ?? ""}`;
  return column.names ? (
    <th scope="row" class={look} data-label={column.head}>{inside}</th>
  ) : (
    <td class={look} data-label={column.head} title={title}>{inside}</td>
  );
}

function ColumnPicker<R>(props: {
  columns: ReadonlyArray<Column<R>>;
  keys: readonly string[];
  name: string;
  onChange: (keys: string[]) => void;
}) {
  const id = `cols-${props.name.replace(/[^\w-]+/g, "-")}`;
  const toggle = (key: string, on: boolean): void =>
    props.onChange(
      props.columns
        .map((c) => c.key)
        .filter((k) => (k === key ? on : props.keys.includes(k))),
    );
  return (
    <>
      <button type="button" class="button button-quiet" popovertarget={id}>
        <Icon name="table" />Columns
      </button>
      <div id={id} class="pop cols-pop" popover="auto">
        {props.columns.filter((c) => !c.names).map((c) => (
          <label class="check" key={c.key} title={c.title}>
            <input
              type="checkbox" checked={props.keys.includes(c.key)}
              onChange={(e) => toggle(c.key, e.currentTarget.checked)}
            />
            {c.head}
          </label>
        ))}
      </div>
    </>
  );
}

/** j and k walk the rows by their first link or button; Enter follows it. */
function useRowKeys(body: { current: HTMLTableSectionElement | null }, own: boolean): void {
  useEffect(() => {
    if (own) return;
    function onKey(e: KeyboardEvent): void {
      if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || !body.current) return;
      if (e.key !== "j" && e.key !== "k") return;
      if (e.target instanceof Element && e.target.closest("input, select, textarea, dialog"))
        return;
      const rows = [...body.current.querySelectorAll("tr")]
        .map((tr) => tr.querySelector<HTMLElement>("a, button"))
        .filter((x) => x !== null);
      const i = rows.indexOf(document.activeElement as HTMLElement);
      rows[e.key === "j" ? Math.min(rows.length - 1, i + 1) : Math.max(0, i - 1)]?.focus();
      e.preventDefault();
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [own]);
}
