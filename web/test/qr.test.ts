// SPDX-License-Identifier: PostgreSQL
//
// qr.test.ts: U8: a QR code is read again by other code than the one that wrote it: by this small
// decoder of the standard always, and by zbarimg where that is installed.
import { test } from "node:test";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { qrOf, type Qr } from "../src/qr";

const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5];
const CORRECTION = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26];
const ALIGNED = ["", "6 18", "6 22", "6 26", "6 30", "6 34", "6 22 38", "6 24 42", "6 26 46", "6 28 50"];
/** Of level M, by mask: table C.1 of the standard. */
const FORMATS = ["101010000010010", "101000100100101", "101111001111100", "101101101001011",
  "100010111111001", "100000011001110", "100111110010111", "100101010100000"];
/** Of versions 7 to 10: table D.1. */
const VERSION_WORDS: Record<number, string> = {
  7: "000111110010010100", 8: "001000010110111100", 9: "001001101010011001",
  10: "001010010011010011",
};
const RULES = [
  "(i+j)%2", "i%2", "j%3", "(i+j)%3", "((i/2|0)+(j/3|0))%2", "i*j%2+i*j%3", "(i*j%2+i*j%3)%2",
  "((i+j)%2+i*j%3)%2",
].map((rule) => new Function("i", "j", `return (${rule}) === 0`) as (i: number, j: number) => boolean);

// GF(256) by tables of powers, where the encoder multiplies bit by bit.
const POWER: number[] = [];
for (let i = 0, x = 1; i < 255; i++, x = x & 128 ? (x << 1) ^ 285 : x << 1) POWER.push(x);
const LOG = new Map(POWER.map((x, i) => [x, i]));

const bit = (d: boolean | undefined): string => (d ? "1" : "0");

/** Bits 14 to 0: down the eighth column's mirror, as figure 25 numbers them. */
function formatOf(qr: Qr): string {
  const row = [0, 1, 2, 3, 4, 5, 7, 8].map((x) => bit(qr.dark[8]![x]));
  const column = [7, 5, 4, 3, 2, 1, 0].map((y) => bit(qr.dark[y]![8]));
  return [...row, ...column].join("");
}

function secondFormatOf(qr: Qr): string {
  const n = qr.size;
  const column = [1, 2, 3, 4, 5, 6, 7].map((i) => bit(qr.dark[n - i]![8]));
  const row = [8, 7, 6, 5, 4, 3, 2, 1].map((i) => bit(qr.dark[8]![n - i]));
  return [...column, ...row].join("");
}

function isFunction(qr: Qr, x: number, y: number): boolean {
  const n = qr.size;
  if (x === 6 || y === 6) return true;
  if ((x < 9 && y < 9) || (x < 9 && y >= n - 8) || (x >= n - 8 && y < 9)) return true;
  if (qr.version >= 7 && ((x < 6 && y >= n - 11) || (y < 6 && x >= n - 11))) return true;
  const at = ALIGNED[qr.version - 1]!.split(" ").filter(Boolean).map(Number);
  const last = at.at(-1);
  return at.some((cx) => at.some((cy) =>
    !(cx === 6 && (cy === 6 || cy === last)) && !(cx === last && cy === 6)
    && Math.abs(cx - x) <= 2 && Math.abs(cy - y) <= 2));
}

function wordsOf(qr: Qr): number[] {
  const rule = RULES[FORMATS.indexOf(formatOf(qr))]!;
  const columns = Array.from({ length: qr.size }, (_, i) => i).filter((x) => x !== 6).reverse();
  let bits = "";
  for (let pair = 0; pair < columns.length; pair += 2) {
    for (let step = 0; step < qr.size; step++) {
      const y = pair % 4 === 0 ? qr.size - 1 - step : step;
      for (const x of columns.slice(pair, pair + 2)) {
        if (!isFunction(qr, x, y)) bits += bit(qr.dark[y]![x] !== rule(y, x));
      }
    }
  }
  return (bits.match(/.{8}/g) ?? []).map((b) => parseInt(b, 2));
}

function blocksOf(qr: Qr): number[][] {
  const words = wordsOf(qr);
  const count = BLOCKS[qr.version - 1]!;
  const ec = CORRECTION[qr.version - 1]!;
  const data = words.length - ec * count;
  const short = Math.floor(data / count);
  const blocks: number[][] = Array.from({ length: count }, () => []);
  let at = 0;
  for (let i = 0; i <= short; i++) {
    for (let b = 0; b < count; b++) {
      if (i < short || b >= count - (data % count)) blocks[b]!.push(words[at++]!);
    }
  }
  for (let i = 0; i < ec; i++) for (const block of blocks) block.push(words[at++]!);
  return blocks;
}

