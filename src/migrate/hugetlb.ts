/**
 * The move of one hugetlb folio, from its isolation to its place in the pool.
 *
 * Order of steps: a new folio; lock `src`; hold the anon_vma; lock `dst`; for a file its mappings'
 * lock; unmap; the owner's callback; the entries; unlock; then the pool: a `dst` that was made for
 * this move stays, and `src` goes to the allocator in its stead. Unlike other folios nothing is
 * waited for but, synchronously and from the fourth try on, the lock of `src`.
 *
 * Linux: `unmap_and_move_huge_page()`, mm/migrate.c, and `hugetlbfs_migrate_folio()`, 6.1.
 */
import { assert } from "../base/assert.ts";
import type { Errno } from "../base/errno.ts";
import { folioMapped } from "../memory/folio.ts";
import { folioLock, folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioPut, folioRefFreeze, folioRefUnfreeze } from "../memory/folio-ref.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import { listAddTail, listDel } from "../memory/page-list.ts";
import type { AddressSpace, MigrateMode, MigrateOutcome } from "../pagecache/address-space.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import type { RwSemaphore } from "../sched/rw-semaphore.ts";
import { hstateOf } from "../vm/hugetlb/enable.ts";
import { folioSubpool, HPG, setFolioSubpool, setHugetlbBit } from "../vm/hugetlb/folio-state.ts";
import { HUGETLB_PAGES } from "../vm/hugetlb/hstate.ts";
import { folioPutbackHugetlb, moveHugetlbState } from "../vm/hugetlb/isolate.ts";
import { removeMigrationHugetlb, tryToMigrateHugetlb } from "../vm/hugetlb/migration-entry.ts";
import { folioGetAnonVma, putAnonVma } from "../vm/rmap.ts";
import { copyUnlessDone } from "./callbacks.ts";
import type { MigrateRun } from "./migrate-run.ts";
import { moveToNewFolio } from "./move.ts";
import type { Patience } from "./unmap.ts";

/**
 * One attempt on one isolated folio. "done": it has moved, or its owner had freed it. After
 * "EAGAIN" and "ENOMEM" it is where it was, after "ENOSYS" too; else it is on the refused list.
 */
export function* unmapAndMoveHugePage(
  run: MigrateRun,
  src: Folio,
  patience: Patience,
): Blocking<"done" | Errno> {
  const { vm, target } = run;
  const { mem } = vm;
  if (!hstateOf(vm).isMigratable) return "ENOSYS";
  if (mem.refcount[src] === 1) {
    // Only the isolation's reference is left: its owner has freed it, and so do we.
    folioPutbackHugetlb(vm, src);
    return "done";
  }
  const dst = yield* target.getNew(src);
  if (dst === null) {
    mem.events.refusals.refuse("no_target", 0, 1);
    mem.events.refusals.settle(src);
    return "ENOMEM";
  }
  const outcome = yield* lockAndMove(run, dst, src, patience);
  if (outcome === "moved") {
    mem.events.refusals.forget(src);
    folioPutbackHugetlb(vm, src);
    folioPut(mem, dst);
    return "done";
  }
  mem.events.refusals.settle(src);
  if (outcome !== "EAGAIN") {
    listDel(mem, src);
    listAddTail(mem, run.refused, src);
  }
  // It was never in use, and must not be taken for a page that is.
  if (target.putNew === undefined) folioPut(mem, dst);
  else target.putNew(dst);
  return outcome;
}

function* lockAndMove(
  run: MigrateRun,
  dst: Folio,
  src: Folio,
  patience: Patience,
): Blocking<MigrateOutcome> {
  const { vm, mode } = run;
  const { mem } = vm;
  const { refusals } = mem.events;
  if (!folioTrylock(mem, src)) {
    refusals.refuse("locked", 1, 0);
    if (patience === "tries" || mode === "async" || mode === "sync-light") return "EAGAIN";
    yield* folioLock(mem, src);
  }
  let outcome: MigrateOutcome;
  if (folioSubpool(mem, src) !== -1 && mem.mapping[src] === 0) {
    // Its file has let go of it, and it is about to be freed.
    refusals.refuse("orphaned", 1, 0);
    outcome = "EBUSY";
  } else {
    const anonVma = folioTestAnon(mem, src) ? folioGetAnonVma(vm, src) : null;
    if (folioTrylock(mem, dst)) {
      outcome = yield* unmapAndMove(run, dst, src);
      folioUnlock(mem, dst);
    } else {
      refusals.refuse("dst_locked", 1, 0);
      outcome = "EAGAIN";
    }
    if (anonVma !== null) putAnonVma(vm, anonVma);
  }
  if (outcome === "moved") {
    moveHugetlbState(vm, dst, src);
    setHugetlbBit(mem, dst, HPG.migratable);
    hstateOf(vm).activate(dst);
  }
  folioUnlock(mem, src);
  return outcome;
}

/** Both are locked. The mappings' lock of a file is only tried: who has it may want the folio's. */
function* unmapAndMove(run: MigrateRun, dst: Folio, src: Folio): Blocking<MigrateOutcome> {
  const { vm, mode } = run;
  const { mem } = vm;
  if (!folioMapped(mem, src)) return yield* moveToNewFolio(vm, dst, src, mode);
  const mappings = mappingsLock(run, src);
  if (mappings !== null && !mappings.tryLock()) {
    mem.events.refusals.refuse("mapping_locked", 1, 0);
    return "EAGAIN";
  }
  yield* tryToMigrateHugetlb(vm, src);
  const isUnmapped = !folioMapped(mem, src);
  const outcome = isUnmapped ? yield* moveToNewFolio(vm, dst, src, mode) : "EAGAIN";
  yield* removeMigrationHugetlb(vm, src, outcome === "moved" ? dst : src);
  mappings?.unlock();
  return outcome;
}

/** Of the file that the folio belongs to; null for a private one. */
function mappingsLock({ vm }: MigrateRun, src: Folio): RwSemaphore | null {
  const mapping = vm.cache.folioMapping(src);
  if (mapping === null) return null;
  return hstateOf(vm).files.get(mapping.id)?.iMmapLock ?? null;
}

/** Moves a file's huge page, and the charge to its mount's limit with it. */
export function* hugetlbfsMigrateFolio(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  assert(mapping !== null, "a hugetlb file's folio without its file:", src);
  const outcome = yield* migrateHugePageMoveMapping(mem, mapping, dst, src);
  if (outcome !== "moved") return outcome;
  setFolioSubpool(mem, dst, folioSubpool(mem, src));
  setFolioSubpool(mem, src, -1);
  copyUnlessDone(mem, dst, src, mode);
  return "moved";
}

/** The swap: the cache holds one reference to a huge page, whatever its size. */
function* migrateHugePageMoveMapping(
  mem: Memory,
  mapping: AddressSpace,
  dst: Folio,
  src: Folio,
): Steps<"moved" | "EAGAIN"> {
  const hasPrivate = (mem.flags[src] & (PG.private | PG.private2)) !== 0;
  const expected = 2 + (hasPrivate ? 1 : 0);
  yield "migrate-mapping-count";
  if (!folioRefFreeze(mem, src, expected)) {
    mem.events.refusals.refuse("refcount", mem.refcount[src], expected);
    return "EAGAIN";
  }
  mem.index[dst] = mem.index[src];
  mem.mapping[dst] = mem.mapping[src];
  mem.refcount[dst]++;
  mapping.folios.replace(mem.index[src], src, dst, HUGETLB_PAGES);
  folioRefUnfreeze(mem, src, expected - 1);
  return "moved";
}
