/**
 * First half of moving one folio: take it out of every page table.
 *
 * Order of steps: a new folio; lock `src`; no writeback; hold the anon_vma; lock `dst`; unmap. Both
 * stay locked and the record of what must be undone waits in `dst`'s private word. Each mode may
 * wait where the table says; nothing ever waits for the lock of `dst`:
 *
 * | step      | async  | sync-light            | sync, sync-no-copy              |
 * |-----------|--------|-----------------------|---------------------------------|
 * | src lock  | EAGAIN | waits from the 4th try| waits from the 4th try          |
 * | writeback | EBUSY  | EBUSY                 | EAGAIN, waits from the 4th try  |
 *
 * Linux: `migrate_folio_unmap()`, `__migrate_folio_unmap()`, mm/migrate.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import type { Errno } from "../base/errno.ts";
import { folioMapped, folioNrPages } from "../memory/folio.ts";
import { folioLock, folioTrylock, folioUnlock, folioWaitWriteback } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { isolatedClass } from "../memory/lru-list.ts";
import { folioTestAnon, folioTestKsm, folioTestMovable } from "../memory/mapping-word.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import { listAddTail, listDel } from "../memory/page-list.ts";
import { tryToFreeOrphanBuffers } from "../pagecache/buffers/folio-buffers.ts";
import type { Blocking } from "../sched/blocking.ts";
import { removeMigrationPtes, tryToMigrate } from "../vm/migration-entry.ts";
import type { AnonVma } from "../vm/mm.ts";
import { folioGetAnonVma, putAnonVma } from "../vm/rmap.ts";
import type { MigrateRun } from "./migrate-run.ts";
import { unmapToSwap } from "./unmap-to-swap.ts";

/** "unmapped": both folios are locked, go on. "done": the owner had freed the folio. */
export type UnmapOutcome = "unmapped" | "done" | Errno;

/** From the fourth pass on a synchronous call waits for locks. Linux: `force = pass > 2`. */
export type Patience = "tries" | "waits";

/** Takes `src` out of the page tables, with `run.dst` ready to take its place. */
export function* migrateFolioUnmap(
  run: MigrateRun,
  src: Folio,
  patience: Patience,
): Blocking<UnmapOutcome> {
  const { mem } = run.vm;
  if (mem.refcount[src] === 1) {
    // Only the isolation's reference is left: its owner has freed it, and so do we.
    mem.flags[src] &= ~(PG.active | PG.unevictable);
    listDel(mem, src);
    migrateFolioDone(run, src);
    return "done";
  }
  const dst = yield* run.target.getNew(src);
  if (dst === null) {
    mem.events.refusals.refuse("no_target", 0, 1);
    mem.events.refusals.settle(src);
    return "ENOMEM";
  }
  run.dst = dst;
  mem.private[dst] = 0;
  const outcome = yield* lockAndUnmap(run, dst, src, patience);
  if (outcome !== "unmapped") giveUp(run, dst, src, outcome);
  return outcome;
}

