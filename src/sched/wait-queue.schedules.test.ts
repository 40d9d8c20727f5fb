import assert from "node:assert/strict";
import { test } from "node:test";
import type { Blocking } from "./blocking.ts";
import { Task } from "./task.ts";
import { WaitQueue } from "./wait-queue.ts";

test("a task is runnable, asleep and runnable again until it has finished", () => {
  const queue = new WaitQueue("the door");
  function* body(): Blocking<void> {
    yield "before the door";
    yield queue;
    yield "behind the door";
  }
  const task = new Task("visitor", body());
  const look = (): unknown[] => [task.state, task.point, task.queue];
  assert.deepEqual(look(), ["runnable", "", null]);
  task.step();
  assert.deepEqual(look(), ["runnable", "before the door", null]);
  task.step();
  assert.deepEqual(look(), ["asleep", "", queue]);
  assert.equal(queue.empty, false);
  queue.wakeAll();
  assert.deepEqual(look(), ["runnable", "", null]);
  assert.equal(queue.empty, true);
  task.step();
  assert.deepEqual(look(), ["runnable", "behind the door", null]);
  task.step();
  assert.equal(task.state, "finished");
});

test("a wake-up is a hint: of those who wake, one takes the lock and the others sleep again", () => {
  const queue = new WaitQueue("the lock");
  let held = true;
  const owners: string[] = [];
  function* take(name: string): Blocking<void> {
    while (held) yield queue;
    held = true;
    owners.push(name);
  }
  const tasks = ["a", "b", "c"].map((name) => new Task(name, take(name)));
  for (const task of tasks) task.step();
  assert.deepEqual(owners, []);

  for (let round = 1; round <= tasks.length; round++) {
    held = false;
    queue.wakeAll();
    for (const task of tasks) if (task.state === "runnable") task.step();
    assert.equal(owners.length, round);
    assert.equal(tasks.filter(({ state }) => state === "asleep").length, tasks.length - round);
  }
  assert.deepEqual(owners, ["a", "b", "c"]);
});

test("waking a queue on which nobody sleeps does nothing", () => {
  const queue = new WaitQueue("nobody");
  queue.wakeAll();
  assert.equal(queue.empty, true);
});

test("a task that sleeps again while others are being woken is not woken twice", () => {
  const queue = new WaitQueue("the bell");
  const heard: string[] = [];
  function* listen(name: string): Blocking<void> {
    for (;;) {
      yield queue;
      heard.push(name);
    }
  }
  const tasks = ["a", "b"].map((name) => new Task(name, listen(name)));
  for (const task of tasks) task.step();
  for (let rings = 0; rings < 2; rings++) {
    queue.wakeAll();
    for (const task of tasks) task.step();
  }
  assert.deepEqual(heard, ["a", "b", "a", "b"]);
});

test("stepping a task that cannot run, or waking one that does not sleep, is a bug", () => {
  const queue = new WaitQueue("the door");
  function* body(): Blocking<void> {
    yield queue;
  }
  const task = new Task("visitor", body());
  assert.throws(() => task.wake(), /wake-up of a task that does not sleep: visitor/);
  task.step();
  assert.throws(() => task.step(), /step of a task that cannot run: visitor asleep/);
  queue.wakeAll();
  task.step();
  assert.throws(() => task.step(), /step of a task that cannot run: visitor finished/);
});
