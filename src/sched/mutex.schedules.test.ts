import assert from "node:assert/strict";
import { test } from "node:test";
import type { Blocking } from "./blocking.ts";
import { exploreSchedules } from "./explore/explore.ts";
import { Mutex } from "./mutex.ts";
import { Task } from "./task.ts";

test("one at a time has the mutex, and who only waits finds it free", () => {
  const orders = new Set<string>();
  exploreSchedules(() => {
    const mutex = new Mutex("the mutex");
    let inside = 0;
    let order = "";
    function* work(name: string): Blocking<void> {
      yield* mutex.lock();
      assert.equal(++inside, 1, "two have the mutex");
      yield "at work";
      inside--;
      order += name;
      mutex.unlock();
    }
    function* look(): Blocking<void> {
      yield "about to look";
      yield* mutex.wait();
      assert.equal(inside, 0, "a reader among writers");
      order += "r";
    }
    const tasks = [new Task("a", work("a")), new Task("b", work("b")), new Task("r", look())];
    return { tasks, check: () => void orders.add(order) };
  });
  assert.deepEqual([...orders].sort(), ["abr", "arb", "bar", "bra", "rab", "rba"]);
});

test("who unlocks must hold the mutex", () => {
  assert.throws(() => new Mutex("mmap_lock").unlock(), /nobody holds: mmap_lock/);
});
