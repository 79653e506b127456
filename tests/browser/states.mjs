// SPDX-License-Identifier: PostgreSQL
//
// states.mjs: the pages when something is missing: a role that may not, a server that does not
// answer, a server without any agent. In both themes and on a phone, with words that say why.
import { axeFindings, open, settle } from "./lib.mjs";

const LOOKS = [
  ["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }],
  ["phone", { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }],
];

async function looksWell(page, t, name, kind, axeSource) {
  await t.shot(page, `${name}-${kind}`, true);
  if (kind === "phone") {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    t.ok(wide <= 360, `${name}: no sideways scrolling at 360 px (${wide})`);
    return;
  }
  const found = await axeFindings(page, axeSource);
  t.ok(found.length === 0, `${name}: no serious accessibility finding (${kind}) ${found.join("; ")}`);
}

async function enter(page, url, user, password) {
  await page.goto(`${url}/?all`);
  await page.locator("#username").fill(user);
  await page.locator("#password").fill(password);
  await page.keyboard.press("Enter");
  await page.locator(".topbar").waitFor();
}

/** A change through the API, with the session of the page. */
function change(page, method, path, body) {
  return page.evaluate(async ([how, where, what]) => {
    const me = await (await fetch("/api/v1/auth/me")).json();
    const answer = await fetch(`/api/v1${where}`, {
      method: how, body: what ? JSON.stringify(what) : undefined,
      headers: { "Content-Type": "application/json", "X-CSRF-Token": me.csrf_token },
    });
    return { status: answer.status, body: await answer.text() };
  }, [method, path, body]);
}

/** Accounts are changed by who proved within five minutes who it is. */
export async function prove(page, conf) {
  const answer = await change(page, "POST", "/auth/confirm", { password: conf.password });
  if (answer.status !== 200) throw new Error(`confirm: ${answer.status} ${answer.body}`);
}

const REFUSED = ["secrets", "users"];
/** Where everybody ends what is his own: sessions and tokens. */
const OWN = ["account"];

/** Somebody with the least role: sees the figures, is told what is not for them, finds no button. */
export async function denied(browser, conf, t, owner, where, axeSource) {
  const user = `viewer${Date.now()}`;
  const password = "a password of some length";
  await prove(owner, conf);
  const made = await change(owner, "POST", "/users", { username: user, password, role: "viewer" });
  t.ok(made.status === 201, `a viewer is made (${made.status})`);
  for (const [kind, options] of LOOKS) {
    const { context, page, problems } = await open(browser, options);
    await enter(page, conf.url, user, password);
    for (const [name, path] of where.list) {
      await page.goto(conf.url + path);
      await settle(page);
      await looksWell(page, t, `viewer-${name}`, kind, axeSource);
      if (REFUSED.includes(name)) {
        const words = await page.locator("main .failure").textContent();
        t.ok(/role admin, and yours is viewer/.test(words) && words.includes(`update ${user} --role`),
          `${name}: says which role it takes and how one gets it (${kind})`);
      } else {
        const buttons = await page.locator("main .button-danger, main .row-actions button").count();
        t.ok(OWN.includes(name) || buttons === 0,
          `${name}: nothing is offered that is not allowed (${kind})`);
      }
    }
    // The browser itself reports the two answers that were asked for.
    t.clean(problems.filter((text) => !/status of 403/.test(text)), `a viewer's pages, ${kind}`);
    await context.close();
  }
  await prove(owner, conf);
  const gone = await change(owner, "DELETE", `/users/${JSON.parse(made.body).id}`);
  t.ok(gone.status === 204, `the viewer is removed (${gone.status})`);
}

/** The server stops answering while a page is open, and comes back. */
export async function outage(browser, conf, t, state, where, axeSource) {
  for (const [kind, options] of LOOKS) {
    const { context, page } = await open(browser, { storageState: state, ...options });
    await page.goto(`${conf.url}/s/${where.id}`);
    await settle(page);
    const before = await page.locator(".figure-value").allTextContents();
    await context.setOffline(true);
    await page.locator(".banner-crit").waitFor({ timeout: 60_000 });
    const words = await page.locator(".banner-crit").textContent();
    t.ok(/cannot be reached.*last data received/.test(words), `an outage has a banner (${kind})`);
    t.ok((await page.locator(".chip", { hasText: "state unknown" }).count()) > 0,
      `and the state is unknown, not live (${kind})`);
    const after = await page.locator(".figure-value").allTextContents();
    t.ok(after.length === before.length && after.some((text) => /\d/.test(text)),
      `the last figures stay (${kind})`);
    await looksWell(page, t, "outage", kind, axeSource);
    await context.setOffline(false);
    await page.locator(".banner-crit").waitFor({ state: "detached", timeout: 60_000 });
    await page.locator(".target-facts .chip-ok").waitFor({ timeout: 60_000 });
    t.ok(true, `it goes on by itself (${kind})`);
    await context.close();
  }
}

/** A server that no agent has called yet: PGA_EMPTY_URL, with the same user and password. */
export async function empty(browser, conf, t, axeSource) {
  for (const [kind, options] of LOOKS) {
    const { context, page, problems } = await open(browser, options);
    await enter(page, conf.emptyUrl, conf.user, conf.password);
    for (const name of ["", "collectors", "secrets", "about"]) {
      await page.goto(`${conf.emptyUrl}/${name}`);
      await settle(page);
      await looksWell(page, t, `empty-${name || "fleet"}`, kind, axeSource);
    }
    await page.goto(`${conf.emptyUrl}/`);
    await page.locator(".steps > li").first().waitFor();
    const steps = await page.locator(".steps > li").count();
    const words = await page.locator("main").textContent();
    t.ok(steps >= 3 && words.includes("GRANT pg_monitor TO pga"),
      `an empty server says how to begin, in ${steps} steps (${kind})`);
    t.clean(problems, `an empty server, ${kind}`);
    await context.close();
  }
}
