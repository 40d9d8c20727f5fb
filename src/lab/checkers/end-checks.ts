/**
 * Locks that are still held when every task has ended: of folios, files and processes.
 *
 * Teardown finds leaked frames, references, lists and tables, but meets a lock that nobody will
 * give up as a sleep of its own, and does not say whose it was. Daemons give up what they hold
 * before they wait for work.
 */
import { InvariantError } from "../../base/assert.ts";
import type { Machine } from "../../machine/machine.ts";
import { PG } from "../../memory/page-flags.ts";
import type { StepWatch } from "./step-watch.ts";

export function assertNothingLocked({ mem, vm }: Machine, watch: StepWatch): void {
  for (let pfn = 0; pfn < mem.pageCount; pfn++) {
    if ((mem.flags[pfn] & PG.locked) === 0) continue;
    throw new InvariantError(
      `a folio is still locked at the end, by ${watch.holderOf(pfn)}: ${pfn}`,
    );
  }
  for (const { name, privateLock, invalidateLock } of vm.cache.mappings) {
    if (privateLock.held) refuse("private_lock", name);
    if (invalidateLock.held) refuse("invalidate_lock", name);
  }
  for (const mm of vm.mms) {
    if (mm === undefined) continue;
    // Readers are told from nobody by trying as a writer.
    if (!mm.mmapLock.tryLock()) refuse("mmap_lock", mm.name);
    mm.mmapLock.unlock();
  }
}

function refuse(lock: string, whose: string): never {
  throw new InvariantError(`a lock is still held at the end: ${lock} of ${whose}`);
}
