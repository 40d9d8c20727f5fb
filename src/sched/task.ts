/**
 * One thread of control: a generator, and whether it can run.
 *
 * Life cycle: runnable -> (asleep -> runnable)* -> finished. `step` runs to the next suspension;
 * only a `WaitQueue` wakes. An abandoned task does not run its `finally` blocks: drop the whole
 * machine with it.
 */
import { assert } from "../base/assert.ts";
import type { Blocking } from "./blocking.ts";
import type { WaitQueue } from "./wait-queue.ts";

export type TaskState = "runnable" | "asleep" | "finished";

export class Task {
  readonly name: string;
  state: TaskState = "runnable";
  /** The preemption point at which the task stands; "" before its first step and after a sleep. */
  point = "";
  /** Where the task sleeps while its state is "asleep". */
  queue: WaitQueue | null = null;
  private readonly body: Blocking<void>;

  constructor(name: string, body: Blocking<void>) {
    this.name = name;
    this.body = body;
  }

  /** Runs to the next suspension. */
  step(): void {
    assert(this.state === "runnable", "step of a task that cannot run:", this.name, this.state);
    const { done, value } = this.body.next();
    if (done) {
      this.state = "finished";
    } else if (typeof value === "string") {
      this.point = value;
    } else {
      this.state = "asleep";
      this.point = "";
      this.queue = value;
      value.add(this);
    }
  }

  /** Called by the queue alone. */
  wake(): void {
    assert(this.state === "asleep", "wake-up of a task that does not sleep:", this.name);
    this.state = "runnable";
    this.queue = null;
  }
}
