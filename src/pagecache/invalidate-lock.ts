/**
 * The lock between those who bring a file's pages into memory and those who take them out for good.
 *
 * Reads into the cache and faults take it shared, truncate and hole punching exclusively, around
 * both the change of the size and the removal of the pages: so nobody brings a page back that has
 * been cut off. Taken before any folio lock. Linux: `invalidate_lock`, a `rw_semaphore`.
 */
import { assert } from "../base/assert.ts";
import type { Blocking } from "../sched/blocking.ts";
import { WaitQueue } from "../sched/wait-queue.ts";

export class InvalidateLock {
  private readonly waiting: WaitQueue;
  private holders = 0;
  private isExclusive = false;

  constructor(name: string) {
    this.waiting = new WaitQueue(name);
  }

  get held(): boolean {
    return this.isExclusive || this.holders > 0;
  }

  /** Linux: `filemap_invalidate_lock_shared()`. */
  *lockShared(): Blocking<void> {
    while (this.isExclusive) yield this.waiting;
    this.holders++;
  }

  unlockShared(): void {
    assert(this.holders > 0, "a shared lock is given back that nobody holds");
    this.holders--;
    this.waiting.wakeAll();
  }

  /** Linux: `filemap_invalidate_lock()`. */
  *lock(): Blocking<void> {
    while (this.held) yield this.waiting;
    this.isExclusive = true;
  }

  unlock(): void {
    assert(this.isExclusive, "an exclusive lock is given back that nobody holds");
    this.isExclusive = false;
    this.waiting.wakeAll();
  }
}
