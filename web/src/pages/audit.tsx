// SPDX-License-Identifier: PostgreSQL
//
// audit.tsx: who did what, newest first, and whether the list is whole. For auditors and owners.
import { useSignal } from "@preact/signals";
import type { AuditRow, AuditVerdict, List } from "../api";
import { pathOf, paths, provenFile, useAnswer, wordsOf } from "../data";
import { formatStamp } from "../format";
import { pulse, view } from "../state";
import { AdminFrame, mayAudit, Shown, timeOfText } from "../parts/admin";
import { follow } from "../parts/copy";
import { Grid, type Column } from "../parts/grid";
import { Banner, Failure } from "../parts/status";

const LIMIT = 200;
/** Where a page begins: behind the cursors of those before it. */
type Place = { cursors: string[]; action: string; actor: string };
const START: Place = { cursors: [], action: "", actor: "" };

export function AuditPage() {
  const place = useSignal<Place>(START);
  const p = place.value;
  const path = pathOf("/audit", {
    limit: LIMIT, cursor: p.cursors.at(-1) ?? null, action: p.action || null,
    actor: p.actor || null,
  });
  const subject = `audit ${JSON.stringify(p)}`;
  const answer = useAnswer<List<AuditRow>>(mayAudit() ? path : null, pulse.value, subject);
  if (!mayAudit()) {
    return (
      <AdminFrame title="Audit">
        <p class="empty">Who did what is shown to auditors and owners.</p>
      </AdminFrame>
    );
  }
  return (
    <AdminFrame
      title="Audit"
      note="Who did what. Rows are chained by hashes and signed; a change behind the back is found."
    >
      <Verify />
      <Filter onFind={(action, actor) => (place.value = { cursors: [], action, actor })} />
      <Shown answer={answer}>
        {(list) => (
          <>
            <AuditTable rows={list.data} />
            <div class="form-foot">
              <button
                type="button" class="button bordered" disabled={p.cursors.length === 0}
                onClick={() => (place.value = { ...p, cursors: p.cursors.slice(0, -1) })}
              >
                Newer
              </button>
              <button
                type="button" class="button bordered" disabled={!list.next_cursor}
                onClick={() => {
                  place.value = { ...p, cursors: [...p.cursors, list.next_cursor ?? ""] };
                }}
              >
                Older
              </button>
            </div>
          </>
        )}
      </Shown>
    </AdminFrame>
  );
}

function Filter({ onFind }: { onFind: (action: string, actor: string) => void }) {
  function find(e: SubmitEvent): void {
    e.preventDefault();
    const form = new FormData(e.currentTarget as HTMLFormElement);
    onFind(String(form.get("action")).trim(), String(form.get("actor")).trim());
  }
  return (
    <form class="panel form-grid" aria-label="What is shown" onSubmit={find}>
      <label class="field">
        <span>Actions that begin with</span>
        <input name="action" class="input" maxLength={64} placeholder="user." />
      </label>
      <label class="field">
        <span>Done by</span>
        <input name="actor" class="input" maxLength={128} placeholder="user:alice" />
      </label>
      <div class="form-foot"><button type="submit" class="button button-main">Show</button></div>
    </form>
  );
}

function Verify() {
  const asked = useSignal(0);
  const answer = useAnswer<AuditVerdict>(
    asked.value > 0 ? paths.auditVerify : null, asked.value, "audit verify");
  const failed = useSignal("");
  const v = answer.data;
  async function take(): Promise<void> {
    failed.value = "";
    try {
      follow(await provenFile("/audit/export"), "audit.ndjson");
    } catch (error) {
      failed.value = wordsOf(error);
    }
  }
  return (
    <section class="panel form-grid" aria-label="Whether the audit is whole">
      <div class="form-foot">
        <button
          type="button" class="button bordered" disabled={asked.value > 0 && answer.loading}
          onClick={() => asked.value++}
        >
          Verify all of it
        </button>
        <button type="button" class="button bordered" onClick={take}>Export</button>
      </div>
      {failed.value && <p role="alert" class="hint hint-wrong">{failed.value}</p>}
      {answer.error && <Failure error={answer.error} />}
      {v?.whole && (
        <span role="status">
          All {v.rows} rows are as they were written; signed up to row{" "}
          {v.signed_to}.
        </span>
      )}
      {v && !v.whole && (
        <Banner tone="crit">
          The audit was changed: {v.finding}. The {v.rows} rows before are right.
        </Banner>
      )}
    </section>
  );
}

function AuditTable({ rows }: { rows: AuditRow[] }) {
  const columns: Array<Column<AuditRow>> = [
    { key: "number", head: "Row", numeric: true, value: (r) => r.number },
    {
      key: "at", head: "Time", value: (r) => r.at,
      cell: (r) => formatStamp(timeOfText(r.at) ?? 0, view.value.utc),
    },
    { key: "actor", head: "Who", value: (r) => r.actor },
    { key: "action", head: "Did what", names: true, value: (r) => r.action },
    { key: "object", head: "To", value: (r) => r.object },
    { key: "detail", head: "How", value: (r) => r.detail || null },
    { key: "address", head: "From", value: (r) => r.address || null },
    {
      key: "request", head: "Request", spare: true, title: "as in the server's log",
      value: (r) => r.request || null, cell: (r) => <code>{r.request}</code>,
    },
    {
      key: "hash", head: "Hash", spare: true, value: (r) => r.hash,
      cell: (r) => <code>{r.hash.slice(0, 16)}</code>,
    },
  ];
  return (
    <section class="panel" aria-label="Audit">
      <Grid
        name="audit" things="rows" rows={rows} columns={columns} sort="-number"
        rowKey={(r) => String(r.number)} none={<p>There is no such row.</p>}
      />
    </section>
  );
}
