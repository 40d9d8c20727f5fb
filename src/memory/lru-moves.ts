/**
 * From one LRU list to another: what use, advice and the end of a write mean for a folio's place.
 *
 * Each wish waits in this processor's batch with a reference, and is tested again when the batch is
 * drained: the folio may have been isolated, mlocked or used since. Taking PG_lru away for the
 * move keeps isolators off, and moving never crosses a node. Linux: mm/swap.c, 6.1.
 */
import { VM_EVENT } from "../events/vmstat.ts";
import { folioMapped, folioNrPages, folioTestLarge } from "./folio.ts";
import { folioGet, folioPut } from "./folio-ref.ts";
import { BATCH_SIZE, LRU_MOVE, type LruMove } from "./lru-batch.ts";
import { lruLink, lruUnlink } from "./lru-list.ts";
import { folioTestAnon } from "./mapping-word.ts";
import { clearFlag, type Folio, setFlag, testFlag } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { PG } from "./page-flags.ts";

/**
 * A system call used the folio. Inactive and not seen before: it is marked; seen before: it becomes
 * active, in the batch of new folios too if it is still there. Linux: `folio_mark_accessed()`.
 */
export function folioMarkAccessed(mem: Memory, folio: Folio): void {
  const flags = mem.flags[folio];
  if ((flags & PG.referenced) === 0) {
    setFlag(mem, folio, PG.referenced);
  } else if ((flags & (PG.unevictable | PG.active)) === 0) {
    if ((flags & PG.lru) !== 0) folioActivate(mem, folio);
    else activateInAddBatch(mem, folio);
    clearFlag(mem, folio, PG.referenced);
    mem.nodeOf(folio).nonresidentAge += folioNrPages(mem, folio);
  }
  clearFlag(mem, folio, PG.idle);
}

/** Linux: `folio_activate()`. */
export function folioActivate(mem: Memory, folio: Folio): void {
  const { lru, active, unevictable } = PG;
  if ((mem.flags[folio] & (lru | active | unevictable)) === lru) {
    batchMove(mem, folio, LRU_MOVE.activate);
  }
}

/** MADV_COLD: to the head of the inactive list. Linux: `deactivate_page()`. */
export function folioDeactivate(mem: Memory, folio: Folio): void {
  const { lru, active, unevictable } = PG;
  if ((mem.flags[folio] & (lru | active | unevictable)) === (lru | active)) {
    batchMove(mem, folio, LRU_MOVE.deactivate);
  }
}

/**
 * A file's folio that could not be dropped now is the next to go: to the tail of the inactive
 * list, or by way of its write. Linux: `deactivate_file_folio()`.
 */
export function folioDeactivateFile(mem: Memory, folio: Folio): void {
  if (!testFlag(mem, folio, PG.unevictable)) batchMove(mem, folio, LRU_MOVE.deactivateFile);
}

/** MADV_FREE: the process can do without the bytes. Linux: `mark_page_lazyfree()`. */
export function folioMarkLazyfree(mem: Memory, folio: Folio): void {
  if (!testFlag(mem, folio, PG.lru) || !mayBeLazyfree(mem, folio)) return;
  batchMove(mem, folio, LRU_MOVE.lazyfree);
}

/** The write that reclaim began is over: next to go. Linux: `folio_rotate_reclaimable()`. */
export function folioRotateReclaimable(mem: Memory, folio: Folio): void {
  const { lru, locked, dirty, unevictable } = PG;
  if ((mem.flags[folio] & (lru | locked | dirty | unevictable)) !== lru) return;
  batchMove(mem, folio, LRU_MOVE.rotate);
}

/** Carries out what waits in this processor's batches. Linux: part of `lru_add_drain_cpu()`. */
export function drainLruMoves(mem: Memory): void {
  for (const move of Object.values(LRU_MOVE)) flushMoves(mem, move);
}

function batchMove(mem: Memory, folio: Folio, move: LruMove): void {
  const batches = mem.lruBatches[mem.cpu];
  folioGet(mem, folio);
  const length = batches.moves[move].push(folio);
  batches.moveCount++;
  const isFull = length === BATCH_SIZE;
  if (isFull || folioTestLarge(mem, folio) || mem.lruDisableCount > 0) flushMoves(mem, move);
}

