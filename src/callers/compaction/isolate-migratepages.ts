/**
 * The migrate scanner: the next folios to move, out of one pageblock.
 *
 * `isolateMigratepages` chooses the block and never goes past the free scanner; one block a round.
 * In the block each page passes the tests below in the kernel's order, and whoever clears PG_lru
 * owns the folio. It then lies on `migratepages`, first the last found, with one reference and
 * counted in `isolatedPages`. A driver's page is asked of its driver, and not counted there.
 *
 * | page                                         | passed over because                        |
 * |----------------------------------------------|--------------------------------------------|
 * | free block                                   | nothing to move; skipped whole             |
 * | compound                                     | single pages only in 6.1, and no folio of  |
 * |                                              | a pageblock or of what is wanted in 6.18   |
 * | a driver's, movable                          | its driver keeps it, or isolated already   |
 * | not on the LRU                               | the kernel's, or in a batch, or isolated   |
 * | refcount 0                                   | being freed                                |
 * | anonymous, more references than mappings     | pinned                                     |
 * | a file's, for a request without GFP.fs       | its filesystem must not be called          |
 * | unevictable, if the sysctl forbids           | kept by mlock                              |
 * | under writeback, or dirty without an owner   | would block (asynchronous and sync-light)  |
 * | that can move it                             |                                            |
 *
 * Linux: `isolate_migratepages()`, `isolate_migratepages_block()`, mm/compaction.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { buddyOrder } from "../../memory/buddy.ts";
import {
  COMPACT_CLUSTER_MAX,
  MAX_ORDER,
  PAGEBLOCK_NR_PAGES,
  PAGEBLOCK_ORDER,
  pageblockEnd,
  pageblockStart,
} from "../../memory/constants.ts";
import { folioMapcount, folioNrPages } from "../../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import { GFP } from "../../memory/gfp.ts";
import { isolatedClass, lruUnlink } from "../../memory/lru-list.ts";
import { folioTestMovable } from "../../memory/mapping-word.ts";
import type { Folio, Pfn } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { listAdd } from "../../memory/page-list.ts";
import { pageblockInZone, setPageblockSkip } from "../../memory/pageblock.ts";
import { isolateMovablePage } from "../../migrate/isolate-movable.ts";
import { putbackMovablePages } from "../../migrate/putback.ts";
import { ISOLATE } from "../../pagecache/movable-operations.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import { type CompactControl, ROUND_PAGES } from "./control.ts";
import { fastFindMigrateblock } from "./fast-search.ts";
import {
  isolationSuitable,
  suitableMigrationSource,
  testAndSetSkip,
  updateCachedMigrate,
} from "./skip-hints.ts";
import { traceIsolate } from "./trace.ts";

export type IsolateOutcome = "abort" | "none" | "success";

/** Fills `migratepages` from the next block that has anything. */
export function* isolateMigratepages(cc: CompactControl): Blocking<IsolateOutcome> {
  const { mem } = cc.vm;
  const { zone } = cc;
  let low = yield* fastFindMigrateblock(cc);
  // A block that the fast search chose carries the skip bit already.
  let isChosen = low !== cc.migratePfn && cc.fastSearchFail === 0;
  let start = Math.max(pageblockStart(low), zone.startPfn);
  let end = pageblockEnd(low);
  while (end <= cc.freePfn) {
    if (
      pageblockInZone(mem, zone, start, end) &&
      (isChosen || low % PAGEBLOCK_NR_PAGES !== 0 || isolationSuitable(cc, start))
    ) {
      if (suitableMigrationSource(cc, start)) {
        if (!(yield* waitForPutback(cc))) return "abort";
        yield* isolateMigratepagesBlock(cc, low, end);
        break;
      }
      updateCachedMigrate(cc, end);
    }
    isChosen = false;
    low = end;
    cc.migratePfn = low;
    start = end;
    end += PAGEBLOCK_NR_PAGES;
  }
  return cc.migrateCount > 0 ? "success" : "none";
}

