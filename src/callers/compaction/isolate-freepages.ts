/**
 * The free scanner: free pages to move to, from the zone's end downwards.
 *
 * Blocks that are wholly free or not movable are left alone. A block that yields nothing doubles
 * the stride with which the next is sampled, up to 32; one that yields takes it back to 1. What is
 * taken is split into single pages, so that the last isolated is handed out first.
 * Linux: `isolate_freepages()`, `isolate_freepages_block()`, `split_map_pages()`, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { buddyOrder, isolateFreeBlock, pageBuddy } from "../../memory/buddy.ts";
import {
  COMPACT_CLUSTER_MAX,
  MAX_ORDER,
  PAGEBLOCK_NR_PAGES,
  pageblockEnd,
  pageblockStart,
} from "../../memory/constants.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import type { Folio, PageList, Pfn } from "../../memory/memmap.ts";
import { prepNewPage } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import {
  listAdd,
  listAddTail,
  listDel,
  listEmpty,
  listFirst,
  listSplice,
} from "../../memory/page-list.ts";
import { pageblockInZone } from "../../memory/pageblock.ts";
import type { MigrationTarget } from "../../migrate/migrate-run.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import type { CompactControl } from "./control.ts";
import { isolationSuitable, suitableMigrationTarget, updatePageblockSkip } from "./skip-hints.ts";
import { traceIsolate } from "./trace.ts";

/** Hands out what the free scanner holds. Linux: `compaction_alloc()`, `compaction_free()`. */
export class FreeScannerTarget implements MigrationTarget {
  private readonly cc: CompactControl;

  constructor(cc: CompactControl) {
    this.cc = cc;
  }

  *getNew(_src: Folio): Blocking<Folio | null> {
    const { cc } = this;
    const { mem } = cc.vm;
    if (listEmpty(mem, cc.freepages)) {
      yield* isolateFreepages(cc);
      if (listEmpty(mem, cc.freepages)) return null;
    }
    const page = listFirst(mem, cc.freepages);
    listDel(mem, page);
    cc.freeCount--;
    return page as Folio;
  }

  putNew(dst: Folio): void {
    listAdd(this.cc.vm.mem, this.cc.freepages, dst);
    this.cc.freeCount++;
  }
}

/** Isolates at least as many pages as there are folios to move, if the zone has them. */
export function* isolateFreepages(cc: CompactControl): Steps<void> {
  const { mem } = cc.vm;
  const { zone } = cc;
  const blocks = mem.takeList();
  let from = cc.freePfn;
  let start = pageblockStart(from);
  let end = Math.min(pageblockEnd(from), zone.endPfn);
  const lowest = pageblockEnd(cc.migratePfn);
  let stride = cc.request.mode === "async" ? COMPACT_CLUSTER_MAX : 1;
  while (start >= lowest) {
    const suits =
      pageblockInZone(mem, zone, start, end) &&
      suitableMigrationTarget(cc, start) &&
      isolationSuitable(cc, start);
    if (suits) {
      const before = cc.freeCount;
      from = yield* isolateFreepagesBlock(cc, blocks, from, end, stride);
      if (from === end) updatePageblockSkip(cc, start);
      if (cc.freeCount >= cc.migrateCount) {
        if (from >= end) from = start - PAGEBLOCK_NR_PAGES;
        break;
      }
      // The watermark, not the end of the block: more would hurt the zone.
      if (from < end) break;
      stride = cc.freeCount > before ? 1 : Math.min(COMPACT_CLUSTER_MAX, stride << 1);
    }
    end = start;
    start -= PAGEBLOCK_NR_PAGES;
    from = start;
  }
  cc.freePfn = from;
  splitMapPages(cc, blocks);
  mem.releaseList(blocks);
}

/** Takes free blocks between `start` and `end`. Returns where it stopped. */
function* isolateFreepagesBlock(
  cc: CompactControl,
  blocks: PageList,
  start: number,
  end: number,
  stride: number,
): Steps<number> {
  const { mem } = cc.vm;
  const { zone } = cc;
  let scanned = 0;
  let taken = 0;
  let pfn = start;
  for (; pfn < end; pfn += stride) {
    if (pfn % COMPACT_CLUSTER_MAX === 0) yield "isolate-freepages-cluster";
    scanned++;
    const page = pfn as Pfn;
    if ((mem.flags[page] & PG.head) !== 0) {
      const order = mem.index[pfn + 1];
      if (order < MAX_ORDER) pfn += (1 << order) - 1;
      continue;
    }
    if (!pageBuddy(mem, page)) continue;
    const order = buddyOrder(mem, page);
    const pages = isolateFreeBlock(mem, zone, page, order);
    if (pages === 0) break;
    mem.private[page] = order;
    listAddTail(mem, blocks, page);
    scanned += pages - 1;
    taken += pages;
    cc.freeCount += pages;
    if (cc.freeCount >= cc.migrateCount) {
      pfn += pages;
      break;
    }
    pfn += pages - 1;
  }
  pfn = Math.min(pfn, end);
  const { trace } = mem.events;
  if (trace !== null) {
    traceIsolate(trace, "mm_compaction_isolate_freepages", start, pfn, scanned, taken);
  }
  cc.freeScanned += scanned;
  mem.events.count(VM_EVENT.compact_isolated, taken);
  return pfn;
}

/** Makes single pages of the blocks, each with one reference, and puts them on `freepages`. */
function splitMapPages(cc: CompactControl, blocks: PageList): void {
  const { mem } = cc.vm;
  const pages = mem.takeList();
  while (!listEmpty(mem, blocks)) {
    const first = listFirst(mem, blocks);
    const end = first + (1 << mem.private[first]);
    listDel(mem, first);
    for (let page = first; page < end; page = (page + 1) as Pfn) {
      prepNewPage(mem, page);
      listAdd(mem, pages, page);
    }
  }
  listSplice(mem, pages, cc.freepages);
  mem.releaseList(pages);
}

/** Frees what was not used. Returns the highest frame of it, or 0. Linux: `release_freepages()`. */
export function releaseFreepages(cc: CompactControl): number {
  const { mem } = cc.vm;
  let highest = 0;
  while (!listEmpty(mem, cc.freepages)) {
    const page = listFirst(mem, cc.freepages);
    listDel(mem, page);
    if (page > highest) highest = page;
    folioPut(mem, page as Folio);
  }
  cc.freeCount = 0;
  return highest;
}
