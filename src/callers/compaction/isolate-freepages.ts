/**
 * The free scanner: free pages to move to, from the zone's end downwards.
 *
 * For an order it looks at the free lists first (`fast-isolate-freepages.ts`). Then it goes from
 * block to block: those that are wholly free or not movable are left alone; one that yields nothing
 * doubles the stride with which the next is sampled, up to 32; one that yields takes it back to 1.
 * What is taken goes into the pool (`free-pool.ts`). Linux: `isolate_freepages()`, 6.1.
 */
import {
  COMPACT_CLUSTER_MAX,
  PAGEBLOCK_NR_PAGES,
  pageblockEnd,
  pageblockStart,
} from "../../memory/constants.ts";
import { folioNrPages, folioOrder } from "../../memory/folio.ts";
import type { Folio, PageList } from "../../memory/memmap.ts";
import { pageblockInZone } from "../../memory/pageblock.ts";
import type { MigrationTarget } from "../../migrate/migrate-run.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import type { CompactControl } from "./control.ts";
import { fastIsolateFreepages } from "./fast-isolate-freepages.ts";
import { isolateFreepagesBlock } from "./isolate-freepages-block.ts";
import { isolationSuitable, suitableMigrationTarget, updatePageblockSkip } from "./skip-hints.ts";

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
  const blocks = mem.takeList();
  const wanted = cc.migrateCount - cc.pool.count;
  // What the lists give at once is used first, however little it is.
  const taken = cc.request.order > 0 ? yield* fastIsolateFreepages(cc, blocks, wanted) : 0;
  if (taken === 0) yield* isolateFromBlocks(cc, blocks, wanted);
  cc.pool.add(blocks);
  mem.releaseList(blocks);
}

/** Scans blocks downwards from where the scanner is until it has `wanted` pages. */
function* isolateFromBlocks(cc: CompactControl, blocks: PageList, wanted: number): Steps<void> {
  const { mem } = cc.vm;
  const { zone } = cc;
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
}
