/**
 * Ready-made `migrateFolio` operations, and what happens to an owner without one.
 *
 * Each swaps the mapping first, which is the last thing that can fail, then moves private state,
 * then bytes and flags. Linux: mm/migrate.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { AddressSpace, MigrateMode, MigrateOutcome } from "../pagecache/address-space.ts";
import { folioAttachPrivate, folioDetachPrivate } from "../pagecache/folio-buffers.ts";
import { filemapReleaseFolio } from "../pagecache/page-cache.ts";
import type { Blocking } from "../sched/blocking.ts";
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
 * without. A dirty folio would have to be written out first, which takes an owner that can.
 * Linux: `fallback_migrate_folio()`.
 */
export function* fallbackMigrateFolio(
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  const { refusals } = mem.events;
  assert(mapping !== null, "the fallback is for owners, and this folio has none:", src);
  if (testFlag(mem, src, PG.dirty)) {
    refusals.refuse("private_dirty", 1, 0);
    return mode === "async" || mode === "sync-light" ? "EBUSY" : "EINVAL";
  }
  if (!(yield* filemapReleaseFolio(mem, mapping, src))) {
    refusals.refuse("private_busy", 1, 0);
    return mode === "sync" ? "EAGAIN" : "EBUSY";
  }
  return yield* migrateFolio(mem, mapping, dst, src, mode);
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
