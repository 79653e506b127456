// SPDX-License-Identifier: PostgreSQL
//
// fleet.tsx: all targets; and what to do while there is none.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Collector, List, Num, RegistrationSecret, Target, TargetDetail } from "../api";
import { ApiError, createSecret, paths, send, useAnswer, who } from "../data";
import { formatLoad } from "../format";
import { countOf } from "../grid";
import { wordsOfGroups } from "../groups";
import { go, pulse, view } from "../state";
import { overviewPath, timeOf } from "../url";
import { Danger, mayAct, seesAll } from "../parts/admin";
import { Command } from "../parts/copy";
import { Grid, type Column } from "../parts/grid";
import { Icon } from "../parts/icon";
import { Age, Chip, Failure, StateChip } from "../parts/status";
import { Spark } from "../parts/spark";

export function FleetPage({ all }: { all: boolean }) {
  const answer = useAnswer<List<Target>>(paths.servers, pulse.value, "fleet");
  const targets = answer.data?.data ?? null;
  const servers = targets?.filter((t) => t.kind === "postgresql") ?? [];
  const hosts = targets?.filter((t) => t.kind !== "postgresql") ?? [];
  const only = !all && servers.length === 1 ? servers[0] : undefined;
  useEffect(() => {
    if (only) go(overviewPath(only.id), "replace");
  }, [only?.id]);
  if (targets === null) {
    return (
      <main id="main" class="page" tabIndex={-1}>
        {answer.error ? <Failure error={answer.error} /> : <Skeleton />}
      </main>
    );
  }
  return (
    <main id="main" class="page" tabIndex={-1}>
      {servers.length > 0 ? <Targets servers={servers} />
        : seesAll() ? <Install hosts={hosts.length} /> : <NoneOfGroups />}
      {hosts.length > 0 && <Hosts hosts={hosts} />}
    </main>
  );
}

function Skeleton() {
  return <div class="skeleton skeleton-page" aria-busy="true"><span class="sr">Loading</span></div>;
}

const RANK: Record<string, number> = { down: 0, offline: 1, stale: 2, new: 3, live: 4 };

/** What is down or silent has no load "now". */
function loadNow(t: Target): Num {
  return t.state === "offline" || t.state === "down" ? null : (t.load_aas ?? null);
}

/** The worst first: down, silent, then busiest for its size. */
function attention(t: Target): number {
  return (4 - (RANK[t.state] ?? 0)) * 1e6 + Math.min((t.load_aas ?? 0) / (t.vcpus || 1), 1e5);
}

/** Shown by itself where there is more than one group. */
const GROUP: Column<Target> = {
  key: "group", head: "Group", value: (t) => t.group ?? null, spare: true,
};

const COLUMNS: Array<Column<Target>> = [
  {
    key: "name", head: "Server", names: true, value: (t) => t.name,
    cell: (t) => (
      <>
        <a class="target-link" href={overviewPath(t.id) + timeOf(view.value)}>{t.name}</a>
        <div class="muted small">{t.address}{t.port ? `:${t.port}` : ""}</div>
      </>
    ),
  },
  {
    key: "state", head: "State", title: "what needs attention most", numeric: false,
    value: attention,
    cell: (t) => (
      <>
        <StateChip target={t} />
        {t.reason && <div class="muted small state-why" title={t.reason}>{t.reason}</div>}
      </>
    ),
  },
  {
    key: "load", head: "Load now", value: loadNow, cell: (t) => <LoadMeter target={t} />,
    title: "mean number of active sessions of the last minute, beside the vCPUs",
  },
  {
    key: "hour", head: "Last hour", value: () => null,
    cell: (t) => <Spark id={t.id} vcpus={t.vcpus ?? null} />,
  },
  {
    key: "use", head: "Load/vCPU", numeric: true, spare: true,
    value: (t) => (t.vcpus && loadNow(t) !== null ? loadNow(t)! / t.vcpus : null),
  },
  GROUP,
  { key: "role", head: "Role", value: (t) => t.role ?? null },
  {
    key: "version", head: "Version", value: (t) => t.version_num ?? t.version ?? null,
    cell: (t) => <span title={t.version ?? ""}>{t.version?.split(" ")[0] ?? "–"}</span>,
  },
  { key: "address", head: "Address", spare: true, value: (t) => t.address ?? null },
  { key: "findings", head: "Data", value: () => null, cell: (t) => <Findings id={t.id} /> },
  {
    key: "age", head: "Last sample", value: (t) => t.last_sample_ms,
    cell: (t) => <Age ms={t.last_sample_ms} />,
  },
];

