/**
 * What scanners leave behind for the next one: skip bits, and where to go on.
 *
 * Hints only: a wrong one costs time or misses a page, never correctness.
 * Linux: `isolation_suitable()`, `update_cached_migrate()`, `update_pageblock_skip()`.
 */

import { buddyOrder, pageBuddy } from "../../memory/buddy.ts";
import {
  MIGRATE,
  PAGEBLOCK_NR_PAGES,
  PAGEBLOCK_ORDER,
  pageblockEnd,
} from "../../memory/constants.ts";
import { folioOrder, pageFolio } from "../../memory/folio.ts";
import type { Pfn } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import {
  isMigrateMovable,
  pageblockMigratetype,
  pageblockSkip,
  setPageblockSkip,
} from "../../memory/pageblock.ts";
import type { Zone } from "../../memory/zone.ts";
import { type CompactControl, lastBlockStart } from "./control.ts";

/** Linux: `isolation_suitable()`. */
export function isolationSuitable(cc: CompactControl, pfn: number): boolean {
  return cc.request.ignoreSkipHint || !pageblockSkip(cc.vm.mem, pfn as Pfn);
}

/** Whether to look for folios in the block from here. Linux: `suitable_migration_source()`. */
export function suitableMigrationSource(cc: CompactControl, start: number): boolean {
  const { mem } = cc.vm;
  const { request } = cc;
  if (pageblockSkipPersistent(mem, start)) return false;
  if (request.mode !== "async" || !request.direct) return true;
  const type = pageblockMigratetype(mem, start as Pfn);
  return request.migratetype === MIGRATE.movable
    ? isMigrateMovable(type)
    : type === request.migratetype;
}

/**
 * Whether to look for free pages in the block that starts here: a wholly free one stays whole,
 * and only movable blocks are filled. Linux: `suitable_migration_target()`.
 */
export function suitableMigrationTarget(cc: CompactControl, start: number): boolean {
  const { mem } = cc.vm;
  const pfn = start as Pfn;
  if (pageBuddy(mem, pfn) && buddyOrder(mem, pfn) >= PAGEBLOCK_ORDER) return false;
  return cc.request.ignoreBlockSuitable || isMigrateMovable(pageblockMigratetype(mem, pfn));
}

/**
 * The next migrate scanner may begin behind `pfn`'s block.
 *
 * Where `pfn` is one past the end of what was scanned, that is a block further than was scanned, as
 * in the kernel: a recorded one went on from there. Linux: `update_cached_migrate()`.
 */
export function updateCachedMigrate(cc: CompactControl, pfn: number): void {
  const { zone, request } = cc;
  const end = pageblockEnd(pfn);
  const cached = zone.compactCachedMigratePfn;
  if (end > cached[0]) cached[0] = end;
  if (request.mode !== "async" && end > cached[1]) cached[1] = end;
}

/** The free scanner has seen all of this block. Linux: `update_pageblock_skip()`. */
export function updatePageblockSkip(cc: CompactControl, start: number): void {
  setPageblockSkip(cc.vm.mem, start as Pfn);
  if (start < cc.zone.compactCachedFreePfn) cc.zone.compactCachedFreePfn = start;
}

/** The next compaction starts at the zone's ends. Linux: `reset_cached_positions()`. */
export function resetCachedPositions(zone: Zone): void {
  zone.compactCachedMigratePfn.fill(zone.startPfn);
  zone.compactCachedFreePfn = lastBlockStart(zone);
}

/**
 * Claims the block that begins with `pfn` for the scan that found its first folio there.
 *
 * True if another scanner has done so since the block was chosen: it is theirs. Under the LRU
 * lock. Linux: `test_and_set_skip()`.
 */
export function testAndSetSkip(cc: CompactControl, pfn: number): boolean {
  if (cc.request.ignoreSkipHint || pfn % PAGEBLOCK_NR_PAGES !== 0) return false;
  const { mem } = cc.vm;
  if (pageblockSkip(mem, pfn as Pfn)) return true;
  setPageblockSkip(mem, pfn as Pfn);
  return false;
}

/** One huge page is all of the block: nothing in it moves. Linux: `pageblock_skip_persistent()`. */
export function pageblockSkipPersistent(mem: Memory, pfn: number): boolean {
  return folioOrder(mem, pageFolio(mem, pfn as Pfn)) >= PAGEBLOCK_ORDER;
}
