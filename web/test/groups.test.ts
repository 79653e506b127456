// SPDX-License-Identifier: PostgreSQL
import assert from "node:assert/strict";
import { test } from "node:test";
import { groupsOf, wordsOfGroups } from "../src/groups";

test("groups of an account are written and read the same", () => {
  for (const groups of [null, [], ["a"], ["a", "b-c"]]) {
    assert.deepEqual(groupsOf(wordsOfGroups(groups)), groups);
  }
});

test("an empty field opens nothing", () => {
  assert.deepEqual(groupsOf(""), []);
  assert.deepEqual(groupsOf(" , "), []);
  assert.deepEqual(groupsOf(" a ,, b "), ["a", "b"]);
});
