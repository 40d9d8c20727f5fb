/**
 * Running a call to its end from plain code, with or without other tasks around it.
 *
 * `runToEnd` is the one door from plain code into `Steps` and `Blocking`. In the build for
 * run-to-end the call has already returned its value when `runToEnd` sees it.
 */
import { assert } from "../base/assert.ts";
import type { Blocking, Steps, Suspension } from "./blocking.ts";
import type { Clock } from "./clock.ts";
import type { Task } from "./task.ts";
import { SpinQueue, type WaitQueue, WouldSleepError } from "./wait-queue.ts";

/** Runs `call` alone, past its preemption points. Throws `WouldSleepError` where it would sleep. */
export function runToEnd<T>(call: Blocking<T>): T {
  if (!isGenerator(call)) return call as unknown as T;
  let step = call.next();
  while (!step.done) step = typeof step.value === "string" ? call.next() : refuse(call, step.value);
  return step.value;
}

/** Throws where the call would sleep, and not above it: its `finally` blocks run in both builds. */
function refuse<T>(call: Blocking<T>, queue: WaitQueue): IteratorResult<Suspension, T> {
  try {
    queue.wouldSleep();
  } catch (refusal) {
    return call.throw(refusal);
  }
  return call.next();
}

/** Runs `tasks` in turn until each has finished; virtual time moves on when all are asleep. */
export function runTasks(tasks: readonly Task[], clock: Clock): void {
  for (;;) {
    let ran = false;
    for (const task of tasks) {
      if (task.state !== "runnable") continue;
      task.step();
      ran = true;
    }
    if (!ran && !clock.advance()) break;
  }
  assertFinished(tasks);
}

/** Fails with the names of the sleepers and of what they wait for. */
export function assertFinished(tasks: readonly Task[]): void {
  const stuck = tasks.filter((task) => task.state !== "finished");
  assert(
    stuck.length === 0,
    "deadlock:",
    stuck.map((task) => `${task.name} waits for ${task.queue?.name ?? "nothing"}`).join("; "),
  );
}

/** A call that promised not to sleep did. */
export class SleptError extends Error {
  override readonly name = "SleptError";

  constructor(who: string, queue: string) {
    super(`${who} must not sleep here and would on: ${queue}`);
  }
}

/**
 * Runs the call that `start` makes as part of the caller, and refuses its first sleep in the name
 * of `who`: `SleptError` in both builds.
 */
export function* withoutSleep<T>(start: () => Blocking<T>, who: string): Steps<T> {
  try {
    const call = start();
    if (!isGenerator(call)) return call as unknown as T;
    let step = call.next();
    while (!step.done) {
      const { value } = step;
      if (typeof value === "string" || value instanceof SpinQueue) {
        yield value;
        step = call.next();
      } else {
        step = refuse(call, value);
      }
    }
    return step.value;
  } catch (error) {
    if (error instanceof WouldSleepError) throw new SleptError(who, error.queue);
    throw error;
  }
}

/** What one task carries with it and others must not see. Linux: fields of `current`. */
export interface TaskContext {
  /** The task goes on. */
  enter(): void;
  /** The task ends, sleeps or is preempted. */
  leave(): void;
}

/** Runs the call that `start` makes as part of the caller, in `context` whenever it runs. */
export function* inContext<T>(context: TaskContext, start: () => Blocking<T>): Blocking<T> {
  const call = runIn(context, start);
  if (!isGenerator(call)) return call as unknown as T;
  let resume = (): IteratorResult<Suspension, T> => call.next();
  for (;;) {
    const step = runIn(context, resume);
    if (step.done) return step.value;
    const { value } = step;
    resume = () => call.next();
    try {
      yield value;
    } catch (refusal) {
      resume = () => call.throw(refusal);
    }
  }
}

function runIn<T>(context: TaskContext, run: () => T): T {
  context.enter();
  try {
    return run();
  } finally {
    context.leave();
  }
}

/** False only in the build for run-to-end, where a call is over before it can be run. */
function isGenerator(call: unknown): boolean {
  return typeof call === "object" && call !== null && Symbol.iterator in call && "next" in call;
}
