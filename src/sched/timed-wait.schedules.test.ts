import assert from "node:assert/strict";
import { test } from "node:test";
import type { Blocking } from "./blocking.ts";
import { Clock } from "./clock.ts";
import { runTasks } from "./run.ts";
import { Task } from "./task.ts";
import { type TimedWaitEnd, waitTimeout } from "./timed-wait.ts";
import { WaitQueue } from "./wait-queue.ts";

test("a timer wakes its own sleeper, a wake-up all of them", () => {
  const clock = new Clock();
  const queue = new WaitQueue("room");
  const ends: (readonly [name: string, end: TimedWaitEnd, now: number])[] = [];
  function* sleep(name: string, nanoseconds: number): Blocking<void> {
    const end = yield* waitTimeout(queue, clock, nanoseconds);
    ends.push([name, end, clock.now]);
  }
  const tasks = [
    new Task("short", sleep("short", 10)),
    new Task("long", sleep("long", 100)),
    new Task("longer", sleep("longer", 1000)),
  ];
  clock.after(50, () => {
    assert.ok(!queue.empty);
    queue.wakeAll();
  });
  runTasks(tasks, clock);
  assert.deepEqual(ends, [
    ["short", "timeout", 10],
    ["long", "woken", 50],
    ["longer", "woken", 50],
  ]);
  assert.ok(queue.empty);
});
