// SPDX-License-Identifier: PostgreSQL
//
// icon.tsx: the few line icons of the interface, 16 by 16, in the colour of the text.

const SHAPES = {
  table: "M2 3h12v10H2zM2 6.5h12M2 10h12M7 6.5V13",
  chart: "M2 13.5h12M4 11V7M8 11V3.5M12 11V5.5",
  download: "M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11",
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  check: "M2.5 8.5 6.5 12.5 13.5 4",
  play: "M4 2.5 13 8l-9 5.5z",
  pause: "M5 2.5v11M11 2.5v11",
  left: "M10 2.5 4.5 8l5.5 5.5",
  right: "M6 2.5 11.5 8 6 13.5",
  down: "M3 5.5 8 10.5l5-5",
  out: "M3 8h10",
  plus: "M8 3v10M3 8h10",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  clock: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 1 0 8 1.8M8 4.5V8l2.5 2",
  sun:
    "M8 5a3 3 0 1 0 0 6 3 3 0 1 0 0-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1" +
    "M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
  auto: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 1 0 8 1.8M8 1.8v12.4M8 4h3.5M8 7h5.5M8 10h5",
  link: "M6.5 9.5l3-3M7 4.5l1.5-1.5a3 3 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3 3 0 0 1 3 8.5L4.5 7",
  warn: "M8 2 15 13.5H1zM8 6.5v3.5M8 11.5v.8",
  info: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 1 0 8 1.8M8 7v4M8 4.7v.9",
  user:
    "M8 2.5a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 1 0 0-5.4" +
    "M2.8 14c.5-3 2.6-4.3 5.2-4.3s4.7 1.3 5.2 4.3",
  help:
    "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 1 0 8 1.8" +
    "M6 6.3c.2-2.6 4.2-2.4 4 0-.1 1.2-2 1.4-2 2.9M8 11.3v.8",
  database:
    "M2.5 4c0-2.7 11-2.7 11 0s-11 2.7-11 0v8c0 2.7 11 2.7 11 0V4M2.5 8c0 2.7 11 2.7 11 0",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 1 0 0-9M10.5 10.5 14 14",
} as const;

export type IconName = keyof typeof SHAPES;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path
        d={SHAPES[name]} fill="none" stroke="currentColor" stroke-width="1.5"
        stroke-linejoin="round" stroke-linecap="round"
      />
    </svg>
  );
}
