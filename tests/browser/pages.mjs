// SPDX-License-Identifier: PostgreSQL
//
// pages.mjs: every page with real data: numbers as the API has them, nothing the content policy
// would report, no serious accessibility finding in either theme, no sideways scrolling on a phone.
import { axeFindings, open, settle } from "./lib.mjs";
import { denied, outage, prove } from "./states.mjs";
import { accountPage, auditExport } from "./people.mjs";
import { tables } from "./tables.mjs";

const PHONE = 360;

/** What the API says, asked with the session of the page. */
function api(page, path) {
  return page.evaluate(async (p) => (await fetch(`/api/v1${p}`)).json(), path);
}

async function paths(page) {
  const servers = (await api(page, "/servers")).data;
  const id = servers.find((s) => s.kind === "postgresql").id;
  const query = (await api(page, `/servers/${id}/queries/top?from=-15m&limit=1`)).data[0].queryid;
  return {
    id, query,
    list: [
      ["fleet", "/?all"], ["overview", `/s/${id}`], ["queries", `/s/${id}/queries`],
      ["query", `/s/${id}/queries/${query}`], ["sessions", `/s/${id}/sessions`],
      ["data", `/s/${id}/data`], ["rows", `/s/${id}/data/pg_stat_database`],
      ["collectors", "/collectors"], ["managed", "/managed"], ["secrets", "/secrets"],
      ["users", "/users"], ["account", "/account"], ["audit", "/audit"],
      ["about", "/about"],
    ],
  };
}

