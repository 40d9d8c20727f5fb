import assert from "node:assert/strict";
import { test } from "node:test";
import type { Blocking } from "../sched/blocking.ts";
import { Clock } from "../sched/clock.ts";
import { exploreSchedules, type Run } from "../sched/explore/explore.ts";
import { runTasks } from "../sched/run.ts";
import { Task } from "../sched/task.ts";
import {
  folioClearWriteback,
  folioLock,
  folioTrylock,
  folioUnlock,
  folioWaitUnlock,
  folioWaitWriteback,
} from "./folio-lock.ts";
import type { Folio } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { PG } from "./page-flags.ts";
import { smallMemory } from "./small-memory.ts";

const FOLIO = 5 as Folio;

/** Locks, works, unlocks; `inside` counts who is at work. */
function* work(mem: Memory, inside: { now: number; order: string }, name: string): Blocking<void> {
  yield* folioLock(mem, FOLIO);
  inside.now++;
  assert.equal(inside.now, 1, "the lock keeps others out");
  yield "at work";
  inside.now--;
  inside.order += name;
  folioUnlock(mem, FOLIO);
}

test("of three tasks one at a time has the lock, in every order, and no wake-up is lost", () => {
  const orders = new Set<string>();
  const scenario = (): Run => {
    const mem = smallMemory({ pageCount: 8, free: "none" });
    const inside = { now: 0, order: "" };
    const tasks = ["a", "b", "c"].map((name) => new Task(name, work(mem, inside, name)));
    const check = (): void => {
      orders.add(inside.order);
      assert.equal(mem.flags[FOLIO], 0, "neither locked nor waited for");
      assert.equal(mem.waiters.size, 0);
    };
    return { tasks, check };
  };
  // With N runnable and nobody inside: N ways to enter. Inside: each of the others may try and go
  // to sleep, or not, before the lock is free for all of them again. 3 * (2 * 8 + 4) = 60.
  assert.equal(exploreSchedules(scenario), 60);
  assert.deepEqual([...orders].sort(), ["abc", "acb", "bac", "bca", "cab", "cba"]);
});

test("who waits for an unlock is let through by it, even if the next one has the lock by then", () => {
  let overtaken = 0;
  const scenario = (): Run => {
    const mem = smallMemory({ pageCount: 8, free: "none" });
    assert.equal(folioTrylock(mem, FOLIO), true);
    function* waitForUnlock(): Blocking<void> {
      yield* folioWaitUnlock(mem, FOLIO);
      if ((mem.flags[FOLIO] & PG.locked) !== 0) overtaken++;
    }
    function* unlock(): Blocking<void> {
      yield "holding";
      folioUnlock(mem, FOLIO);
    }
    function* lockForGood(): Blocking<void> {
      yield* folioLock(mem, FOLIO);
    }
    const wait = new Task("wait", waitForUnlock());
    wait.step();
    return { tasks: [wait, new Task("unlock", unlock()), new Task("lock", lockForGood())] };
  };
  // "lock" goes to sleep before the unlock (2 ways) or not, and then it or "wait" is first.
  assert.equal(exploreSchedules(scenario), 6);
  assert.equal(overtaken, 3);
});

test("lock and writeback share a queue: the end of one wakes both, and each tests again", () => {
  const mem = smallMemory({ pageCount: 8, free: "none" });
  const clock = new Clock();
  mem.flags[FOLIO] = PG.writeback | PG.locked;
  const log: string[] = [];
  function* lock(): Blocking<void> {
    yield* folioLock(mem, FOLIO);
    log.push(`locked at ${clock.now}`);
  }
  function* waitWriteback(): Blocking<void> {
    yield* folioWaitWriteback(mem, FOLIO);
    log.push(`written at ${clock.now}`);
  }
  clock.after(10, () => folioClearWriteback(mem, FOLIO));
  clock.after(20, () => folioUnlock(mem, FOLIO));
  runTasks([new Task("lock", lock()), new Task("write", waitWriteback())], clock);
  assert.deepEqual(log, ["written at 10", "locked at 20"]);
  assert.equal(mem.flags[FOLIO], PG.locked);
});
