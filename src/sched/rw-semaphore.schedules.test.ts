import assert from "node:assert/strict";
import { test } from "node:test";
import type { Blocking } from "./blocking.ts";
import { exploreSchedules } from "./explore/explore.ts";
import { runToEnd } from "./run.ts";
import { RwSemaphore } from "./rw-semaphore.ts";
import { Task } from "./task.ts";

test("a writer is alone, readers are together, and who only waits finds no writer", () => {
  let together = 0;
  const orders = new Set<string>();
  exploreSchedules(() => {
    const semaphore = new RwSemaphore("the semaphore");
    let writers = 0;
    let readers = 0;
    let order = "";
    function* write(): Blocking<void> {
      yield* semaphore.lock();
      assert.equal(++writers + readers, 1, "a writer is not alone");
      yield "writing";
      writers--;
      order += "w";
      semaphore.unlock();
    }
    function* read(): Blocking<void> {
      yield "about to read";
      yield* semaphore.readLock();
      readers++;
      assert.equal(writers, 0, "a reader among writers");
      yield "reading";
      together = Math.max(together, readers);
      readers--;
      order += "r";
      semaphore.readUnlock();
    }
    function* look(): Blocking<void> {
      yield "about to look";
      yield* semaphore.wait();
      assert.equal(writers, 0, "a look among writers");
    }
    const bodies = [write(), read(), read(), look()];
    const tasks = bodies.map((body, at) => new Task(`task ${at}`, body));
    return { tasks, check: () => void orders.add(order) };
  });
  assert.equal(together, 2);
  assert.deepEqual([...orders].sort(), ["rrw", "rwr", "wrr"]);
});

test("of two writers one waits for the other", () => {
  const orders = new Set<string>();
  exploreSchedules(() => {
    const semaphore = new RwSemaphore("the semaphore");
    let order = "";
    function* write(name: string): Blocking<void> {
      yield* semaphore.lock();
      order += name;
      yield "writing";
      order += name;
      semaphore.unlock();
    }
    const tasks = [new Task("a", write("a")), new Task("b", write("b"))];
    return { tasks, check: () => void orders.add(order) };
  });
  assert.deepEqual([...orders].sort(), ["aabb", "bbaa"]);
});

test("who only tries gets the semaphore if nobody writes or reads", () => {
  const semaphore = new RwSemaphore("the semaphore");
  assert.ok(semaphore.tryLock());
  assert.ok(!semaphore.tryLock());
  semaphore.unlock();
  runToEnd(semaphore.readLock());
  assert.ok(!semaphore.tryLock());
  semaphore.readUnlock();
  assert.ok(semaphore.tryLock());
});

test("who unlocks must hold the semaphore", () => {
  const semaphore = new RwSemaphore("mmap_lock");
  assert.throws(() => semaphore.unlock(), /nobody holds: mmap_lock/);
  assert.throws(() => semaphore.readUnlock(), /nobody reads under: mmap_lock/);
});
