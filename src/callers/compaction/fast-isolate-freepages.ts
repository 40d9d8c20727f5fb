/**
 * Free pages to move to, from the free lists: the fast search of the free scanner.
 *
 * Wanted is a free block in the top quarter of what lies between the scanners; one in the top half
 * will do. One block is taken, and a synchronous compaction takes the rest of its pageblock along.
 * A search that fails at the start of a zone still tells the scanner where to begin.
 * Linux: `fast_isolate_freepages()`, `fast_isolate_around()`, mm/compaction.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { isolateFreeBlock } from "../../memory/buddy.ts";
import {
  MIGRATE,
  PAGEBLOCK_NR_PAGES,
  pageblockEnd,
  pageblockStart,
} from "../../memory/constants.ts";
import type { PageList, Pfn } from "../../memory/memmap.ts";
import { listAddTail, listIsEnd, listLast, listRotateToFirst } from "../../memory/page-list.ts";
import { pageblockInZone, setPageblockSkip } from "../../memory/pageblock.ts";
import type { Steps } from "../../sched/blocking.ts";
import type { CompactControl } from "./control.ts";
import { freelistScanLimit } from "./fast-search.ts";
import { isolateFreepagesBlock } from "./isolate-freepages-block.ts";

/** No page. */
const NONE = -1;

/** One search: what it may take, how far it may look, what it has seen. */
class Search {
  /** From here on a block is good; from `min` on it will do. */
  readonly low: number;
  readonly min: number;
  /** Entries of one list that may still be looked at. */
  limit: number;
  scanned = 0;
  /** The highest pageblock of all entries seen, or 0. */
  highest = 0;
  taken = 0;

  constructor(cc: CompactControl, limit: number) {
    const distance = cc.freePfn - cc.migratePfn;
    this.low = pageblockStart(cc.freePfn - (distance >> 2));
    this.min = pageblockStart(cc.freePfn - (distance >> 1));
    this.limit = limit;
  }
}

/** Adds what it finds to `blocks`. Returns the number of pages: 0 if a scan must be made. */
export function* fastIsolateFreepages(
  cc: CompactControl,
  blocks: PageList,
  wanted: number,
): Steps<number> {
  const { zone, request } = cc;
  // Until a reset of the skip bits has found a block to begin with, every search is a first one.
  const isStart = cc.freePfn >= zone.compactInitFreePfn;
  const limit = isStart ? PAGEBLOCK_NR_PAGES >> 1 : Math.max(1, freelistScanLimit(cc) >> 1);
  const search = new Search(cc, limit);
  cc.searchOrder = Math.min(request.order - 1, cc.searchOrder);
  let page = NONE;
  for (let order = cc.searchOrder; page === NONE && order >= 0; ) {
    let isAborted = false;
    if (zone.freeBlocks[order] > 0) {
      yield "fast-isolate-freepages";
      const listed = search.scanned;
      page = searchOrder(cc, search, order);
      if (page !== NONE && !takeBlock(cc, search, page as Pfn, order, blocks)) {
        page = NONE;
        isAborted = true;
      }
      if (search.taken >= wanted) break;
      if (search.scanned - listed >= search.limit) search.limit = Math.max(1, search.limit >> 1);
    }
    order = nextSearchOrder(cc, isAborted ? cc.searchOrder + 1 : order);
  }
  if (page === NONE) page = beginElsewhere(cc, search, isStart);
  if (search.highest > 0 && search.highest >= zone.compactCachedFreePfn) {
    zone.compactCachedFreePfn = search.highest - PAGEBLOCK_NR_PAGES;
  }
  cc.freeScanned += search.scanned;
  if (page === NONE || search.taken >= wanted) return search.taken;
  return search.taken + (yield* isolateAround(cc, page, blocks, wanted - search.taken));
}

/** The best entry of one list, from its end, under `zone->lock`; or NONE. */
function searchOrder(cc: CompactControl, search: Search, order: number): number {
  const { mem } = cc.vm;
  const list = cc.zone.freeList(order, MIGRATE.movable);
  let seen = 0;
  let best = 0;
  let page = listLast(mem, list);
  for (; !listIsEnd(list, page); page = mem.prev[page] as Pfn) {
    seen++;
    if (page >= search.highest) {
      search.highest = Math.max(pageblockStart(page), cc.zone.startPfn);
    }
    if (page >= search.low) {
      cc.fastSearchFail = 0;
      cc.searchOrder = order;
      search.scanned += seen;
      listRotateToFirst(mem, list, page);
      return page;
    }
    if (page >= search.min && page > best) {
      best = page;
      // A candidate is there: how much longer is a better one worth?
      search.limit >>= 1;
    }
    if (seen >= search.limit) break;
  }
  search.scanned += seen;
  const last = best > 0 ? (best as Pfn) : page;
  if (!listIsEnd(list, last)) listRotateToFirst(mem, list, last);
  return best > 0 ? best : NONE;
}

/** False if the watermark forbids: more would hurt the zone, so the search ends. */
function takeBlock(
  cc: CompactControl,
  search: Search,
  page: Pfn,
  order: number,
  blocks: PageList,
): boolean {
  const { mem } = cc.vm;
  const pages = isolateFreeBlock(mem, cc.zone, page, order);
  if (pages === 0) return false;
  mem.private[page] = order;
  listAddTail(mem, blocks, page);
  search.scanned += pages - 1;
  search.taken += pages;
  mem.events.count(VM_EVENT.compact_isolated, pages);
  return true;
}

/** The next lower order, round from the highest; -1 once all were looked at. */
function nextSearchOrder(cc: CompactControl, order: number): number {
  const highest = cc.request.order - 1;
  const next = order === 0 ? highest : order - 1;
  if (next !== cc.searchOrder) return next;
  cc.searchOrder = cc.searchOrder === 0 ? highest : cc.searchOrder - 1;
  return -1;
}

/**
 * Nothing was taken. At the start of a zone the scan begins at the best block that was seen; a
 * direct compaction that saw none begins in the middle. Returns where to look around, or NONE.
 */
function beginElsewhere(cc: CompactControl, search: Search, isStart: boolean): number {
  cc.fastSearchFail++;
  if (!isStart) return NONE;
  if (search.highest >= search.min) {
    cc.freePfn = search.highest;
    return search.highest;
  }
  if (!cc.request.direct) return NONE;
  cc.freePfn = search.min;
  const end = Math.min(pageblockEnd(search.min), cc.zone.endPfn);
  return pageblockInZone(cc.vm.mem, cc.zone, search.min, end) ? search.min : NONE;
}

/** The rest of a pageblock that has given one block. Returns pages. */
function* isolateAround(
  cc: CompactControl,
  page: number,
  blocks: PageList,
  wanted: number,
): Steps<number> {
  const { zone, request } = cc;
  const { mem } = cc.vm;
  if (request.direct && request.mode === "async") return 0;
  const start = Math.max(pageblockStart(page), zone.startPfn);
  const end = Math.min(pageblockEnd(page), zone.endPfn);
  if (!pageblockInZone(mem, zone, start, end)) return 0;
  yield* isolateFreepagesBlock(cc, blocks, start, end, 1, wanted);
  // It is full now, or nearly so.
  if (cc.lastTaken < wanted) setPageblockSkip(mem, start as Pfn);
  return cc.lastTaken;
}
