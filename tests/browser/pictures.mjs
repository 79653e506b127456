// SPDX-License-Identifier: PostgreSQL
//
// pictures.mjs: the pictures of the guide, from a running demo (tests/browser/pictures.sh starts one).
//
//   PGA_DEMO_INFO=FILE node tests/browser/pictures.mjs DIR
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { config, open, settle } from "./lib.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { chromium } = createRequire(join(here, "../../web/package.json"))("playwright-core");
const out = process.argv[2];
const conf = config();
const browser = await chromium.launch({ executablePath: conf.chromium, args: ["--no-sandbox"] });

async function signedIn(colorScheme) {
  const { page } = await open(browser, { colorScheme, viewport: { width: 1280, height: 900 } });
  await page.goto(`${conf.url}/?all`);
  await page.locator("#username").fill(conf.user);
  await page.locator("#password").fill(conf.password);
  await page.keyboard.press("Enter");
  await page.locator(".topbar").waitFor();
  return page;
}

async function picture(page, name, path, height, ready) {
  await page.setViewportSize({ width: 1280, height });
  await page.goto(conf.url + path);
  await settle(page);
  if (ready) await ready(page);
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(out, `${name}.png`) });
  console.log(`${name}.png`);
}

const light = await signedIn("light");
const dark = await signedIn("dark");
const servers = await light.evaluate(async () => (await fetch("/api/v1/servers")).json());
const id = servers.data.find((s) => s.kind === "postgresql").id;
const top = await light.evaluate(
  async (path) => (await fetch(path)).json(),
  `/api/v1/servers/${id}/queries/top?from=-5m&limit=1`);
const query = top.data[0].queryid;

await picture(light, "overview", `/s/${id}?from=-5m`, 1000);
await picture(dark, "queries", `/s/${id}/queries?from=-5m`, 720);
await picture(light, "query", `/s/${id}/queries/${query}?from=-5m`, 940);
await picture(dark, "locks", `/s/${id}/sessions?from=-5m`, 560, async (page) => {
  // The newest is open; the one with most sessions says more.
  const chains = page.locator(".chains details");
  await chains.first().locator("summary").click();
  const titles = await chains.locator("summary").allTextContents();
  const sizes = titles.map((text) => Number(/blocks (\d+)/.exec(text)?.[1] ?? 0));
  await chains.nth(sizes.indexOf(Math.max(...sizes))).locator("summary").click();
  await page.locator('section:has(.chains)').first()
    .evaluate((section) => scrollTo(0, section.getBoundingClientRect().top + scrollY - 110));
});
await browser.close();
