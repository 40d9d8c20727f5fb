/**
 * mlock: folios that a page table with VM_LOCKED maps, kept off the lists that reclaim walks.
 *
 * A mapping in a locked VMA sets PG_mlocked at once; the move to the unevictable list waits in a
 * batch. While unevictable, `prev` counts the locked mappings (0 when the folio came to the list
 * by other ways). Protection: `lruvec->lru_lock`. Linux: mm/mlock.c, 6.1.
 */
import { VM_EVENT } from "../events/vmstat.ts";
import { folioNrPages, folioTestLarge } from "./folio.ts";
import { folioGet, folioPut } from "./folio-ref.ts";
import { BATCH_SIZE, MLOCK_BATCH } from "./lru-batch.ts";
import { lruLink, lruUnlink } from "./lru-list.ts";
import { clearFlag, type Folio, setFlag, testAndClearFlag, testFlag } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { PG } from "./page-flags.ts";

/** A locked VMA maps the folio. Linux: `mlock_folio()`. */
export function mlockFolio(mem: Memory, folio: Folio): void {
  if (!testFlag(mem, folio, PG.mlocked)) {
    const pages = folioNrPages(mem, folio);
    setFlag(mem, folio, PG.mlocked);
    mem.nodeOf(folio).mlockedPages += pages;
    mem.events.count(VM_EVENT.unevictable_pgs_mlocked, pages);
  }
  addToBatch(mem, folio, MLOCK_BATCH.mlock);
}

/** A locked VMA no longer maps the folio. Linux: `munlock_folio()`. */
export function munlockFolio(mem: Memory, folio: Folio): void {
  addToBatch(mem, folio, MLOCK_BATCH.munlock);
}

/** Linux: `mlock_drain_local()`. */
export function mlockDrain(mem: Memory): void {
  const batches = mem.lruBatches[mem.cpu];
  const count = batches.mlockCount;
  if (count === 0) return;
  batches.mlockCount = 0;
  for (let at = 0; at < count; at++) {
    const folio = batches.mlock[at] as Folio;
    if (batches.mlockKind[at] === MLOCK_BATCH.mlock) mlockNow(mem, folio);
    else munlockNow(mem, folio);
    folioPut(mem, folio);
  }
}

function addToBatch(mem: Memory, folio: Folio, kind: number): void {
  const batches = mem.lruBatches[mem.cpu];
  folioGet(mem, folio);
  batches.mlock[batches.mlockCount] = folio;
  batches.mlockKind[batches.mlockCount++] = kind;
  const isFull = batches.mlockCount === BATCH_SIZE;
  if (isFull || folioTestLarge(mem, folio) || mem.lruDisableCount > 0) mlockDrain(mem);
}

function mlockNow(mem: Memory, folio: Folio): void {
  // Isolated: whoever puts it back will see PG_mlocked.
  if (!testAndClearFlag(mem, folio, PG.lru)) return;
  const isMlocked = testFlag(mem, folio, PG.mlocked);
  if (!isMlocked || testFlag(mem, folio, PG.unevictable)) {
    // Munlocked since, or there already: only the count of locks can change.
    if (isMlocked) mem.prev[folio]++;
    setFlag(mem, folio, PG.lru);
    return;
  }
  lruUnlink(mem, folio);
  clearFlag(mem, folio, PG.active);
  setFlag(mem, folio, PG.unevictable);
  lruLink(mem, folio, "head");
  mem.prev[folio] = 1;
  mem.events.count(VM_EVENT.unevictable_pgs_culled, folioNrPages(mem, folio));
}

function munlockNow(mem: Memory, folio: Folio): void {
  const isolated = testAndClearFlag(mem, folio, PG.lru);
  const isUnevictable = testFlag(mem, folio, PG.unevictable);
  if (isolated && isUnevictable && mem.prev[folio] > 0) {
    mem.prev[folio]--;
    if (mem.prev[folio] > 0) {
      setFlag(mem, folio, PG.lru);
      return;
    }
  }
  const pages = folioNrPages(mem, folio);
  if (testAndClearFlag(mem, folio, PG.mlocked)) {
    mem.nodeOf(folio).mlockedPages -= pages;
    const stranded = !isolated && isUnevictable;
    const { unevictable_pgs_stranded, unevictable_pgs_munlocked } = VM_EVENT;
    mem.events.count(stranded ? unevictable_pgs_stranded : unevictable_pgs_munlocked, pages);
  }
  if (!isolated) return;
  if (isUnevictable) {
    lruUnlink(mem, folio);
    clearFlag(mem, folio, PG.unevictable);
    lruLink(mem, folio, "head");
    mem.events.count(VM_EVENT.unevictable_pgs_rescued, pages);
  } else {
    setFlag(mem, folio, PG.lru);
  }
}
