/**
 * One compaction of one zone: what is wanted, how far the two scanners are, what they hold.
 *
 * The migrate scanner goes up from the zone's start and isolates movable folios; the free scanner
 * comes down from its end and isolates free pages for them. They never cross: the zone is done
 * when they meet. Everything held is given back by `compactZone`. Linux: `struct compact_control`.
 */
import {
  COMPACT_CLUSTER_MAX,
  type Migratetype,
  PAGEBLOCK_NR_PAGES,
  type ZoneType,
} from "../../memory/constants.ts";
import { GFP_KERNEL } from "../../memory/gfp.ts";
import type { PageList } from "../../memory/memmap.ts";
import type { Zone } from "../../memory/zone.ts";
import type { MigrateMode } from "../../pagecache/address-space.ts";
import type { Vm } from "../../vm/vm.ts";
import { createFreePool, type FreePool } from "./free-pool.ts";

/** How a compaction ended, as the trace prints it. Linux: `enum compact_result`. */
export type CompactResult =
  | "skipped"
  | "deferred"
  | "continue"
  | "success"
  | "partial_skipped"
  | "complete"
  | "no_suitable_page"
  | "not_suitable_zone"
  | "contended";

export type CompactMode = Exclude<MigrateMode, "sync-no-copy">;

/** What the caller wants. */
export interface CompactRequest {
  /** A free block of this order, or -1: compact the whole zone. */
  readonly order: number;
  readonly mode: CompactMode;
  /** For whom; an asynchronous direct compaction takes only blocks of this type as sources. */
  readonly migratetype: Migratetype;
  /** From the zone's ends, not from where the last one stopped. */
  readonly wholeZone: boolean;
  /** Blocks marked to be skipped are scanned all the same. */
  readonly ignoreSkipHint: boolean;
  /** Free pages are taken from blocks of any type. */
  readonly ignoreBlockSuitable: boolean;
  /** On behalf of an allocation that waits. */
  readonly direct: boolean;
  /** Unasked: until the zone's fragmentation is low, and not beside a running kswapd. */
  readonly proactive: boolean;
  /** GFP bits of the allocation. */
  readonly gfp: number;
  /** ALLOC bits of the allocation. */
  readonly allocFlags: number;
  /** The highest zone that the allocation may use: what its watermarks must leave for others. */
  readonly highestZone: ZoneType;
}

/** What the administrator has set, by the sysctl's own name. */
export interface CompactSysctl {
  /** Whether pages kept by mlock may move. 0 or 1. */
  readonly "vm.compact_unevictable_allowed": number;
  /** How much fragmentation is worked against unasked. 0 (never) to 100. */
  readonly "vm.compaction_proactiveness": number;
  /** Fragmentation above which compaction helps more than reclaim. 0 to 1000. */
  readonly "vm.extfrag_threshold": number;
}

export const COMPACT_SYSCTL_DEFAULTS: CompactSysctl = {
  "vm.compact_unevictable_allowed": 1,
  "vm.compaction_proactiveness": 20,
  "vm.extfrag_threshold": 500,
};

/** `echo 1 > /proc/sys/vm/compact_memory`, and what it stands for. */
export const COMPACT_MEMORY: CompactRequest = {
  order: -1,
  mode: "sync",
  migratetype: 1,
  wholeZone: true,
  ignoreSkipHint: true,
  ignoreBlockSuitable: false,
  direct: false,
  proactive: false,
  gfp: GFP_KERNEL,
  allocFlags: 0,
  highestZone: "Movable",
};

export class CompactControl {
  readonly vm: Vm;
  readonly zone: Zone;
  readonly request: CompactRequest;
  readonly sysctl: CompactSysctl;
  /** Set at the start; also when the migrate scanner began below every start so far. */
  wholeZone: boolean;

  /** Where the migrate scanner is: next frame to look at. */
  migratePfn = 0;
  /** Where the free scanner is. */
  freePfn = 0;
  /** Folios isolated for this round. */
  readonly migratepages: PageList;
  /** Pages in them; from 6.9 on less those for which a free page was handed out. */
  migrateCount = 0;
  /** Pages that the free scanner took from the block it was in last. */
  lastTaken = 0;
  /** What the free scanner holds. */
  readonly pool: FreePool;
  /** The rest of a pageblock that a first cluster was taken from: all of it in one go. */
  rescan = false;
  /** The last round left the order-aligned block that it was in. */
  directSkipped = false;
  /** A lock was wanted by others, or the task is to end. */
  contended = false;
  /** This scan has claimed its pageblock's skip bit, or found that there is nothing to claim. */
  skipUpdated = false;

  /** Fast searches that found nothing since the last that did: each halves the next. */
  fastSearchFail = 0;
  /** Where the fast search for free pages begins: the order that gave last. */
  searchOrder: number;
  /** The lowest free page of the blocks that the fast search chose; see `FAST_START`. */
  fastStartPfn: number = FAST_START.none;

  /** Frames looked at. */
  migrateScanned = 0;
  freeScanned = 0;

  constructor(vm: Vm, zone: Zone, request: CompactRequest, sysctl: CompactSysctl) {
    this.vm = vm;
    this.zone = zone;
    this.request = request;
    this.sysctl = sysctl;
    this.wholeZone = request.wholeZone;
    this.searchOrder = request.order;
    this.migratepages = vm.mem.takeList();
    this.pool = createFreePool(vm.mem);
  }

  /** Gives back what is held; nothing is left isolated by now. The highest free frame, or 0. */
  release(): number {
    this.vm.mem.releaseList(this.migratepages);
    return this.pool.release();
  }
}

/** In `fastStartPfn`: no block was chosen yet; a linear scan has begun from there already. */
export const FAST_START = { none: 0, used: -1 } as const;

/** Pages that make a round, unless the rest of a block is taken. */
export const ROUND_PAGES: number = COMPACT_CLUSTER_MAX;

/** First frame of the last pageblock that begins in the zone. */
export function lastBlockStart(zone: Zone): number {
  const last = zone.endPfn - 1;
  return last - (last % PAGEBLOCK_NR_PAGES);
}
