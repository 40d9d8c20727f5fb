/**
 * One reclaim: for whom, how hard it tries, and what it has found so far.
 *
 * Priority 12 looks at 1/4096 of each list, and each step down at twice as much; 0 at all of it.
 * Linux: `struct scan_control`, mm/vmscan.c, 6.1.
 */
import { GFP } from "../../memory/gfp.ts";
import type { Reclaimer } from "./reclaimer.ts";

/** Linux: DEF_PRIORITY. */
export const DEF_PRIORITY = 12;
/** Pages taken off a list at a time. Linux: SWAP_CLUSTER_MAX. */
export const SWAP_CLUSTER_MAX = 32;

/** Which lists may lose folios from active to inactive. Linux: DEACTIVATE_ANON, _FILE. */
export const DEACTIVATE = { anon: 0x1, file: 0x2 } as const;

/** Who reclaims. Linux: `current_is_kswapd()`. */
export type ReclaimBy = "kswapd" | "direct";

export interface ReclaimRequest {
  readonly by: ReclaimBy;
  /** Linux: GFP bits. */
  readonly gfp: number;
  readonly order: number;
  /** Index in ZONE_TYPES. */
  readonly highestZone: number;
  /** Pages after which it is enough. */
  readonly pagesToReclaim: number;
}

/** What one round found, in pages. Linux: `sc->nr`. */
export class RoundCounts {
  /** Dirty, not yet or already on their way to storage; files' alone. */
  dirty = 0;
  unqueuedDirty = 0;
  /** Under writeback, and marked to be freed at its end already. */
  congested = 0;
  writeback = 0;
  immediate = 0;
  taken = 0;
  fileTaken = 0;
}

export class ScanControl {
  readonly reclaimer: Reclaimer;
  readonly by: ReclaimBy;
  readonly gfp: number;
  order: number;
  highestZone: number;
  pagesToReclaim: number;
  priority: number = DEF_PRIORITY;
  mayWritepage = true;
  maySwap = true;
  /** Active lists lose folios whatever their size. */
  forceDeactivate = false;
  /** DEACTIVATE bits of this round. */
  mayDeactivate = 0;
  /** An active list was spared that might have helped. */
  skippedDeactivate = false;
  /** A zone has room for compaction: reclaim more would be too much. */
  compactionReady = false;
  /** There is inactive page cache enough to leave anonymous pages alone. */
  cacheTrimMode = false;
  /** There is so little page cache that anonymous pages must go. */
  fileIsTiny = false;
  anonCost = 0;
  fileCost = 0;
  /** Pages looked at, and freed, since the caller last reset them. */
  scanned = 0;
  reclaimed = 0;
  round: RoundCounts = new RoundCounts();

  constructor(reclaimer: Reclaimer, request: ReclaimRequest) {
    this.reclaimer = reclaimer;
    this.by = request.by;
    this.gfp = request.gfp;
    this.order = request.order;
    this.highestZone = request.highestZone;
    this.pagesToReclaim = request.pagesToReclaim;
  }

  get mayStartIo(): boolean {
    return (this.gfp & GFP.io) !== 0;
  }

  get mayCallFilesystems(): boolean {
    return (this.gfp & GFP.fs) !== 0;
  }
}
