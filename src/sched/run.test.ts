/** What must be the same in both builds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Blocking, Steps } from "./blocking.ts";
import { runToEnd, withoutSleep } from "./run.ts";
import { WaitQueue, WouldSleepError } from "./wait-queue.ts";

/** A lock as the engine has them: sleeps until it is free. */
class Lock {
  held = false;
  readonly released: WaitQueue = new WaitQueue("the lock");

  *take(): Blocking<void> {
    while (this.held) yield this.released;
    yield "taking";
    this.held = true;
  }

  drop(): void {
    this.held = false;
    this.released.wakeAll();
  }

  *hold<T>(inside: () => Steps<T>): Blocking<T> {
    yield* this.take();
    try {
      return yield* inside();
    } finally {
      this.drop();
    }
  }
}

function* double(n: number): Steps<number> {
  yield "before";
  return 2 * n;
}

test("the build is the one that its name says", () => {
  const call: unknown = double(4);
  const isPlain = process.env["GODWIT_BUILD"] === "plain";
  assert.equal(typeof call, isPlain ? "number" : "object");
});

test("a call runs to its end, past its points, and gives its value", () => {
  const lock = new Lock();
  assert.equal(runToEnd(double(4)), 8);
  assert.equal(runToEnd(lock.hold(() => double(21))), 42);
  assert.equal(lock.held, false);
});

test("a call may give an object, null or nothing", () => {
  function* give<T>(value: T): Steps<T> {
    yield "giving";
    return value;
  }
  const object = { next: 1 };
  assert.equal(runToEnd(give(object)), object);
  assert.equal(runToEnd(give(null)), null);
  assert.equal(runToEnd(give(undefined)), undefined);
});

test("what would sleep throws and says on what", () => {
  const lock = new Lock();
  lock.held = true;
  assert.throws(() => runToEnd(lock.take()), {
    name: "WouldSleepError",
    message: "run-to-end has one task, and it would sleep on: the lock",
  });
});

test("a refused sleep unwinds the call: finally blocks run, and it can be caught", () => {
  const outer = new Lock();
  const inner = new Lock();
  inner.held = true;
  function* both(): Blocking<string> {
    yield* outer.take();
    try {
      yield* inner.take();
      return "taken";
    } catch (error) {
      if (!(error instanceof WouldSleepError)) throw error;
      yield "caught";
      return "refused";
    } finally {
      outer.drop();
    }
  }
  assert.equal(runToEnd(both()), "refused");
  assert.equal(outer.held, false);
});

test("an error inside a call comes out as it is", () => {
  const error = new Error("refused");
  const lock = new Lock();
  function* fail(): Steps<never> {
    yield "failing";
    throw error;
  }
  assert.throws(() => runToEnd(lock.hold(fail)), error);
  assert.equal(lock.held, false);
});

test("a call that promised not to sleep is named when it would", () => {
  const lock = new Lock();
  assert.equal(runToEnd(withoutSleep(() => lock.take(), "ext4")), undefined);
  assert.throws(() => runToEnd(withoutSleep(() => lock.take(), "ext4")), {
    name: "SleptError",
    message: "ext4 must not sleep here and would on: the lock",
  });
});
