// SPDX-License-Identifier: PostgreSQL
//
// nav.tsx: the pages beside this one: of the same server, or about pga itself.
import { useLayoutEffect, useRef } from "preact/hooks";
import { route, view } from "../state";
import { mayAudit, seesAll } from "./admin";
import { overviewPath, timeOf, type Route } from "../url";

interface Place {
  path: string;
  word: string;
  on: boolean;
}

const ADMIN: Array<[string, string, string]> = [
  ["fleet", "/?all", "Fleet"],
  ["collectors", "/collectors", "Collectors"],
  ["managed", "/managed", "Managed instances"],
  ["secrets", "/secrets", "Registration secrets"],
  ["users", "/users", "Users"],
  ["account", "/account", "My account"],
  ["audit", "/audit", "Audit"],
  ["about", "/about", "About this monitoring"],
];

function places(r: Route, isHost: boolean): Place[] {
  if ("id" in r) {
    const base = overviewPath(r.id);
    const time = timeOf(view.value);
    const overview = { path: base + time, word: "Overview", on: r.page === "overview" };
    const data = {
      path: `${base}/data${time}`, word: "Data", on: r.page === "data" || r.page === "rows",
    };
    if (isHost) return [overview, data];
    return [
      overview,
      {
        path: `${base}/queries${time}`, word: "Queries",
        on: r.page === "queries" || r.page === "query",
      },
      { path: `${base}/sessions${time}`, word: "Sessions and locks", on: r.page === "sessions" },
      data,
    ];
  }
  const isShown = (page: string): boolean =>
    page === "audit" ? mayAudit() : page !== "users" || seesAll();
  return ADMIN.filter(([page]) => isShown(page))
    .map(([page, path, word]) => ({ path, word, on: r.page === page }));
}

export function Nav({ isHost }: { isHost: boolean }) {
  const r = route.value;
  const nav = useRef<HTMLElement>(null);
  // On a phone the row is wider than the screen: the page that is open must be in sight.
  useLayoutEffect(() => {
    const here = nav.current?.querySelector<HTMLElement>("[aria-current]");
    if (!nav.current || !here) return;
    nav.current.scrollLeft = here.offsetLeft - (nav.current.clientWidth - here.offsetWidth) / 2;
  }, [r.page]);
  return (
    <nav ref={nav} class="nav" aria-label={"id" in r ? "Pages of this server" : "Pages"}>
      <ul>
        {places(r, isHost).map((p) => (
          <li key={p.path}>
            <a href={p.path} aria-current={p.on ? "page" : undefined}>{p.word}</a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
