/**
 * Free blocks on kernels that mark only their first page (before 2016).
 *
 * A block is at most as large as its alignment and the run of pages behind it that show nothing:
 * no flag, no mapping, no other head. Such a run may also hold pages of the kernel, so the sizes
 * are an upper bound; buddyinfo's counts say how many blocks of each order there are, and the
 * surplus is made smaller, starting with those whose neighbours make a kernel page most likely.
 */
import { MAX_ORDER } from "../memory/constants.ts";
import { PG } from "../memory/page-flags.ts";
import type { FlagColumns } from "./columns.ts";
import { emptyCounts, largestOrderAt } from "./free-blocks.ts";
import { PAGE_KIND } from "./page-kinds.ts";
import type { FreeBlocks } from "./snapshot.ts";
import type { ZoneSegment } from "./zones.ts";

interface Head {
  readonly pfn: number;
  /** Upper bound, lowered while counts are matched. */
  order: number;
  /** True if a page without any flag follows the bound: the kernel's own pages are near. */
  readonly doubtful: boolean;
}

/**
 * Sets orders of free blocks and the kind of their later pages; returns counts by zone and order.
 *
 * `buddyinfo` is by zone; without it the upper bounds stand.
 */
export function settleHeadsOnly(
  columns: FlagColumns,
  order: Uint8Array,
  mapcount: Int32Array | null,
  zoneCount: number,
  segments: readonly ZoneSegment[],
  buddyinfo: readonly FreeBlocks[] | null,
): number[][] {
  const counts = emptyCounts(zoneCount);
  const headsOf: Head[][] = Array.from({ length: zoneCount }, () => []);
  for (const segment of segments) collectHeads(columns, mapcount, segment, headsOf[segment.zone]);
  for (const [zone, heads] of headsOf.entries()) {
    if (buddyinfo) matchCounts(heads, buddyinfo[zone]);
    for (const head of heads) {
      columns.flags.fill(0, head.pfn, head.pfn + 2 ** head.order);
      columns.kind.fill(PAGE_KIND.free, head.pfn, head.pfn + 2 ** head.order);
      columns.flags[head.pfn] = PG.buddy;
      order[head.pfn] = head.order;
      counts[zone][head.order]++;
    }
  }
  return counts;
}

function collectHeads(
  columns: FlagColumns,
  mapcount: Int32Array | null,
  segment: ZoneSegment,
  heads: Head[],
): void {
  const { kind } = columns;
  const isBlank = (pfn: number): boolean =>
    pfn < segment.end && kind[pfn] === PAGE_KIND.unknown && (mapcount?.[pfn] ?? 0) === 0;
  for (let pfn = segment.start; pfn < segment.end; pfn++) {
    if (kind[pfn] !== PAGE_KIND.free) continue;
    const limit = 2 ** largestOrderAt(pfn, segment.end - pfn);
    let room = 1;
    while (room < limit && isBlank(pfn + room)) room++;
    const order = largestOrderAt(pfn, room);
    heads.push({ pfn, order, doubtful: isBlank(pfn + 2 ** order) });
  }
}

/** Lowers orders, from the largest down, until no order has more blocks than were counted. */
function matchCounts(heads: Head[], wanted: FreeBlocks): void {
  for (let order = MAX_ORDER - 1; order > 0; order--) {
    const here = heads.filter((head) => head.order === order);
    const surplus = here.length - wanted[order];
    if (surplus <= 0) continue;
    here.sort((a, b) => Number(b.doubtful) - Number(a.doubtful));
    for (const head of here.slice(0, surplus)) head.order--;
  }
}
