/**
 * Sizes that the whole machine shares: x86-64 with 4 KiB pages, Linux 6.1.
 *
 * Source: reference facts of 6.1 (`MAX_ORDER` there is one past the largest order, 11).
 */
/** Bytes. */
export const PAGE_SIZE = 4096;
/** One past the largest order of a free block. */
export const MAX_ORDER = 11;
/** Order of a pageblock: 2 MiB, the size of a huge page. Linux: `pageblock_order`. */
export const PAGEBLOCK_ORDER = 9;
/** Pages in a pageblock. */
export const PAGEBLOCK_NR_PAGES = 512;
/** Orders above this one are hard to get. Linux: `PAGE_ALLOC_COSTLY_ORDER`. */
export const PAGE_ALLOC_COSTLY_ORDER = 3;
/** Pages that compaction and reclaim take at a time. Linux: `COMPACT_CLUSTER_MAX`. */
export const COMPACT_CLUSTER_MAX = 32;
/** Reference count of one pin on an order-0 folio. Linux: `GUP_PIN_COUNTING_BIAS`. */
export const GUP_PIN_COUNTING_BIAS = 1024;

/**
 * What a pageblock is for. Linux: `enum migratetype`, with CMA and isolation configured.
 * The first three have per-CPU lists and may be retagged and merged freely.
 */
export const MIGRATE = {
  unmovable: 0,
  movable: 1,
  reclaimable: 2,
  highatomic: 3,
  cma: 4,
  isolate: 5,
} as const;

export type Migratetype = (typeof MIGRATE)[keyof typeof MIGRATE];

/** Number of migratetypes. Linux: `MIGRATE_TYPES`. */
export const MIGRATE_TYPES = 6;

/** By number, as /proc/pagetypeinfo spells them. */
export const MIGRATETYPE_NAMES = [
  "Unmovable",
  "Movable",
  "Reclaimable",
  "HighAtomic",
  "CMA",
  "Isolate",
] as const;

/** The zones of a node from low to high, as /proc/zoneinfo spells them. Linux: `enum zone_type`. */
export const ZONE_TYPES = ["DMA", "DMA32", "Normal", "Movable", "Device"] as const;

export type ZoneType = (typeof ZONE_TYPES)[number];

/** First page of the pageblock of `pfn`. Linux: `pageblock_start_pfn()`. */
export function pageblockStart(pfn: number): number {
  return pfn - (pfn % PAGEBLOCK_NR_PAGES);
}

/** One past the last page of the pageblock of `pfn`. Linux: `pageblock_end_pfn()`. */
export function pageblockEnd(pfn: number): number {
  return pageblockStart(pfn) + PAGEBLOCK_NR_PAGES;
}