/** Deleting what is silent; the server refuses while an agent delivers. */
function remove(t: Target) {
  if (t.state === "live" || t.state === "down") return null;
  return (
    <Danger
      words="Delete" act={() => send("DELETE", `/servers/${t.id}`)}
      ask={`Delete ${t.name} and all that was ever read of it? It cannot be brought back.`}
    />
  );
}

function Targets({ servers }: { servers: Target[] }) {
  const isGrouped = servers.some((t) => t.group !== servers[0]?.group);
  const columns = COLUMNS.map((c) => (c === GROUP ? { ...c, spare: !isGrouped } : c));
  if (mayAct("admin")) {
    columns.push({ key: "actions", head: "Actions", value: () => null, cell: remove });
  }
  const down = servers.filter((t) => t.state === "down").length;
  const silent = servers.filter((t) => t.state === "stale" || t.state === "offline").length;
  return (
    <section class="panel">
      <header class="panel-head">
        <h1>Which server needs attention?</h1>
        <span class="panel-note">
          {servers.length} PostgreSQL {servers.length === 1 ? "server" : "servers"}
          {down > 0 ? `, ${down} down` : ""}
          {silent > 0 ? `, ${silent} without fresh data` : ""}
        </span>
      </header>
      <Grid
        name="fleet" things="servers" rows={servers} columns={columns} sort="-state"
        rowKey={(t) => t.id} none={null}
      />
    </section>
  );
}

/** What keeps data of a target from being complete: sources that fail or may not be read. */
function Findings({ id }: { id: string }) {
  const { data } = useAnswer<TargetDetail>(paths.server(id), Math.floor(pulse.value / 12), id);
  if (!data) return <span class="muted">–</span>;
  const bad = (data.probes ?? []).filter((p) => p.state === "error" || p.state === "denied");
  const shed = (data.probes ?? []).filter((p) => p.state === "shed");
  if (bad.length + shed.length === 0) return <Chip tone="ok" icon="check">complete</Chip>;
  const names = [...bad, ...shed].map((p) => `${p.probe}: ${p.reason ?? p.state}`).join("\n");
  return (
    bad.length > 0
      ? (
        <Chip tone="warn" icon="warn" title={names}>
          {`${countOf(bad.length, "sources")} without data`}
        </Chip>
      )
      : <Chip tone="unknown" icon="info" title={names}>{`${shed.length} left out`}</Chip>
  );
}

function LoadMeter({ target }: { target: Target }) {
  const load = loadNow(target);
  const share = load !== null && target.vcpus ? Math.min(1, load / target.vcpus) : null;
  const tone = share === null ? "" : share >= 1 ? "crit" : share >= 0.7 ? "warn" : "ok";
  return (
    <div class="meter-row">
      <span class="meter" aria-hidden="true">
        {share !== null && (
          <span class={`meter-fill tone-${tone}`} style={{ width: `${share * 100}%` }} />
        )}
      </span>
      <span class="num">
        {formatLoad(load)}
        {target.vcpus ? <span class="muted"> / {target.vcpus} vCPU</span> : null}
      </span>
    </div>
  );
}