async function looks(browser, conf, t, state, where, axeSource) {
  const kinds = [
    ["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }],
    ["phone", { viewport: { width: PHONE, height: 740 }, isMobile: true, hasTouch: true }],
  ];
  for (const [kind, options] of kinds) {
    const { context, page, problems } = await open(browser, { storageState: state, ...options });
    for (const [name, path] of where.list) {
      await page.goto(conf.url + path);
      await settle(page);
      await t.shot(page, `${name}-${kind}`, true);
      if (kind === "phone") {
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        t.ok(wide <= PHONE, `${name}: no sideways scrolling at ${PHONE} px (${wide})`);
      } else {
        const found = await axeFindings(page, axeSource);
        t.ok(found.length === 0, `${name}: no serious accessibility finding (${kind}) ${found.join("; ")}`);
      }
    }
    t.clean(problems, `every page, ${kind}`);
    await context.close();
  }
}

/** How many databases have the size on the page that the API has just now, and of how many. */
async function sameSizes(page, where) {
  const sizes = await api(page, `/servers/${where.id}/metrics?relation=pg_database&column=size_bytes&by=datname&agg=last&from=-20m&step=20m`);
  const exact = new Map(sizes.series.map((s) => [s.labels.datname, s.values.at(-1)?.toLocaleString("en-US")]));
  const rows = page.locator('section[aria-label="Size and age"] tbody tr');
  await rows.first().waitFor();
  let same = 0;
  for (const row of await rows.all()) {
    const name = await row.locator("th").textContent();
    if (exact.get(name) === await row.locator("td").first().getAttribute("title")) same++;
  }
  return [same, exact.size];
}

async function serverPages(page, conf, t, where) {
  await page.goto(`${conf.url}/s/${where.id}`);
  await settle(page);
  let same = 0, of = 0;
  for (let i = 0; i < 45 && (of === 0 || same < of); i++) {
    await page.waitForTimeout(i === 0 ? 0 : 2000); // a reading came between the page and the API
    [same, of] = await sameSizes(page, where);
  }
  t.ok(same === of && same > 0, `sizes of ${same} of ${of} databases are those of the API`);
  for (const title of ["Connections by state", "Cache hits", "WAL written"]) {
    const value = await page.locator(`section[aria-label="${title}"] .legend-value`).first().textContent();
    t.ok(/\d/.test(value), `${title} has values (${value})`);
  }

  await page.goto(`${conf.url}/s/${where.id}/queries?sort=-calls&cols=total_exec_time.text.calls`);
  await page.locator(".query-grid tbody tr").first().waitFor();
  const calls = await page.locator(".query-grid tbody td.num").evaluateAll(
    (cells) => cells.map((c) => Number((c.title || "0").replaceAll(",", ""))));
  t.ok(calls.length > 3 && calls.every((v, i) => i === 0 || v <= calls[i - 1]),
    `the address orders the ${calls.length} queries by calls and chooses the columns`);
  await page.locator("#find").fill("update branch");
  await page.waitForFunction(() => location.search.includes("find="));
  const found = await page.locator(".query-grid tbody tr").count();
  t.ok(found > 0 && found < calls.length, `a filter keeps ${found} of them, and is in the address`);
  const saved = page.waitForEvent("download");
  await page.locator("button", { hasText: "CSV" }).click();
  t.ok((await saved).suggestedFilename().endsWith(".csv"), "the rows are saved as CSV");

  await page.goto(`${conf.url}/s/${where.id}/queries/${where.query}`);
  await settle(page);
  const total = await api(page, `/servers/${where.id}/metrics?relation=pg_stat_statements&column=calls&by=&agg=sum&key.queryid=${where.query}&from=-1h&step=1h`);
  const shown = Number((await page.locator('section[aria-label="Who runs it"] td[title]').nth(1).getAttribute("title")).replaceAll(",", ""));
  const most = total.series[0]?.values.reduce((a, b) => a + (b ?? 0), 0) ?? 0;
  t.ok(shown > 0 && shown <= most, `calls of one query (${shown}) are within what the API has in all (${most})`);
  t.ok((await page.locator(".sql-block").count()) === 1, "its text is shown");

  await page.goto(`${conf.url}/s/${where.id}/data`);
  await page.locator('section[aria-label="Relations"] tbody tr').first().waitFor();
  await page.locator("a", { hasText: /^pg_stat_database$/ }).click();
  await page.locator('section[aria-label="Rows"] tbody tr').first().waitFor();
  const stored = await api(page, `/servers/${where.id}/rows?relation=pg_stat_database`);
  const names = await page.locator('section[aria-label="Rows"] tbody th').allTextContents();
  t.ok(names.join() === stored.data.map((r) => r.datname).join() && names.length > 0,
    `the newest rows of a relation are those of the API (${names.length})`);

  await page.goto(`${conf.url}/s/${where.id}/sessions`);
  await settle(page);
  const groups = await page.locator('section[aria-label="Sessions"] tbody tr').count();
  t.ok(groups > 0, `sampled sessions are listed (${groups} groups)`);
  const chain = page.locator(".chains details").first();
  await chain.waitFor({ timeout: conf.waitMs });
  const tree = await chain.locator("tbody tr").count();
  t.ok(tree >= 2, `a blocking chain has its blocker and who waits (${tree} sessions)`);
}

async function fillOfTheStore(page, conf, t) {
  const panel = page.locator('section[aria-label="What fills it"]');
  const numbers = panel.locator("table").first().locator("tbody tr");
  const names = async () => (await numbers.allTextContents()).map((text) => text.trim());
  const relations = (await api(page, "/cardinality?by=relation&limit=200")).data;
  t.ok((await numbers.count()) === Math.min(relations.length, 200)
    && relations.every((r) => r.relation), `the store's rows by relation (${relations.length})`);
  await panel.locator('[aria-label="Count by"]').selectOption("collector");
  const agent = (await api(page, "/collectors")).data[0].name;
  await page.waitForFunction(
    (name) => document.querySelector('section[aria-label="What fills it"] tbody')?.textContent
      .includes(name), agent, { timeout: conf.waitMs });
  t.ok((await names()).some((text) => text.startsWith(agent)), `and by agent (${agent})`);
  const limits = await panel.locator("table").last().locator("tbody tr").allTextContents();
  t.ok(limits.length === 8 && limits.some((text) => /^objects\s*\d/.test(text)),
    `what an agent may have (${limits.length} limits)`);
}

async function adminPages(page, conf, t) {
  await page.goto(`${conf.url}/collectors`);
  const agents = (await api(page, "/collectors")).data;
  await page.locator("tbody tr").first().waitFor();
  t.ok((await page.locator("tbody tr").count()) === agents.length, `agents are those of the API (${agents.length})`);

  await page.goto(`${conf.url}/secrets`);
  const name = `browser ${Date.now()}`;
  await page.locator(".form-panel summary").click();
  await page.locator('[name="name"]').fill(name);
  await page.locator("button", { hasText: "Make it" }).click();
  const command = page.locator(".banner .command code");
  await command.waitFor();
  const value = /'([^'\\]+)' >/.exec(await command.textContent())?.[1] ?? "";
  await page.reload();
  const row = page.locator("tbody tr", { hasText: name });
  await row.waitFor();
  t.ok(value.length > 20 && !(await page.content()).includes(value), "a secret's value is shown once");
  await row.locator(".button-quiet", { hasText: "Revoke" }).click();
  await page.locator("dialog[open] .button-danger").click();
  await row.waitFor({ state: "detached" });
  t.ok(true, "a secret is revoked after a question");

  await prove(page, conf);
  await page.goto(`${conf.url}/users`);
  const user = `browser${Date.now()}`;
  await page.locator(".form-panel summary").click();
  await page.locator('[name="username"]').fill(user);
  await page.locator('[name="password"]').fill("a password of some length");
  await page.locator('.form-panel [name="role"]').selectOption("viewer");
  await page.locator(".form-foot button").click();
  const account = page.locator("tbody tr", { hasText: user });
  await account.waitFor();
  await account.locator("button", { hasText: "Switch off" }).click();
  await account.locator(".chip", { hasText: "off" }).waitFor();
  const off = (await api(page, "/users")).data.find((u) => u.username === user);
  t.ok(off?.is_active === false && off?.role === "viewer", "a user is added and switched off");
  await account.locator(".button-quiet", { hasText: "Remove" }).click();
  await page.locator("dialog[open] .button-danger").click();
  await account.waitFor({ state: "detached" });
  t.ok(!(await api(page, "/users")).data.some((u) => u.username === user), "and removed");

  await accountPage(page, conf, t);
  await auditExport(page, conf, t);
  await page.goto(`${conf.url}/about`);
  await settle(page);
  const probes = await page.locator('section[aria-label="Sources"] tbody').first().locator("tr").count();
  t.ok(probes > 10, `the state and cost of ${probes} probes are shown`);
  await fillOfTheStore(page, conf, t);
  await page.keyboard.press("g");
  await page.keyboard.press("f");
  await page.waitForFunction(() => location.pathname === "/");
  t.ok(true, "g f goes to the fleet");
}

export async function everyPage(browser, conf, t, state, axeSource) {
  const { context, page, problems } = await open(browser, { storageState: state });
  await page.goto(`${conf.url}/?all`);
  await page.locator(".topbar").waitFor();
  const where = await paths(page);
  await serverPages(page, conf, t, where);
  await adminPages(page, conf, t);
  t.clean(problems, "work on every page");
  await tables(browser, conf, t, state, where);
  await looks(browser, conf, t, state, where, axeSource);
  await denied(browser, conf, t, page, where, axeSource);
  await outage(browser, conf, t, state, where, axeSource);
  await context.close();
}
