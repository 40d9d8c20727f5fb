/**
 * Free blocks: kpageflags tells which pages are free, not in blocks of which size.
 *
 * Kernels since 2016 set BUDDY on every page of a free block. There the blocks follow: the
 * allocator always merges two free buddies, so the maximal aligned blocks inside one zone are the
 * allocator's own. Older kernels set it on the first page alone: see free-heads.ts. Which of the
 * two it is, the pages tell: if only heads had the bit, no even page and its odd neighbour could
 * both have it, since two such blocks would have merged.
 *
 * Needs holes marked and compounds settled. Linux: mm/page_alloc.c, `__free_one_page()`.
 */
import { MAX_ORDER } from "../memory/constants.ts";
import { PG } from "../memory/page-flags.ts";
import type { FlagColumns } from "./columns.ts";
import { PAGE_KIND } from "./page-kinds.ts";
import type { ZoneSegment } from "./zones.ts";

/** Which pages of a free block have BUDDY. */
export type BuddyMarks = "every page" | "heads only";

/** A race of the scan can make a pair look free; this many times more lone pages are needed. */
const HEADS_ONLY_RATIO = 100;

export function buddyMarksOf(kind: Uint8Array): BuddyMarks {
  let pairs = 0;
  let alone = 0;
  for (let pfn = 0; pfn + 1 < kind.length; pfn += 2) {
    if (kind[pfn] !== PAGE_KIND.free) continue;
    if (kind[pfn + 1] === PAGE_KIND.free) pairs++;
    else alone++;
  }
  return alone > pairs * HEADS_ONLY_RATIO ? "heads only" : "every page";
}

/** Free blocks by zone and order, for kinds that mark every free page. */
export function countMaximalBlocks(
  kind: Uint8Array,
  zoneCount: number,
  segments: readonly ZoneSegment[],
): number[][] {
  const counts = emptyCounts(zoneCount);
  for (const segment of segments) {
    eachMaximalBlock(kind, segment, (_, order) => counts[segment.zone][order]++);
  }
  return counts;
}

/** Sets `buddy` and the order on the first page of each maximal block; returns the counts. */
export function settleMaximalBlocks(
  columns: FlagColumns,
  order: Uint8Array,
  zoneCount: number,
  segments: readonly ZoneSegment[],
): number[][] {
  const counts = emptyCounts(zoneCount);
  for (const segment of segments) {
    eachMaximalBlock(columns.kind, segment, (pfn, size) => {
      columns.flags[pfn] = PG.buddy;
      order[pfn] = size;
      counts[segment.zone][size]++;
    });
  }
  return counts;
}

/**
 * Two pageblocks of which one is HighAtomic, CMA or isolated never merge unless of the same type:
 * what maximal merging joined is parted again.
 */
export function partUnmergeable(
  columns: FlagColumns,
  order: Uint8Array,
  blockType: Uint8Array,
  counts: readonly number[][],
  segments: readonly ZoneSegment[],
): void {
  const largest = MAX_ORDER - 1;
  const half = 2 ** (largest - 1);
  for (const { zone, start, end } of segments) {
    for (let pfn = Math.ceil(start / (2 * half)) * 2 * half; pfn < end; pfn += 2 * half) {
      if (order[pfn] !== largest || (columns.flags[pfn] & PG.buddy) === 0) continue;
      const left = blockType[pfn >>> 9];
      const right = blockType[(pfn + half) >>> 9];
      if (left === right || Math.max(left, right) <= 2) continue;
      columns.flags[pfn + half] = PG.buddy;
      order[pfn] = order[pfn + half] = largest - 1;
      counts[zone][largest]--;
      counts[zone][largest - 1] += 2;
    }
  }
}

export function emptyCounts(zoneCount: number): number[][] {
  return Array.from({ length: zoneCount }, () => new Array<number>(MAX_ORDER).fill(0));
}

/** The largest order that a free block at `pfn` may have, `room` pages being free from there. */
export function largestOrderAt(pfn: number, room: number): number {
  const aligned = pfn === 0 ? MAX_ORDER - 1 : 31 - Math.clz32(pfn & -pfn);
  return Math.min(MAX_ORDER - 1, aligned, 31 - Math.clz32(room));
}

function eachMaximalBlock(
  kind: Uint8Array,
  segment: ZoneSegment,
  visit: (pfn: number, order: number) => void,
): void {
  let pfn = segment.start;
  while (pfn < segment.end) {
    if (kind[pfn] !== PAGE_KIND.free) {
      pfn++;
      continue;
    }
    let end = pfn + 1;
    while (end < segment.end && kind[end] === PAGE_KIND.free) end++;
    while (pfn < end) {
      const order = largestOrderAt(pfn, end - pfn);
      visit(pfn, order);
      pfn += 2 ** order;
    }
  }
}
