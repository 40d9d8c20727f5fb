/**
 * The folio lock: one bit in the memory map, and a queue for those who find it taken.
 *
 * Holding it, a task may assume that the folio stays in its mapping. It does not keep readers
 * out, and it is not an owner: any task may unlock, as I/O completion does. The same queue serves
 * waiters for the end of writeback, who test again what they wait for.
 *
 * Lock order: a task holding two folio locks took the lower index of the same mapping first; a
 * migration's new folio is only ever tried. Linux: mm/filemap.c.
 */
import { assert } from "../base/assert.ts";
import type { Blocking } from "../sched/blocking.ts";
import { WaitQueue } from "../sched/wait-queue.ts";
import { clearFlag, type Folio, type Memmap, setFlag, testFlag } from "./memmap.ts";
import { PG } from "./page-flags.ts";

/** Takes the lock if it is free. Never sleeps. Linux: `folio_trylock()`. */
export function folioTrylock(mem: Memmap, folio: Folio): boolean {
  if ((mem.flags[folio] & PG.locked) !== 0) return false;
  mem.flags[folio] |= PG.locked;
  return true;
}

/** Takes the lock, sleeping while another task holds it. Linux: `folio_lock()`. */
export function* folioLock(mem: Memmap, folio: Folio): Blocking<void> {
  // A wake-up is only a hint: another task may have taken the lock since.
  while (!folioTrylock(mem, folio)) yield sleepersOn(mem, folio);
}

/**
 * Sleeps until the holder of the lock gives it up, and does not look at the folio again: for who
 * has no reference, and to whom it may be gone by then. Linux: `migration_entry_wait_on_locked()`.
 */
export function* folioWaitUnlock(mem: Memmap, folio: Folio): Blocking<void> {
  assert(testFlag(mem, folio, PG.locked), "nobody will unlock the folio:", folio);
  yield sleepersOn(mem, folio);
}

/** Releases the lock and wakes everyone who waits for it. Linux: `folio_unlock()`. */
export function folioUnlock(mem: Memmap, folio: Folio): void {
  assert((mem.flags[folio] & PG.locked) !== 0, "unlock of a folio that is not locked:", folio);
  mem.flags[folio] &= ~PG.locked;
  if ((mem.flags[folio] & PG.waiters) !== 0) wakeSleepersOn(mem, folio);
}

/** Sleeps while the folio is under writeback. Linux: `folio_wait_writeback()`. */
export function* folioWaitWriteback(mem: Memmap, folio: Folio): Blocking<void> {
  while (testFlag(mem, folio, PG.writeback)) yield sleepersOn(mem, folio);
}

/** The flag alone, and who waits for it; counts and marks are the page cache's. */
export function folioClearWriteback(mem: Memmap, folio: Folio): void {
  assert(testFlag(mem, folio, PG.writeback), "end of a writeback that never began:", folio);
  clearFlag(mem, folio, PG.writeback);
  if (testFlag(mem, folio, PG.waiters)) wakeSleepersOn(mem, folio);
}

function sleepersOn(mem: Memmap, folio: Folio): WaitQueue {
  let queue = mem.waiters.get(folio);
  if (queue === undefined) {
    queue = new WaitQueue(`folio ${folio}`);
    mem.waiters.set(folio, queue);
    setFlag(mem, folio, PG.waiters);
  }
  return queue;
}

function wakeSleepersOn(mem: Memmap, folio: Folio): void {
  const queue = mem.waiters.get(folio);
  assert(queue !== undefined, "PG.waiters without a queue:", folio);
  mem.waiters.delete(folio);
  clearFlag(mem, folio, PG.waiters);
  queue.wakeAll();
}
