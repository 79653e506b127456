// SPDX-License-Identifier: PostgreSQL
//
// run.mjs: drive a running pga in a real browser, as a person would, and say in TAP what held.
//
//   PGA_DEMO_INFO=FILE node tests/browser/run.mjs      FILE as `pga demo` writes it
//   PGA_URL= PGA_USER= PGA_PASSWORD= [PGA_AGENT_PID=]  or each by itself
//   PGA_EMPTY_URL=                                     a server without agents, same login (optional)
//   PGA_CHROMIUM=/usr/bin/chromium  PGA_SHOTS=DIR      the browser; where pictures go (optional)
//   PGA_WAIT_S=90                                      how long to wait for the first figures
//
// With the agent's process id it also holds the agent still (SIGSTOP) until the page says "stale",
// and lets it go on again. Exit 0 when every check held.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { groups } from "./groups.mjs";
import { everyPage } from "./pages.mjs";
import { peopleAndInstances } from "./people.mjs";
import { empty } from "./states.mjs";
import { Checks, axeFindings, config, gotoOverview, open, signIn } from "./lib.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(here, "../../web/package.json"));
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const conf = config();
const t = new Checks(conf.shots);
let current = null; // the page of a failure is worth a picture

async function realNumbers(page) {
  await page.waitForFunction(
    () => Number.parseFloat(document.querySelector(".panel-note strong")?.textContent ?? "") > 0,
    null, { timeout: conf.waitMs },
  );
  const load = Number.parseFloat(await page.locator(".panel-note strong").first().textContent());
  t.ok(load > 0 && load < 10_000, `the load chart has real numbers (mean ${load} active sessions)`);
  const painted = await page.evaluate(() => {
    const canvas = document.querySelector(".plot-large canvas");
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) seen.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
    const probe = document.createElement("i");
    document.body.append(probe);
    const classes = ["cpu", "io", "lock", "lwlock", "ipc", "client"].filter((name) => {
      probe.style.color = `var(--wait-${name})`;
      return seen.has(getComputedStyle(probe).color.replace(/[^\d,]/g, ""));
    });
    probe.remove();
    return classes;
  });
  t.ok(painted.length > 0, `bars are painted in wait-class colours (${painted.join(" ")})`);
  await page.waitForFunction(
    () => document.querySelectorAll(".query-row").length > 0, null, { timeout: conf.waitMs });
  const rows = await page.locator(".query-row").count();
  t.ok(rows > 0, `top queries are listed (${rows})`);
  const figures = await page.locator(".figures dd .figure-value").allTextContents();
  const known = figures.filter((text) => /^\d/.test(text)).length;
  t.ok(known >= 4, `figures have values (${figures.join(" | ")})`);
  const throughput = await page.locator('section[aria-label="Transactions"] .legend-value').first().textContent();
  t.ok(/^\d/.test(throughput), `throughput has values (commits ${throughput}/s)`);
  const cpu = await page.locator('section[aria-label="Host CPU"] .legend-value').count();
  t.ok(cpu > 0, "the host's processor is shown by mode");
}

const windowText = (page) => page.locator("[data-testid=queries-window]").textContent();

async function brush(page) {
  const asked = page.waitForRequest((r) => r.url().includes("/queries/top") && selOf(page) !== null);
  const lane = await page.locator("[data-testid=lane]").boundingBox();
  const y = lane.y + lane.height / 2;
  await page.mouse.move(lane.x + lane.width * 0.9, y);
  await page.mouse.down();
  await page.mouse.move(lane.x + lane.width * 0.96, y, { steps: 5 });
  await page.mouse.up();
  const request = await asked;
  const sel = selOf(page);
  t.ok(sel !== null, `the selection is in the address (${sel})`);
  const [from, to] = (sel ?? "0-0").split("-").map(Number);
  const q = new URL(request.url()).searchParams;
  const near = (a, b) => Math.abs(Number(a) / 1000 - b) <= 1;
  t.ok(near(q.get("from"), from) && near(q.get("to"), to), "top queries are asked for the selected window");
  await page.waitForTimeout(500);
  t.ok((await windowText(page)).startsWith("selected window"), "the list says which window it is about");
  t.ok((await page.locator(".live").textContent()).includes("selected"), "time stands still while a window is selected");
  await t.shot(page, "selection");
  await page.reload();
  await page.locator(".lane-sel").waitFor();
  t.ok(selOf(page) === sel, "the selection survives a reload");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !location.search.includes("sel="));
  t.ok(true, "Escape clears the selection");
}

function selOf(page) {
  return new URL(page.url()).searchParams.get("sel");
}

/** At its newest values: a chart that is drawn anew just then shows nothing until the next move. */
async function pointAtChart(page) {
  const end = Date.now() + conf.waitMs;
  for (let step = 0; ; step++) {
    const plot = await page.locator(".plot-large .u-over").boundingBox();
    if (plot) await page.mouse.move(plot.x + plot.width * (0.97 - (step % 3) * 0.005), plot.y + 60);
    if (await page.locator(".tooltip").isVisible()) return;
    if (Date.now() > end) throw new Error("pointing at the chart shows no values");
    await page.waitForTimeout(200);
  }
}

