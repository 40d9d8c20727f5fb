/**
 * Forgets skip bits once they have served their time, and finds where the scanners may begin.
 *
 * A zone is due when a direct compaction has seen it through. Blocks are walked from both ends; a
 * bit is cleared where a sample of every eighth page shows something to move or a free block. The
 * first source and the last target found are where the next compaction begins; without them it
 * finds its scanners met. Linux: `__reset_isolation_suitable()`, `__reset_isolation_pfn()`, 6.1.
 */
import {
  MIGRATE,
  PAGE_ALLOC_COSTLY_ORDER,
  PAGEBLOCK_NR_PAGES,
  pageblockEnd,
  pageblockStart,
} from "../../memory/constants.ts";
import type { Pfn } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import type { Node } from "../../memory/node.ts";
import { PG } from "../../memory/page-flags.ts";
import {
  clearPageblockSkip,
  NO_SECTION,
  pageblockMigratetype,
  pageblockSkip,
} from "../../memory/pageblock.ts";
import type { Zone } from "../../memory/zone.ts";
import { pageblockSkipPersistent } from "./skip-hints.ts";

/** Before a kswapd sleeps: the zones of its node that are due. `reset_isolation_suitable()` */
export function resetNodeIsolation(mem: Memory, node: Node): void {
  for (const zone of node.zones) resetIsolationSuitable(mem, zone);
}

export function resetIsolationSuitable(mem: Memory, zone: Zone): void {
  if (!zone.compactBlockskipFlush) return;
  zone.compactBlockskipFlush = false;
  let migrate = zone.startPfn;
  let free = zone.endPfn - 1;
  let firstSource = free;
  let lastTarget = migrate;
  let hasSource = false;
  let hasTarget = false;
  for (; migrate < free; migrate += PAGEBLOCK_NR_PAGES, free -= PAGEBLOCK_NR_PAGES) {
    // Once one end is set, a block that gives the other counts for it too.
    const source = hasSource ? PG.lru | PG.buddy : PG.lru;
    if (resetBlock(mem, zone, migrate, source) && migrate < firstSource) {
      hasSource = true;
      firstSource = migrate;
      zone.compactInitMigratePfn = migrate;
      zone.compactCachedMigratePfn.fill(migrate);
    }
    const target = hasTarget ? PG.lru | PG.buddy : PG.buddy;
    if (resetBlock(mem, zone, free, target) && free > lastTarget) {
      hasTarget = true;
      lastTarget = free;
      zone.compactInitFreePfn = free;
      zone.compactCachedFreePfn = free;
    }
  }
  if (firstSource < lastTarget) return;
  zone.compactCachedMigratePfn.fill(migrate);
  zone.compactCachedFreePfn = free;
}

/**
 * Clears the skip bit of `pfn`'s block if a sample has one of the wanted flags; true if it is
 * clear and the block will do. Without `PG.lru` among them it must be fit to be filled.
 */
function resetBlock(mem: Memory, zone: Zone, pfn: number, wanted: number): boolean {
  if (mem.pageblockFlags[pfn >>> 9] === NO_SECTION || mem.zoneOf(pfn as Pfn) !== zone) return false;
  if (pageblockSkipPersistent(mem, pfn)) return false;
  if (wanted === (PG.lru | PG.buddy) && !pageblockSkip(mem, pfn as Pfn)) return true;
  if (wanted === PG.buddy && pageblockMigratetype(mem, pfn as Pfn) !== MIGRATE.movable) {
    return false;
  }
  const start = Math.max(pageblockStart(pfn), zone.startPfn);
  const end = Math.min(pageblockEnd(pfn), zone.endPfn);
  for (let page = start; page < end; page += 1 << PAGE_ALLOC_COSTLY_ORDER) {
    if ((mem.flags[page] & wanted) === 0) continue;
    clearPageblockSkip(mem, page as Pfn);
    return true;
  }
  return false;
}
