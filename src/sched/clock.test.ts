import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Clock } from "./clock.ts";

test("events run in order of their due time, then of their making", () => {
  const delays = fc.array(fc.nat({ max: 20 }), { maxLength: 40 });
  fc.assert(
    fc.property(delays, (nanoseconds) => {
      const clock = new Clock();
      const ran: { due: number; made: number; at: number }[] = [];
      nanoseconds.forEach((due, made) => {
        clock.after(due, () => ran.push({ due, made, at: clock.now }));
      });
      while (clock.advance());
      const expected = nanoseconds
        .map((due, made) => ({ due, made, at: due }))
        .toSorted((a, b) => a.due - b.due || a.made - b.made);
      assert.deepEqual(ran, expected);
    }),
  );
});

test("time stands still until it is advanced, and then jumps", () => {
  const clock = new Clock();
  clock.after(5_000, () => {});
  assert.equal(clock.now, 0);
  assert.equal(clock.advance(), true);
  assert.equal(clock.now, 5_000);
  assert.equal(clock.advance(), false);
  assert.equal(clock.now, 5_000);
});

test("an event may make another, which is due from then on", () => {
  const clock = new Clock();
  const times: number[] = [];
  clock.after(10, () => {
    times.push(clock.now);
    clock.after(0, () => times.push(clock.now));
    clock.after(7, () => times.push(clock.now));
  });
  clock.after(12, () => times.push(clock.now));
  while (clock.advance());
  assert.deepEqual(times, [10, 10, 12, 17]);
});

test("an event in the past is a bug", () => {
  assert.throws(() => new Clock().after(-1, () => {}), /an event in the past: -1/);
});
