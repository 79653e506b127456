// SPDX-License-Identifier: PostgreSQL
//
// qr.ts: text as a QR code (ISO/IEC 18004): bytes, error correction M, versions 1 to 10. Pure; who
// draws it is pages/totp.tsx. Own code, as one form of one code is all that is wanted here.

/** By version: error correction codewords of a block, number of blocks, all codewords. */
const VERSIONS: Array<[ec: number, blocks: number, codewords: number]> = [
  [10, 1, 26], [16, 1, 44], [26, 1, 70], [18, 2, 100], [24, 2, 134], [16, 4, 172], [18, 4, 196],
  [22, 4, 242], [22, 5, 292], [26, 5, 346],
];
/** Middles of the alignment patterns, by version; version 1 has none. */
const ALIGNED = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42],
  [6, 26, 46], [6, 28, 50]];
const MASKS: Array<(x: number, y: number) => boolean> = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** Squares without the quiet zone; `dark[y][x]`. */
export interface Qr {
  version: number;
  size: number;
  dark: boolean[][];
}

/** null: too long for version 10 (213 bytes). */
export function qrOf(text: string): Qr | null {
  const bytes = new TextEncoder().encode(text);
  const version = VERSIONS.findIndex((_, i) => bytes.length <= roomOf(i + 1)) + 1;
  if (version === 0) return null;
  const bits = bitsOf(interleave(padded(bytes, version), version));
  let best: boolean[][] = [];
  let least = Infinity;
  for (let mask = 0; mask < MASKS.length; mask++) {
    const dark = drawn(version, bits, mask);
    const found = penalty(dark);
    if (found < least) [best, least] = [dark, found];
  }
  return { version, size: best.length, dark: best };
}

// --- codewords -----------------------------------------------------------------------------------

function dataWords(version: number): number {
  const [ec, blocks, codewords] = VERSIONS[version - 1]!;
  return codewords - ec * blocks;
}

const countBits = (version: number): number => (version < 10 ? 8 : 16);

function roomOf(version: number): number {
  return Math.floor((dataWords(version) * 8 - 4 - countBits(version)) / 8);
}

