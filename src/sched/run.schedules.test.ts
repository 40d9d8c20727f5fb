import assert from "node:assert/strict";
import { test } from "node:test";
import type { Blocking, Steps } from "./blocking.ts";
import { Clock } from "./clock.ts";
import { runTasks, SleptError, withoutSleep } from "./run.ts";
import { Task } from "./task.ts";
import { WaitQueue } from "./wait-queue.ts";

test("runnable tasks take turns", () => {
  const log: string[] = [];
  function* twice(name: string): Steps<void> {
    log.push(`${name}1`);
    yield "between";
    log.push(`${name}2`);
  }
  runTasks([new Task("a", twice("a")), new Task("b", twice("b"))], new Clock());
  assert.deepEqual(log, ["a1", "b1", "a2", "b2"]);
});

test("time moves on only when every task is asleep", () => {
  const clock = new Clock();
  const io = new WaitQueue("i/o");
  const log: string[] = [];
  function* reader(): Blocking<void> {
    clock.after(100, () => io.wakeAll());
    yield io;
    log.push(`read at ${clock.now}`);
  }
  function* worker(): Steps<void> {
    for (let i = 0; i < 3; i++) {
      log.push(`work at ${clock.now}`);
      yield "working";
    }
  }
  runTasks([new Task("reader", reader()), new Task("worker", worker())], clock);
  assert.deepEqual(log, ["work at 0", "work at 0", "work at 0", "read at 100"]);
});

test("a deadlock names the sleepers and what they wait for", () => {
  const first = new WaitQueue("folio 1");
  const second = new WaitQueue("folio 2");
  function* sleepOn(queue: WaitQueue): Blocking<void> {
    yield queue;
  }
  function* finish(): Steps<void> {
    yield "finishing";
  }
  const tasks = [
    new Task("migrate", sleepOn(first)),
    new Task("idle", finish()),
    new Task("truncate", sleepOn(second)),
  ];
  assert.throws(() => runTasks(tasks, new Clock()), {
    name: "InvariantError",
    message: /^deadlock: migrate waits for folio 1; truncate waits for folio 2;?$/,
  });
});

test("a call that must not sleep keeps its points, and its first sleep is refused by name", () => {
  const queue = new WaitQueue("buffer 2");
  let sleeps = false;
  function* owner(): Blocking<number> {
    yield "first point";
    if (sleeps) yield queue;
    return 3;
  }
  const results: number[] = [];
  function* caller(): Steps<void> {
    results.push(yield* withoutSleep(owner, "ext4"));
  }
  const task = new Task("caller", caller());
  task.step();
  assert.equal(task.point, "first point");
  task.step();
  assert.equal(task.state, "finished");
  assert.deepEqual(results, [3]);

  sleeps = true;
  const broken = new Task("caller", caller());
  broken.step();
  assert.throws(() => broken.step(), {
    name: SleptError.name,
    message: "ext4 must not sleep here and would on: buffer 2",
  });
});