/** Scans from `low` to the block's `end`. */
function* isolateMigratepagesBlock(cc: CompactControl, low: number, end: number): Blocking<void> {
  const { mem } = cc.vm;
  const { request } = cc;
  const skipOnFailure = request.direct && request.mode === "async";
  const start = low;
  let scanned = 0;
  let isolated = 0;
  let firstOfBlock = -1;
  cc.skipUpdated = false;
  let nextSkip = skipOnFailure ? orderEnd(low, request.order) : 0;
  for (; low < end; low++) {
    if (skipOnFailure && low >= nextSkip) {
      if (isolated > 0) break;
      nextSkip = orderEnd(low, request.order);
    }
    if (low % COMPACT_CLUSTER_MAX === 0) yield "isolate-migratepages-cluster";
    scanned++;
    const page = low as Pfn;
    if (firstOfBlock === -1 && low % PAGEBLOCK_NR_PAGES === 0) {
      if (!isolationSuitable(cc, low)) {
        low = end;
        break;
      }
      firstOfBlock = low;
    }
    const flags = mem.flags[page];
    if ((flags & PG.buddy) !== 0) {
      low += (1 << buddyOrder(mem, page)) - 1;
      continue;
    }
    const isHead = (flags & PG.head) !== 0;
    let taken = 0;
    if ((flags & PG.lru) !== 0 && (!isHead || takesOrder(cc, mem.index[low + 1]))) {
      // Read before the folio is held by nobody else.
      const pages = isHead ? 1 << mem.index[low + 1] : 1;
      const outcome = yield* isolateFolio(cc, page as Folio, pages);
      if (outcome === "claimed") break;
      if (outcome === "isolated") taken = pages;
    } else if (isHead) {
      const order = mem.index[low + 1];
      if (order < MAX_ORDER) low += (1 << order) - 1;
    } else if (folioTestMovable(mem, page) && (flags & PG.isolated) === 0) {
      if (yield* isolateFromDriver(cc, page as Folio)) taken = 1;
    }
    if (taken > 0) {
      isolated += taken;
      low += taken - 1;
      if (cc.migrateCount >= ROUND_PAGES && !cc.rescan && !cc.contended) {
        low++;
        break;
      }
      continue;
    }
    if (skipOnFailure) {
      if (isolated > 0) yield* putBackRound(cc);
      isolated = 0;
      if (low < nextSkip) {
        low = nextSkip - 1;
        nextSkip += 1 << request.order;
      }
    }
  }
  low = Math.min(low, end);
  if (low === end && (isolated === 0 || cc.rescan)) skipBlock(cc, firstOfBlock, end);
  tellIsolated(cc, start, low, scanned, isolated);
  cc.migratePfn = low;
}

/** The block has nothing for those who come next; it is marked if its first page was seen. */
function skipBlock(cc: CompactControl, firstOfBlock: number, end: number): void {
  if (firstOfBlock !== -1 && !cc.skipUpdated) setPageblockSkip(cc.vm.mem, firstOfBlock as Pfn);
  updateCachedMigrate(cc, end);
}

/** One page that stays spoils the aligned block that is wanted: what was taken goes back. */
function* putBackRound(cc: CompactControl): Blocking<void> {
  yield* putbackMovablePages(cc.vm, cc.migratepages);
  cc.migrateCount = 0;
}

/** Sleeps while too many folios are off the LRU. False if the call must stop instead. */
function* waitForPutback(cc: CompactControl): Blocking<boolean> {
  while (tooManyIsolated(cc)) {
    if (cc.migrateCount > 0 || cc.request.mode === "async") return false;
    yield cc.vm.mem.nodes[cc.zone.node].throttled;
  }
  return true;
}

function tellIsolated(
  cc: CompactControl,
  start: number,
  end: number,
  scanned: number,
  isolated: number,
): void {
  const { events } = cc.vm.mem;
  if (events.trace !== null) {
    traceIsolate(events.trace, "mm_compaction_isolate_migratepages", start, end, scanned, isolated);
  }
  cc.migrateScanned += scanned;
  events.count(VM_EVENT.compact_isolated, isolated);
}

