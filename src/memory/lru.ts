/**
 * The LRU from outside: adding, isolating, putting back, draining.
 *
 * Life of a folio's membership: new -> in a batch (one reference, no PG_lru) -> on a list (PG_lru)
 * -> isolated (PG_lru cleared, one reference, in the isolator's hands) -> a batch again, or freed.
 * Whoever isolates also counts it in `isolatedPages` and uncounts it exactly once.
 *
 * Callers must hold a reference of their own when they isolate, and must not touch the links of a
 * folio that they did not isolate. Linux: mm/swap.c, mm/vmscan.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import { VM_EVENT } from "../events/vmstat.ts";
import { folioNrPages, folioTestLarge } from "./folio.ts";
import { folioGet, folioPut } from "./folio-ref.ts";
import { BATCH_SIZE } from "./lru-batch.ts";
import { folioEvictable, lruLink, lruUnlink } from "./lru-list.ts";
import { drainLruMoves } from "./lru-moves.ts";
import { clearFlag, type Folio, setFlag, testAndClearFlag } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { mlockDrain } from "./mlock.ts";
import { PG } from "./page-flags.ts";

/** Sends a folio to the LRU by way of this processor's batch. Linux: `folio_add_lru()`. */
export function folioAddLru(mem: Memory, folio: Folio): void {
  assert((mem.flags[folio] & PG.lru) === 0, "a folio is on the LRU already:", folio);
  const batches = mem.lruBatches[mem.cpu];
  folioGet(mem, folio);
  batches.add[batches.addCount++] = folio;
  const isFull = batches.addCount === BATCH_SIZE;
  if (isFull || mem.lruDisableCount > 0 || folioTestLarge(mem, folio)) flushAdds(mem);
}

/** Empties this processor's batches. Linux: `lru_add_drain()`. */
export function lruAddDrain(mem: Memory): void {
  flushAdds(mem);
  if (mem.lruBatches[mem.cpu].moveCount > 0) drainLruMoves(mem);
  mlockDrain(mem);
}

/** Empties every processor's batches. Linux: `lru_add_drain_all()`. */
export function lruAddDrainAll(mem: Memory): void {
  const { cpu } = mem;
  for (mem.cpu = 0; mem.cpu < mem.cpuCount; mem.cpu++) {
    lruAddDrain(mem);
    for (const drain of mem.cpuDrains) drain(mem.cpu);
  }
  mem.cpu = cpu;
}

/** No folio rests in a batch until `lruCacheEnable`. Linux: `lru_cache_disable()`. */
export function lruCacheDisable(mem: Memory): void {
  mem.lruDisableCount++;
  lruAddDrainAll(mem);
}

export function lruCacheEnable(mem: Memory): void {
  assert(mem.lruDisableCount > 0, "the LRU batches are not disabled");
  mem.lruDisableCount--;
}

/**
 * Takes a folio off its list, with a reference. False if it is on none.
 *
 * The caller counts it in `isolatedPages`. Linux: `folio_isolate_lru()`.
 */
export function folioIsolateLru(mem: Memory, folio: Folio): boolean {
  if (!testAndClearFlag(mem, folio, PG.lru)) return false;
  folioGet(mem, folio);
  lruUnlink(mem, folio);
  return true;
}

/** Gives an isolated folio back, and its reference. Linux: `folio_putback_lru()`. */
export function folioPutbackLru(mem: Memory, folio: Folio): void {
  folioAddLru(mem, folio);
  folioPut(mem, folio);
}

function flushAdds(mem: Memory): void {
  const batches = mem.lruBatches[mem.cpu];
  const count = batches.addCount;
  batches.addCount = 0;
  for (let at = 0; at < count; at++) {
    const folio = batches.add[at] as Folio;
    linkEvictableOrNot(mem, folio);
    folioPut(mem, folio);
  }
}

/** What keeps it now decides, whatever PG_unevictable said before. Linux: `lru_add_fn()`. */
function linkEvictableOrNot(mem: Memory, folio: Folio): void {
  const wasUnevictable = testAndClearFlag(mem, folio, PG.unevictable);
  if (!folioEvictable(mem, folio)) {
    clearFlag(mem, folio, PG.active);
    setFlag(mem, folio, PG.unevictable);
    if (!wasUnevictable) {
      mem.events.count(VM_EVENT.unevictable_pgs_culled, folioNrPages(mem, folio));
    }
  } else if (wasUnevictable) {
    mem.events.count(VM_EVENT.unevictable_pgs_rescued, folioNrPages(mem, folio));
  }
  lruLink(mem, folio, "head");
}
