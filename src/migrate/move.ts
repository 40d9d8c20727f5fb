/**
 * Second half of moving one folio: hand it to its owner, then put it back into the page tables.
 *
 * Order of steps: the owner's callback; `dst` to the LRU; the migration entries; unlock. `dst` is
 * complete before any entry shows it, and `src` is unlocked only after the last entry is gone, as
 * those who wait for an entry sleep on that lock. Linux: `migrate_folio_move()`,
 * `move_to_new_folio()`, mm/migrate.c, 6.1.
 */

import { assert } from "../base/assert.ts";
import type { Errno } from "../base/errno.ts";
import { folioUnlock } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { folioAddLru, lruAddDrain } from "../memory/lru.ts";
import { folioTestMovable, MAPPING_FLAGS } from "../memory/mapping-word.ts";
import type { Folio } from "../memory/memmap.ts";
import { listDel } from "../memory/page-list.ts";
import type { AddressSpace, MigrateMode, MigrateOutcome } from "../pagecache/address-space.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import { withoutSleep } from "../sched/run.ts";
import { removeMigrationPtes } from "../vm/migration-entry.ts";
import { putAnonVma } from "../vm/rmap.ts";
import type { Vm } from "../vm/vm.ts";
import { fallbackMigrateFolio, migrateFolio } from "./callbacks.ts";
import type { MigrateRun } from "./migrate-run.ts";
import { moveMovablePage } from "./move-movable.ts";
import { noteMigrateReason } from "./page-ext.ts";
import { giveUp, migrateFolioDone } from "./unmap.ts";

/** Moves an unmapped, locked `src` to `run.dst` and unlocks both. */
export function* migrateFolioMove(run: MigrateRun, src: Folio): Blocking<MigrateOutcome> {
  const outcome = yield* tryToMoveUnmapped(run, src);
  if (outcome !== "moved") yield* undoUnmap(run, src, outcome);
  return outcome;
}

/**
 * As `migrateFolioMove`, but where the owner refuses both folios stay as they are, with what there
 * is to undo in `dst`'s private word: for another try, or for `undoUnmap`.
 */
export function* tryToMoveUnmapped(run: MigrateRun, src: Folio): Blocking<MigrateOutcome> {
  const { vm, dst } = run;
  const { mem } = vm;
  const record = mem.private[dst];
  const wasMapped = (record & 1) !== 0;
  mem.private[dst] = 0;

  const outcome = yield* moveToNewFolio(vm, dst, src, run.mode);
  if (outcome !== "moved") {
    mem.private[dst] = record;
    return outcome;
  }
  if (!folioTestMovable(mem, src)) {
    folioAddLru(mem, dst);
    // The page tables rebuild the count of mlocks, which needs the folio on the LRU.
    if (wasMapped) lruAddDrain(mem);
  }
  if (wasMapped) yield* removeMigrationPtes(vm, src, dst);
  unlockBoth(vm, dst, src, record);
  if (mem.pageExt !== null) noteMigrateReason(mem, mem.pageExt, dst, run.reason);
  folioPut(mem, dst);
  listDel(mem, src);
  migrateFolioDone(run, src);
  return "moved";
}

/**
 * `src` goes back into the page tables, and `dst` to where it came from.
 *
 * Linux: `migrate_folio_undo_src()`, `migrate_folio_undo_dst()`.
 */
export function* undoUnmap(run: MigrateRun, src: Folio, outcome: Errno): Steps<void> {
  const { vm, dst } = run;
  const record = vm.mem.private[dst];
  vm.mem.private[dst] = 0;
  if ((record & 1) !== 0) yield* removeMigrationPtes(vm, src, src);
  unlockBoth(vm, dst, src, record);
  giveUp(run, dst, src, outcome);
}

/** In this order, and only once no migration entry is left. */
function unlockBoth(vm: Vm, dst: Folio, src: Folio, record: number): void {
  folioUnlock(vm.mem, dst);
  if (record > 1) {
    const anonVma = vm.anonVmas[(record >> 1) - 1];
    assert(anonVma !== undefined, "an anon_vma went away under a migration:", record >> 1);
    putAnonVma(vm, anonVma);
  }
  folioUnlock(vm.mem, src);
}

/** Has the owner move the folio. Both are locked. Linux: `move_to_new_folio()`. */
export function* moveToNewFolio(
  vm: Vm,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  const { mem } = vm;
  if (folioTestMovable(mem, src)) return yield* moveMovablePage(vm.cache, dst, src, mode);
  const mapping = vm.cache.folioMapping(src);
  const outcome =
    mode === "async"
      ? yield* withoutSleep(
          () => callOwner(vm, mapping, dst, src, mode),
          mapping === null ? "anonymous" : mapping.name,
        )
      : yield* callOwner(vm, mapping, dst, src, mode);
  // A file's page must not be freed with its mapping set; other words stay until then.
  if (outcome === "moved" && (mem.mapping[src] & MAPPING_FLAGS) === 0) mem.mapping[src] = 0;
  return outcome;
}

/** An owner that says nothing of migration gets the fallback, writeout and all. */
function* callOwner(
  vm: Vm,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  const { mem } = vm;
  if (mapping === null) return yield* migrateFolio(mem, mapping, dst, src, mode);
  const { ops } = mapping;
  if (ops.migrateFolio === undefined) {
    return yield* fallbackMigrateFolio(vm, mapping, dst, src, mode);
  }
  return yield* ops.migrateFolio(mem, mapping, dst, src, mode);
}
