/**
 * What scanners leave behind for the next one: skip bits, and where to go on.
 *
 * Hints only: a wrong one costs time or misses a page, never correctness.
 * Linux: `isolation_suitable()`, `update_cached_migrate()`, `update_pageblock_skip()`.
 */

import { buddyOrder, pageBuddy } from "../../memory/buddy.ts";
import { MIGRATE, PAGEBLOCK_ORDER, pageblockEnd } from "../../memory/constants.ts";
import { folioOrder } from "../../memory/folio.ts";
import type { Folio, Pfn } from "../../memory/memmap.ts";
import {
  isMigrateMovable,
  pageblockMigratetype,
  pageblockSkip,
  setPageblockSkip,
} from "../../memory/pageblock.ts";
import { type CompactControl, lastBlockStart } from "./control.ts";

/** Linux: `isolation_suitable()`. */
export function isolationSuitable(cc: CompactControl, pfn: number): boolean {
  return cc.request.ignoreSkipHint || !pageblockSkip(cc.vm.mem, pfn as Pfn);
}

/** Whether to look for folios in the block from here. Linux: `suitable_migration_source()`. */
export function suitableMigrationSource(cc: CompactControl, start: number): boolean {
  const { mem } = cc.vm;
  const { request } = cc;
  if (folioOrder(mem, start as Folio) >= PAGEBLOCK_ORDER) return false;
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

/** The next migrate scanner may begin behind `pfn`'s block. Linux: `update_cached_migrate()`. */
export function updateCachedMigrate(cc: CompactControl, pfn: number): void {
  const { zone, request } = cc;
  // `pfn` is one past what was scanned, and a block's end is its own.
  const end = pfn % (1 << PAGEBLOCK_ORDER) === 0 ? pfn : pageblockEnd(pfn);
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
export function resetCachedPositions(cc: CompactControl): void {
  const { zone } = cc;
  zone.compactCachedMigratePfn[0] = zone.startPfn;
  zone.compactCachedMigratePfn[1] = zone.startPfn;
  zone.compactCachedFreePfn = lastBlockStart(zone);
}
