// SPDX-License-Identifier: PostgreSQL
//
// managed.tsx: PostgreSQL servers that this server reads itself: make, change, test, and how each
// fares. A password goes in and never comes back.
import { useSignal } from "@preact/signals";
import type { List, ManagedInstance, Trial } from "../api";
import { paths, send, useAnswer, wordsOf } from "../data";
import { pulse } from "../state";
import { GROUP_PATTERN } from "../groups";
import { AdminFrame, Danger, Field, FormPanel, mayAct, Shown, timeOfText } from "../parts/admin";
import { Command } from "../parts/copy";
import { Grid, type Column } from "../parts/grid";
import { Age, Banner, Chip } from "../parts/status";
import { overviewPath } from "../url";

const MODES: Array<[string, string]> = [
  ["verify-full", "verify-full: encrypted, and the server proves its name"],
  ["verify-ca", "verify-ca: encrypted, the name is not proved"],
  ["require", "require: encrypted, nothing is proved"],
  ["prefer", "prefer: encrypted if the server likes"],
  ["allow", "allow: open if the server likes"],
  ["disable", "disable: open"],
];

export function ManagedPage() {
  const answer = useAnswer<List<ManagedInstance>>(paths.managed, pulse.value, "managed");
  const edited = useSignal<ManagedInstance | null>(null);
  const trial = useSignal<{ name: string; result: Trial | string } | null>(null);
  async function test(m: ManagedInstance): Promise<void> {
    trial.value = { name: m.name, result: "…" };
    try {
      const result = await send<Trial>("POST", `/managed-instances/${m.id}/test-connection`);
      trial.value = { name: m.name, result };
    } catch (error) {
      trial.value = { name: m.name, result: wordsOf(error) };
    }
  }
  return (
    <AdminFrame
      title="Managed instances"
      note="PostgreSQL servers that this server reads itself, where no agent can run."
    >
      {mayAct("admin") && !edited.value && <Fields title="Add an instance" button="Add" />}
      {edited.value && (
        <Fields
          key={edited.value.id} title={`Change ${edited.value.name}`} button="Save"
          instance={edited.value} onDone={() => (edited.value = null)}
        />
      )}
      {trial.value && <Result {...trial.value} onClose={() => (trial.value = null)} />}
      <Shown answer={answer}>
        {(list) => (
          <InstanceTable rows={list.data} onEdit={(m) => (edited.value = m)} onTest={test} />
        )}
      </Shown>
    </AdminFrame>
  );
}

/** What the form says; fields that are left empty stay as they are. */
function bodyOf(form: FormData, isNew: boolean): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const name of ["name", "endpoint", "database", "master_username", "ssl_mode", "group"]) {
    const text = String(form.get(name) ?? "").trim();
    if (text) body[name] = text;
  }
  for (const name of ["port", "monitoring_interval"]) {
    if (form.get(name)) body[name] = Number(form.get(name));
  }
  const password = String(form.get("master_password") ?? "");
  if (password) body.master_password = password;
  const description = String(form.get("description") ?? "");
  if (description || !isNew) body.description = description;
  if (!isNew) body.paused = form.get("paused") === "on";
  return body;
}

function Fields(props: {
  title: string;
  button: string;
  instance?: ManagedInstance;
  onDone?: () => void;
}) {
  const m = props.instance;
  async function save(form: FormData): Promise<void> {
    if (m) {
      await send("PUT", `/managed-instances/${m.id}`, bodyOf(form, false));
      props.onDone?.();
    } else {
      await send("POST", "/managed-instances", bodyOf(form, true));
    }
  }
  return (
    <FormPanel title={props.title} button={props.button} save={save} open={m !== undefined}>
      <Field label="Name">
        <input name="name" class="input" required maxLength={100} defaultValue={m?.name} />
      </Field>
      <Field label="Host name or address">
        <input name="endpoint" class="input" required maxLength={255} defaultValue={m?.endpoint} />
      </Field>
      <Field label="Port">
        <input
          name="port" class="input" type="number" min={1} max={65535}
          defaultValue={String(m?.port ?? 5432)} required
        />
      </Field>
      <Field label="Role" hint="it needs LOGIN and pg_monitor">
        <input
          name="master_username" class="input" required maxLength={63} autocomplete="off"
          defaultValue={m?.master_username}
        />
      </Field>
      <Field
        label="Password"
        hint={m?.password_is_set ? "one is set; empty leaves it" : "kept encrypted, never shown"}
      >
        <input name="master_password" class="input" type="password" autocomplete="new-password" />
      </Field>
      <Field label="Database to log in to">
        <input
          name="database" class="input" maxLength={63} defaultValue={m?.database ?? "postgres"}
        />
      </Field>
      <Field label="Group" hint={m ? "of its target" : "empty: default"}>
        <input
          name="group" class="input" maxLength={64} pattern={GROUP_PATTERN} autocapitalize="none"
          spellcheck={false} defaultValue={m?.group ?? ""}
        />
      </Field>
      <Field label="Encryption">
        <select name="ssl_mode" class="input">
          {!m && <option value="">by the address: verify-full, on loopback prefer</option>}
          {MODES.map(([mode, words]) => (
            <option key={mode} value={mode} selected={m?.ssl_mode === mode}>{words}</option>
          ))}
        </select>
      </Field>
      <Field label="Seconds between readings">
        <input
          name="monitoring_interval" class="input" type="number" min={5} max={3600}
          defaultValue={String(m?.monitoring_interval ?? 10)} required
        />
      </Field>
      <Field label="Description">
        <input
          name="description" class="input" maxLength={1000} defaultValue={m?.description ?? ""}
        />
      </Field>
      {m && (
        <Field label="Paused" hint="kept, and not read">
          <input name="paused" type="checkbox" defaultChecked={m.status === "paused"} />
        </Field>
      )}
      {m && (
        <button type="button" class="button bordered" onClick={props.onDone}>Cancel</button>
      )}
    </FormPanel>
  );
}

