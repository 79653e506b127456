// SPDX-License-Identifier: PostgreSQL
//
// groups.mjs: an account that sees some groups of servers, and an admin who says which.
import { open, settle } from "./lib.mjs";

const ACCOUNT = { user: "limited", password: "what only limited knows" };

async function signIn(page, url) {
  await page.goto(`${url}/?all`);
  await page.locator("#username").fill(ACCOUNT.user);
  await page.locator("#password").fill(ACCOUNT.password);
  await page.keyboard.press("Enter");
  await page.locator(".topbar").waitFor();
}

async function addAccount(page, url, groups) {
  await page.goto(`${url}/users`);
  const form = page.locator(".form-panel", { hasText: "Add a user" });
  await form.locator("summary").click();
  await form.locator('[name="username"]').fill(ACCOUNT.user);
  await form.locator('[name="password"]').fill(ACCOUNT.password);
  await form.locator('[name="role"]').selectOption("viewer");
  await form.locator('[name="groups"]').fill(groups);
  await form.locator("button", { hasText: "Add" }).click();
  await page.locator(`[aria-label="Groups of ${ACCOUNT.user}"]`).waitFor();
}

/** Nothing of a server of another group is there: no name in any page, nothing by its address. */
async function seesNothing(page, url, server, t) {
  await page.locator("h1", { hasText: "No server for this account" }).waitFor();
  const words = await page.locator("main").textContent();
  t.ok(words.includes("sees the groups other"), "an account without servers is told which groups it sees");
  for (const path of ["/collectors", "/managed", "/secrets", "/about"]) {
    await page.goto(url + path);
    await settle(page);
    const text = await page.locator("main").textContent();
    t.ok(!text.includes(server.name), `Z2: ${path} says nothing of a server of another group`);
  }
  const status = (await page.request.get(`${url}/api/v1/servers/${server.id}`)).status();
  t.ok(status === 404, `Z2: nor does its address (${status})`);
}

async function moves(page, url, server, t) {
  await page.goto(`${url}/s/${server.id}`);
  await page.locator("button", { hasText: "group default" }).click();
  await page.locator('dialog[open] [name="group"]').fill("shop");
  await page.locator("dialog[open] button", { hasText: "Move" }).click();
  await page.locator("button", { hasText: "group shop" }).waitFor();
  t.ok(true, "an admin moves a server to another group, and its page says so");
  await page.goto(`${url}/?all&cols=state.group`);
  const cell = page.locator("tbody tr", { hasText: server.name });
  await cell.waitFor();
  t.ok((await cell.textContent()).includes("shop"), "the fleet has a column of groups");
}

/** Limited to one group, then given the one of the demo's server while it is signed in. */
export async function groups(browser, conf, t, state) {
  const admin = await open(browser, { storageState: state });
  await admin.page.goto(`${conf.url}/?all`);
  const server = await admin.page.evaluate(async () =>
    (await (await fetch("/api/v1/servers")).json()).data.find((s) => s.kind === "postgresql"));
  await addAccount(admin.page, conf.url, "other");
  await moves(admin.page, conf.url, server, t);

  const limited = await open(browser, {});
  await signIn(limited.page, conf.url);
  await seesNothing(limited.page, conf.url, server, t);
  await admin.page.goto(`${conf.url}/users`);
  const field = admin.page.locator(`[aria-label="Groups of ${ACCOUNT.user}"]`);
  await field.fill("other, shop");
  await field.press("Enter");
  await admin.page.waitForFunction(async (name) =>
    (await (await fetch("/api/v1/users")).json()).data
      .some((u) => u.username === name && u.groups?.includes("shop")), ACCOUNT.user);
  await limited.page.goto(`${conf.url}/?all`);
  await limited.page.locator(".target-link", { hasText: server.name }).click();
  await limited.page.locator(".query-row").first().waitFor({ timeout: conf.waitMs });
  t.ok((await limited.page.locator("button", { hasText: "group shop" }).count()) === 0,
    "given the group, it sees the server with its queries, and cannot move it");
  const cpu = await limited.page.locator('section[aria-label="Host CPU"]').textContent();
  t.ok(cpu.includes("not among the targets that this account sees"),
    "and is told why there is nothing of the host, which stayed in its group");
  await settle(limited.page);
  await t.shot(limited.page, "limited", true);
  t.clean(limited.problems.filter((text) => !/status of 403/.test(text)),
    "an account of some groups");
  t.clean(admin.problems, "an admin who moves a server");
  await limited.context.close();
  await admin.context.close();
}
