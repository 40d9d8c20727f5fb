/**
 * Swap readahead: the slots around one that is wanted are read along with it.
 *
 * What went out together lies together, and may be wanted together. The window is an aligned run of
 * slots; how long depends on how many of the pages read so far were then asked for, and it does not
 * shrink faster than by half. Pages that nobody asks for stay in the swap cache, for reclaim to
 * drop. So read areas that rotate, and shmem; by the addresses of a VMA, as Linux reads ahead from
 * other areas, nothing is read here. Linux: `swap_cluster_readahead()`, mm/swap_state.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import { lruAddDrain } from "../../memory/lru.ts";
import { type Folio, setFlag, testAndClearFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { Swap } from "./swap.ts";
import { type SwapEntry, swapAreaOf, swapEntry, swapSlotOf } from "./swap-entry.ts";
import { addNewFolio, type NewSwapFolio, readSwapCache } from "./swap-read.ts";

/** How readahead has done. Linux: `swapin_readahead_hits` and two static words. */
export class SwapReadahead {
  /** The largest window is two to this power of pages; 0 for none. Linux: vm.page-cluster. */
  pageCluster = 3;
  /** Of the pages read ahead, asked for since the last window. */
  hits = 4;
  private previousSlot = 0;
  private lastPages = 0;

  /** Pages of the window for a slot, a power of two. Linux: `swapin_nr_pages()`. */
  nextWindow(slot: number): number {
    const most = 1 << this.pageCluster;
    if (most <= 1) return 1;
    const { hits } = this;
    this.hits = 0;
    const isNext = Math.abs(slot - this.previousSlot) === 1;
    let pages = hits > 0 || isNext ? 2 : 1;
    if (hits > 0) for (pages = 4; pages < hits + 2; pages *= 2);
    pages = Math.max(Math.min(pages, most), this.lastPages >> 1);
    if (hits === 0) this.previousSlot = slot;
    this.lastPages = pages;
    return pages;
  }
}

/** As `readSwapCache`, with the slots around it begun to be read. */
export function* swapClusterReadahead(
  swap: Swap,
  entry: SwapEntry,
  newFolio: NewSwapFolio,
): Blocking<Folio | "ENOENT" | "ENOMEM"> {
  const { mem, readahead } = swap;
  const slot = swapSlotOf(entry);
  const pages = readahead.nextWindow(slot);
  const first = slot - (slot % pages);
  for (let at = Math.max(first, 1); pages > 1 && at < first + pages; at++) {
    const folio = yield* readIfWanted(swap, swapAreaOf(entry), at, newFolio);
    if (folio === null) continue;
    if (at !== slot) {
      setFlag(mem, folio, PG.readahead);
      mem.events.count(VM_EVENT.swap_ra, 1);
    }
    folioPut(mem, folio);
  }
  lruAddDrain(mem);
  return yield* readSwapCache(swap, entry, newFolio);
}

/** Begins to read a slot that some entry names and no folio has; null without memory. */
function* readIfWanted(
  swap: Swap,
  areaId: number,
  slot: number,
  newFolio: NewSwapFolio,
): Blocking<Folio | null> {
  const area = swap.areas[areaId] ?? null;
  if (area === null || slot >= area.slotCount || area.count(slot) === 0) return null;
  const entry = swapEntry(areaId, slot);
  if (swap.mapping.folios.load(entry) !== null) return null;
  const folio = yield* addNewFolio(swap, entry, newFolio);
  return typeof folio === "string" ? null : folio;
}

/**
 * A folio was asked for and found in the swap cache: it may have been read ahead.
 *
 * The flag means something else while the folio is being written. Linux: `lookup_swap_cache()`.
 */
export function noteSwapCacheHit({ mem, readahead }: Swap, folio: Folio): void {
  if (testFlag(mem, folio, PG.writeback) || !testAndClearFlag(mem, folio, PG.readahead)) return;
  mem.events.count(VM_EVENT.swap_ra_hit, 1);
  readahead.hits++;
}
