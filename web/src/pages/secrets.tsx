// SPDX-License-Identifier: PostgreSQL
//
// secrets.tsx: registration secrets, with which agents enrol. A value is shown once.
import { useSignal } from "@preact/signals";
import type { List, RegistrationSecret } from "../api";
import { paths, send, useAnswer } from "../data";
import { formatNear } from "../format";
import { clock, pulse, view } from "../state";
import { GROUP_PATTERN } from "../groups";
import { AdminFrame, Danger, Field, FormPanel, mayAct, Shown, timeOfText } from "../parts/admin";
import { Command } from "../parts/copy";
import { Grid, type Column } from "../parts/grid";
import { Age, Banner, Chip } from "../parts/status";

export function SecretsPage() {
  const answer = useAnswer<List<RegistrationSecret>>(paths.secrets, pulse.value, "secrets");
  const made = useSignal<RegistrationSecret | null>(null);
  return (
    <AdminFrame
      title="Registration secrets"
      note="An agent enrols with one of these, once; afterwards it has an identity of its own."
    >
      {mayAct("admin") && <Create onMade={(s) => (made.value = s)} />}
      {made.value?.secret && <Made secret={made.value} onDone={() => (made.value = null)} />}
      <Shown answer={answer}>{(list) => <SecretTable rows={list.data} />}</Shown>
    </AdminFrame>
  );
}

function Create({ onMade }: { onMade: (s: RegistrationSecret) => void }) {
  async function save(form: FormData): Promise<void> {
    onMade(await send<RegistrationSecret>("POST", "/registration-secrets", {
      name: String(form.get("name")),
      max_registrations: Number(form.get("max")),
      expires_in_s: Number(form.get("hours")) * 3600,
      ...(form.get("group") ? { group: String(form.get("group")) } : {}),
    }));
  }
  return (
    <FormPanel title="Make a secret" button="Make it" save={save}>
      <Field label="Name"><input name="name" class="input" required maxLength={100} /></Field>
      <Field label="Group of their targets" hint="empty: default">
        <input
          name="group" class="input" maxLength={64} pattern={GROUP_PATTERN} autocapitalize="none"
          spellcheck={false}
        />
      </Field>
      <Field label="Agents that may enrol with it">
        <input
          name="max" class="input" type="number" min={1} max={1000} defaultValue="1" required
        />
      </Field>
      <Field label="Good for (hours)" hint="at most seven days">
        <input
          name="hours" class="input" type="number" min={1} max={168} defaultValue="1" required
        />
      </Field>
    </FormPanel>
  );
}

function Made({ secret, onDone }: { secret: RegistrationSecret; onDone: () => void }) {
  return (
    <Banner tone="info">
      <p><strong>{secret.name}: this value is shown once.</strong> On the host of the agent:</p>
      <Command
        label="Copy the command"
        text={`(umask 077; printf '%s\\n' '${secret.secret}' > registration-secret)`}
      />
      <button type="button" class="button" onClick={onDone}>I have it; forget it here</button>
    </Banner>
  );
}

function stateOf(s: RegistrationSecret): { word: string; tone: string } {
  const ends = timeOfText(s.expires_at);
  if (ends !== null && ends < clock.value) return { word: "expired", tone: "unknown" };
  const left = (s.max_registrations ?? 0) - (s.total_registrations ?? 0);
  return left <= 0 ? { word: "used up", tone: "unknown" } : { word: "usable", tone: "ok" };
}

function SecretTable({ rows }: { rows: RegistrationSecret[] }) {
  const near = (text: string | null | undefined): string => {
    const t = timeOfText(text);
    return t === null ? "–" : formatNear(t, clock.value, view.value.utc);
  };
  const columns: Array<Column<RegistrationSecret>> = [
    { key: "name", head: "Name", names: true, value: (s) => s.name },
    { key: "group", head: "Group", value: (s) => s.group ?? null },
    {
      key: "state", head: "State", value: (s) => stateOf(s).word,
      cell: (s) => <Chip tone={stateOf(s).tone}>{stateOf(s).word}</Chip>,
    },
    {
      key: "used", head: "Enrolled", numeric: true, value: (s) => s.total_registrations ?? null,
      cell: (s) => `${s.total_registrations ?? 0} of ${s.max_registrations ?? "any"}`,
    },
    {
      key: "expires_at", head: "Until", value: (s) => s.expires_at ?? null,
      cell: (s) => near(s.expires_at),
    },
    {
      key: "last_used_at", head: "Last used", value: (s) => s.last_used_at ?? null,
      cell: (s) => <Age ms={timeOfText(s.last_used_at)} />,
    },
    {
      key: "created_at", head: "Made", value: (s) => s.created_at ?? null,
      cell: (s) => near(s.created_at),
    },
  ];
  if (mayAct("admin")) {
    columns.push({
      key: "actions", head: "Actions", value: () => null,
      cell: (s) => (
        <Danger
          words="Revoke" ask={`Revoke “${s.name}”? Agents that enrolled with it stay enrolled.`}
          act={() => send("DELETE", `/registration-secrets/${s.id}`)}
        />
      ),
    });
  }
  return (
    <section class="panel" aria-label="Secrets">
      <Grid
        name="registration-secrets" things="secrets" rows={rows} columns={columns}
        rowKey={(s) => String(s.id)} sort="-created_at"
        none={<p>There are no registration secrets. Make one to enrol an agent.</p>}
      />
    </section>
  );
}
