import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { editDistance, nearest } from "./suggest.ts";

test("distance counts letters inserted, deleted, replaced or swapped", () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ["look", "look", 0],
    ["lok", "look", 1],
    ["loook", "look", 1],
    ["lopk", "look", 1],
    ["olok", "look", 1],
    ["", "abc", 3],
    ["abcd", "xyz", 4],
  ];
  for (const [a, b, distance] of cases) assert.equal(editDistance(a, b), distance, `${a} ${b}`);
});

test("distance is a distance", () => {
  const word = fc.string({ maxLength: 8, unit: fc.constantFrom("a", "b", "c") });
  fc.assert(
    fc.property(word, word, (a, b) => {
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.equal(editDistance(a, b) === 0, a === b);
      assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
    }),
  );
});

test("a slip finds what was meant, a word of its own finds nothing", () => {
  const known = ["compact", "look", "records", "accuracy"];
  assert.equal(nearest("comapct", known), "compact");
  assert.equal(nearest("acc", known), "accuracy");
  assert.equal(nearest("lok", known), "look");
  assert.equal(nearest("migrate", known), null);
  assert.equal(nearest("x", []), null);
});