/** The value of a block as a polynomial at a root of the generator: 0 in a sound one. */
function syndrome(block: number[], root: number): number {
  return block.reduce((sum, word) => {
    const moved = sum === 0 ? 0 : POWER[(LOG.get(sum)! + root) % 255]!;
    return moved ^ word;
  }, 0);
}

function textOf(qr: Qr): string {
  const ec = CORRECTION[qr.version - 1]!;
  const blocks = blocksOf(qr);
  for (const block of blocks) {
    for (let root = 0; root < ec; root++) assert.equal(syndrome(block, root), 0, "correction words");
  }
  const data = blocks.flatMap((block) => block.slice(0, -ec));
  const bits = data.map((w) => w.toString(2).padStart(8, "0")).join("");
  assert.equal(bits.slice(0, 4), "0100", "mode: bytes");
  const head = 4 + (qr.version < 10 ? 8 : 16);
  const length = parseInt(bits.slice(4, head), 2);
  const bytes = Array.from({ length }, (_, i) => parseInt(bits.slice(head + 8 * i, head + 8 * i + 8), 2));
  return new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(bytes));
}

/** Lengths at which each version begins and ends, and one byte more. */
const ROOM = [14, 26, 42, 62, 84, 106, 122, 152, 180, 213];
const url = "otpauth://totp/pga:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=pga";
const texts = [url, "", "a", "müller ☃", ...ROOM.flatMap((n) => [n, n - 1]).map((n) =>
  Array.from({ length: n }, (_, i) => String.fromCharCode(33 + ((i * 37 + n) % 90))).join(""))];

test("U8: what is written is read again, at every version", () => {
  const versions = new Set<number>();
  for (const text of texts) {
    const qr = qrOf(text);
    assert.ok(qr);
    assert.equal(textOf(qr), text);
    versions.add(qr.version);
  }
  assert.equal(versions.size, 10);
  ROOM.forEach((n, i) => assert.equal(qrOf("x".repeat(n))!.version, i + 1));
  assert.equal(qrOf("x".repeat(214)), null, "too long is no code");
});

test("U8: format and version words are those of the standard, twice each", () => {
  for (const text of texts) {
    const qr = qrOf(text)!;
    const n = qr.size;
    assert.ok(FORMATS.includes(formatOf(qr)), formatOf(qr));
    assert.equal(secondFormatOf(qr), formatOf(qr));
    assert.equal(qr.dark[n - 8]![8], true, "the dark square");
    if (qr.version < 7) continue;
    const place = Array.from({ length: 18 }, (_, i) => [Math.floor(i / 3), n - 11 + (i % 3)] as const);
    const read = (at: (p: readonly [number, number]) => boolean): string =>
      place.map((p) => bit(at(p))).reverse().join("");
    assert.equal(read(([a, b]) => qr.dark[a]![b]!), VERSION_WORDS[qr.version]);
    assert.equal(read(([a, b]) => qr.dark[b]![a]!), VERSION_WORDS[qr.version]);
  }
});

test("U8: a reader that is not ours reads it", (t) => {
  if (spawnSync("zbarimg", ["--version"]).status !== 0) return t.skip("zbarimg is not installed");
  const dir = mkdtempSync(join(tmpdir(), "pga-qr-"));
  try {
    for (const text of texts.filter((x) => x.length > 0)) {
      const qr = qrOf(text)!;
      const side = (qr.size + 8) * 4;
      const gray = Buffer.alloc(side * side, 255);
      for (let y = 0; y < qr.size * 4; y++) {
        for (let x = 0; x < qr.size * 4; x++) {
          if (qr.dark[y >> 2]![x >> 2]) gray[(y + 16) * side + x + 16] = 0;
        }
      }
      const file = join(dir, "qr.pgm");
      writeFileSync(file, Buffer.concat([Buffer.from(`P5\n${side} ${side}\n255\n`), gray]));
      const run = spawnSync("zbarimg", ["--raw", "-q", "-Sdisable", "-Sqrcode.enable", file]);
      assert.equal(run.stdout.toString().replace(/\n$/, ""), text);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
