// SPDX-License-Identifier: PostgreSQL
//
// account.tsx: one's own password, tokens for scripts, and where one is signed in.
import { useSignal } from "@preact/signals";
import type { ApiToken, List, Signin } from "../api";
import { changePassword, paths, send, useAnswer, who } from "../data";
import { formatNear } from "../format";
import { clock, pulse, view } from "../state";
import { AdminFrame, Danger, Field, FormPanel, mayAct, Shown, timeOfText } from "../parts/admin";
import { Command } from "../parts/copy";
import { Grid, type Column } from "../parts/grid";
import { Age, Banner, Chip } from "../parts/status";
import { TotpPanel } from "./totp";

const DAY_S = 86400;

export function AccountPage() {
  const tokens = useAnswer<List<ApiToken>>(paths.tokens, pulse.value, "tokens");
  const signins = useAnswer<List<Signin>>(paths.sessions, pulse.value, "sessions");
  const made = useSignal<ApiToken | null>(null);
  const changed = useSignal(false);
  const w = who.value;
  return (
    <AdminFrame
      title="My account"
      note={w.state === "user" ? `${w.user.username}, ${w.user.role}` : undefined}
    >
      <PasswordForm onDone={() => (changed.value = true)} />
      {changed.value && (
        <Banner tone="info">The password was changed. All other sessions have ended.</Banner>
      )}
      {scopes().length > 0 && <Create onMade={(t) => (made.value = t)} />}
      {made.value?.token && (
        <Banner tone="info">
          <p><strong>{made.value.name}: this token is shown once.</strong></p>
          <Command label="Copy the token" text={made.value.token} />
          <p>
            It goes into the header <code>Authorization: Bearer …</code>, and nowhere else.
          </p>
          <button type="button" class="button" onClick={() => (made.value = null)}>
            I have it; forget it here
          </button>
        </Banner>
      )}
      <TotpPanel />
      <Shown answer={tokens}>{(list) => <TokenTable rows={list.data} />}</Shown>
      <Shown answer={signins}>{(list) => <SigninTable rows={list.data} />}</Shown>
    </AdminFrame>
  );
}

function PasswordForm({ onDone }: { onDone: () => void }) {
  async function save(form: FormData): Promise<void> {
    const text = (name: string): string => String(form.get(name));
    if (text("password") !== text("again")) throw new Error("The two new passwords differ.");
    await changePassword(text("old"), text("password"));
    onDone();
  }
  return (
    <FormPanel title="Change the password" button="Change it" save={save}>
      <Field label="Password so far">
        <input
          name="old" class="input" type="password" required autocomplete="current-password"
        />
      </Field>
      <Field label="New password" hint="12 to 128 characters, not one that many take">
        <input
          name="password" class="input" type="password" required minLength={12} maxLength={128}
          autocomplete="new-password"
        />
      </Field>
      <Field label="New password again">
        <input
          name="again" class="input" type="password" required minLength={12} maxLength={128}
          autocomplete="new-password"
        />
      </Field>
    </FormPanel>
  );
}

/** What a token of this person may be allowed. */
function scopes(): Array<[string, string]> {
  const w = who.value;
  if (w.state !== "user" || w.user.role === "auditor") return [];
  const all: Array<[string, string]> = [
    ["metrics", "metrics: PromQL alone, for Grafana"], ["read", "read: all that a viewer sees"],
  ];
  if (mayAct("operator")) all.push(["write", "write: what an operator may"]);
  if (mayAct("admin")) all.push(["admin", "admin: what an admin may"]);
  return all;
}

function Create({ onMade }: { onMade: (t: ApiToken) => void }) {
  async function save(form: FormData): Promise<void> {
    onMade(await send<ApiToken>("POST", "/tokens", {
      name: String(form.get("name")), scope: String(form.get("scope")),
      expires_in_s: Number(form.get("days")) * DAY_S,
    }));
  }
  return (
    <FormPanel title="Make a token for a script" button="Make it" save={save}>
      <Field label="What it is for">
        <input name="name" class="input" required maxLength={100} autocomplete="off" />
      </Field>
      <Field label="Scope">
        <select name="scope" class="input">
          {scopes().map(([scope, words]) => <option key={scope} value={scope}>{words}</option>)}
        </select>
      </Field>
      <Field label="Good for (days)" hint="at most a year">
        <input
          name="days" class="input" type="number" min={1} max={366} defaultValue="90" required
        />
      </Field>
    </FormPanel>
  );
}

function near(text: string | null | undefined): string {
  const t = timeOfText(text);
  return t === null ? "–" : formatNear(t, clock.value, view.value.utc);
}

function TokenTable({ rows }: { rows: ApiToken[] }) {
  const isOver = (t: ApiToken): boolean => (timeOfText(t.expires_at) ?? 0) < clock.value;
  const columns: Array<Column<ApiToken>> = [
    { key: "name", head: "Name", names: true, value: (t) => t.name },
    { key: "scope", head: "Scope", value: (t) => t.scope },
    {
      key: "state", head: "State", value: (t) => (isOver(t) ? "expired" : "usable"),
      cell: (t) => isOver(t)
        ? <Chip tone="unknown">expired</Chip> : <Chip tone="ok">usable</Chip>,
    },
    {
      key: "expires_at", head: "Until", value: (t) => t.expires_at,
      cell: (t) => near(t.expires_at),
    },
    {
      key: "last_used_at", head: "Last used", value: (t) => t.last_used_at ?? null,
      cell: (t) => <Age ms={timeOfText(t.last_used_at)} />,
    },
    { key: "last_address", head: "From", value: (t) => t.last_address || null },
    {
      key: "actions", head: "Actions", value: () => null,
      cell: (t) => (
        <Danger
          words="Revoke" ask={`Revoke “${t.name}”? What uses it is refused at once.`}
          act={() => send("DELETE", `/tokens/${t.id}`)}
        />
      ),
    },
  ];
  return (
    <section class="panel" aria-label="Tokens">
      <header class="panel-head"><h2>Tokens for scripts</h2></header>
      <Grid
        name="tokens" things="tokens" rows={rows} columns={columns} sort="name"
        rowKey={(t) => String(t.id)} none={<p>You have no tokens.</p>}
      />
    </section>
  );
}

function SigninTable({ rows }: { rows: Signin[] }) {
  const columns: Array<Column<Signin>> = [
    {
      key: "agent", head: "Program", names: true, value: (s) => s.agent || "unknown",
      cell: (s) => <>{s.agent || "unknown"}{s.current && <strong> (this one)</strong>}</>,
    },
    { key: "address", head: "From", value: (s) => s.address },
    {
      key: "created_at", head: "Since", value: (s) => s.created_at,
      cell: (s) => near(s.created_at),
    },
    {
      key: "last_used_at", head: "Last used", value: (s) => s.last_used_at,
      cell: (s) => <Age ms={timeOfText(s.last_used_at)} />,
    },
    {
      key: "actions", head: "Actions", value: () => null,
      cell: (s) => s.current ? null : (
        <Danger
          words="Sign out" ask={`Sign out ${s.agent || "this program"} from ${s.address}?`}
          act={() => send("DELETE", `/sessions/${s.id}`)}
        />
      ),
    },
  ];
  return (
    <section class="panel" aria-label="Sessions">
      <header class="panel-head"><h2>Signed in</h2></header>
      <Grid
        name="sessions" things="sessions" rows={rows} columns={columns} sort="-created_at"
        rowKey={(s) => s.id} none={<p>No session.</p>}
      />
    </section>
  );
}
