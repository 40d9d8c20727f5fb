/**
 * The buddy lists: free memory in blocks of 2^order pages, each aligned to its size.
 *
 * Two blocks that differ in one address bit are buddies, and when both are free they are one block
 * of the next order. Lists are kept by order and migratetype; a list's type is the type that its
 * pages were freed as, which is nearly always their pageblock's.
 *
 * Callers own what they pass in: a block being freed has no references and no flags. Everything
 * here stands for a section under `zone->lock`. Linux: mm/page_alloc.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import { tryCapture } from "./capture.ts";
import { MAX_ORDER, MIGRATE, PAGEBLOCK_ORDER } from "./constants.ts";
import type { Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { PG } from "./page-flags.ts";
import { listAdd, listAddTail, listDel, listEmpty, listFirst, listIsEnd } from "./page-list.ts";
import { isMergeable, pageblockMigratetype, setPageblockMigratetype } from "./pageblock.ts";
import { ALLOC, zoneWatermarkOk } from "./watermark.ts";
import type { Zone } from "./zone.ts";

/** True for the first page of a free block. Linux: `PageBuddy()`. */
export function pageBuddy(mem: Memory, pfn: Pfn): boolean {
  return (mem.flags[pfn] & PG.buddy) !== 0;
}

/** Order of the free block that `pfn` heads. Linux: `buddy_order()`. */
export function buddyOrder(mem: Memory, pfn: Pfn): number {
  return mem.private[pfn];
}

/**
 * Returns a block to the lists, merged with its buddies as far as they are free.
 *
 * Linux: `__free_one_page()`.
 */
export function freeOneBlock(
  mem: Memory,
  zone: Zone,
  pfn: Pfn,
  order: number,
  migratetype: number,
): void {
  accountFree(zone, 1 << order, migratetype);
  let head: number = pfn;
  let size = order;
  while (size < MAX_ORDER - 1) {
    if (mem.capture !== null && tryCapture(mem.capture, zone, head, size, migratetype)) {
      // Merged or not, the whole block is in use from now on.
      accountFree(zone, -(1 << size), migratetype);
      return;
    }
    const buddy = (head ^ (1 << size)) as Pfn;
    if (!isFreeBuddy(mem, zone, buddy, size)) break;
    if (size >= PAGEBLOCK_ORDER && !mayMergeBlocks(mem, buddy, migratetype)) break;
    unlinkFree(mem, zone, buddy, size);
    head &= buddy;
    size++;
  }
  linkFree(mem, zone, head as Pfn, size, migratetype, mergeLikely(mem, zone, head, size));
}

/**
 * Puts a block on the lists as it is, merged with nothing: for who rebuilds a recorded state.
 *
 * Its place on the list is what freeing it now would give it.
 */
export function placeFreeBlock(
  mem: Memory,
  zone: Zone,
  pfn: Pfn,
  order: number,
  migratetype: number,
): void {
  accountFree(zone, 1 << order, migratetype);
  linkFree(mem, zone, pfn, order, migratetype, mergeLikely(mem, zone, pfn, order));
}

/**
 * Takes a block of `order` from the lists of `migratetype`, splitting a larger one if need be.
 *
 * Returns its first page, or -1. Linux: `__rmqueue_smallest()`.
 */
export function takeSmallest(mem: Memory, zone: Zone, order: number, migratetype: number): Pfn {
  for (let size = order; size < MAX_ORDER; size++) {
    if (zone.freeBlocks[size] === 0) continue;
    const list = zone.freeList(size, migratetype);
    if (listEmpty(mem, list)) continue;
    const pfn = listFirst(mem, list);
    takeBlock(mem, zone, pfn, size, order, migratetype);
    return pfn;
  }
  return -1 as Pfn;
}

/**
 * Takes the free block `pfn` of `size` off its list and gives all but its first 2^order pages back.
 *
 * Linux: `del_page_from_free_list()` with `expand()`.
 */
function takeBlock(
  mem: Memory,
  zone: Zone,
  pfn: Pfn,
  size: number,
  order: number,
  migratetype: number,
): void {
  unlinkFree(mem, zone, pfn, size);
  for (let half = size - 1; half >= order; half--) {
    linkFree(mem, zone, (pfn + (1 << half)) as Pfn, half, migratetype, "head");
  }
  accountFree(zone, -(1 << order), migratetype);
}

/**
 * Takes one whole free block out of the lists without an allocation, for a scanner.
 *
 * Refuses (0) where the zone would fall below its minimum; else returns the number of pages.
 * A block of half a pageblock or more turns the pageblocks it covers movable. Its reference
 * count stays 0. Linux: `__isolate_free_page()`.
 */
