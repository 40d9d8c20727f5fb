/**
 * Pageblocks: the migratetype of each 2 MiB of memory, and compaction's mark to pass it by.
 *
 * Protection: the type changes under `zone->lock` only; the skip bit is a hint, written by
 * scanners alone. Linux: `pageblock_flags`, `get_pageblock_migratetype()`.
 */

import { MIGRATE } from "./constants.ts";
import type { Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import type { Zone } from "./zone.ts";

/** In `pageblockFlags`: no memory map here, as no memory was ever online. */
export const NO_SECTION = 0xff;

const TYPE_MASK = 0x7;
const SKIP_BIT = 0x8;

export function pageblockMigratetype(mem: Memory, pfn: Pfn): number {
  return mem.pageblockFlags[pfn >>> 9] & TYPE_MASK;
}

export function setPageblockMigratetype(mem: Memory, pfn: Pfn, migratetype: number): void {
  const block = pfn >>> 9;
  mem.pageblockFlags[block] = (mem.pageblockFlags[block] & ~TYPE_MASK) | migratetype;
}

/** Linux: `get_pageblock_skip()`. */
export function pageblockSkip(mem: Memory, pfn: Pfn): boolean {
  return (mem.pageblockFlags[pfn >>> 9] & SKIP_BIT) !== 0;
}

export function setPageblockSkip(mem: Memory, pfn: Pfn): void {
  mem.pageblockFlags[pfn >>> 9] |= SKIP_BIT;
}

export function clearPageblockSkip(mem: Memory, pfn: Pfn): void {
  mem.pageblockFlags[pfn >>> 9] &= ~SKIP_BIT;
}

/** Movable allocations may come from here. Linux: `is_migrate_movable()`. */
export function isMigrateMovable(migratetype: number): boolean {
  return migratetype === MIGRATE.movable || migratetype === MIGRATE.cma;
}

/** Blocks of two such types may merge and be retagged. Linux: `migratetype_is_mergeable()`. */
export function isMergeable(migratetype: number): boolean {
  return migratetype < MIGRATE.highatomic;
}

/**
 * Whether the block from `start` to `end` has memory and lies in one zone, this one.
 *
 * Linux: `pageblock_pfn_to_page()`.
 */
export function pageblockInZone(mem: Memory, zone: Zone, start: number, end: number): boolean {
  return (
    mem.pageblockFlags[start >>> 9] !== NO_SECTION &&
    mem.zoneOf(start as Pfn) === zone &&
    mem.zoneOf((end - 1) as Pfn) === zone
  );
}
