/**
 * Reclaimers that wait for a node's writes to end, as they meet nothing else any more.
 *
 * They are woken when 32 pages for each of them have been written since the first began to wait.
 * Linux: VMSCAN_THROTTLE_WRITEBACK, `acct_reclaim_writeback()`, 6.1.
 */
import { WaitQueue } from "../sched/wait-queue.ts";

const PAGES_PER_WAITER = 32;

export class WritebackThrottle {
  readonly queue: WaitQueue = new WaitQueue("the end of writes");
  private waiting = 0;
  /** Pages since the first of them began to wait. */
  private written = 0;

  /** Called before a wait, and `leave` after it. */
  enter(): void {
    if (this.waiting++ === 0) this.written = 0;
  }

  leave(): void {
    this.waiting--;
  }

  /** So many pages of the node have reached storage. */
  noteWritten(pages: number): void {
    if (this.waiting === 0) return;
    this.written += pages;
    if (this.written > PAGES_PER_WAITER * this.waiting) this.queue.wakeAll();
  }
}
