// SPDX-License-Identifier: PostgreSQL
//
// build.mjs: make web/dist, the files that are embedded into pga.
//
// Output is the same for the same input: esbuild names files by their content, and gzip runs with
// level 9 and no time. The gate at the end fails the build when the first load grows too big.
import { build } from "esbuild";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";

const GATE_BYTES = 90 * 1024; // interface budget: all of the first load, gzip form
const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");

function gzip(bytes) {
  const out = gzipSync(bytes, { level: constants.Z_BEST_COMPRESSION });
  out.fill(0, 4, 8); // the time field
  out[9] = 255; // the field "operating system": unknown
  return out;
}

async function bundle() {
  const result = await build({
    absWorkingDir: here,
    entryPoints: { app: "src/main.tsx" },
    outdir: "dist/assets",
    entryNames: "[name]-[hash]",
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022", "chrome109", "firefox115", "safari16.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    charset: "utf8",
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  const names = Object.keys(result.metafile.outputs).map((name) => name.replace(/^dist\//, ""));
  const js = names.find((name) => name.endsWith(".js"));
  const css = names.find((name) => name.endsWith(".css"));
  if (!js || !css) throw new Error("esbuild wrote no script or no style");
  return { js, css, inputs: Object.keys(result.metafile.inputs) };
}

// Of every package that is in the bundle: what `pga version --licenses` prints.
async function licences(inputs) {
  const found = inputs.map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]);
  let text = "";
  for (const name of [...new Set(found.filter(Boolean))].sort()) {
    const licence = await readFile(join(here, "node_modules", name, "LICENSE"), "utf8");
    text += `== ${name}\n\n${licence.trimEnd()}\n\n`;
  }
  if (!text) throw new Error("the bundle names no package");
  await writeFile(join(dist, "licences.txt"), text);
}

async function shell({ js, css }) {
  const text = await readFile(join(here, "index.html"), "utf8");
  await writeFile(join(dist, "index.html"), text.replace("@JS@", js).replace("@CSS@", css));
  await writeFile(join(dist, "favicon.svg"), await readFile(join(here, "favicon.svg")));
  for (const name of ["swagger.css", "swagger.js"]) {
    await writeFile(join(dist, name), await readFile(join(here, "page", name)));
  }
}

async function walk(folder) {
  const found = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await walk(path)));
    else found.push(path);
  }
  return found.sort();
}

async function compress() {
  let total = 0;
  for (const path of await walk(dist)) {
    const bytes = await readFile(path);
    const packed = gzip(bytes);
    await writeFile(`${path}.gz`, packed);
    total += packed.length;
    const name = path.slice(dist.length + 1);
    console.log(`web: ${name.padEnd(24)} ${bytes.length} bytes, ${packed.length} gz`);
  }
  console.log(`web: first load ${total} of ${GATE_BYTES} bytes gz`);
  if (total > GATE_BYTES) throw new Error("the first load is over its budget");
}

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
const bundled = await bundle();
await shell(bundled);
await compress();
await licences(bundled.inputs); // no part of the first load