export function isolateFreeBlock(mem: Memory, zone: Zone, pfn: Pfn, order: number): number {
  assert(pageBuddy(mem, pfn), "isolation of a page that heads no free block:", pfn);
  const migratetype = pageblockMigratetype(mem, pfn);
  if (migratetype !== MIGRATE.isolate) {
    const mark = zone.watermarkMin + (1 << order);
    if (!zoneWatermarkOk(mem, zone, 0, mark, 0, ALLOC.cma)) return 0;
    accountFree(zone, -(1 << order), migratetype);
  }
  unlinkFree(mem, zone, pfn, order);
  if (order >= PAGEBLOCK_ORDER - 1) retagMergeable(mem, pfn, order);
  return 1 << order;
}

/** Moves every free block that starts in the range to the lists of `migratetype`. Returns pages. */
export function moveFreePages(
  mem: Memory,
  zone: Zone,
  start: number,
  end: number,
  migratetype: number,
): number {
  let moved = 0;
  for (let pfn = start as Pfn; pfn < end; ) {
    if (!pageBuddy(mem, pfn)) {
      pfn = (pfn + 1) as Pfn;
      continue;
    }
    const order = buddyOrder(mem, pfn);
    listDel(mem, pfn);
    listAddTail(mem, zone.freeList(order, migratetype), pfn);
    moved += 1 << order;
    pfn = (pfn + (1 << order)) as Pfn;
  }
  return moved;
}

/** The free blocks of one order by migratetype: a row of /proc/pagetypeinfo. Walks the list. */
export function countFreeBlocks(
  mem: Memory,
  zone: Zone,
  order: number,
  migratetype: number,
): number {
  const list = zone.freeList(order, migratetype);
  let count = 0;
  for (let pfn = listFirst(mem, list); !listIsEnd(list, pfn); pfn = mem.next[pfn] as Pfn) count++;
  return count;
}

/** Adds pages (or takes them, if negative) to what counts as free. */
function accountFree(zone: Zone, pages: number, migratetype: number): void {
  if (migratetype === MIGRATE.isolate) return;
  zone.freePages += pages;
  if (migratetype === MIGRATE.cma) zone.freeCmaPages += pages;
}

function linkFree(
  mem: Memory,
  zone: Zone,
  pfn: Pfn,
  order: number,
  migratetype: number,
  end: "head" | "tail",
): void {
  mem.flags[pfn] |= PG.buddy;
  mem.private[pfn] = order;
  const list = zone.freeList(order, migratetype);
  if (end === "tail") listAddTail(mem, list, pfn);
  else listAdd(mem, list, pfn);
  zone.freeBlocks[order]++;
}

function unlinkFree(mem: Memory, zone: Zone, pfn: Pfn, order: number): void {
  listDel(mem, pfn);
  mem.flags[pfn] &= ~PG.buddy;
  mem.private[pfn] = 0;
  zone.freeBlocks[order]--;
}

/** Below the size of a pageblock a buddy within the zone's bounds is the zone's own. */
function isFreeBuddy(mem: Memory, zone: Zone, buddy: Pfn, order: number): boolean {
  return (
    (mem.flags[buddy] & PG.buddy) !== 0 &&
    mem.private[buddy] === order &&
    buddy >= zone.startPfn &&
    buddy < zone.endPfn &&
    (order < PAGEBLOCK_ORDER || mem.zoneOf(buddy) === zone)
  );
}

/** Above a pageblock, isolated, CMA and highatomic memory must not join the rest. */
function mayMergeBlocks(mem: Memory, buddy: Pfn, migratetype: number): boolean {
  const other = pageblockMigratetype(mem, buddy);
  return other === migratetype || (isMergeable(other) && isMergeable(migratetype));
}

/**
 * A block whose next merge is near goes last on its list, so that it is left alone for longer.
 *
 * Linux: `buddy_merge_likely()`.
 */
function mergeLikely(mem: Memory, zone: Zone, head: number, order: number): "head" | "tail" {
  if (order >= MAX_ORDER - 2) return "head";
  const pair = head & ~(1 << order);
  const other = (pair ^ (1 << (order + 1))) as Pfn;
  return isFreeBuddy(mem, zone, other, order + 1) ? "tail" : "head";
}

function retagMergeable(mem: Memory, pfn: Pfn, order: number): void {
  const end = pfn + (1 << order);
  for (let block: number = pfn; block < end; block += 1 << PAGEBLOCK_ORDER) {
    const type = pageblockMigratetype(mem, block as Pfn);
    if (isMergeable(type)) setPageblockMigratetype(mem, block as Pfn, MIGRATE.movable);
  }
}
