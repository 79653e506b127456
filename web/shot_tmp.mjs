import { createRequire } from "node:module";
const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const url = process.env.PGA_URL;
const b = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const c = await b.newContext({ viewport: { width: 1400, height: 900 } });
const p = await c.newPage();
p.on("console", m => { if (m.type() === "error") console.log("console:", m.text(), m.location().url); });
p.on("response", async r => { if (r.status() >= 400) console.log(r.status(), r.url().slice(url.length), (await r.text().catch(()=>"")).slice(0,200)); });
await p.goto(url + "/login");
await p.locator("#username").fill("owner");
await p.locator("#password").fill("correct horse battery staple");
await p.keyboard.press("Enter");
await p.locator(".topbar").waitFor();
const servers = await p.evaluate(async () => (await (await fetch("/api/v1/servers")).json()).data);
const db = servers.find(s => s.kind === "postgresql").id, host = servers.find(s => s.kind === "host").id;
const list = process.argv.slice(2).map(a => a.replace("DB", db).replace("HOST", host));
let i = 0;
for (const path of list) {
  console.log("==", path);
  await p.goto(url + path);
  await p.waitForTimeout(1200);
  await p.evaluate(async () => { for (let y = 0; y < document.body.scrollHeight; y += 500) { scrollTo(0, y); await new Promise(d => setTimeout(d, 100)); } scrollTo(0, 0); });
  await p.waitForTimeout(1200);
  await p.screenshot({ path: `/tmp/shots/${i++}.png`, fullPage: true });
}
await b.close();
