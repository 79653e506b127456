// SPDX-License-Identifier: PostgreSQL
//
// app.tsx: which page is shown. Without a session every address shows the door and keeps itself.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useSignal } from "@preact/signals";
import type { TargetDetail } from "./api";
import { loadSession, outage, paths, reload, useAnswer, who } from "./data";
import { followLink, go, pulse, route } from "./state";
import type { Route } from "./url";
import { DoorPage } from "./pages/login";
import { FleetPage } from "./pages/fleet";
import { OverviewPage } from "./pages/overview";
import { HelpDialog } from "./parts/help";
import { ProofDialog } from "./parts/proof";
import { Nav } from "./parts/nav";
import { Topbar } from "./parts/topbar";
import { OutageBanner } from "./parts/status";

export function App() {
  const broken = useSignal("");
  const w = who.value;
  const unknown = w.state === "unknown";
  useEffect(() => {
    if (unknown) loadSession().catch((error: unknown) => (broken.value = String(error)));
  }, [unknown, reload.value]);
  useEffect(() => {
    document.addEventListener("click", followLink);
    return () => document.removeEventListener("click", followLink);
  }, []);
  if (unknown) return <Starting error={broken.value} />;
  if (w.state === "none") return <DoorPage />;
  if (w.mustEnrol) return <Enrolling />;
  return <Inside />;
}

function Starting({ error }: { error: string }) {
  return (
    <main class="door" id="main" tabIndex={-1} aria-busy="true">
      <OutageBanner />
      {error && <p role="alert" class="hint hint-wrong">{error}</p>}
      {!outage.value && !error && <p class="muted late">Asking the server …</p>}
    </main>
  );
}

function Enrolling() {
  return (
    <>
      <OutageBanner />
      <Later key="a" part={admin}>{(p) => <p.EnrolPage />}</Later>
      <ProofDialog />
    </>
  );
}

function Inside() {
  const r = route.value;
  const door = r.page === "login" || r.page === "setup";
  useEffect(() => {
    if (door) go("/", "replace");
  }, [door]);
  return (
    <>
      <a class="skip" href="#main">Skip to the content</a>
      {"id" in r ? <ServerBar key={r.id} id={r.id} /> : <Bars name={null} isHost={false} />}
      <OutageBanner />
      <Page r={r} />
      <HelpDialog />
      <ProofDialog />
    </>
  );
}

/** A part of the interface that is fetched when it is needed. */
function Later<T>(props: { part: () => Promise<T>; children: (part: T) => ComponentChildren }) {
  const [part, setPart] = useState<T | null>(null);
  const [failed, setFailed] = useState(false);
  const again = reload.value;
  useEffect(() => {
    if (part === null) props.part().then(setPart, () => setFailed(true));
  }, [part, again]);
  if (part !== null) return <>{props.children(part)}</>;
  return (
    <main id="main" class="page" tabIndex={-1} aria-busy={!failed}>
      {failed ? (
        <p class="empty">
          This part of the interface could not be loaded. The server may have another version
          now: load the page again.
        </p>
      ) : <div class="skeleton skeleton-page"><span class="sr">Loading</span></div>}
    </main>
  );
}

const detail = () => import("./pages/detail");
const admin = () => import("./pages/admin");

function Page({ r }: { r: Route }) {
  switch (r.page) {
    case "fleet": return <FleetPage all={r.all} />;
    case "overview": return <OverviewPage key={r.id} id={r.id} />;
    case "queries":
      return <Later key="d" part={detail}>{(p) => <p.QueriesPage key={r.id} id={r.id} />}</Later>;
    case "query":
      return (
        <Later key="d" part={detail}>
          {(p) => <p.QueryPage key={`${r.id}/${r.query}`} id={r.id} query={r.query} />}
        </Later>
      );
    case "sessions":
      return <Later key="d" part={detail}>{(p) => <p.SessionsPage key={r.id} id={r.id} />}</Later>;
    case "data":
      return <Later key="d" part={detail}>{(p) => <p.DataPage key={r.id} id={r.id} />}</Later>;
    case "rows":
      return (
        <Later key="d" part={detail}>
          {(p) => <p.RowsPage key={`${r.id}/${r.relation}`} id={r.id} relation={r.relation} />}
        </Later>
      );
    case "collectors": return <Later key="a" part={admin}>{(p) => <p.CollectorsPage />}</Later>;
    case "managed": return <Later key="a" part={admin}>{(p) => <p.ManagedPage />}</Later>;
    case "secrets": return <Later key="a" part={admin}>{(p) => <p.SecretsPage />}</Later>;
    case "account": return <Later key="a" part={admin}>{(p) => <p.AccountPage />}</Later>;
    case "users": return <Later key="a" part={admin}>{(p) => <p.UsersPage />}</Later>;
    case "audit": return <Later key="a" part={admin}>{(p) => <p.AuditPage />}</Later>;
    case "about": return <Later key="a" part={admin}>{(p) => <p.AboutPage />}</Later>;
    case "missing": return <Missing path={r.path} />;
    default: return null; // the door: on its way to the fleet
  }
}

function Bars({ name, isHost }: { name: string | null; isHost: boolean }) {
  return (
    <>
      <Topbar name={name} />
      <Nav isHost={isHost} />
    </>
  );
}

function ServerBar({ id }: { id: string }) {
  const { data } = useAnswer<TargetDetail>(paths.server(id), Math.floor(pulse.value / 12), id);
  return <Bars name={data?.name ?? id} isHost={data?.kind === "host"} />;
}

function Missing({ path }: { path: string }) {
  return (
    <main id="main" class="page" tabIndex={-1}>
      <div class="empty">
        <h1>There is no such page</h1>
        <p><code>{path}</code></p>
        <p><a href="/?all">All targets</a></p>
      </div>
    </main>
  );
}