function* lockAndUnmap(
  run: MigrateRun,
  dst: Folio,
  src: Folio,
  patience: Patience,
): Blocking<"unmapped" | Errno> {
  const { vm, mode } = run;
  const { mem } = vm;
  const { refusals } = mem.events;
  if (!folioTrylock(mem, src)) {
    refusals.refuse("locked", 1, 0);
    // Who makes room for an allocation may hold a folio lock that the holder of this one wants.
    if (patience === "tries" || mode === "async" || mem.memalloc) return "EAGAIN";
    if (mode === "sync-light" && isBeingRead(mem, src)) return "EAGAIN";
    yield* folioLock(mem, src);
  }
  if ((mem.flags[src] & PG.writeback) !== 0) {
    refusals.refuse("writeback", 1, 0);
    if (mode === "async" || mode === "sync-light" || patience === "tries") {
      folioUnlock(mem, src);
      return mode === "async" || mode === "sync-light" ? "EBUSY" : "EAGAIN";
    }
    yield* folioWaitWriteback(mem, src);
  }
  const isAnon = folioTestAnon(mem, src) && !folioTestKsm(mem, src);
  const anonVma = isAnon ? folioGetAnonVma(vm, src) : null;
  if (!folioTrylock(mem, dst)) {
    refusals.refuse("dst_locked", 1, 0);
    release(run, src, anonVma);
    return "EAGAIN";
  }
  if (folioTestMovable(mem, src)) {
    // A driver's page is in no page table, and what its map count says is the driver's business:
    // there is nothing to record.
    return "unmapped";
  }
  const wasMapped = folioMapped(mem, src);
  if (mem.mapping[src] === 0) {
    // Truncated. What its owner left attached was in use then; the folio is freed once it is not.
    if ((mem.flags[src] & PG.private) !== 0) {
      tryToFreeOrphanBuffers(mem, vm.cache.buffers, src);
      refusals.refuse("orphaned", 1, 0);
      folioUnlock(mem, dst);
      release(run, src, anonVma);
      return "EAGAIN";
    }
  } else if (wasMapped) {
    assert(!isAnon || anonVma !== null, "a mapped anonymous folio without anon_vma:", src);
    if (mem.profile.migratesBySwap) {
      const bySwap = yield* unmapToSwap(vm, src);
      if (bySwap !== "unmapped") {
        folioUnlock(mem, dst);
        release(run, src, anonVma);
        return bySwap;
      }
    } else {
      yield* tryToMigrate(vm, src);
    }
  }
  if (!folioMapped(mem, src)) {
    recordUnmap(run, dst, anonVma, wasMapped);
    return "unmapped";
  }
  yield* removeMigrationPtes(vm, src, src);
  folioUnlock(mem, dst);
  release(run, src, anonVma);
  return "EAGAIN";
}

/** The lock goes with the end of a read, which later kernels find too long for sync-light. */
function isBeingRead(mem: Memory, src: Folio): boolean {
  return !mem.profile.syncLightWaitsForReads && !testFlag(mem, src, PG.uptodate);
}

/** Keeps what the second half needs, in a word that is free until then. */
function recordUnmap(
  run: MigrateRun,
  dst: Folio,
  anonVma: AnonVma | null,
  wasMapped: boolean,
): void {
  const id = anonVma === null ? 0 : anonVma.id + 1;
  run.vm.mem.private[dst] = (id << 1) | (wasMapped ? 1 : 0);
}

function release(run: MigrateRun, src: Folio, anonVma: AnonVma | null): void {
  if (anonVma !== null) putAnonVma(run.vm, anonVma);
  folioUnlock(run.vm.mem, src);
}

/** The attempt failed: `dst` goes back, and `src` too unless another try may help. */
export function giveUp(run: MigrateRun, dst: Folio, src: Folio, outcome: Errno): void {
  const { mem } = run.vm;
  mem.events.refusals.settle(src);
  if (outcome !== "EAGAIN") {
    listDel(mem, src);
    listAddTail(mem, run.refused, src);
  }
  if (run.target.putNew === undefined) folioPut(mem, dst);
  else run.target.putNew(dst);
}

/**
 * `src` has moved or was freed: no longer isolated, its last reference put.
 *
 * A driver's page was never counted, reclaim itself counts what it demotes, and memory failure
 * keeps the reference so that a bad page never comes back to the free lists.
 *
 * Linux: `migrate_folio_done()`.
 */
export function migrateFolioDone(run: MigrateRun, src: Folio): void {
  const { mem } = run.vm;
  if (run.reason !== "demotion" && !folioTestMovable(mem, src)) {
    const node = mem.nodeOf(src);
    node.isolatedPages[isolatedClass(mem, src)] -= folioNrPages(mem, src);
  }
  mem.events.refusals.forget(src);
  if (run.reason !== "memory_failure") folioPut(mem, src);
}
