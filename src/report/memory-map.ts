/**
 * The map of memory as data: one cell for a run of pageblocks, with what dominates it.
 *
 * The map of `godwit look` is drawn from it. Reports of a compaction draw what keeps blocks from
 * being huge pages instead: deciding-kinds.ts.
 */
import { PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import { PAGE_KIND, PAGE_KINDS } from "../snapshot/page-kinds.ts";

export interface MemoryMap {
  /** Pageblocks in a cell: a power of two. */
  readonly blocksPerCell: number;
  /** By cell, the kind that most of its pages in use are of; `free` or `hole` if none is. */
  readonly kind: Uint8Array;
  /** By cell, pages in use; a hole counts as none. */
  readonly used: Uint32Array;
  /** By cell, pages with memory behind them. */
  readonly present: Uint32Array;
}

/** Cells of `blocksPerCell` pageblocks from frame 0 on. */
export function memoryMap(kinds: Uint8Array, blocksPerCell: number): MemoryMap {
  const pagesPerCell = blocksPerCell * PAGEBLOCK_NR_PAGES;
  const count = Math.ceil(kinds.length / pagesPerCell);
  const kind = new Uint8Array(count);
  const used = new Uint32Array(count);
  const present = new Uint32Array(count);
  const counts = new Uint32Array(PAGE_KINDS.length);
  for (let cell = 0; cell < count; cell++) {
    const start = cell * pagesPerCell;
    const end = Math.min(kinds.length, start + pagesPerCell);
    counts.fill(0);
    for (let pfn = start; pfn < end; pfn++) counts[kinds[pfn]]++;
    present[cell] = end - start - counts[PAGE_KIND.hole];
    used[cell] = present[cell] - counts[PAGE_KIND.free];
    kind[cell] = dominant(counts, present[cell], used[cell]);
  }
  return { blocksPerCell, kind, used, present };
}

/** The smallest cell with which `pageCount` frames take at most `rows` rows of `columns` cells. */
export function blocksPerCellFor(pageCount: number, columns: number, rows: number): number {
  const blocks = Math.ceil(pageCount / PAGEBLOCK_NR_PAGES);
  let blocksPerCell = 1;
  while (Math.ceil(blocks / blocksPerCell / columns) > rows) blocksPerCell *= 2;
  return blocksPerCell;
}

function dominant(counts: Uint32Array, present: number, used: number): number {
  if (present === 0) return PAGE_KIND.hole;
  if (used === 0) return PAGE_KIND.free;
  let best: number = PAGE_KIND.free;
  let most = 0;
  for (let kind = 0; kind < counts.length; kind++) {
    if (kind === PAGE_KIND.hole || kind === PAGE_KIND.free || counts[kind] <= most) continue;
    best = kind;
    most = counts[kind];
  }
  return best;
}
