/**
 * The swap cache: folios that have a slot, entered, found and taken out.
 *
 * Way out: a locked anonymous folio gets slots and enters dirty (`addToSwap`), is unmapped, written
 * and removed. Way in: a new folio claims the slot, enters locked, and is read (`swap-in.ts`).
 * While a folio is in the cache its slot cannot be used for another; taking it out is for who holds
 * its lock. Each change is atomic: the kernel's `i_pages` lock and the slot's lock together.
 *
 * Linux: mm/swap_state.c, 6.1. Its entries in `private` of every page of a large folio are one
 * here, in the first: a later page's word names its head.
 */
import { assert } from "../../base/assert.ts";
import { folioMapped, folioNrPages } from "../../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioPut, folioPutRefs, folioTryGet } from "../../memory/folio-ref.ts";
import { clearFlag, type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import type { Swap } from "./swap.ts";
import type { SwapEntry } from "./swap-entry.ts";

const SWAPCACHE = PG.swapcache | PG.swapbacked;

/** The flag is another's where the folio is not swap-backed. Linux: `folio_test_swapcache()`. */
export function folioTestSwapcache(mem: Memory, folio: Folio): boolean {
  return (mem.flags[folio] & SWAPCACHE) === SWAPCACHE;
}

/** The entry of the folio's first page. Linux: `folio_swap_entry()`. */
export function folioSwapEntry(mem: Memory, folio: Folio): SwapEntry {
  assert(folioTestSwapcache(mem, folio), "a folio outside the swap cache has no entry:", folio);
  return mem.private[folio] as SwapEntry;
}

/**
 * Gives a locked anonymous folio slots and enters it into the cache; false if swap is full.
 *
 * It is dirty from then on: nothing has written it to its slots yet. Linux: `add_to_swap()`.
 */
export function addToSwap(swap: Swap, folio: Folio): boolean {
  const { mem } = swap;
  assert(testFlag(mem, folio, PG.locked), "a folio to be swapped is not locked:", folio);
  assert(testFlag(mem, folio, PG.uptodate), "a folio to be swapped holds nothing:", folio);
  const entry = swap.allocate(folioNrPages(mem, folio));
  if (entry === null) return false;
  addToSwapCache(swap, folio, entry);
  setFlag(mem, folio, PG.dirty);
  return true;
}

/** Enters a locked folio whose slots are claimed. Linux: `add_to_swap_cache()`. */
export function addToSwapCache(swap: Swap, folio: Folio, entry: SwapEntry): void {
  const { mem, mapping } = swap;
  assert(testFlag(mem, folio, PG.swapbacked), "a file's folio in the swap cache:", folio);
  assert(!testFlag(mem, folio, PG.swapcache), "a folio is in the swap cache already:", folio);
  const pages = folioNrPages(mem, folio);
  for (let at = 0; at < pages; at++) mapping.folios.insert(entry + at, folio, 1);
  mem.refcount[folio] += pages;
  mem.private[folio] = entry;
  setFlag(mem, folio, PG.swapcache);
  countSwapcache(mem, folio, pages);
}

/** Takes a locked folio out, and its slots' claim. Linux: `delete_from_swap_cache()`. */
export function deleteFromSwapCache(swap: Swap, folio: Folio): void {
  const { mem } = swap;
  const pages = folioNrPages(mem, folio);
  removeFromSwapCache(swap, folio, null);
  folioPutRefs(mem, folio, pages);
}

/**
 * The same for who has frozen the folio's count, the cache's references among it; the page leaves
 * `shadow` behind for its return. Linux: `__delete_from_swap_cache()` and `put_swap_folio()`.
 */
export function removeFromSwapCache(swap: Swap, folio: Folio, shadow: number | null): void {
  const { mem, mapping } = swap;
  assert(testFlag(mem, folio, PG.locked), "removal of a folio that is not locked:", folio);
  assert(!testFlag(mem, folio, PG.writeback), "removal of a folio under writeback:", folio);
  const entry = folioSwapEntry(mem, folio);
  const pages = folioNrPages(mem, folio);
  for (let at = 0; at < pages; at++) mapping.folios.remove(entry + at, 1);
  mem.private[folio] = 0;
  clearFlag(mem, folio, PG.swapcache);
  countSwapcache(mem, folio, -pages);
  for (let at = 0; at < pages; at++) {
    const slot = (entry + at) as SwapEntry;
    if (shadow !== null) swap.shadows.set(slot, shadow);
    swap.dropCache(slot);
  }
}

/**
 * Puts `dst` in the place of `src`, whose count is frozen, in the slot of each of its pages.
 *
 * The flag of `src` goes with its other flags. Linux: part of `folio_migrate_mapping()`.
 */
export function replaceInSwapCache(
  mem: Memory,
  mapping: AddressSpace,
  dst: Folio,
  src: Folio,
): void {
  const entry = folioSwapEntry(mem, src);
  const end = entry + folioNrPages(mem, src);
  mem.private[dst] = entry;
  setFlag(mem, dst, PG.swapcache);
  for (let slot: number = entry; slot < end; slot++) mapping.folios.replace(slot, src, dst, 1);
}

/**
 * Gives each page of a folio that has been split its own slot, flag and entry.
 *
 * The folio's count is frozen. Linux: part of `__split_huge_page_tail()`.
 */
export function splitInSwapCache(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  pages: number,
): void {
  const entry = folioSwapEntry(mem, folio);
  for (let at = 1; at < pages; at++) {
    const page = (folio + at) as Folio;
    mapping.folios.replace(entry + at, folio, page, 1);
    mem.private[page] = entry + at;
  }
}

/** Whether an entry names any of the folio's slots. Linux: `folio_swapped()`. */
function folioSwapped(swap: Swap, folio: Folio): boolean {
  const { mem } = swap;
  const entry = folioSwapEntry(mem, folio);
  const end = entry + folioNrPages(mem, folio);
  for (let at: number = entry; at < end; at++) if (swap.count(at as SwapEntry) > 0) return true;
  return false;
}

/**
 * Takes a locked folio out of the cache if no entry needs its slots; true if it did.
 *
 * The folio is dirty from then on: its bytes are nowhere else. Linux: `folio_free_swap()`.
 */
export function folioFreeSwap(swap: Swap, folio: Folio): boolean {
  const { mem } = swap;
  assert(testFlag(mem, folio, PG.locked), "slots of a folio that is not locked:", folio);
  if (!folioTestSwapcache(mem, folio)) return false;
  if (testFlag(mem, folio, PG.writeback) || folioSwapped(swap, folio)) return false;
  deleteFromSwapCache(swap, folio);
  setFlag(mem, folio, PG.dirty);
  return true;
}

/** The same for who has not locked the folio, unless somebody else has. */
export function freeSwapAtLock(swap: Swap, folio: Folio): void {
  const { mem } = swap;
  if (!folioTrylock(mem, folio)) return;
  folioFreeSwap(swap, folio);
  folioUnlock(mem, folio);
}

/** A mapping is gone: if it was the last, so may the slot be. Linux: `free_swap_cache()`. */
export function freeSwapCache(swap: Swap, folio: Folio): void {
  const { mem } = swap;
  if (folioTestSwapcache(mem, folio) && !folioMapped(mem, folio)) freeSwapAtLock(swap, folio);
}

/**
 * A page table entry that names a slot is emptied. If it was the last and the folio in the cache is
 * unmapped, that goes too. Linux: `free_swap_and_cache()`.
 */
export function freeSwapAndCache(swap: Swap, entry: SwapEntry): void {
  const { mem, mapping } = swap;
  swap.free(entry);
  const folio = mapping.folios.load(entry);
  if (folio === null || swap.count(entry) > 0 || !folioTryGet(mem, folio)) return;
  freeSwapCache(swap, folio);
  folioPut(mem, folio);
}

/** NR_SWAPCACHE and NR_FILE_PAGES of the folio's node. */
function countSwapcache(mem: Memory, folio: Folio, pages: number): void {
  const node = mem.nodeOf(folio);
  node.swapcachePages += pages;
  node.filePages += pages;
}
