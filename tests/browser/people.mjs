// SPDX-License-Identifier: PostgreSQL
//
// people.mjs: what people do with their own account, and what asks them who they are.
import { spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "./lib.mjs";

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

/** RFC 6238, of a key in base 32. */
function codeOf(secret, step) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((c) => letters.indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => Number.parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", key).update(counter).digest();
  return String((mac.readUInt32BE(mac.at(-1) & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

const step = () => Math.floor(Date.now() / 30_000);

/** What a camera in front of the screen would read. */
async function readCode(page) {
  const dir = mkdtempSync(join(tmpdir(), "pga-qr-"));
  try {
    const file = join(dir, "qr.png");
    await page.locator("svg.qr").screenshot({ path: file });
    const run = spawnSync("zbarimg", ["--raw", "-q", "-Sdisable", "-Sqrcode.enable", file]);
    return (run.stdout ?? "").toString().trim();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function signInAs(page, url, user, password) {
  await page.goto(`${url}/?all`);
  await page.locator("#username").fill(user);
  await page.locator("#password").fill(password);
  await page.keyboard.press("Enter");
}

/** Puts the factor in use, as somebody with a phone would; the recovery codes. */
async function enrol(page, t) {
  await page.locator("button", { hasText: "Set up a second factor" }).click();
  await page.locator("svg.qr").waitFor();
  const secret = (await page.locator(".command code").first().textContent()).replaceAll(" ", "");
  const read = await readCode(page);
  t.ok(read.includes(`?secret=${secret}&issuer=pga`),
    `U8: the QR code on the screen says what the key by hand says (${read.slice(0, 24)}...)`);
  await page.locator("#totp-code").fill("000000");
  await page.locator("button", { hasText: "Use it from now on" }).click();
  await page.locator(".hint-wrong").waitFor();
  await page.locator("#totp-code").fill(codeOf(secret, step() - 1));
  await page.locator("button", { hasText: "Use it from now on" }).click();
  const shown = page.locator(".banner .command code");
  await shown.waitFor();
  const codes = (await shown.textContent()).trim().split("\n");
  t.ok(new Set(codes).size === 10, "U8: ten recovery codes are shown");
  await page.locator("button", { hasText: "I have them" }).click();
  return { secret, codes };
}

/**
 * A second factor from the QR code to the next sign-in. On a server that asks everybody for one,
 * there is nothing else to see before.
 */
async function secondFactor(browser, url, person, t) {
  const { context, page, problems } = await open(browser, {});
  await signInAs(page, url, person.user, person.password);
  if (person.must) {
    await page.locator("h1", { hasText: "A second factor first" }).waitFor();
    t.ok((await page.locator(".topbar, .nav").count()) === 0,
      "U8: who must enrol a second factor sees nothing else");
    await page.goto(`${url}/collectors`);
    await page.locator("h1", { hasText: "A second factor first" }).waitFor();
    t.ok(true, "U8: whatever the address is");
  } else {
    await page.locator(".topbar").waitFor();
    await page.goto(`${url}/account`);
  }
  const { secret, codes } = await enrol(page, t);
  await page.locator(".topbar").waitFor();
  if (person.must) t.ok(true, "U8: and all of it afterwards");
  await page.goto(`${url}/account`);
  await page.locator(".chip", { hasText: "in use" }).waitFor();
  await page.evaluate(async () => {
    const me = await (await fetch("/api/v1/auth/me")).json();
    await fetch("/api/v1/auth/logout", {
      method: "POST", headers: { "X-CSRF-Token": me.csrf_token } });
  });
  await signInAs(page, url, person.user, person.password);
  await page.locator("#code").fill(codeOf(secret, step()));
  await page.keyboard.press("Enter");
  await page.locator(".topbar").waitFor();
  t.ok(!(await page.content()).includes(secret) && !(await page.content()).includes(codes[0]),
    "U8: the next sign-in wants a code, and key and recovery codes are shown no more");
  t.clean(problems, "a second factor");
  await context.close();
}

async function makePerson(page, username, role) {
  const password = `what only ${username} knows`;
  const status = await page.evaluate(async (body) => {
    const me = await (await fetch("/api/v1/auth/me")).json();
    const answer = await fetch("/api/v1/users", {
      method: "POST", body: JSON.stringify(body),
      headers: { "X-CSRF-Token": me.csrf_token, "Content-Type": "application/json" },
    });
    return answer.status;
  }, { username, password, role });
  if (status !== 201) throw new Error(`no account ${username}: ${status}`);
  return password;
}

/** A managed instance is added, changed and deleted by its forms; the server cannot be reached. */
async function managedInstance(page, url, t) {
  await page.goto(`${url}/managed`);
  const name = `far ${Date.now()}`;
  await page.locator(".form-panel summary").click();
  await page.locator('[name="name"]').fill(name);
  await page.locator('[name="endpoint"]').fill("db.invalid");
  await page.locator('[name="master_username"]').fill("pga");
  await page.locator('[name="master_password"]').fill("a password that goes in");
  await page.locator("button", { hasText: "Add" }).click();
  const row = page.locator("tbody tr", { hasText: name });
  await row.waitFor();
  await row.locator("button", { hasText: "Change" }).click();
  const form = page.locator(".form-panel", { hasText: `Change ${name}` });
  t.ok((await form.locator('[name="endpoint"]').inputValue()) === "db.invalid"
    && (await form.locator('[name="master_password"]').inputValue()) === "",
    "a managed instance is changed from what it is, and its password does not come back");
  await form.locator('[name="name"]').fill(`${name} b`);
  await form.locator('[name="port"]').fill("5433");
  await form.locator('[name="ssl_mode"]').selectOption("require");
  await form.locator('[name="paused"]').check();
  await form.locator("button", { hasText: "Save" }).click();
  await page.locator(".hint-wrong", { hasText: "give it again" }).waitFor();
  t.ok(true, "T8: the stored password does not go to another place or over a weaker link");
  await form.locator('[name="master_password"]').fill("a password for there");
  await form.locator("button", { hasText: "Save" }).click();
  await form.waitFor({ state: "detached" });
  const changed = page.locator("tbody tr", { hasText: `${name} b` });
  await changed.locator(".chip", { hasText: "paused" }).waitFor();
  const all = await page.evaluate(async () =>
    (await (await fetch("/api/v1/managed-instances?limit=500")).json()).data);
  const m = all.find((one) => one.name === `${name} b`);
  t.ok(m?.port === 5433 && m.ssl_mode === "require" && m.status === "paused"
    && m.password_is_set && m.endpoint === "db.invalid" && m.verifies_server === false,
    "name, port, encryption and pause are changed, the host is as it was");
  t.ok((await changed.locator(".chip", { hasText: "require: not verified" }).count()) === 1,
    "T8: a link that proves nothing says so");
  await changed.locator(".button-quiet", { hasText: "Delete" }).click();
  await page.locator("dialog[open] .button-danger").click();
  await changed.waitFor({ state: "detached" });
  t.ok(true, "and deleted after a question");
}

/** On a server that asks operators for a second factor (`totp_required`). */
export async function peopleAndInstances(browser, url, conf, t) {
  const { context, page, problems } = await open(browser, {});
  await signInAs(page, url, conf.user, conf.password);
  await page.locator(".topbar").waitFor();
  const free = await makePerson(page, "free", "viewer");
  const bound = await makePerson(page, "bound", "operator");
  await managedInstance(page, url, t);
  t.clean(problems, "a managed instance");
  await context.close();
  await secondFactor(browser, url, { user: "free", password: free, must: false }, t);
  await secondFactor(browser, url, { user: "bound", password: bound, must: true }, t);
}
