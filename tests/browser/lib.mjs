// SPDX-License-Identifier: PostgreSQL
//
// lib.mjs: counting checks, opening pages that note every problem, signing in.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export function config() {
  const env = process.env;
  const info = env.PGA_DEMO_INFO ? JSON.parse(readFileSync(env.PGA_DEMO_INFO, "utf8")) : {};
  const url = (env.PGA_URL ?? info.url ?? "").replace(/\/$/, "");
  if (url === "") {
    console.error("PGA_DEMO_INFO, or PGA_URL with PGA_USER and PGA_PASSWORD, must be set");
    process.exit(2);
  }
  return {
    url,
    user: env.PGA_USER ?? info.username,
    password: env.PGA_PASSWORD ?? info.password,
    emptyUrl: (env.PGA_EMPTY_URL ?? "").replace(/\/$/, ""),
    agentPid: Number(env.PGA_AGENT_PID ?? info.pids?.agent ?? 0),
    chromium: env.PGA_CHROMIUM ?? "/usr/bin/chromium",
    shots: env.PGA_SHOTS ?? "",
    waitMs: Number(env.PGA_WAIT_S ?? 90) * 1000,
  };
}

export class Checks {
  constructor(shots) {
    this.shots = shots;
    this.count = 0;
    this.failed = 0;
    if (shots) mkdirSync(shots, { recursive: true });
    console.log("TAP version 13");
  }
  ok(held, what) {
    this.count++;
    if (!held) this.failed++;
    console.log(`${held ? "ok" : "not ok"} ${this.count} - ${what}`);
  }
  skip(what) {
    this.count++;
    console.log(`ok ${this.count} - # SKIP ${what}`);
  }
  clean(problems, where) {
    this.ok(problems.length === 0, `no console error, no policy report: ${where}`);
    for (const text of problems.slice(0, 10)) console.log(`# ${text.replaceAll("\n", " ")}`);
  }
  async shot(page, name, fullPage = false) {
    if (this.shots) await page.screenshot({ path: join(this.shots, `${name}.png`), fullPage });
  }
  close() {
    console.log(`1..${this.count}`);
    console.log(`# browser: ${this.count - this.failed} of ${this.count} checks held`);
    return this.failed === 0 ? 0 : 1;
  }
}

/** A page that notes console errors, exceptions and reports of the content policy. */
export async function open(browser, options) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  context.setDefaultTimeout(60_000 * Number(process.env.PGA_SLOW ?? 1));
  const page = await context.newPage();
  const problems = [];
  await page.exposeFunction("pgaNotePolicy", (text) => problems.push(`policy: ${text}`));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (e) =>
      window.pgaNotePolicy(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
  });
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    // The browser itself reports the 401 by which the page learns that nobody is signed in, and
    // the one that the wrong password below is meant to get; the 403 that asks for a proof; and what a form is meant to get.
    const asked = /\/api\/v1\/auth\/(me|login)$/.test(message.location().url)
      && message.text().includes("401");
    const proof = /\/api\/v1\/(tokens|audit\/export)$/.test(message.location().url) && message.text().includes("403");
    const wrong = /\/api\/v1\/(auth\/totp\/enable|managed-instances\/\d+)$/.test(message.location().url)
      && message.text().includes("400");
    if (!asked && !proof && !wrong) problems.push(`${message.type()}: ${message.text()} ${message.location().url}`);
  });
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith("http") && url.origin !== new URL(page.url()).origin && page.url() !== "about:blank") {
      problems.push(`request to another origin: ${request.url()}`);
    }
  });
  return { context, page, problems };
}

/** Sign in at an address with a view in it; true when the address is the same afterwards. */
export async function signIn(page, conf, t) {
  const asked = `${conf.url}/?all&from=-3h`;
  await page.goto(asked);
  await page.locator("#username").fill(conf.user);
  await page.locator("#password").fill("not the password");
  await page.keyboard.press("Enter");
  await page.locator(".hint-wrong").waitFor();
  t.ok(true, "a wrong password is refused with words");
  await page.locator("#password").fill(conf.password);
  await page.keyboard.press("Enter");
  await page.locator(".topbar").waitFor();
  return page.url() === asked;
}

/** To the overview of the only server, the way a person gets there: the front page. */
export async function gotoOverview(page, conf) {
  await page.goto(`${conf.url}/`);
  const link = page.locator(".target-link").first();
  const head = page.locator(".target-head");
  await link.or(head).first().waitFor({ timeout: conf.waitMs });
  // With one server alone the page goes on by itself, maybe while the link is to be clicked.
  if (await link.count()) await link.click({ timeout: 5000 }).catch(() => {});
  await head.waitFor();
}

export async function axeFindings(page, source) {
  await page.evaluate(source);
  const result = await page.evaluate(() =>
    window.axe.run(document, { resultTypes: ["violations"] }));
  return result.violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(", ")}`);
}

/** Every panel asks for its data when it comes into sight: bring all of them there once. */
export async function settle(page) {
  await page.locator("main h1, main h2").first().waitFor();
  await page.evaluate(async () => {
    for (let y = 0; y < document.body.scrollHeight; y += 600) {
      scrollTo(0, y);
      await new Promise((done) => setTimeout(done, 60));
    }
    scrollTo(0, 0);
  });
  await page.waitForFunction(() => document.querySelector("main .skeleton") === null);
}