/** Whether folios of that order are taken at all. Linux: `skip_isolation_on_order()`. */
function takesOrder(cc: CompactControl, order: number): boolean {
  const wanted = cc.request.order;
  if (!cc.vm.mem.profile.compactsLargeFolios || order >= PAGEBLOCK_ORDER) return false;
  return wanted === -1 || order < wanted;
}

/** "stays": something speaks against it. "claimed": another scanner has its pageblock. */
type FolioOutcome = "isolated" | "stays" | "claimed";

/** Takes one folio of that many pages off the LRU if nothing speaks against it. */
function* isolateFolio(cc: CompactControl, folio: Folio, pages: number): Steps<FolioOutcome> {
  const { mem } = cc.vm;
  yield "isolate-found";
  // A reference that keeps the folio from being freed under the tests.
  if (mem.refcount[folio] === 0) return "stays";
  mem.refcount[folio]++;
  yield "isolate-held";
  if (!mayIsolate(cc, folio)) {
    folioPut(mem, folio);
    return "stays";
  }
  yield "isolate-tested";
  // Before it was held it may have been freed, and be part of something larger by now.
  if ((mem.flags[folio] & PG.lru) === 0 || folioNrPages(mem, folio) !== pages) {
    folioPut(mem, folio);
    return "stays";
  }
  if (!cc.skipUpdated) {
    cc.skipUpdated = true;
    if (testAndSetSkip(cc, folio)) {
      folioPut(mem, folio);
      return "claimed";
    }
  }
  mem.flags[folio] &= ~PG.lru;
  lruUnlink(mem, folio);
  mem.nodeOf(folio).isolatedPages[isolatedClass(mem, folio)] += pages;
  listAdd(mem, cc.migratepages, folio);
  cc.migrateCount += pages;
  return "isolated";
}

/** Takes one page that is a driver's; it is in no class of `isolatedPages`. */
function* isolateFromDriver(cc: CompactControl, page: Folio): Steps<boolean> {
  const { vm, request, sysctl } = cc;
  const unevictable = sysctl["vm.compact_unevictable_allowed"] === 0 ? 0 : ISOLATE.unevictable;
  const mode = unevictable | (request.mode === "sync" ? 0 : ISOLATE.asyncMigrate);
  if ((yield* isolateMovablePage(vm.cache, page, mode)) !== "isolated") return false;
  listAdd(vm.mem, cc.migratepages, page);
  cc.migrateCount++;
  return true;
}

/** The tests of a folio that the scanner holds; each may be out of date a moment later. */
function mayIsolate(cc: CompactControl, folio: Folio): boolean {
  const { vm, request, sysctl } = cc;
  const { mem } = vm;
  const flags = mem.flags[folio];
  const mapping = vm.cache.folioMapping(folio);
  if (mapping === null && mem.refcount[folio] - 1 > folioMapcount(mem, folio)) return false;
  if (mapping !== null && (request.gfp & GFP.fs) === 0) return false;
  if ((flags & PG.lru) === 0) return false;
  if ((flags & PG.unevictable) !== 0 && sysctl["vm.compact_unevictable_allowed"] === 0) {
    return false;
  }
  if (request.mode === "sync" || (flags & (PG.writeback | PG.dirty)) === 0) return true;
  if ((flags & PG.writeback) !== 0) return false;
  // The lock keeps the mapping from going away while its operations are looked at.
  if (!folioTrylock(mem, folio)) return false;
  const movable = mapping === null || mapping.ops.migrateFolio !== undefined;
  folioUnlock(mem, folio);
  return movable;
}

/** More isolated than half of what is on the lists. Linux: `too_many_isolated()`. */
function tooManyIsolated(cc: CompactControl): boolean {
  const { lruPages, isolatedPages } = cc.vm.mem.nodes[cc.zone.node];
  const listed = lruPages[0] + lruPages[1] + lruPages[2] + lruPages[3];
  return isolatedPages[0] + isolatedPages[1] > listed >> 1;
}

/** End of the aligned block of 2^order pages that holds `pfn`. */
function orderEnd(pfn: number, order: number): number {
  const pages = 1 << Math.max(order, 0);
  return pfn - (pfn % pages) + pages;
}
