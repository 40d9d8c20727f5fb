/**
 * The free scanner: free pages to move to, from the zone's end downwards.
 *
 * Blocks that are wholly free or not movable are left alone. A block that yields nothing doubles
 * the stride with which the next is sampled, up to 32; one that yields takes it back to 1. What is
 * taken goes into the pool (`free-pool.ts`).
 * Linux: `isolate_freepages()`, `isolate_freepages_block()`, 6.1.
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
import { folioNrPages, folioOrder } from "../../memory/folio.ts";
import type { Folio, PageList, Pfn } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { listAddTail } from "../../memory/page-list.ts";
import { pageblockInZone } from "../../memory/pageblock.ts";
import type { MigrationTarget } from "../../migrate/migrate-run.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import type { CompactControl } from "./control.ts";
import { isolationSuitable, suitableMigrationTarget, updatePageblockSkip } from "./skip-hints.ts";
import { traceIsolate } from "./trace.ts";

/** Hands out what the free scanner holds. Linux: `compaction_alloc()`, `compaction_free()`. */
export class FreeScannerTarget implements MigrationTarget {
  private readonly cc: CompactControl;
  /** Each page handed out is one that need not be found any more. */
  private readonly countsDown: boolean;

  constructor(cc: CompactControl) {
    this.cc = cc;
    this.countsDown = cc.vm.mem.profile.compactsLargeFolios;
  }

  *getNew(src: Folio): Blocking<Folio | null> {
    const { cc } = this;
    const order = folioOrder(cc.vm.mem, src);
    let dst = cc.pool.take(order);
    if (dst === null) {
      yield* isolateFreepages(cc);
      dst = cc.pool.take(order);
    }
    if (dst !== null && this.countsDown) cc.migrateCount -= 1 << order;
    return dst;
  }

  putNew(dst: Folio): void {
    const { cc } = this;
    if (this.countsDown) cc.migrateCount += folioNrPages(cc.vm.mem, dst);
    cc.pool.giveBack(dst);
  }
}

/** Isolates at least as many pages as there are folios to move, if the zone has them. */
function* isolateFreepages(cc: CompactControl): Steps<void> {
  const { mem } = cc.vm;
  const { zone } = cc;
  const blocks = mem.takeList();
  const wanted = cc.migrateCount - cc.pool.count;
  let taken = 0;
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
      from = yield* isolateFreepagesBlock(cc, blocks, from, end, stride, wanted - taken);
      taken += cc.lastTaken;
      if (from === end) updatePageblockSkip(cc, start);
      if (taken >= wanted) {
        if (from >= end) from = start - PAGEBLOCK_NR_PAGES;
        break;
      }
      // The watermark, not the end of the block: more would hurt the zone.
      if (from < end) break;
      stride = cc.lastTaken > 0 ? 1 : Math.min(COMPACT_CLUSTER_MAX, stride << 1);
    }
    end = start;
    start -= PAGEBLOCK_NR_PAGES;
    from = start;
  }
  cc.freePfn = from;
  cc.pool.add(blocks);
  mem.releaseList(blocks);
}

/** Takes free blocks from `start` on until it has `wanted` pages. Returns where it stopped. */
function* isolateFreepagesBlock(
  cc: CompactControl,
  blocks: PageList,
  start: number,
  end: number,
  stride: number,
  wanted: number,
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
    if (taken >= wanted) {
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
  cc.lastTaken = taken;
  cc.freeScanned += scanned;
  mem.events.count(VM_EVENT.compact_isolated, taken);
  return pfn;
}
