// SPDX-License-Identifier: PostgreSQL
//
// groups.ts: names of groups of targets, as people write them and as the API has them.

/** What the API takes as the name of a group. */
export const GROUP_PATTERN = "[a-z0-9][a-z0-9._\\-]{0,63}";

/** What an account sees, as it is written and read: "all", "none", or names with commas. */
export function wordsOfGroups(groups: string[] | null | undefined): string {
  if (!groups) return "all";
  return groups.length > 0 ? groups.join(", ") : "none";
}

/** The same back. Nothing is none: who empties a field by mistake opens nothing. */
export function groupsOf(text: string): string[] | null {
  const names = text.split(",").map((n) => n.trim()).filter((n) => n !== "" && n !== "none");
  return names.length === 1 && names[0] === "all" ? null : names;
}
