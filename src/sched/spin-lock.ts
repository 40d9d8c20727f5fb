/**
 * A lock for short stretches that are no sleep: who finds it taken spins until it is free.
 *
 * Between two preemption points a task is alone, so only a stretch with a point in it needs one.
 * The holder must not sleep, nor take the same lock again. Linux: `spinlock_t`.
 */
import { assert } from "../base/assert.ts";
import type { Steps } from "./blocking.ts";
import { SpinQueue } from "./wait-queue.ts";

export class SpinLock {
  held = false;
  private readonly spinning: SpinQueue;

  constructor(name: string) {
    this.spinning = new SpinQueue(name);
  }

  /** Linux: `spin_lock()`. */
  *lock(): Steps<void> {
    while (this.held) yield this.spinning;
    this.held = true;
  }

  /** Spins until it is free; somebody may take it once the caller is preempted. */
  *wait(): Steps<void> {
    while (this.held) yield this.spinning;
  }

  /** Linux: `spin_unlock()`. */
  unlock(): void {
    assert(this.held, "unlock of a spin lock that nobody holds:", this.spinning.name);
    this.held = false;
    this.spinning.wakeAll();
  }
}
