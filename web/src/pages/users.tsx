// SPDX-License-Identifier: PostgreSQL
//
// users.tsx: accounts of people: make, change the role, switch off, new password, remove.
import { useSignal } from "@preact/signals";
import type { Account, List } from "../api";
import { paths, send, useAnswer, who, wordsOf } from "../data";
import { groupsOf, wordsOfGroups } from "../groups";
import { pulse } from "../state";
import { AdminFrame, Danger, Field, FormPanel, mayAct, Shown, timeOfText } from "../parts/admin";
import { Command } from "../parts/copy";
import { Grid, type Column } from "../parts/grid";
import { Age, Banner, Chip } from "../parts/status";

/** What an admin may give, and what an owner may give beside that. */
const ADMIN_GIVES = ["viewer", "operator"];
const ROLES = [...ADMIN_GIVES, "auditor", "admin", "owner"];

function givable(): string[] {
  return mayAct("owner") ? ROLES : ADMIN_GIVES;
}

function isMe(u: Account): boolean {
  const w = who.value;
  return w.state === "user" && String(w.user.id) === String(u.id);
}

/** An admin manages viewers and operators, an owner everybody. */
function mayManage(u: Account): boolean {
  return mayAct("owner") || (mayAct("admin") && ADMIN_GIVES.includes(u.role));
}

export function UsersPage() {
  const answer = useAnswer<List<Account>>(paths.users, pulse.value, "users");
  const made = useSignal<{ name: string; password: string } | null>(null);
  const failed = useSignal("");
  return (
    <AdminFrame title="Users" note="Who may sign in, and what each may do.">
      {mayAct("admin") && <Create />}
      {failed.value && (
        <Banner tone="crit">
          {failed.value}{" "}
          <button type="button" class="button" onClick={() => (failed.value = "")}>Close</button>
        </Banner>
      )}
      {made.value && (
        <Banner tone="info">
          <p><strong>The new password of {made.value.name} is shown once.</strong></p>
          <Command label="Copy the password" text={made.value.password} />
          <button type="button" class="button" onClick={() => (made.value = null)}>
            I have it; forget it here
          </button>
        </Banner>
      )}
      <Shown answer={answer}>
        {(list) => (
          <UserTable
            rows={list.data}
            onFailed={(words) => (failed.value = words)}
            onPassword={(name, password) => (made.value = { name, password })}
          />
        )}
      </Shown>
    </AdminFrame>
  );
}

function Create() {
  async function save(form: FormData): Promise<void> {
    await send("POST", "/users", {
      username: String(form.get("username")), password: String(form.get("password")),
      role: String(form.get("role")), full_name: String(form.get("full_name")),
      email: String(form.get("email")), groups: groupsOf(String(form.get("groups"))),
    });
  }
  return (
    <FormPanel title="Add a user" button="Add" save={save}>
      <Field label="Name to sign in with">
        <input name="username" class="input" required maxLength={64} autocomplete="off" />
      </Field>
      <Field label="Password" hint="12 to 128 characters">
        <input
          name="password" class="input" type="password" required minLength={12} maxLength={128}
          autocomplete="new-password"
        />
      </Field>
      <Field label="Role">
        <select name="role" class="input">
          {givable().map((r) => <option key={r} value={r}>{r}</option>)}
        </select>
      </Field>
      <Field
        label="Groups of targets"
        hint="all, none, or names with commas; owners and auditors see all"
      >
        <input
          name="groups" class="input" required defaultValue="all" autocapitalize="none"
          spellcheck={false}
        />
      </Field>
      <Field label="Full name"><input name="full_name" class="input" maxLength={200} /></Field>
      <Field label="Mail address">
        <input name="email" class="input" type="email" maxLength={200} />
      </Field>
    </FormPanel>
  );
}

function UserTable(props: {
  rows: Account[];
  onFailed: (words: string) => void;
  onPassword: (name: string, password: string) => void;
}) {
  async function change(u: Account, body: unknown): Promise<void> {
    try {
      await send("PUT", `/users/${u.id}`, body);
    } catch (error) {
      props.onFailed(wordsOf(error));
    }
  }
  async function reset(u: Account): Promise<void> {
    const answer = await send<{ password?: string }>("POST", `/users/${u.id}/reset-password`, {});
    if (answer.password) props.onPassword(u.username, answer.password);
  }
  const columns: Array<Column<Account>> = [
    { key: "username", head: "Name", names: true, value: (u) => u.username },
    { key: "full_name", head: "Full name", value: (u) => u.full_name || null },
    {
      key: "role", head: "Role", value: (u) => u.role,
      cell: (u) =>
        isMe(u) || !mayManage(u) ? <span>{u.role}{isMe(u) && " (you)"}</span> : (
          <select
            class="input input-small" value={u.role} aria-label={`Role of ${u.username}`}
            onChange={(e) => change(u, { role: e.currentTarget.value })}
          >
            {[...new Set([...givable(), u.role])].map((r) => (
              <option key={r} value={r}>{r}</option>
            ))}
          </select>
        ),
    },
    {
      key: "groups", head: "Groups", title: "of targets that it sees",
      value: (u) => wordsOfGroups(u.groups),
      cell: (u) =>
        isMe(u) || !mayManage(u) || ["owner", "auditor"].includes(u.role)
          ? <span>{wordsOfGroups(u.groups)}</span> : (
            <input
              class="input input-small" key={wordsOfGroups(u.groups)}
              defaultValue={wordsOfGroups(u.groups)} aria-label={`Groups of ${u.username}`}
              title="all, none, or names with commas"
              autocapitalize="none" spellcheck={false}
              onChange={(e) => change(u, { groups: groupsOf(e.currentTarget.value) })}
            />
          ),
    },
    {
      key: "is_active", head: "State", value: (u) => (u.is_active === false ? "off" : "active"),
      cell: (u) => u.is_active === false
        ? <Chip tone="unknown" icon="close">off</Chip> : <Chip tone="ok" icon="check">active</Chip>,
    },
    { key: "email", head: "Mail", value: (u) => u.email || null },
    {
      key: "last_login", head: "Last sign-in", value: (u) => u.last_login ?? null,
      cell: (u) => <Age ms={timeOfText(u.last_login)} />,
    },
  ];
  if (mayAct("admin")) {
    columns.push({
      key: "actions", head: "Actions", value: () => null,
      cell: (u) => isMe(u) || !mayManage(u) ? null : (
        <span class="row-actions">
          <button
            type="button" class="button button-quiet"
            onClick={() => change(u, { is_active: u.is_active === false })}
          >
            {u.is_active === false ? "Switch on" : "Switch off"}
          </button>
          {u.totp && mayAct("owner") && (
            <Danger
              words="Take away second factor" act={() => send("DELETE", `/users/${u.id}/totp`)}
              ask={`Let ${u.username} sign in with the password alone?`}
            />
          )}
          <Danger
            words="New password" act={() => reset(u)}
            ask={`Make a new password for ${u.username}? All sessions of this user end.`}
          />
          <Danger
            words="Remove" ask={`Remove the account ${u.username}? Its sessions end at once.`}
            act={() => send("DELETE", `/users/${u.id}`)}
          />
        </span>
      ),
    });
  }
  return (
    <section class="panel" aria-label="Accounts">
      <Grid
        name="users" things="users" rows={props.rows} columns={columns} sort="username"
        rowKey={(u) => String(u.id)} none={<p>There are no users.</p>}
      />
    </section>
  );
}