async function zoom(page) {
  const plot = await page.locator(".plot-large .u-over").boundingBox();
  await page.mouse.move(plot.x + plot.width * 0.6, plot.y + 60);
  await page.mouse.down();
  await page.mouse.move(plot.x + plot.width * 0.95, plot.y + 60, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction(() => location.search.includes("from="));
  t.ok(/from=.*to=/.test(page.url()), "dragging on a chart zooms, and the address says so");
  await page.goBack();
  await page.waitForFunction(() => !location.search.includes("from="));
  t.ok(true, "back undoes the zoom");
  await pointAtChart(page);
  t.ok((await page.locator(".live").textContent()).includes("point"), "pointing at a chart pauses, and a chip says so");
  await page.mouse.move(2, 2);
}

async function tabs(page) {
  for (const name of ["Waits", "Databases", "Users", "Applications"]) {
    await page.locator(".tab", { hasText: name }).click();
    await page.locator(".group-table tbody tr").first().waitFor();
    const shares = await page.locator(".group-table tbody td:nth-child(3)").allTextContents();
    const sum = shares.reduce((s, text) => s + (Number.parseFloat(text.replace("<", "")) || 0), 0);
    t.ok(sum > 95 && sum < 105, `load by ${name}: ${shares.length} groups, shares add up (${sum.toFixed(1)} %)`);
  }
  await page.locator(".tab", { hasText: "Queries" }).click();
  await page.locator(".query-row").first().waitFor();
}

async function keyboard(page) {
  await page.locator(".plot-large").focus();
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowLeft");
  const said = await page.locator(".panel.chart [aria-live=polite]").first().textContent();
  t.ok(/\d\d:\d\d/.test(said), `the chart's cursor speaks (${said.slice(0, 60)})`);
  await page.keyboard.press("v");
  const rows = await page.locator(".chart-table tbody tr").count();
  t.ok(rows > 0, "v shows the chart as a table");
  await page.locator("button[aria-pressed=true] >> text=as a table").first().click();
  await page.locator("main").focus();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.locator(".query-detail .sql-block").waitFor();
  t.ok(true, "a query opens with the keyboard alone");
  await t.shot(page, "query");
  await page.keyboard.press("?");
  await page.locator("dialog[open]").waitFor();
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.querySelector("dialog[open]") === null);
  t.ok(true, "? opens the list of keys, Escape closes it");
  await page.keyboard.press("Escape");
}

async function bothThemes(browser, state) {
  for (const scheme of ["light", "dark"]) {
    const { context, page, problems } = await open(browser, { colorScheme: scheme, storageState: state });
    await gotoOverview(page, conf);
    await page.locator(".query-row").first().waitFor({ timeout: conf.waitMs });
    const look = await page.evaluate(() => document.documentElement.dataset.theme);
    t.ok(look === scheme, `the theme follows the system (${scheme})`);
    const found = await axeFindings(page, axeSource);
    t.ok(found.length === 0, `no serious accessibility finding (${scheme}) ${found.join("; ")}`);
    await t.shot(page, scheme);
    t.clean(problems, `overview in ${scheme}`);
    await context.close();
  }
}

async function phone(browser, state) {
  const { context, page, problems } = await open(browser, {
    viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, storageState: state,
  });
  await gotoOverview(page, conf);
  await page.locator(".query-row").first().waitFor({ timeout: conf.waitMs });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - 360);
  t.ok(over <= 0, `no sideways scrolling at 360 px (${over})`);
  await t.shot(page, "phone", true);
  t.clean(problems, "overview on a phone");
  await context.close();
}

async function stale(page) {
  await gotoOverview(page, conf); // nothing is pointed at or selected any more
  process.kill(conf.agentPid, "SIGSTOP");
  try {
    await page.locator(".target-facts .chip-warn", { hasText: "stale" })
      .waitFor({ timeout: 2 * conf.waitMs });
    t.ok(true, "a silent agent makes the page say stale");
    t.ok((await page.locator(".figure-asof").count()) > 0, "numbers say as of when they are");
    t.ok((await page.locator(".banner-warn").textContent()).includes("last sample"), "a banner says how old the data is");
    await page.evaluate(() => scrollTo(0, 0));
    await t.shot(page, "stale");
  } finally {
    process.kill(conf.agentPid, "SIGCONT");
  }
  await page.locator(".target-facts .chip-ok").waitFor({ timeout: conf.waitMs });
  t.ok(true, "it is live again once the agent goes on");
}

async function main() {
  const browser = await chromium.launch({ executablePath: conf.chromium, args: ["--no-sandbox"] });
  try {
    const { context, page, problems } = await open(browser, {});
    current = page;
    const kept = await signIn(page, conf, t);
    t.ok(kept, "signing in comes back to the address that was asked for");
    await gotoOverview(page, conf);
    await realNumbers(page);
    await t.shot(page, "overview");
    await zoom(page);
    await brush(page);
    await tabs(page);
    await keyboard(page);
    const state = await context.storageState();
    await bothThemes(browser, state);
    await phone(browser, state);
    await everyPage(browser, conf, t, state, axeSource);
    await groups(browser, conf, t, state);
    if (conf.emptyUrl) {
      await empty(browser, conf, t, axeSource);
      await peopleAndInstances(browser, conf.emptyUrl, conf, t);
    }
    else t.skip("empty state: no address of an empty server");
    if (conf.agentPid) await stale(page);
    else t.skip("stale state: no process id of an agent");
    t.clean(problems, "the whole session");
    await context.close();
  } catch (error) {
    if (current) await t.shot(current, "failed");
    throw error;
  } finally {
    await browser.close();
  }
}

try {
  await main();
} catch (error) {
  t.ok(false, `the script came to its end: ${String(error).split("\n")[0]}`);
}
process.exitCode = t.close();
