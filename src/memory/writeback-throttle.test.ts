import assert from "node:assert/strict";
import { test } from "node:test";
import { WaitQueue } from "../sched/wait-queue.ts";
import { WritebackThrottle } from "./writeback-throttle.ts";

/** Counts how often the throttle's sleepers are woken. */
class Sleeper extends WaitQueue {
  woken = 0;

  constructor(throttle: WritebackThrottle) {
    super("sleeper");
    throttle.queue.join(this);
  }

  override wakeAll(): void {
    this.woken++;
  }
}

test("more than 32 pages a waiter end the wait, those before the first not counted", () => {
  const throttle = new WritebackThrottle();
  throttle.noteWritten(100);
  throttle.enter();
  throttle.enter();
  const sleeper = new Sleeper(throttle);
  throttle.noteWritten(64);
  assert.equal(sleeper.woken, 0);
  throttle.noteWritten(1);
  assert.equal(sleeper.woken, 1);
  throttle.leave();
  throttle.leave();
  throttle.enter();
  const next = new Sleeper(throttle);
  throttle.noteWritten(32);
  assert.equal(next.woken, 0, "it begins anew");
  throttle.noteWritten(1);
  assert.equal(next.woken, 1);
});
