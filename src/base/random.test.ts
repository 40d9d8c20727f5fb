import assert from "node:assert/strict";
import { test } from "node:test";
import { mix32, Random } from "./random.ts";

function take(random: Random, count: number): number[] {
  return Array.from({ length: count }, () => random.next());
}

test("the same seed gives the same numbers, and neighbouring seeds others", () => {
  assert.deepEqual(take(new Random(7), 20), take(new Random(7), 20));
  const firsts = new Set(Array.from({ length: 1000 }, (_, seed) => new Random(seed).next()));
  assert.equal(firsts.size, 1000);
});

test("numbers are 32-bit and do not come again soon, whatever the seed", () => {
  for (const seed of [0, 1, -1, 0x7fffffff]) {
    const numbers = take(new Random(seed), 10_000);
    assert.equal(new Set(numbers).size, numbers.length);
    assert.ok(numbers.every((x) => x === (x | 0) && x !== 0));
  }
});

test("numbers below a limit are spread evenly, and chances are met as often as they say", () => {
  const random = new Random(1);
  const counts = new Array<number>(10).fill(0);
  for (let at = 0; at < 100_000; at++) counts[random.below(10)]++;
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, `${count} of 100000`);
  let hits = 0;
  for (let at = 0; at < 100_000; at++) if (random.chance(0.3)) hits++;
  assert.ok(Math.abs(hits - 30_000) < 1000, `${hits} of 100000`);
  assert.equal(random.chance(0), false);
  assert.equal(random.chance(1), true);
});

test("mixing is one to one and changes about half of the bits for one changed bit", () => {
  const mixed = new Set(Array.from({ length: 10_000 }, (_, x) => mix32(x)));
  assert.equal(mixed.size, 10_000);
  let changed = 0;
  for (let bit = 0; bit < 32; bit++) {
    let difference = mix32(12345) ^ mix32(12345 ^ (1 << bit));
    for (; difference !== 0; difference &= difference - 1) changed++;
  }
  assert.ok(Math.abs(changed - 512) < 80, `${changed} of 1024 bits`);
});
