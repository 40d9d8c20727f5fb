import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "./clock.ts";
import { runToEnd } from "./run.ts";
import { waitTimeout } from "./timed-wait.ts";
import { WaitQueue } from "./wait-queue.ts";

test("a task alone sleeps for its time, and what is due meanwhile happens", () => {
  const clock = new Clock();
  const queue = new WaitQueue("nobody comes");
  let happened = 0;
  clock.after(50, () => happened++);
  clock.after(200, () => happened++);
  assert.equal(runToEnd(waitTimeout(queue, clock, 100)), "timeout");
  assert.equal(clock.now, 100);
  assert.equal(happened, 1);
  assert.ok(queue.empty);
});

test("a wake-up by an event ends the sleep early, and the timer does nothing more", () => {
  const clock = new Clock();
  const queue = new WaitQueue("an event");
  clock.after(30, () => queue.wakeAll());
  assert.equal(runToEnd(waitTimeout(queue, clock, 100)), "woken");
  assert.equal(clock.now, 30);
  assert.equal(clock.advance(), true, "the timer is still set");
  assert.ok(queue.empty);
});
