/**
 * A zone: a stretch of one node's memory with its own free lists, watermarks and counters.
 *
 * Protection: in the kernel `zone->lock` covers the free lists and `pageset.lock` a processor's
 * own lists; here each function that touches them is atomic. Linux: `struct zone`.
 */

import { MAX_ORDER, MIGRATE_TYPES, PAGEBLOCK_NR_PAGES, type ZoneType } from "./constants.ts";
import type { Memmap, PageList } from "./memmap.ts";
import { LRU_NAMES, type Node } from "./node.ts";

/** Orders that a processor's own lists hold: 0-3 for three types, and a huge page for two. */
export const PCP_ORDERS = 4;
export const PCP_TYPES = 3;
export const PCP_LISTS = 14;

/** One processor's free pages of one zone. Linux: `struct per_cpu_pages`. */
export class PerCpuPages {
  /** Base pages on the lists. */
  count = 0;
  /** At this many, some go back to the buddy lists. Zero: every page goes straight back. */
  high: number;
  /** How many go back, or are fetched, at least. */
  batch: number;
  /** Doubles what goes back each time that frees follow frees. */
  freeFactor = 0;
  readonly lists: readonly PageList[];

  constructor(mem: Memmap, high: number, batch: number) {
    this.high = high;
    this.batch = batch;
    this.lists = Array.from({ length: PCP_LISTS }, () => mem.takeList());
  }
}

/** Where a zone lies and how it is set up. Page counts throughout. */
export interface ZoneShape {
  readonly type: ZoneType;
  readonly node: number;
  readonly startPfn: number;
  /** Frames from first to last, holes included. */
  readonly spanned: number;
  /** Frames with memory behind them. */
  readonly present: number;
  /** Frames that the allocator was given at boot. */
  readonly managed: number;
  readonly watermarkMin: number;
  readonly watermarkLow: number;
  readonly watermarkHigh: number;
  /** By the highest zone that a request may use: what it must leave here. */
  readonly lowmemReserve: readonly number[];
  /** By processor. */
  readonly pcp: readonly { readonly high: number; readonly batch: number }[];
}

export class Zone {
  readonly type: ZoneType;
  /** The number of its node. */
  readonly node: number;
  /** Its node. Linux: `zone->zone_pgdat`. */
  readonly pgdat: Node;
  /** Place in `Memory.zones`. */
  readonly number: number;
  readonly startPfn: number;
  /** One past the last frame. */
  readonly endPfn: number;
  readonly present: number;
  readonly managed: number;
  readonly watermarkMin: number;
  readonly watermarkLow: number;
  readonly watermarkHigh: number;
  /** Added to every watermark for a while after a type took another's block. */
  watermarkBoost = 0;
  readonly lowmemReserve: readonly number[];
  readonly pcp: readonly PerCpuPages[];

  /** Free pages on the buddy lists, those of isolated blocks left out. Linux: NR_FREE_PAGES. */
  freePages = 0;
  /** Of those, in CMA blocks. Linux: NR_FREE_CMA_PAGES. */
  freeCmaPages = 0;
  /** Pages set aside for urgent requests. Linux: `nr_reserved_highatomic`. */
  reservedHighatomic = 0;
  /** Pages on each LRU list of the node that lie here. Linux: NR_ZONE_LRU_BASE + list. */
  readonly lruPages: Int32Array = new Int32Array(LRU_NAMES.length);
  /** Pages dirty in files, or on their way to storage. Linux: NR_ZONE_WRITE_PENDING. */
  writePendingPages = 0;
  /** Number of isolated pageblocks. Linux: `nr_isolate_pageblock`. */
  isolatedBlocks = 0;
  /** Free blocks of each order, all migratetypes together. Linux: `free_area[order].nr_free`. */
  readonly freeBlocks: Int32Array = new Int32Array(MAX_ORDER);
  private readonly freeLists: readonly PageList[];

  /** Where scanners go on: [0] asynchronous, [1] synchronous. Linux: `compact_cached_*`. */
  readonly compactCachedMigratePfn: Int32Array;
  compactCachedFreePfn: number;
  /** Where the last reset of the skip bits found the first source and the last target; 0: none. */
  compactInitMigratePfn = 0;
  compactInitFreePfn = 0;
  /** Set when the skip bits have served their time. */
  compactBlockskipFlush = false;
  /** Compactions put off since one failed, and by how many the next is put off: 1 << shift. */
  compactConsidered = 0;
  compactDeferShift = 0;
  /** The lowest order that failed: lower ones are not put off. */
  compactOrderFailed = 0;

  constructor(mem: Memmap, shape: ZoneShape, number: number, pgdat: Node) {
    this.pgdat = pgdat;
    this.type = shape.type;
    this.node = shape.node;
    this.number = number;
    this.startPfn = shape.startPfn;
    this.endPfn = shape.startPfn + shape.spanned;
    this.present = shape.present;
    this.managed = shape.managed;
    this.watermarkMin = shape.watermarkMin;
    this.watermarkLow = shape.watermarkLow;
    this.watermarkHigh = shape.watermarkHigh;
    this.lowmemReserve = shape.lowmemReserve;
    this.pcp = shape.pcp.map(({ high, batch }) => new PerCpuPages(mem, high, batch));
    this.freeLists = Array.from({ length: MAX_ORDER * MIGRATE_TYPES }, () => mem.takeList());
    const lastBlock = (this.endPfn - 1) & -PAGEBLOCK_NR_PAGES;
    this.compactCachedMigratePfn = Int32Array.of(this.startPfn, this.startPfn);
    this.compactCachedFreePfn = lastBlock;
  }

  get spanned(): number {
    return this.endPfn - this.startPfn;
  }

  /** The free blocks of one order and migratetype, heads linked. */
  freeList(order: number, migratetype: number): PageList {
    return this.freeLists[order * MIGRATE_TYPES + migratetype];
  }
}

/** Page lists that a zone takes for itself. */
export function listsPerZone(cpuCount: number): number {
  return MAX_ORDER * MIGRATE_TYPES + cpuCount * PCP_LISTS;
}