function Hosts({ hosts }: { hosts: Target[] }) {
  return (
    <section class="panel">
      <header class="panel-head"><h2>Hosts</h2></header>
      <ul class="host-list">
        {hosts.map((h) => (
          <li key={h.id}>
            <a class="target-link" href={overviewPath(h.id)}>
              {h.name}
            </a>{" "}
            <StateChip target={h} />{" "}
            <span class="muted">
              last sample <Age ms={h.last_sample_ms} />
            </span>{" "}
            {mayAct("admin") && remove(h)}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** There may be servers: not for this account, which cannot know. */
function NoneOfGroups() {
  const w = who.value;
  const groups = w.state === "user" ? w.user.groups ?? [] : [];
  return (
    <section class="install">
      <h1>No server for this account</h1>
      <p class="muted">
        {groups.length > 0
          ? `It sees the groups ${wordsOfGroups(groups)}, and no PostgreSQL server is in them.`
          : "It sees no group of servers."}{" "}
        An administrator can change that on the page Users, or move a server to another group.
      </p>
    </section>
  );
}

/** The first minutes: three steps, and a line that turns green by itself. */
function Install({ hosts }: { hosts: number }) {
  const secret = useSignal<RegistrationSecret | null>(null);
  const collectors = useAnswer<List<Collector>>(paths.collectors, pulse.value, "collectors");
  const agents = collectors.data?.data ?? [];
  const agent = agents[0];
  const arrived = agents.length > 0 || hosts > 0;
  return (
    <section class="install">
      <h1>No database is watched yet</h1>
      <p class="muted">
        Three steps on the host of the database, then this page goes on by itself.
      </p>
      <ol class="steps">
        <li>
          <h2>Let pga read the statistics</h2>
          <p>In the database server, as a superuser:</p>
          <Command
            label="Copy the SQL"
            text={[
              "CREATE ROLE pga LOGIN;",
              "GRANT pg_monitor TO pga;",
              "CREATE EXTENSION IF NOT EXISTS pg_stat_statements;",
            ].join("\n")}
          />
        </li>
        <li>
          <h2>Enrol an agent</h2>
          <SecretStep secret={secret.value} onSecret={(s) => (secret.value = s)} />
        </li>
        <li>
          <h2>Start it</h2>
          <Command label="Copy the commands" text={startCommands()} />
        </li>
      </ol>
      <div class={`waiting ${arrived ? "waiting-ok" : ""}`} role="status">
        {arrived ? <Icon name="check" /> : <span class="pulse-dot" aria-hidden="true" />}
        {agent ? (
          <>
            Agent <strong>{agent.name}</strong> is enrolled ({agent.status}). Waiting for the first
            sample …
          </>
        ) : arrived ? (
          "A host reports. Waiting for the first sample of a database …"
        ) : (
          "Waiting for the first sample …"
        )}
      </div>
    </section>
  );
}

function startCommands(): string {
  return [
    "cat > agent.toml <<'END'",
    "[server]",
    `url = "${location.origin}"`,
    'registration_secret_file = "registration-secret"',
    "",
    "[[target]]",
    'name = "main"',
    'dsn = "host=/var/run/postgresql user=pga dbname=postgres"',
    "END",
    "pga agent --config agent.toml",
  ].join("\n");
}

function SecretStep(props: {
  secret: RegistrationSecret | null;
  onSecret: (s: RegistrationSecret) => void;
}) {
  const error = useSignal("");
  const w = who.value;
  const mayCreate = w.state === "user" && (w.user.role === "admin" || w.user.role === "owner");
  async function create(): Promise<void> {
    error.value = "";
    try {
      props.onSecret(await createSecret(`web ${new Date().toISOString().slice(0, 16)}`));
    } catch (cause) {
      error.value = cause instanceof ApiError ? cause.message : String(cause);
    }
  }
  if (props.secret) {
    return (
      <>
        <p>The secret is shown once, works for one agent and for one hour.</p>
        <Command
          label="Copy the command"
          text={`(umask 077; printf '%s\\n' '${props.secret.secret}' > registration-secret)`}
        />
      </>
    );
  }
  if (!mayCreate)
    return (
      <p>
        Ask an administrator for a registration secret, and put it into the file{" "}
        <code>registration-secret</code>.
      </p>
    );
  return (
    <>
      <button type="button" class="button button-main" onClick={create}>
        Make a registration secret
      </button>
      {error.value && (
        <p role="alert" class="hint hint-wrong">
          {error.value}
        </p>
      )}
    </>
  );
}
