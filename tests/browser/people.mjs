// SPDX-License-Identifier: PostgreSQL
//
// people.mjs: what people do with their own account, and what asks them who they are.
import { readFile } from "node:fs/promises";

/** The first try is refused, as if the session were older than five minutes. */
async function refuseOnce(page, pattern, method) {
  let tries = 0;
  await page.route(pattern, (route) => {
    if (route.request().method() !== method || tries++ > 0) return route.continue();
    return route.fulfill({
      status: 403, contentType: "application/problem+json",
      body: JSON.stringify({ type: "urn:pga:problem:step-up", title: "Forbidden", status: 403 }),
    });
  });
  return () => tries;
}

async function giveProof(page, conf) {
  await page.locator("dialog[open] #proof").fill(conf.password);
  await page.locator("dialog[open] .button-main").click();
}

export async function auditExport(page, conf, t) {
  await page.goto(`${conf.url}/audit`);
  const tries = await refuseOnce(page, "**/api/v1/audit/export", "HEAD");
  const saved = page.waitForEvent("download");
  await page.locator("button", { hasText: "Export" }).click();
  await giveProof(page, conf);
  const file = await saved;
  const lines = (await readFile(await file.path(), "utf8")).trim().split("\n");
  t.ok(tries() === 2, "U8: the export of the audit asks for a fresh proof before it saves a file");
  t.ok(file.suggestedFilename() === "audit.ndjson" && lines.length > 5
    && lines.every((line) => JSON.parse(line).hash.length === 64), "and then saves every row");
}

export async function accountPage(page, conf, t) {
  await page.goto(`${conf.url}/account`);
  const name = `browser ${Date.now()}`;
  const form = page.locator(".form-panel", { hasText: "Make a token" });
  await form.locator("summary").click();
  await form.locator('[name="name"]').fill(name);
  await form.locator('[name="scope"]').selectOption("read");
  const tries = await refuseOnce(page, "**/api/v1/tokens", "POST");
  await form.locator("button", { hasText: "Make it" }).click();
  await giveProof(page, conf);
  const shown = page.locator(".banner .command code");
  await shown.waitFor();
  t.ok(tries() === 2, "U8: what asks for a fresh proof gets it in a dialog, and goes on");
  const value = await shown.textContent();
  await page.reload();
  const row = page.locator("tbody tr", { hasText: name });
  await row.waitFor();
  t.ok(/^pga_.{49}$/.test(value) && !(await page.content()).includes(value),
    "a token's value is shown once");
  const stored = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage,
    document.cookie, location.href]));
  t.ok(!/pga_|eyJ/.test(stored), "U10: no token in the browser's storage or the address");
  await row.locator(".button-quiet", { hasText: "Revoke" }).click();
  await page.locator("dialog[open] .button-danger").click();
  await row.waitFor({ state: "detached" });
  t.ok(true, "a token is revoked after a question");
  const here = page.locator('section[aria-label="Sessions"] tbody tr', { hasText: "(this one)" });
  t.ok((await here.count()) === 1, "the session of this page is among the sessions");
}
