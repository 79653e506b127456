// SPDX-License-Identifier: PostgreSQL
//
// tables.mjs: what every table of things can do: sort, filter, choose columns, save as CSV, be
// walked with the keys; and the link that is copied shows the same in another browser.
import { readFileSync } from "node:fs";
import { open, settle } from "./lib.mjs";

/** The first table of the page, with its tools. */
function parts(page) {
  const tools = page.locator(".grid-tools").first();
  return { tools, grid: page.locator("table.grid").first() };
}

async function sorts(page, t, name) {
  const { grid } = parts(page);
  const head = grid.locator("thead th").first();
  for (let i = 0; i < 3; i++) {
    await head.locator(".sort").click();
    const how = await head.getAttribute("aria-sort");
    if (i > 0) t.ok(/ascending|descending/.test(how), `${name}: a click on the head sorts (${how})`);
  }
  t.ok((await grid.locator('thead th[aria-sort$="scending"]').count()) === 1,
    `${name}: by one column`);
}

async function filters(page, t, name) {
  const { tools, grid } = parts(page);
  const rows = await grid.locator("tbody tr").count();
  await page.locator("main").focus();
  if ((await tools.locator("#find").count()) > 0) await page.keyboard.press("/");
  else await tools.locator('[type="search"]').focus();
  await page.keyboard.type("no such thing");
  await page.locator(".empty", { hasText: "match" }).waitFor();
  t.ok((await page.locator(".empty", { hasText: `0 of ${rows}` }).count()) > 0,
    `${name}: a filter that keeps nothing says 0 of ${rows}`);
  await page.locator(".empty button", { hasText: "Clear" }).click();
  await grid.locator("tbody tr").first().waitFor();
}

async function chooses(page, t, name) {
  const { tools, grid } = parts(page);
  const before = await grid.locator("thead th").allTextContents();
  await tools.locator("button", { hasText: "Columns" }).focus();
  await page.keyboard.press("Enter");
  const box = page.locator(".cols-pop:popover-open input:checked").last();
  const gone = (await box.locator("xpath=..").textContent()).trim();
  await box.focus();
  await page.keyboard.press("Space");
  await page.keyboard.press("Escape");
  const after = await grid.locator("thead th").allTextContents();
  t.ok(after.length === before.length - 1 && !after.some((h) => h.trim() === gone),
    `${name}: the column "${gone}" can be left out, with the keyboard alone`);
  const saved = page.waitForEvent("download");
  await tools.locator("button", { hasText: "CSV" }).click();
  const lines = readFileSync(await (await saved).path(), "utf8").trimEnd().split("\r\n");
  const fields = lines[0].split(",").map((f) => f.replaceAll('"', ""));
  t.ok(fields.length === after.length && lines.length > 1,
    `${name}: the CSV has the ${fields.length} columns that are shown, and ${lines.length - 1} rows`);
}

async function walks(page, t, name) {
  await page.locator("main").focus();
  await page.keyboard.press("j");
  const inside = await page.evaluate(() => document.activeElement?.closest("tbody") !== null);
  t.ok(inside, `${name}: j goes to the first row`);
}

async function copiesLink(browser, page, conf, t, state, name, path) {
  await page.goto(conf.url + path);
  await settle(page);
  await page.getByRole("button", { name: /Copy a link/ }).click();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const there = await open(browser, { storageState: state });
  await there.page.goto(link);
  await settle(there.page);
  const q = new URL(link).searchParams;
  const frozen = path.startsWith("/s/") ? /^\d{4}-/.test(q.get("from")) && /^\d{4}-/.test(q.get("to")) : true;
  t.ok(frozen && there.page.url() === link, `${name}: the copied link is of exactly this window`);
  const heads = (p) => p.locator("table.grid").first().locator("thead th").allTextContents();
  t.ok(JSON.stringify(await heads(page)) === JSON.stringify(await heads(there.page)),
    `${name}: and shows the same columns and order`);
  await there.context.close();
}

export async function tables(browser, conf, t, state, where) {
  const { context, page, problems } = await open(browser, {
    storageState: state, permissions: ["clipboard-read", "clipboard-write"],
  });
  for (const [name, path] of where.list) {
    if (["overview", "secrets", "managed"].includes(name)) continue; // no rows, or none for long
    await page.goto(conf.url + path);
    await settle(page);
    await parts(page).grid.locator("tbody tr").first().waitFor({ timeout: conf.waitMs });
    await sorts(page, t, name);
    await filters(page, t, name);
    if (["fleet", "queries", "sessions"].includes(name)) await walks(page, t, name);
    await chooses(page, t, name);
  }
  await copiesLink(browser, page, conf, t, state, "queries",
    `/s/${where.id}/queries?sort=-calls&cols=total_exec_time.text.calls&from=-10m`);
  await copiesLink(browser, page, conf, t, state, "fleet", "/?all&sort=name");
  t.clean(problems, "what tables can do");
  await context.close();
}
