/**
 * A lock that is slept for: one writer, or any number of readers.
 *
 * Between two preemption points a task is alone, so a reader that does not suspend need not take
 * it: it tests `held`, and `wait`s if a writer has it. Readers may keep writers waiting for ever;
 * Linux's queue fairly. Linux: `struct rw_semaphore`.
 */
import { assert } from "../base/assert.ts";
import type { Blocking } from "./blocking.ts";
import { WaitQueue } from "./wait-queue.ts";

export class RwSemaphore {
  /** By a writer. */
  held = false;
  private readers = 0;
  private readonly sleepers: WaitQueue;

  constructor(name: string) {
    this.sleepers = new WaitQueue(name);
  }

  /** Linux: `down_write()`. */
  *lock(): Blocking<void> {
    while (this.held || this.readers > 0) yield this.sleepers;
    this.held = true;
  }

  /** Takes it as a writer if nobody has it. Linux: `down_write_trylock()`. */
  tryLock(): boolean {
    if (this.held || this.readers > 0) return false;
    this.held = true;
    return true;
  }

  /** Linux: `up_write()`. */
  unlock(): void {
    assert(this.held, "unlock of a semaphore that nobody holds:", this.sleepers.name);
    this.held = false;
    this.sleepers.wakeAll();
  }

  /** Linux: `down_read()`. */
  *readLock(): Blocking<void> {
    yield* this.wait();
    this.readers++;
  }

  /** Linux: `up_read()`. */
  readUnlock(): void {
    assert(this.readers > 0, "unlock of a semaphore that nobody reads under:", this.sleepers.name);
    this.readers--;
    if (this.readers === 0) this.sleepers.wakeAll();
  }

  /** Sleeps until no writer has it; one may again once the caller is preempted. */
  *wait(): Blocking<void> {
    while (this.held) yield this.sleepers;
  }
}
