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
const PART_BYTES = 25 * 1024; // and of what a page loads when it is opened
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
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
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
  const outputs = result.metafile.outputs;
  const js = Object.keys(outputs).find((name) => outputs[name].entryPoint === "src/main.tsx");
  const css = Object.keys(outputs).find((name) => name.endsWith(".css"));
  if (!js || !css) throw new Error("esbuild wrote no script or no style");
  const first = new Set([js, css]);
  for (const name of first) {
    for (const x of outputs[name].imports) if (x.kind === "import-statement") first.add(x.path);
  }
  const short = (name) => name.replace(/^dist\//, "");
  const parts = [...first].filter((name) => name !== js && name !== css).map(short);
  const inputs = Object.keys(result.metafile.inputs);
  return { js: short(js), css: short(css), parts, inputs, first: new Set([...first].map(short)) };
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

async function shell({ js, css, parts }) {
  const text = await readFile(join(here, "index.html"), "utf8");
  // What the entry imports is asked for together with it, not after it was read.
  const ahead = parts.map((p) => `\n<link rel="modulepreload" href="/${p}">`).join("");
  const page = text.replace("@JS@", js).replace("@CSS@", css).replace("@PARTS@", ahead);
  await writeFile(join(dist, "index.html"), page);
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

/** Compress all files; hold the first load, and each part that comes later, to their budgets. */
async function compress(first) {
  let total = 0;
  for (const path of await walk(dist)) {
    const bytes = await readFile(path);
    const packed = gzip(bytes);
    await writeFile(`${path}.gz`, packed);
    const name = path.slice(dist.length + 1);
    const early = first.has(name) || name === "index.html" || name === "favicon.svg";
    if (early) total += packed.length;
    else if (packed.length > PART_BYTES) throw new Error(`${name} is over the budget of a part`);
    console.log(`web: ${name.padEnd(28)} ${bytes.length} bytes, ${packed.length} gz${early ? "" : ", later"}`);
  }
  console.log(`web: first load ${total} of ${GATE_BYTES} bytes gz`);
  if (total > GATE_BYTES) throw new Error("the first load is over its budget");
}

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
const made = await bundle();
await shell(made);
await compress(made.first);
await licences(made.inputs); // no part of the first load
