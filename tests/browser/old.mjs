// SPDX-License-Identifier: PostgreSQL
//
// old.mjs: the pages of a server that an older collector alone feeds: what is mapped onto our own
// relations stands where it always does, the rest on the page of all data, and nothing fails.
// Driven by old.sh; variables as in run.mjs.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Checks, axeFindings, config, open, signIn } from "./lib.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(here, "../../web/package.json"));
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const conf = config();
const t = new Checks(conf.shots);

/** Each relation of the twelve documents, and what a row of it shows. pg_log becomes events. */
const DATABASE = {
  pg_stats: "80,101", pg_stats_tables: "2,002", pg_stats_indexes: "orders_pkey",
  pg_query_stats_queries: "SELECT * FROM orders WHERE id = $1",
  pg_replication: "6,101", pg_replication_replication_slots: "standby1",
  pg_replication_replication_status: "10.0.0.7", pg_replication_wraparound_risk: "6,201",
  pg_schema_tables: "BASE TABLE", pg_schema_columns: "bigint", pg_schema_constraints: "PRIMARY KEY",
  pg_schema_indexes: "orders_pkey", pg_locks_active_locks: "UPDATE orders SET x = 1",
  pg_locks_lock_wait_chains: "SELECT 1", pg_bloat_table_bloat: "12 MiB",
  pg_bloat_index_bloat: "8 KiB", pg_cache_table_cache_hit: "7,302",
  pg_cache_index_cache_hit: "7,304", pg_connections: "14,803",
  pg_connections_connection_stats_by_state: "7,402",
  pg_connections_long_running_transactions: "SELECT pg_sleep",
  pg_extensions_extensions: "track planning and execution statistics",
};
const HOST = { sysstat: "11.5", sysstat_disk_io: "sda", disk_usage_filesystems: "/dev/sda1" };

async function settle(page) {
  await page.locator("main h1").first().waitFor();
  await page.evaluate(async () => {
    for (let y = 0; y < document.body.scrollHeight; y += 500) {
      scrollTo(0, y);
      await new Promise((done) => setTimeout(done, 60));
    }
    scrollTo(0, 0);
  });
  await page.waitForFunction(() => document.querySelector("main .skeleton") === null);
}

async function visit(page, path, name) {
  await page.goto(conf.url + path);
  await settle(page);
  await t.shot(page, `old-${name}`, true);
  const failed = await page.locator("main", { hasText: "The server could not answer" }).count();
  t.ok(failed === 0, `${name}: no part of the page fails`);
  const found = await axeFindings(page, axeSource);
  t.ok(found.length === 0, `${name}: no serious accessibility finding ${found.join("; ")}`);
}

const section = (page, title) => page.locator(`section[aria-label="${title}"]`);

async function drawn(page, titles) {
  for (const title of titles) {
    const value = await section(page, title).locator(".legend-value").first().textContent();
    t.ok(/\d/.test(value), `${title} is drawn (${value})`);
  }
}

async function listed(page, title, text) {
  const rows = await section(page, title).locator("tbody tr").allTextContents();
  t.ok(rows.some((r) => r.includes(text)), `${title} lists ${text} (${rows.length} rows)`);
}

async function mapped(page, id) {
  await visit(page, `/s/${id}?from=-15m`, "overview");
  await drawn(page, ["Transactions", "Rows", "Memory", "Connections by state", "Replication lag",
    "WAL kept for slots", "Disk throughput"]);
  await listed(page, "Standbys", "standby1");
  await listed(page, "Replication slots", "standby1");
  await listed(page, "Size and age", "78.2 KiB");
  await listed(page, "Filesystems", "501 GiB");
  const text = await page.locator("main").textContent();
  t.ok(text.includes("deadlock detected"), "log entries are events in the chart of the load");
  t.ok(text.includes("does not sample sessions"), "and it is said why there is no load");
  t.ok(!text.includes("No temporary file was written"), "what is not told is not told to be none");
  await visit(page, `/s/${id}/queries?from=-15m`, "queries");
  await listed(page, "Queries", "SELECT * FROM orders WHERE id = $1");
  await page.locator(".sql-link").first().click();
  await settle(page);
  await t.shot(page, "old-query", true);
  await drawn(page, ["Calls", "Time of a call"]);
  await listed(page, "Who runs it", "app");
}

/** Every relation of the documents is on the page of all data, and its rows can be read. */
async function readable(page, id, wanted, name) {
  await visit(page, `/s/${id}/data`, `${name} data`);
  for (const [relation, text] of Object.entries(wanted)) {
    await page.goto(`${conf.url}/s/${id}/data`);
    await page.locator("a", { hasText: new RegExp(`^${relation}$`) }).click();
    const rows = section(page, "Rows").locator("tbody tr");
    await rows.first().waitFor();
    const all = (await rows.allTextContents()).join("\n");
    t.ok(all.includes(text), `${relation} can be read (${text})`);
  }
}

async function emptyList(page, id) {
  await visit(page, `/s/${id}/data/pg_schema_triggers`, "an empty list");
  t.ok((await page.locator(".empty").textContent()).includes("no rows"), "an empty list says so");
}

async function sorting(page, id) {
  await page.goto(`${conf.url}/s/${id}/data/pg_stats_tables`);
  await section(page, "Rows").locator("button.sort", { hasText: "live_tuples" }).click();
  await page.waitForFunction(() => location.search.includes("sort=-live_tuples"));
  const first = await section(page, "Rows").locator("tbody tr").first().textContent();
  t.ok(first.includes("people"), "rows are sorted by a column, and the address says so");
  await page.locator("#find").fill("orders");
  await page.waitForFunction(() => document.querySelectorAll("main tbody tr").length === 1);
  t.ok(true, "and filtered");
}

const browser = await chromium.launch({ executablePath: conf.chromium, args: ["--no-sandbox"] });
try {
  const { page, problems } = await open(browser, {});
  await signIn(page, conf, t);
  const servers = await page.evaluate(async () =>
    (await (await fetch("/api/v1/servers")).json()).data);
  const of = (kind) => servers.find((s) => s.kind === kind).id;
  await mapped(page, of("postgresql"));
  await readable(page, of("postgresql"), DATABASE, "server");
  await emptyList(page, of("postgresql"));
  await sorting(page, of("postgresql"));
  await visit(page, `/s/${of("host")}?from=-15m`, "host");
  await drawn(page, ["Memory", "Disk throughput"]);
  await readable(page, of("host"), HOST, "host");
  t.clean(problems, "an older collector's server");
} catch (error) {
  t.ok(false, `the script came to its end: ${String(error).split("\n")[0]}`);
} finally {
  await browser.close();
}
process.exitCode = t.close();
