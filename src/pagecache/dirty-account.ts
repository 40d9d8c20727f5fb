/**
 * Dirty pages, counted and marked: what each change of `PG.dirty` of a file's folio brings along.
 *
 * NR_FILE_DIRTY of the node and NR_ZONE_WRITE_PENDING of the zone count the pages of files that can
 * be written back, and of no others. The mark in the index is set with the flag and outlives it: it
 * goes when a writeback begins, so a cleaned folio may keep a mark that leads nowhere. Each
 * function is atomic: the `i_pages` lock. Linux: mm/page-writeback.c, 6.1.
 */
import { folioNrPages } from "../memory/folio.ts";
import { type Folio, testAndClearFlag, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { AddressSpace } from "./address-space.ts";
import { MARK } from "./folio-index.ts";

/**
 * Counts and marks a folio whose flag has just been set, unless it has left its file since.
 *
 * Linux: `__folio_mark_dirty()`.
 */
export function markDirtyInIndex(mem: Memory, mapping: AddressSpace, folio: Folio): void {
  if (mem.mapping[folio] === 0) return;
  countDirty(mem, mapping, folio, folioNrPages(mem, folio));
  mapping.folios.setMark(mem.index[folio], MARK.dirty);
}

/** Uncounts a folio whose flag has just been cleared. Linux: `folio_account_cleaned()`. */
export function folioAccountCleaned(mem: Memory, mapping: AddressSpace, folio: Folio): void {
  countDirty(mem, mapping, folio, -folioNrPages(mem, folio));
}

/** What is dirty will never be written. Linux: `folio_cancel_dirty()`. */
export function folioCancelDirty(mem: Memory, mapping: AddressSpace, folio: Folio): void {
  if (testAndClearFlag(mem, folio, PG.dirty)) folioAccountCleaned(mem, mapping, folio);
}

/** A folio of `src`'s place is `dst` from now on, in another zone perhaps. */
export function moveDirtyCount(
  mem: Memory,
  mapping: AddressSpace,
  dst: Folio,
  src: Folio,
  pages: number,
): void {
  if (!testFlag(mem, dst, PG.dirty)) return;
  countDirty(mem, mapping, src, -pages);
  countDirty(mem, mapping, dst, pages);
}

function countDirty(mem: Memory, mapping: AddressSpace, folio: Folio, pages: number): void {
  if (!mapping.canWriteback) return;
  const zone = mem.zoneOf(folio);
  zone.pgdat.dirtyPages += pages;
  zone.writePendingPages += pages;
}