/** Mode "bytes", their number, the bytes, an end, and what fills the rest by the standard. */
function padded(bytes: Uint8Array, version: number): number[] {
  const bits: number[] = [];
  const put = (value: number, count: number): void => {
    for (let i = count - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  put(4, 4);
  put(bytes.length, countBits(version));
  for (const byte of bytes) put(byte, 8);
  put(0, Math.min(4, dataWords(version) * 8 - bits.length));
  while (bits.length % 8 !== 0) bits.push(0);
  const words: number[] = [];
  for (let i = 0; i < bits.length; i += 8) words.push(parseInt(bits.slice(i, i + 8).join(""), 2));
  for (let fill = 0xec; words.length < dataWords(version); fill ^= 0xec ^ 0x11) words.push(fill);
  return words;
}

function bitsOf(words: number[]): number[] {
  return words.flatMap((word) => [7, 6, 5, 4, 3, 2, 1, 0].map((i) => (word >> i) & 1));
}

/** In GF(256) by x^8 + x^4 + x^3 + x^2 + 1. */
function times(a: number, b: number): number {
  let product = 0;
  for (let i = 7; i >= 0; i--) {
    product = (product << 1) ^ (product & 0x80 ? 0x11d : 0);
    if ((b >> i) & 1) product ^= a;
  }
  return product & 0xff;
}

/** The generator (x - 1)(x - 2)(x - 4)..., highest power first, without its leading 1. */
function generator(degree: number): number[] {
  let poly = [1];
  let root = 1;
  for (let i = 0; i < degree; i++) {
    const next = [...poly, 0];
    poly.forEach((c, at) => (next[at + 1]! ^= times(c, root)));
    poly = next;
    root = times(root, 2);
  }
  return poly.slice(1);
}

function remainder(data: number[], poly: number[]): number[] {
  const rest = poly.map(() => 0);
  for (const word of data) {
    const factor = word ^ rest.shift()!;
    rest.push(0);
    poly.forEach((c, i) => (rest[i]! ^= times(c, factor)));
  }
  return rest;
}

/** The blocks (short ones first), a word of each in turn: first all data, then all correction. */
function interleave(data: number[], version: number): number[] {
  const [ec, blocks] = VERSIONS[version - 1]!;
  const short = Math.floor(data.length / blocks);
  const poly = generator(ec);
  const parts: number[][] = [];
  for (let i = 0, at = 0; i < blocks; i++) {
    const length = short + (i >= blocks - (data.length % blocks) ? 1 : 0);
    parts.push(data.slice(at, at + length));
    at += length;
  }
  const corrections = parts.map((part) => remainder(part, poly));
  return [...inTurn(parts), ...inTurn(corrections)];
}

function inTurn(parts: number[][]): number[] {
  const out: number[] = [];
  for (let i = 0; i < Math.max(...parts.map((p) => p.length)); i++) {
    for (const part of parts) if (i < part.length) out.push(part[i]!);
  }
  return out;
}

// --- the picture ---------------------------------------------------------------------------------

/** undefined: free for data. */
type Sheet = Array<Array<boolean | undefined>>;

function drawn(version: number, bits: number[], mask: number): boolean[][] {
  const size = version * 4 + 17;
  const sheet: Sheet = Array.from({ length: size }, () => Array<boolean | undefined>(size));
  drawFinders(sheet);
  drawAlignment(sheet, version);
  for (let i = 8; i < size - 8; i++) sheet[6]![i] = sheet[i]![6] = i % 2 === 0;
  drawFormat(sheet, mask);
  if (version >= 7) drawVersion(sheet, version);
  fillIn(sheet, bits, MASKS[mask]!);
  return sheet as boolean[][];
}

/** Three corners, each with its light border. */
function drawFinders(sheet: Sheet): void {
  const far = sheet.length - 7;
  for (const [left, top] of [[0, 0], [far, 0], [0, far]] as const) {
    for (let y = -1; y <= 7; y++) {
      for (let x = -1; x <= 7; x++) {
        const row = sheet[top + y];
        if (!row || left + x < 0 || left + x >= sheet.length) continue;
        const ring = Math.max(Math.abs(x - 3), Math.abs(y - 3));
        row[left + x] = ring !== 2 && ring !== 4;
      }
    }
  }
}

function drawAlignment(sheet: Sheet, version: number): void {
  const at = ALIGNED[version - 1]!;
  const last = at.length - 1;
  at.forEach((cy, i) => at.forEach((cx, j) => {
    if ((i === 0 && (j === 0 || j === last)) || (i === last && j === 0)) return; // finders
    for (let y = -2; y <= 2; y++) {
      for (let x = -2; x <= 2; x++) {
        sheet[cy + y]![cx + x] = Math.max(Math.abs(x), Math.abs(y)) !== 1;
      }
    }
  }));
}

/** A value with the remainder of its division by a polynomial over bits behind it. */
function withCheck(value: number, poly: number, degree: number): number {
  let rest = value << degree;
  for (let i = 31 - Math.clz32(rest); i >= degree; i--) {
    if ((rest >> i) & 1) rest ^= poly << (i - degree);
  }
  return (value << degree) | rest;
}

/** Level M is 00, then the mask: twice, around the finders. */
function drawFormat(sheet: Sheet, mask: number): void {
  const word = withCheck(mask, 0x537, 10) ^ 0x5412;
  const end = sheet.length;
  const around = [0, 1, 2, 3, 4, 5, 7, 8]; // line 6 is the timing pattern
  for (let i = 0; i < 15; i++) {
    const dark = ((word >> i) & 1) === 1;
    if (i < 8) sheet[around[i]!]![8] = dark;
    else sheet[8]![around[14 - i]!] = dark;
    if (i < 8) sheet[8]![end - 1 - i] = dark;
    else sheet[end - 15 + i]![8] = dark;
  }
  sheet[end - 8]![8] = true;
}

function drawVersion(sheet: Sheet, version: number): void {
  const word = withCheck(version, 0x1f25, 12);
  for (let i = 0; i < 18; i++) {
    const across = sheet.length - 11 + (i % 3);
    const along = Math.floor(i / 3);
    sheet[along]![across] = sheet[across]![along] = ((word >> i) & 1) === 1;
  }
}

/** Two columns at a time from the right, up and down in turn; what is left over is light. */
function fillIn(sheet: Sheet, bits: number[], mask: (x: number, y: number) => boolean): void {
  const size = sheet.length;
  let next = 0;
  let up = true;
  for (let right = size - 1; right > 0; right -= 2, up = !up) {
    if (right === 6) right--;
    for (let i = 0; i < size; i++) {
      const y = up ? size - 1 - i : i;
      for (const x of [right, right - 1]) {
        if (sheet[y]![x] !== undefined) continue;
        sheet[y]![x] = (bits[next++] === 1) !== mask(x, y);
      }
    }
  }
}

// --- which mask reads best -----------------------------------------------------------------------

function penalty(dark: boolean[][]): number {
  const columns = dark.map((_, x) => dark.map((row) => row[x]!));
  let sum = blocksPenalty(dark) + balancePenalty(dark);
  for (const line of [...dark, ...columns]) sum += runsPenalty(line) + finderPenalty(line);
  return sum;
}

/** Five or more of a kind in a line. */
function runsPenalty(line: boolean[]): number {
  let sum = 0;
  for (let i = 0, run = 0; i < line.length; i++) {
    run = i > 0 && line[i] === line[i - 1] ? run + 1 : 1;
    if (run === 5) sum += 3;
    else if (run > 5) sum++;
  }
  return sum;
}

/** What looks like a finder, with a light part before or behind it. */
function finderPenalty(line: boolean[]): number {
  const text = line.map((d) => (d ? "1" : "0")).join("");
  let sum = 0;
  for (const pattern of ["10111010000", "00001011101"]) {
    for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + 1)) sum += 40;
  }
  return sum;
}

function blocksPenalty(dark: boolean[][]): number {
  let sum = 0;
  for (let y = 1; y < dark.length; y++) {
    for (let x = 1; x < dark.length; x++) {
      const d = dark[y]![x];
      if (d === dark[y - 1]![x] && d === dark[y]![x - 1] && d === dark[y - 1]![x - 1]) sum += 3;
    }
  }
  return sum;
}

function balancePenalty(dark: boolean[][]): number {
  const share = dark.flat().filter(Boolean).length / dark.length ** 2;
  return Math.floor(Math.abs(share * 100 - 50) / 5) * 10;
}