function Result(props: { name: string; result: Trial | string; onClose: () => void }) {
  const { result } = props;
  const bad = typeof result === "string" ? result !== "…" : !result.success;
  return (
    <Banner tone={bad ? "crit" : "info"}>
      <p>
        <strong>{props.name}: </strong>
        {typeof result === "string" ? result : wordsOfTrial(result)}
      </p>
      {typeof result !== "string" && result.fix && (
        <Command label="Copy the statement" text={`${result.fix};`} />
      )}
      <button type="button" class="button" onClick={props.onClose}>Close</button>
    </Banner>
  );
}

function wordsOfTrial(t: Trial): string {
  if (t.success) return `connected to PostgreSQL ${t.server_version ?? ""} in ${t.duration_ms} ms`;
  return `${t.code}: ${t.error ?? ""}`;
}

function stateOf(m: ManagedInstance): { word: string; tone: string } {
  if (m.status === "paused") return { word: "paused", tone: "unknown" };
  if (m.last_connection_status === "error") {
    return { word: m.last_error_stage ?? "error", tone: "crit" };
  }
  if (m.last_connection_status === "unknown") return { word: "not tried yet", tone: "unknown" };
  return m.last_error_message ? { word: "rights", tone: "warn" } : { word: "reading", tone: "ok" };
}

function InstanceTable(props: {
  rows: ManagedInstance[];
  onEdit: (m: ManagedInstance) => void;
  onTest: (m: ManagedInstance) => void;
}) {
  const columns: Array<Column<ManagedInstance>> = [
    {
      key: "name", head: "Name", names: true, value: (m) => m.name,
      cell: (m) => <a href={overviewPath(m.target_id)}>{m.name}</a>,
    },
    {
      key: "state", head: "State", value: (m) => stateOf(m).word,
      cell: (m) => <Chip tone={stateOf(m).tone}>{stateOf(m).word}</Chip>,
    },
    { key: "group", head: "Group", value: (m) => m.group ?? null },
    {
      key: "since", head: "Since", value: (m) => m.state_since ?? null,
      cell: (m) => <Age ms={timeOfText(m.state_since)} />,
    },
    {
      key: "endpoint", head: "Where", value: (m) => m.endpoint,
      cell: (m) => `${m.endpoint}:${m.port}`,
    },
    { key: "role", head: "Role", value: (m) => m.master_username },
    {
      key: "ssl_mode", head: "Encryption", value: (m) => m.ssl_mode,
      cell: (m) => (
        m.verifies_server ? <span>{m.ssl_mode}</span>
          : <Chip tone="warn">{`${m.ssl_mode}: not verified`}</Chip>
      ),
    },
    { key: "version", head: "PostgreSQL", value: (m) => m.server_version ?? null },
    {
      key: "error", head: "What is wrong", value: (m) => m.last_error_message ?? null,
      cell: (m) => (
        <span>{m.last_error_message ?? "–"}{m.fix && <> <code>{m.fix}</code></>}</span>
      ),
    },
  ];
  if (mayAct("operator")) {
    columns.push({
      key: "actions", head: "Actions", value: () => null,
      cell: (m) => (
        <>
          <button type="button" class="button button-quiet" onClick={() => props.onTest(m)}>
            Test
          </button>
          {mayAct("admin") && (
            <button type="button" class="button button-quiet" onClick={() => props.onEdit(m)}>
              Change
            </button>
          )}
          {mayAct("admin") && (
            <Danger
              words="Delete"
              ask={`Stop reading “${m.name}” and forget its password? What was read stays.`}
              act={() => send("DELETE", `/managed-instances/${m.id}`)}
            />
          )}
        </>
      ),
    });
  }
  return (
    <section class="panel" aria-label="Instances">
      <Grid
        name="managed-instances" things="instances" rows={props.rows} columns={columns}
        rowKey={(m) => String(m.id)} sort="name"
        none={<p>There are no managed instances. Where an agent can run, it sees more.</p>}
      />
    </section>
  );
}
