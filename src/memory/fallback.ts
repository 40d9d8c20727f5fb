/**
 * When a type's own free lists are empty: which other type gives, how much, and what becomes of
 * the pageblock.
 *
 * Small pieces of another type's blocks are what fragments memory for good, so the largest block
 * is taken first, and a block that is mostly free or mostly of our kind changes its type with it.
 * Runs under `zone->lock`. Linux: `__rmqueue_fallback()`, `steal_suitable_fallback()`, 6.1.
 */
import { buddyOrder, moveFreePages, pageBuddy } from "./buddy.ts";
import {
  MAX_ORDER,
  MIGRATE,
  PAGEBLOCK_NR_PAGES,
  PAGEBLOCK_ORDER,
  pageblockEnd,
  pageblockStart,
} from "./constants.ts";
import { folioTestMovable } from "./mapping-word.ts";
import type { Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { PG } from "./page-flags.ts";
import { listAddTail, listDel, listEmpty, listFirst } from "./page-list.ts";
import { pageblockMigratetype, setPageblockMigratetype } from "./pageblock.ts";
import type { Zone } from "./zone.ts";

/** Who gives, in order of preference. Linux: `fallbacks[][]`. */
const FALLBACKS: readonly (readonly number[])[] = [
  [MIGRATE.reclaimable, MIGRATE.movable],
  [MIGRATE.reclaimable, MIGRATE.unmovable],
  [MIGRATE.unmovable, MIGRATE.movable],
];

/** Ten-thousandths of the high watermark. Linux: `watermark_boost_factor`. */
const WATERMARK_BOOST_FACTOR = 15000;

/** Whether taking one block of `order` for `migratetype` may take its whole pageblock along. */
export function canStealFallback(order: number, migratetype: number): boolean {
  return (
    order >= PAGEBLOCK_ORDER ||
    order >= PAGEBLOCK_ORDER >> 1 ||
    migratetype === MIGRATE.reclaimable ||
    migratetype === MIGRATE.unmovable
  );
}

/** The first type with a free block of `order` to give to `migratetype`, or -1. */
export function findSuitableFallback(
  mem: Memory,
  zone: Zone,
  order: number,
  migratetype: number,
): number {
  if (zone.freeBlocks[order] === 0) return -1;
  for (const donor of FALLBACKS[migratetype] ?? []) {
    if (!listEmpty(mem, zone.freeList(order, donor))) return donor;
  }
  return -1;
}

/**
 * Brings a free block of 2^order pages or more to the lists of `migratetype`, from another type's.
 *
 * False if no other type has one. The caller then takes the smallest block that will do, which need
 * not be the one that was found: a pageblock comes with all its free blocks.
 */
export function stealFallback(
  mem: Memory,
  zone: Zone,
  order: number,
  migratetype: number,
): boolean {
  for (let size = MAX_ORDER - 1; size >= order; size--) {
    const donor = findSuitableFallback(mem, zone, size, migratetype);
    if (donor === -1) continue;
    // A movable request that may not take the pageblock breaks the smallest block, not the largest.
    const takesWhole = canStealFallback(size, migratetype);
    if (!takesWhole && migratetype === MIGRATE.movable && size > order) {
      return stealSmallest(mem, zone, order, migratetype);
    }
    stealBlock(mem, zone, listFirst(mem, zone.freeList(size, donor)), size, migratetype);
    return true;
  }
  return false;
}

function stealSmallest(mem: Memory, zone: Zone, order: number, migratetype: number): boolean {
  for (let size = order; size < MAX_ORDER; size++) {
    const donor = findSuitableFallback(mem, zone, size, migratetype);
    if (donor === -1) continue;
    stealBlock(mem, zone, listFirst(mem, zone.freeList(size, donor)), size, migratetype);
    return true;
  }
  return false;
}

/** Moves the free block to our lists, and what else of its pageblock may come along. */
function stealBlock(mem: Memory, zone: Zone, pfn: Pfn, size: number, migratetype: number): void {
  const blockType = pageblockMigratetype(mem, pfn);
  if (blockType === MIGRATE.highatomic) {
    relink(mem, zone, pfn, size, migratetype);
    return;
  }
  if (size >= PAGEBLOCK_ORDER) {
    for (let block: number = pfn; block < pfn + (1 << size); block += PAGEBLOCK_NR_PAGES) {
      setPageblockMigratetype(mem, block as Pfn, migratetype);
    }
    relink(mem, zone, pfn, size, migratetype);
    return;
  }
  boostWatermark(zone);
  const end = pageblockEnd(pfn);
  if (!canStealFallback(size, migratetype) || end > zone.endPfn) {
    relink(mem, zone, pfn, size, migratetype);
    return;
  }
  const start = pageblockStart(pfn) < zone.startPfn ? pfn : pageblockStart(pfn);
  const movable = countMovable(mem, start, end);
  const free = moveFreePages(mem, zone, start, end, migratetype);
  const alike = alikePages(blockType, migratetype, movable, free);
  if (free + alike >= PAGEBLOCK_NR_PAGES / 2) setPageblockMigratetype(mem, pfn, migratetype);
}

/** Pages in use that suit the new type as well as the old. */
function alikePages(blockType: number, wanted: number, movable: number, free: number): number {
  if (wanted === MIGRATE.movable) return movable;
  if (blockType === MIGRATE.movable) return PAGEBLOCK_NR_PAGES - (free + movable);
  return 0;
}

function relink(mem: Memory, zone: Zone, pfn: Pfn, size: number, migratetype: number): void {
  listDel(mem, pfn);
  listAddTail(mem, zone.freeList(size, migratetype), pfn);
}

function countMovable(mem: Memory, start: number, end: number): number {
  let movable = 0;
  for (let pfn = start as Pfn; pfn < end; pfn = (pfn + 1) as Pfn) {
    if (pageBuddy(mem, pfn)) pfn = (pfn + (1 << buddyOrder(mem, pfn)) - 1) as Pfn;
    else if ((mem.flags[pfn] & PG.lru) !== 0) movable++;
    else if (folioTestMovable(mem, pfn)) movable++;
  }
  return movable;
}

/** Keeps more free for a while after a mixed block was made, so that the next need not be. */
function boostWatermark(zone: Zone): void {
  if (zone.managed < PAGEBLOCK_NR_PAGES * 4) return;
  const most = Math.floor((zone.watermarkHigh * WATERMARK_BOOST_FACTOR) / 10000);
  if (most === 0) return;
  const limit = Math.max(PAGEBLOCK_NR_PAGES, most);
  zone.watermarkBoost = Math.min(zone.watermarkBoost + PAGEBLOCK_NR_PAGES, limit);
}
