// SPDX-License-Identifier: PostgreSQL
//
// theme.ts: light, dark or what the system says; kept in this browser. Charts read their colours
// from the same custom properties as the rest of the page, so there is one palette.
import { computed, effect, signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";
const KEY = "pga.theme";

function stored(): Theme {
  try {
    const text = localStorage.getItem(KEY);
    return text === "light" || text === "dark" ? text : "auto";
  } catch {
    return "auto"; // storage may be forbidden
  }
}

const system = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(system.matches);
export const theme = signal<Theme>(stored());
export const dark = computed(() =>
  theme.value === "auto" ? systemDark.value : theme.value === "dark",
);

export function setTheme(next: Theme): void {
  theme.value = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // The choice then lasts as long as the page.
  }
}

export function startTheme(): void {
  system.addEventListener("change", () => (systemDark.value = system.matches));
  effect(() => {
    document.documentElement.dataset["theme"] = dark.value ? "dark" : "light";
  });
}

export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