/** Linux: `folio_batch_move_lru()`. */
function flushMoves(mem: Memory, move: LruMove): void {
  const batches = mem.lruBatches[mem.cpu];
  const folios = batches.moves[move].splice(0);
  batches.moveCount -= folios.length;
  for (const folio of folios) {
    // Without PG_lru it is in somebody's hands, who decides.
    if (testFlag(mem, folio, PG.lru) && !testFlag(mem, folio, PG.unevictable)) {
      MOVES[move](mem, folio);
    }
    folioPut(mem, folio);
  }
}

/** By LRU_MOVE; the folio is on a list and evictable. */
const MOVES: readonly ((mem: Memory, folio: Folio) => void)[] = [
  rotateNow,
  deactivateFileNow,
  deactivateNow,
  lazyfreeNow,
  activateNow,
];

/** Linux: `lru_move_tail_fn()`. */
function rotateNow(mem: Memory, folio: Folio): void {
  relink(mem, folio, PG.active, 0, "tail");
  mem.events.count(VM_EVENT.pgrotated, folioNrPages(mem, folio));
}

/** Linux: `lru_deactivate_file_fn()`. */
function deactivateFileNow(mem: Memory, folio: Folio): void {
  if (folioMapped(mem, folio)) return;
  const pages = folioNrPages(mem, folio);
  const wasActive = testFlag(mem, folio, PG.active);
  if ((mem.flags[folio] & (PG.writeback | PG.dirty)) !== 0) {
    // The end of its write brings it to the tail.
    relink(mem, folio, PG.active | PG.referenced, PG.reclaim, "head");
  } else {
    relink(mem, folio, PG.active | PG.referenced, 0, "tail");
    mem.events.count(VM_EVENT.pgrotated, pages);
  }
  if (wasActive) mem.events.count(VM_EVENT.pgdeactivate, pages);
}

/** Linux: `lru_deactivate_fn()`. */
function deactivateNow(mem: Memory, folio: Folio): void {
  if (!testFlag(mem, folio, PG.active)) return;
  relink(mem, folio, PG.active | PG.referenced, 0, "head");
  mem.events.count(VM_EVENT.pgdeactivate, folioNrPages(mem, folio));
}

/**
 * Clearing PG_swapbacked makes it a folio without storage, on the file's list, that is freed if it
 * is still clean by then. Linux: `lru_lazyfree_fn()`.
 */
function lazyfreeNow(mem: Memory, folio: Folio): void {
  if (!mayBeLazyfree(mem, folio)) return;
  relink(mem, folio, PG.active | PG.referenced | PG.swapbacked, 0, "head");
  mem.events.count(VM_EVENT.pglazyfree, folioNrPages(mem, folio));
}

/** Linux: `folio_activate_fn()`. */
function activateNow(mem: Memory, folio: Folio): void {
  if (testFlag(mem, folio, PG.active)) return;
  relink(mem, folio, 0, PG.active, "head");
  mem.events.count(VM_EVENT.pgactivate, folioNrPages(mem, folio));
}

/** Takes the folio off its list, changes the flags that choose one, and links it again. */
function relink(
  mem: Memory,
  folio: Folio,
  cleared: number,
  set: number,
  end: "head" | "tail",
): void {
  clearFlag(mem, folio, PG.lru);
  lruUnlink(mem, folio);
  mem.flags[folio] = (mem.flags[folio] & ~cleared) | set;
  lruLink(mem, folio, end);
}

/** In the swap cache its bytes have another user, its storage. */
function mayBeLazyfree(mem: Memory, folio: Folio): boolean {
  const { swapbacked, swapcache, unevictable } = PG;
  const flags = mem.flags[folio] & (swapbacked | swapcache | unevictable);
  return flags === swapbacked && folioTestAnon(mem, folio);
}

/** Linux: `__lru_cache_activate_folio()`. */
function activateInAddBatch(mem: Memory, folio: Folio): void {
  const { add, addCount } = mem.lruBatches[mem.cpu];
  if (add.subarray(0, addCount).includes(folio)) setFlag(mem, folio, PG.active);
}
