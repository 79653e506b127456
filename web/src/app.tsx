// SPDX-License-Identifier: PostgreSQL
//
// app.tsx: which page is shown. Without a session every address shows the door and keeps itself.
import { useEffect } from "preact/hooks";
import { useSignal } from "@preact/signals";
import type { TargetDetail } from "./api";
import { loadSession, outage, paths, reload, useAnswer, who } from "./data";
import { followLink, go, pulse, route } from "./state";
import { DoorPage } from "./pages/login";
import { FleetPage } from "./pages/fleet";
import { OverviewPage } from "./pages/overview";
import { HelpDialog } from "./parts/help";
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

function Inside() {
  const r = route.value;
  const door = r.page === "login" || r.page === "setup";
  useEffect(() => {
    if (door) go("/", "replace");
  }, [door]);
  return (
    <>
      <a class="skip" href="#main">Skip to the content</a>
      <Topbar name={r.page === "overview" ? <TargetName id={r.id} /> : null} />
      <OutageBanner />
      {r.page === "fleet" && <FleetPage all={r.all} />}
      {r.page === "overview" && <OverviewPage key={r.id} id={r.id} />}
      {r.page === "missing" && <Missing path={r.path} />}
      <HelpDialog />
    </>
  );
}

function TargetName({ id }: { id: string }) {
  const { data } = useAnswer<TargetDetail>(paths.server(id), Math.floor(pulse.value / 12), id);
  return <>{data?.name ?? id}</>;
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
