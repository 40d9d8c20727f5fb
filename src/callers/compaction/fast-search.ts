/**
 * Fast search: both scanners first look at the free lists, which say at once where free pages are.
 *
 * A search looks at 33 entries or so; each that finds nothing halves the next, and what was seen is
 * turned to the far end of its list, so that the next search sees others.
 *
 * For sources, a movable block that is partly free is the cheapest to empty: the first free block
 * of a middle order in the lower part of what is left names its pageblock. The pageblock's skip bit
 * is set as it is chosen, so that no search chooses it twice; the scan of a block whose first page
 * is looked at finds that bit and leaves at once, as in Linux 6.1.
 * Linux: `fast_find_migrateblock()`, mm/compaction.c, 6.1.
 */
import {
  COMPACT_CLUSTER_MAX,
  MIGRATE,
  PAGE_ALLOC_COSTLY_ORDER,
  PAGEBLOCK_NR_PAGES,
  pageblockStart,
} from "../../memory/constants.ts";
import type { Pfn } from "../../memory/memmap.ts";
import { listFirst, listIsEnd, listRotateToLast } from "../../memory/page-list.ts";
import { pageblockSkip, setPageblockSkip } from "../../memory/pageblock.ts";
import type { Steps } from "../../sched/blocking.ts";
import { type CompactControl, FAST_START } from "./control.ts";

/** Entries that one search looks at. Linux: `freelist_scan_limit()`. */
export function freelistScanLimit(cc: CompactControl): number {
  return (COMPACT_CLUSTER_MAX >> Math.min(31, cc.fastSearchFail)) + 1;
}

/**
 * Where the migrate scanner goes on: a block that was found, or where it is.
 *
 * A search that fails sends the scanner back, once, to the lowest free page of the blocks that
 * earlier searches chose: they skipped what lies between.
 */
export function* fastFindMigrateblock(cc: CompactControl): Steps<number> {
  if (!maySearch(cc)) return cc.migratePfn;
  const limit = freelistScanLimit(cc);
  const highest = highestSource(cc);
  let scanned = 0;
  let found = -1;
  let order = cc.request.order - 1;
  for (; order >= PAGE_ALLOC_COSTLY_ORDER && found === -1 && scanned < limit; order--) {
    if (cc.zone.freeBlocks[order] === 0) continue;
    yield "fast-find-migrateblock";
    const seen = searchOrder(cc, order, highest, limit - scanned);
    scanned += seen.scanned;
    found = seen.found;
  }
  cc.migrateScanned += scanned;
  if (found !== -1) {
    cc.fastSearchFail = 0;
    return found;
  }
  cc.fastSearchFail++;
  if (cc.fastStartPfn !== FAST_START.none && cc.fastStartPfn !== FAST_START.used) {
    cc.migratePfn = cc.fastStartPfn;
    cc.fastStartPfn = FAST_START.used;
  }
  return cc.migratePfn;
}

/** Not in the middle of a block, not for small orders, not for what would not use the block. */
function maySearch(cc: CompactControl): boolean {
  const { request, migratePfn, zone } = cc;
  if (request.ignoreSkipHint) return false;
  if (migratePfn !== zone.startPfn && migratePfn % PAGEBLOCK_NR_PAGES !== 0) return false;
  if (request.order <= PAGE_ALLOC_COSTLY_ORDER) return false;
  return !request.direct || request.migratetype === MIGRATE.movable;
}

/** Half of what lies between the scanners at first, later an eighth: targets lie above. */
function highestSource({ migratePfn, freePfn, zone }: CompactControl): number {
  const distance = (freePfn - migratePfn) >> 1;
  return pageblockStart(migratePfn + (migratePfn === zone.startPfn ? distance : distance >> 2));
}

/** Looks through one list, under `zone->lock`. `found` is a pageblock's first frame or -1. */
function searchOrder(
  cc: CompactControl,
  order: number,
  highest: number,
  limit: number,
): { readonly scanned: number; readonly found: number } {
  const { mem } = cc.vm;
  const list = cc.zone.freeList(order, MIGRATE.movable);
  let scanned = 0;
  for (let page = listFirst(mem, list); !listIsEnd(list, page); page = mem.next[page] as Pfn) {
    scanned++;
    if (scanned > limit) {
      listRotateToLast(mem, list, page);
      break;
    }
    if (page >= highest || pageblockSkip(mem, page)) continue;
    listRotateToLast(mem, list, page);
    rememberStart(cc, page);
    setPageblockSkip(mem, page);
    return { scanned, found: Math.max(pageblockStart(page), cc.zone.startPfn) };
  }
  return { scanned, found: -1 };
}

/** Linux: `update_fast_start_pfn()`. */
function rememberStart(cc: CompactControl, page: number): void {
  if (cc.fastStartPfn === FAST_START.used) return;
  cc.fastStartPfn = cc.fastStartPfn === FAST_START.none ? page : Math.min(cc.fastStartPfn, page);
}
