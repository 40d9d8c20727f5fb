/**
 * Ready-made `migrateFolio` operations, and what happens to an owner without one.
 *
 * Each swaps the mapping first, which is the last thing that can fail, then moves private state,
 * then bytes and flags. Linux: mm/migrate.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import { folioLock } from "../memory/folio-lock.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { AddressSpace, MigrateMode, MigrateOutcome } from "../pagecache/address-space.ts";
import { folioAttachPrivate, folioDetachPrivate } from "../pagecache/buffers/folio-buffers.ts";
import { filemapReleaseFolio } from "../pagecache/page-cache.ts";
import { folioClearDirtyForIo } from "../pagecache/writeback.ts";
import type { Blocking } from "../sched/blocking.ts";
import { removeMigrationPtes } from "../vm/migration-entry.ts";
import type { Vm } from "../vm/vm.ts";
import { folioMigrateMapping } from "./folio-mapping.ts";
import { folioMigrateCopy, folioMigrateFlags } from "./folio-state.ts";

/** For folios without private state: anonymous, shmem. Linux: `migrate_folio()`. */
export function* migrateFolio(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  assert((mem.flags[src] & PG.writeback) === 0, "migration of a folio under writeback:", src);
  const outcome = yield* folioMigrateMapping(mem, mapping, dst, src, 0);
  if (outcome !== "moved") return outcome;
  copyUnlessDone(mem, dst, src, mode);
  return "moved";
}

/**
 * For files whose private state is a value that does not point back at the folio, with no I/O
 * under way. Linux: `filemap_migrate_folio()`.
 */
export function* filemapMigrateFolio(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  const outcome = yield* folioMigrateMapping(mem, mapping, dst, src, 0);
  if (outcome !== "moved") return outcome;
  if (testFlag(mem, src, PG.private)) movePrivate(mem, dst, src);
  copyUnlessDone(mem, dst, src, mode);
  return "moved";
}

/**
 * For owners without `migrateFolio`: private state is given up, and then the folio moves as one
 * without. A dirty folio is written out first, if the mode may wait for that; another try moves it.
 * Kernels that write nothing out leave it where it is.
 * Linux: `fallback_migrate_folio()`.
 */
export function* fallbackMigrateFolio(
  vm: Vm,
  mapping: AddressSpace,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  const { mem } = vm;
  const { refusals } = mem.events;
  if (testFlag(mem, src, PG.dirty)) {
    refusals.refuse("private_dirty", 1, 0);
    const mayWrite = mode === "sync" || mode === "sync-no-copy";
    if (!mayWrite || !mem.profile.writesOutToMigrate) return "EBUSY";
    return yield* writeout(vm, mapping, src);
  }
  if (!(yield* filemapReleaseFolio(mem, mapping, src))) {
    refusals.refuse("private_busy", 1, 0);
    return mode === "sync" ? "EAGAIN" : "EBUSY";
  }
  return yield* migrateFolio(mem, mapping, dst, src, mode);
}

/**
 * Has the owner begin to write the folio, and never moves it itself: locked again at the end, under
 * writeback perhaps, or truncated. Linux: `writeout()`.
 */
function* writeout(
  vm: Vm,
  mapping: AddressSpace,
  folio: Folio,
): Blocking<"EAGAIN" | "EINVAL" | "EIO"> {
  const { mem } = vm;
  const { writepage } = mapping.ops;
  if (writepage === undefined) return "EINVAL";
  if (!(yield* folioClearDirtyForIo(mem, mapping, folio))) return "EAGAIN";
  // The owner unlocks the folio, and then no migration entry of it may be left.
  yield* removeMigrationPtes(vm, folio, folio);
  const outcome = yield* writepage(mem, mapping, folio, "none");
  if (outcome !== "activate") yield* folioLock(mem, folio);
  return outcome === "EIO" ? "EIO" : "EAGAIN";
}

/** The private word and its reference go from one folio to the other. */
export function movePrivate(mem: Memory, dst: Folio, src: Folio): void {
  folioAttachPrivate(mem, dst, folioDetachPrivate(mem, src));
}

/** Bytes and state; the state alone where the caller has a copy engine of its own. */
export function copyUnlessDone(mem: Memory, dst: Folio, src: Folio, mode: MigrateMode): void {
  if (mode === "sync-no-copy") folioMigrateFlags(mem, dst, src);
  else folioMigrateCopy(mem, dst, src);
}
