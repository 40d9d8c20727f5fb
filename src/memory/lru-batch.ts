/**
 * A processor's batches: folios on their way to the LRU, from one list to another, or to the
 * unevictable list and back.
 *
 * A folio in a batch is held by it (one reference) and, if it is new, has no PG_lru: the usual
 * reason why an idle folio has one reference too many. Linux: `cpu_fbatches`, `mlock_fbatch`.
 */
import type { Folio } from "./memmap.ts";

/** Folios that a batch holds at most. Linux: `PAGEVEC_SIZE`. */
export const BATCH_SIZE = 15;

/** What an entry of the mlock batch asks for. */
export const MLOCK_BATCH = { mlock: 0, munlock: 1 } as const;

/** Moves between lists, each with a batch of its own, in the order in which they are drained. */
export const LRU_MOVE = {
  rotate: 0,
  deactivateFile: 1,
  deactivate: 2,
  lazyfree: 3,
  activate: 4,
} as const;

export type LruMove = (typeof LRU_MOVE)[keyof typeof LRU_MOVE];

export class LruBatches {
  readonly add: Int32Array = new Int32Array(BATCH_SIZE);
  addCount = 0;
  readonly mlock: Int32Array = new Int32Array(BATCH_SIZE);
  /** By entry of `mlock`, one of MLOCK_BATCH. */
  readonly mlockKind: Uint8Array = new Uint8Array(BATCH_SIZE);
  mlockCount = 0;
  /** By LRU_MOVE. */
  readonly moves: readonly Folio[][] = [[], [], [], [], []];
  /** Folios in all of `moves`, so that a drain without any is one test. */
  moveCount = 0;
}
