/**
 * A lock that is slept for, one holder at a time: `struct mutex`, or the write side of a semaphore.
 *
 * Between two preemption points a task is alone, so readers that do not suspend need no lock of
 * their own: they test `held`, and `wait` if it is. Linux: `struct mutex`, `struct rw_semaphore`.
 */
import { assert } from "../base/assert.ts";
import type { Blocking } from "./blocking.ts";
import { WaitQueue } from "./wait-queue.ts";

export class Mutex {
  held = false;
  private readonly sleepers: WaitQueue;

  constructor(name: string) {
    this.sleepers = new WaitQueue(name);
  }

  /** Takes the lock, sleeping while another task holds it. Linux: `mutex_lock()`. */
  *lock(): Blocking<void> {
    yield* this.wait();
    this.held = true;
  }

  /** Sleeps until nobody holds the lock; somebody may again once the caller is preempted. */
  *wait(): Blocking<void> {
    while (this.held) yield this.sleepers;
  }

  /** Linux: `mutex_unlock()`. */
  unlock(): void {
    assert(this.held, "unlock of a mutex that nobody holds:", this.sleepers.name);
    this.held = false;
    this.sleepers.wakeAll();
  }
}
