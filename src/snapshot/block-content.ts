/**
 * What each pageblock holds, in the few numbers that its type is inferred from.
 *
 * Free blocks smaller than a pageblock lie on the list of their pageblock's type, so they are
 * counted by order; a free block of a pageblock or two is `wholeOrder` at its first pageblock.
 */
import { MAX_ORDER, PAGEBLOCK_NR_PAGES, PAGEBLOCK_ORDER } from "../memory/constants.ts";
import { PG } from "../memory/page-flags.ts";
import { isMovableKind, PAGE_KIND, PAGE_KINDS } from "./page-kinds.ts";
import type { ZoneSegment } from "./zones.ts";

/** One row a pageblock of all memory; counts are of pages. */
export interface BlockContents {
  /** Zone number, NO_ZONE for a pageblock without memory. */
  readonly zone: Uint8Array;
  /** Of processes and files, in a balloon or in a pool of huge pages. */
  readonly movable: Uint16Array;
  readonly slab: Uint16Array;
  /** Page tables, and what the kernel took and marked. */
  readonly kernel: Uint16Array;
  /** No flag at all: the kernel's, or on a processor's own list. */
  readonly unknown: Uint16Array;
  readonly reserved: Uint16Array;
  /** 1 if the first page is reserved. */
  readonly reservedFirst: Uint8Array;
  /** Order of the free block of at least a pageblock that starts here; 0 if none does. */
  readonly wholeOrder: Uint8Array;
  /** 1 for the second pageblock of an order-10 free block. */
  readonly secondHalf: Uint8Array;
  /** Free blocks by order below a pageblock's: row `block * PAGEBLOCK_ORDER + order`. */
  readonly free: Uint16Array;
}

const NO_ZONE = 255;

export function summarizeBlocks(
  kind: Uint8Array,
  flags: Int32Array,
  order: Uint8Array,
  segments: readonly ZoneSegment[],
): BlockContents {
  const count = Math.ceil(kind.length / PAGEBLOCK_NR_PAGES);
  const contents: BlockContents = {
    zone: new Uint8Array(count).fill(NO_ZONE),
    movable: new Uint16Array(count),
    slab: new Uint16Array(count),
    kernel: new Uint16Array(count),
    unknown: new Uint16Array(count),
    reserved: new Uint16Array(count),
    reservedFirst: new Uint8Array(count),
    wholeOrder: new Uint8Array(count),
    secondHalf: new Uint8Array(count),
    free: new Uint16Array(count * PAGEBLOCK_ORDER),
  };
  for (const { zone, start, end } of segments) {
    for (let from = start; from < end; ) {
      const to = Math.min(end, (Math.floor(from / PAGEBLOCK_NR_PAGES) + 1) * PAGEBLOCK_NR_PAGES);
      summarizeBlock(contents, kind, flags, order, zone, from, to);
      from = to;
    }
  }
  return contents;
}

/** Frames `from` to `to` of one pageblock. One that two zones share belongs to the first. */
function summarizeBlock(
  contents: BlockContents,
  kind: Uint8Array,
  flags: Int32Array,
  order: Uint8Array,
  zone: number,
  from: number,
  to: number,
): void {
  const block = Math.floor(from / PAGEBLOCK_NR_PAGES);
  const counts = new Uint16Array(PAGE_KINDS.length);
  for (let pfn = from; pfn < to; pfn++) {
    counts[kind[pfn]]++;
    if ((flags[pfn] & PG.buddy) === 0) continue;
    const size = order[pfn];
    if (size < PAGEBLOCK_ORDER) contents.free[block * PAGEBLOCK_ORDER + size]++;
    else contents.wholeOrder[block] = size;
    if (size === MAX_ORDER - 1) contents.secondHalf[block + 1] = 1;
  }
  // The kernel counts no block where it has set nothing up.
  if (counts[PAGE_KIND.hole] + counts[PAGE_KIND.late] === to - from) return;
  if (contents.zone[block] === NO_ZONE) contents.zone[block] = zone;
  for (let each = 0; each < counts.length; each++) {
    if (isMovableKind(each)) contents.movable[block] += counts[each];
  }
  // Balloons and pools of huge pages take movable pages too.
  contents.movable[block] += counts[PAGE_KIND.offline] + counts[PAGE_KIND.hugetlb];
  contents.slab[block] += counts[PAGE_KIND.slab];
  contents.kernel[block] += counts[PAGE_KIND.kernel] + counts[PAGE_KIND.pageTable];
  contents.unknown[block] += counts[PAGE_KIND.unknown];
  contents.reserved[block] += counts[PAGE_KIND.reserved];
  if (kind[from] === PAGE_KIND.reserved) contents.reservedFirst[block] = 1;
}
