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
  await page.goto(`${url}/`);
  await page.locator("#username").fill(user);
  await page.locator("#password").fill(password);
  await page.keyboard.press("Enter");
  await page.locator(".topbar").waitFor();
}

/** Somebody with the least role: sees the figures, is told what is not for them, finds no button. */
export async function denied(browser, conf, t, ownerPage, where, axeSource) {
  const user = `viewer${Date.now()}`;
  const password = "a password of some length";
  const status = await ownerPage.evaluate(async (body) => {
    const me = await (await fetch("/api/v1/auth/me")).json();
    const answer = await fetch("/api/v1/users", {
      method: "POST", body: JSON.stringify(body),
      headers: { "Content-Type": "application/json", "X-CSRF-Token": me.csrf_token },
    });
    return answer.status;
  }, { username: user, password, role: "viewer" });
  t.ok(status === 201, `a viewer is made (${status})`);
  for (const [kind, options] of LOOKS) {
    const { context, page, problems } = await open(browser, options);
    await enter(page, conf.url, user, password);
    for (const [name, path] of [...where.list]) {
      await page.goto(conf.url + path);
      await settle(page);
      await looksWell(page, t, `viewer-${name}`, kind, axeSource);
    }
    console.log("#", problems.join("\n# "));
    await context.close();
  }
}
