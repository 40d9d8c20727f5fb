/**
 * Reading pages of swap into the cache, and past it.
 *
 * A new folio claims the slot, enters the cache locked, goes to the LRU, and only then is read: who
 * finds it waits for its lock. It has no anonymous mapping word before it is mapped. Of two who
 * read the same slot one claims it; the other finds the folio, or sleeps until a reader past the
 * cache is done. Linux: `__read_swap_cache_async()`, mm/swap_state.c, 6.1.
 */
import { folioUnlock } from "../../memory/folio-lock.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import { folioAddLru } from "../../memory/lru.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import { filemapGetFolio } from "../../pagecache/page-cache.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { Swap } from "./swap.ts";
import { addToSwapCache } from "./swap-cache.ts";
import type { SwapEntry } from "./swap-entry.ts";
import { swapReadFolio } from "./swap-io.ts";

/** Where a page to read into comes from: by the policy of whose page it is. */
export type NewSwapFolio = () => Blocking<Folio | null>;

/**
 * The slot's folio, in the cache, with one reference of the caller's; perhaps still being read.
 *
 * "ENOENT": nobody needs the slot any more.
 */
export function* readSwapCache(
  swap: Swap,
  slot: SwapEntry,
  newFolio: NewSwapFolio,
): Blocking<Folio | "ENOENT" | "ENOMEM"> {
  const { mem, mapping } = swap;
  for (;;) {
    const cached = yield* filemapGetFolio(mem, mapping, slot);
    if (cached !== null) return cached;
    const added = yield* addNewFolio(swap, slot, newFolio);
    if (added !== "EEXIST") return added;
    if (swap.isClaimed(slot)) yield swap.claimed;
  }
}

/** A new folio for the slot, being read, if nobody else has the slot by then. */
export function* addNewFolio(
  swap: Swap,
  slot: SwapEntry,
  newFolio: NewSwapFolio,
): Blocking<Folio | "ENOENT" | "ENOMEM" | "EEXIST"> {
  const { mem } = swap;
  const folio = yield* allocSwapFolio(mem, newFolio);
  if (folio === null) return "ENOMEM";
  yield "swap-cache-claim";
  const claim = swap.prepareCache(slot);
  if (claim === "claimed") {
    addToSwapCache(swap, folio, slot);
    startSwapIn(swap, folio, slot);
    return folio;
  }
  folioUnlock(mem, folio);
  folioPut(mem, folio);
  return claim;
}

/** A page to read into, locked before anybody can see it. */
export function* allocSwapFolio(mem: Memory, newFolio: NewSwapFolio): Blocking<Folio | null> {
  const folio = yield* newFolio();
  if (folio !== null) mem.flags[folio] |= PG.locked | PG.swapbacked;
  return folio;
}

/** Sends a new, locked folio to the LRU and begins to read it, which unlocks it. */
export function startSwapIn(swap: Swap, folio: Folio, slot: SwapEntry): void {
  const { mem, shadows } = swap;
  const shadow = shadows.get(slot);
  if (shadow !== undefined) {
    shadows.delete(slot);
    swap.workingsetRefault?.(folio, shadow);
  }
  folioAddLru(mem, folio);
  swapReadFolio(swap, folio, slot);
}
