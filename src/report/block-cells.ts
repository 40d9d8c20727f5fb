/**
 * The map of a report: memory cut into cells, with the pages of each kind in every cell.
 *
 * From it come the picture (one pixel a cell, drawn larger by the browser) and the data that tells
 * what lies under the pointer. A cell is one pageblock; on machines too large for that, several.
 */
import { PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import { PAGE_KIND, PAGE_KINDS } from "../snapshot/page-kinds.ts";
import { countKinds, decidingKinds } from "./deciding-kinds.ts";
import { type PaletteColour, palettePng } from "./png.ts";

/** Cells of a map at most: what a page can carry twice, and an eye can tell apart. */
const MAX_CELLS = 128 * 160;
const MAX_COLUMNS = 128;
const MIN_COLUMNS = 16;
/** Steps of strength: the fuller a cell, the stronger its colour. */
const LEVELS = 6;
const LEAST_ALPHA = 0.6;
/** A hole is the ground of the page, darkened or lightened a little. */
const HOLE: PaletteColour = { colour: 0x808080, alpha: 96 };
const KINDS = PAGE_KINDS.length;

export interface CellGrid {
  readonly columns: number;
  readonly blocksPerCell: number;
}

export interface BlockCells extends CellGrid {
  readonly count: number;
  /** By cell, the kind that decides most of its blocks that are not free. */
  readonly kind: Uint8Array;
  /** Pages, row `cell * PAGE_KINDS.length + kind`. */
  readonly pages: Uint32Array;
}

/** How memory of so many frames is cut: as square a picture as powers of two give. */
export function gridFor(pageCount: number): CellGrid {
  const blocks = Math.ceil(pageCount / PAGEBLOCK_NR_PAGES);
  let blocksPerCell = 1;
  while (Math.ceil(blocks / blocksPerCell) > MAX_CELLS) blocksPerCell *= 2;
  const cells = Math.ceil(blocks / blocksPerCell);
  let columns = MIN_COLUMNS;
  while (columns < MAX_COLUMNS && columns * columns < cells) columns *= 2;
  return { columns, blocksPerCell };
}

/** `kinds` is by pfn. */
export function blockCells(kinds: Uint8Array, grid: CellGrid): BlockCells {
  const { blocksPerCell } = grid;
  const deciding = decidingKinds(kinds);
  const count = Math.ceil(deciding.length / blocksPerCell);
  const kind = new Uint8Array(count);
  const pages = new Uint32Array(count * KINDS);
  const pagesPerCell = blocksPerCell * PAGEBLOCK_NR_PAGES;
  for (let cell = 0; cell < count; cell++) {
    const own = pages.subarray(cell * KINDS, (cell + 1) * KINDS);
    for (const each of kinds.subarray(cell * pagesPerCell, (cell + 1) * pagesPerCell)) own[each]++;
    const blocks = deciding.subarray(cell * blocksPerCell, (cell + 1) * blocksPerCell);
    kind[cell] = mostlyKeptBy(blocks);
  }
  return { ...grid, count, kind, pages };
}

/** One pixel a cell; free cells are clear, so that the page's own ground shows. */
export function cellsPng(cells: BlockCells): Uint8Array {
  const { columns, count } = cells;
  const pixels = new Uint8Array(Math.ceil(count / columns) * columns);
  for (let cell = 0; cell < count; cell++) {
    pixels[cell] = cells.kind[cell] * LEVELS + levelOf(cells, cell);
  }
  return palettePng(pixels, columns, PALETTE);
}

/**
 * The cells as bytes, runs of equal cells taken together. A run: its length, how many kinds the
 * cell has, then kind and pages of each. All numbers in 7 bits a byte, low first, the eighth bit
 * set where more follow.
 */
export function encodeCells({ count, pages }: BlockCells): Uint8Array {
  const bytes: number[] = [];
  for (let cell = 0; cell < count; ) {
    const own = pages.subarray(cell * KINDS, (cell + 1) * KINDS);
    let end = cell + 1;
    while (end < count && own.every((value, kind) => pages[end * KINDS + kind] === value)) end++;
    const present = PAGE_KINDS.filter(({ kind }) => own[kind] > 0);
    putNumber(bytes, end - cell);
    putNumber(bytes, present.length);
    for (const { kind } of present) {
      putNumber(bytes, kind);
      putNumber(bytes, own[kind]);
    }
    cell = end;
  }
  return Uint8Array.from(bytes);
}

const PALETTE: readonly PaletteColour[] = PAGE_KINDS.flatMap(({ kind, colour }) =>
  Array.from({ length: LEVELS }, (_, level): PaletteColour => {
    if (kind === PAGE_KIND.hole) return HOLE;
    if (kind === PAGE_KIND.free) return { colour, alpha: 0 };
    const alpha = LEAST_ALPHA + ((1 - LEAST_ALPHA) * level) / (LEVELS - 1);
    return { colour, alpha: Math.round(255 * alpha) };
  }),
);

/** How full of pages in use a cell is, 0 to LEVELS - 1. */
function levelOf({ pages }: BlockCells, cell: number): number {
  const own = pages.subarray(cell * KINDS, (cell + 1) * KINDS);
  const present = own.reduce((sum, value) => sum + value, 0) - own[PAGE_KIND.hole];
  if (present === 0) return 0;
  const used = present - own[PAGE_KIND.free];
  return Math.round((used / present) * (LEVELS - 1));
}

function mostlyKeptBy(blocks: Uint8Array): number {
  const counts = countKinds(blocks);
  const { free, hole } = PAGE_KIND;
  const rest = counts[free] > 0 ? free : hole;
  counts[free] = 0;
  counts[hole] = 0;
  const most = Math.max(...counts);
  return most === 0 ? rest : counts.indexOf(most);
}

function putNumber(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
}
