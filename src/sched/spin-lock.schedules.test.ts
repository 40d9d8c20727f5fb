import assert from "node:assert/strict";
import { test } from "node:test";
import type { Steps } from "./blocking.ts";
import { exploreSchedules } from "./explore/explore.ts";
import { withoutSleep } from "./run.ts";
import { SpinLock } from "./spin-lock.ts";
import { Task } from "./task.ts";

test("one at a time has the lock, also where sleep is refused, and nobody spins for ever", () => {
  const orders = new Set<string>();
  exploreSchedules(() => {
    const lock = new SpinLock("the lock");
    let inside = 0;
    let order = "";
    function* work(name: string): Steps<void> {
      yield* lock.lock();
      assert.equal(++inside, 1, "two have the lock");
      yield "at work";
      inside--;
      order += name;
      lock.unlock();
    }
    function* refusing(name: string): Steps<void> {
      yield* withoutSleep(() => work(name), name);
    }
    const tasks = [
      new Task("a", work("a")),
      new Task("b", refusing("b")),
      new Task("c", refusing("c")),
    ];
    return { tasks, check: () => void orders.add(order) };
  });
  assert.deepEqual([...orders].sort(), ["abc", "acb", "bac", "bca", "cab", "cba"]);
});

test("who unlocks must hold the lock", () => {
  assert.throws(() => new SpinLock("private_lock").unlock(), /nobody holds: private_lock/);
});
