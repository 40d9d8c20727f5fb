/**
 * Per-CPU page lists: a processor's own free pages, in front of the buddy lists.
 *
 * A freed page goes first on the list of its type, and the next allocation takes the first. Only
 * when a processor has `high` pages do some go back, oldest first and the lists in turn; only then
 * do they merge. So freed memory is not all visible to a scanner: the kernel's own replays depend
 * on it. A page here has no flag; its `index` keeps the migratetype that it was freed as.
 * Linux: mm/page_alloc.c, 6.1.
 */

import { freeOneBlock, takeSmallest } from "./buddy.ts";
import { MIGRATE, PAGE_ALLOC_COSTLY_ORDER, PAGEBLOCK_ORDER } from "./constants.ts";
import { stealFallback } from "./fallback.ts";
import type { Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { listAdd, listAddTail, listDel, listEmpty, listFirst, listLast } from "./page-list.ts";
import { pageblockMigratetype } from "./pageblock.ts";
import { PCP_LISTS, PCP_ORDERS, PCP_TYPES, type PerCpuPages, type Zone } from "./zone.ts";

const HUGE_LISTS = PCP_ORDERS * PCP_TYPES;

/** Linux: `pcp_allowed_order()`. */
export function pcpAllowedOrder(order: number): boolean {
  return order <= PAGE_ALLOC_COSTLY_ORDER || order === PAGEBLOCK_ORDER;
}

/** Frees a block by way of this processor's lists. Linux: `free_unref_page()`. */
export function freeToPcp(mem: Memory, pfn: Pfn, order: number): void {
  const zone = mem.zoneOf(pfn);
  const blockType = pageblockMigratetype(mem, pfn);
  if (blockType === MIGRATE.isolate) {
    freeOneBlock(mem, zone, pfn, order, blockType);
    return;
  }
  const type = blockType < PCP_TYPES ? blockType : MIGRATE.movable;
  const pcp = zone.pcp[mem.cpu];
  // A CMA or highatomic page lies among the movable ones here, and goes back as what it is.
  mem.index[pfn] = blockType;
  mem.private[pfn] = order;
  const listIndex = pcpListIndex(order, type);
  listAdd(mem, pcp.lists[listIndex], pfn);
  pcp.count += 1 << order;
  const freesAll = pcp.freeFactor > 0 && order > 0 && order <= PAGE_ALLOC_COSTLY_ORDER;
  const high = freesAll ? 0 : pcp.high;
  if (pcp.count >= high) bulkFree(mem, zone, pcp, pagesToFree(pcp, freesAll), listIndex);
}

/** Takes a block from this processor's lists, filling them when empty; -1 if none is left. */
export function takeFromPcp(mem: Memory, zone: Zone, order: number, migratetype: number): Pfn {
  const pcp = zone.pcp[mem.cpu];
  pcp.freeFactor >>= 1;
  const list = pcp.lists[pcpListIndex(order, migratetype)];
  if (listEmpty(mem, list)) {
    const batch = pcp.batch > 1 ? Math.max(pcp.batch >> order, 2) : pcp.batch;
    for (let taken = 0; taken < batch; taken++) {
      const pfn = takeFromBuddy(mem, zone, order, migratetype);
      if (pfn === -1) break;
      // A page that is never handed out goes back to the list that it was taken from.
      const isCma = pageblockMigratetype(mem, pfn) === MIGRATE.cma;
      mem.index[pfn] = isCma ? MIGRATE.cma : migratetype;
      mem.private[pfn] = order;
      listAddTail(mem, list, pfn);
      pcp.count += 1 << order;
    }
    if (listEmpty(mem, list)) return -1 as Pfn;
  }
  const pfn = listFirst(mem, list);
  listDel(mem, pfn);
  mem.index[pfn] = 0;
  mem.private[pfn] = 0;
  pcp.count -= 1 << order;
  return pfn;
}

/** Takes a block from the buddy lists, another type's if need be. Linux: `__rmqueue()`. */
export function takeFromBuddy(mem: Memory, zone: Zone, order: number, migratetype: number): Pfn {
  // Only movable pages may lie in CMA memory, and they take it first while it is most of what is
  // free: else it would stay empty to the last, and the rest would be full.
  const mayUseCma = migratetype === MIGRATE.movable && zone.freeCmaPages > 0;
  if (mayUseCma && zone.freeCmaPages > zone.freePages >> 1) {
    const pfn = takeSmallest(mem, zone, order, MIGRATE.cma);
    if (pfn !== -1) return pfn;
  }
  const own = takeSmallest(mem, zone, order, migratetype);
  if (own !== -1) return own;
  if (mayUseCma) {
    const pfn = takeSmallest(mem, zone, order, MIGRATE.cma);
    if (pfn !== -1) return pfn;
  }
  if (!stealFallback(mem, zone, order, migratetype)) return -1 as Pfn;
  return takeSmallest(mem, zone, order, migratetype);
}

/** Gives all pages of one processor and zone back. Linux: `drain_pages_zone()`. */
export function drainPcp(mem: Memory, zone: Zone, cpu: number): void {
  const pcp = zone.pcp[cpu];
  if (pcp.count > 0) bulkFree(mem, zone, pcp, pcp.count, 0);
}

/** Linux: `drain_all_pages(NULL)`. */
export function drainAllPages(mem: Memory): void {
  for (const zone of mem.zones) {
    for (let cpu = 0; cpu < mem.cpuCount; cpu++) drainPcp(mem, zone, cpu);
  }
}

/** The more frees follow one another, the more go back at once. Linux: `nr_pcp_free()`. */
function pagesToFree(pcp: PerCpuPages, freesAll: boolean): number {
  if (freesAll) return pcp.count;
  const { high, batch } = pcp;
  if (high < batch) return 1;
  const wanted = batch << pcp.freeFactor;
  const most = high - batch;
  if (wanted < most) pcp.freeFactor++;
  return Math.min(Math.max(wanted, batch), Math.max(most, batch));
}

/** Frees about `count` pages, in turn after list `listIndex`. Linux: `free_pcppages_bulk()`. */
function bulkFree(
  mem: Memory,
  zone: Zone,
  pcp: PerCpuPages,
  count: number,
  listIndex: number,
): void {
  let left = Math.min(count, pcp.count);
  let at = listIndex === 0 ? PCP_LISTS - 1 : listIndex - 1;
  while (left > 0) {
    do at = at === PCP_LISTS - 1 ? 0 : at + 1;
    while (listEmpty(mem, pcp.lists[at]));
    const list = pcp.lists[at];
    const order = at < HUGE_LISTS ? Math.floor(at / PCP_TYPES) : PAGEBLOCK_ORDER;
    do {
      const pfn = listLast(mem, list);
      listDel(mem, pfn);
      const freedAs = mem.index[pfn];
      const type = zone.isolatedBlocks > 0 ? pageblockMigratetype(mem, pfn) : freedAs;
      mem.index[pfn] = 0;
      mem.private[pfn] = 0;
      pcp.count -= 1 << order;
      left -= 1 << order;
      freeOneBlock(mem, zone, pfn, order, type);
    } while (left > 0 && !listEmpty(mem, list));
  }
}

function pcpListIndex(order: number, migratetype: number): number {
  if (order < PCP_ORDERS) return order * PCP_TYPES + migratetype;
  return HUGE_LISTS + (migratetype === MIGRATE.movable ? 0 : 1);
}
