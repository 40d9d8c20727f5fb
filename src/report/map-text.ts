/**
 * The map of memory as text: rows of cells with the address of the first on the left.
 *
 * In colour a character holds two cells, one above the other (the half block and its background),
 * and the fuller a cell the stronger its colour. Without colour a cell is the code of its kind.
 */
import { PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import { PAGE_KIND, PAGE_KINDS } from "../snapshot/page-kinds.ts";
import { type ColourDepth, dim, mix, paint } from "./colour.ts";
import { blocksPerCellFor, type MemoryMap, memoryMap } from "./memory-map.ts";
import { pagesAsSize, percent } from "./numbers.ts";

/** Lines of a map at most. */
const MAX_LINES = 28;
const LABEL_WIDTH = 8;
/** For the label, the share that is free, a mark and the gaps. */
const MARGINS = LABEL_WIDTH + 28;
const HALF_BLOCK = "\u2580";
/** How strongly the first page in use shows, so that one is not lost. */
const LEAST_STRENGTH = 0.35;

/** Something that starts at a frame, told on the right of its line. */
export interface MapMark {
  readonly pfn: number;
  readonly text: string;
}

export interface MapText {
  readonly lines: readonly string[];
  /** Pageblocks in a cell. */
  readonly blocksPerCell: number;
}

/** The map of all frames in lines of at most `width` characters, but for the texts of `marks`. */
export function mapText(
  kinds: Uint8Array,
  marks: readonly MapMark[],
  width: number,
  colour: ColourDepth,
): MapText {
  const columns = cellColumns(width);
  const rowsPerLine = colour === "none" ? 1 : 2;
  const blocksPerCell = blocksPerCellFor(kinds.length, columns, MAX_LINES * rowsPerLine);
  const map = memoryMap(kinds, blocksPerCell);
  const cellsPerLine = columns * rowsPerLine;
  const lines: string[] = [];
  let isInHole = false;
  for (let first = 0; first < map.kind.length; first += cellsPerLine) {
    const isHole = pagesIn(map.present, first, cellsPerLine) === 0;
    const begin = first * blocksPerCell * PAGEBLOCK_NR_PAGES;
    const end = begin + cellsPerLine * blocksPerCell * PAGEBLOCK_NR_PAGES;
    const starting = marks.filter(({ pfn }) => pfn >= begin && pfn < end).map(({ text }) => text);
    if (!isHole) lines.push(mapLine(map, first, columns, starting.join(", "), colour));
    else if (!isInHole) lines.push(dim(colour, `${" ".repeat(LABEL_WIDTH)}  (no memory)`));
    isInHole = isHole;
  }
  return { lines, blocksPerCell };
}

/** A multiple of 16, so that rows begin at round addresses. */
function cellColumns(width: number): number {
  return Math.max(16, Math.floor((width - MARGINS) / 16) * 16);
}

function mapLine(
  map: MemoryMap,
  first: number,
  columns: number,
  mark: string,
  colour: ColourDepth,
): string {
  const pagesPerCell = map.blocksPerCell * PAGEBLOCK_NR_PAGES;
  const label = pagesAsSize(first * pagesPerCell).padStart(LABEL_WIDTH);
  const rows = colour === "none" ? 1 : 2;
  const present = pagesIn(map.present, first, columns * rows);
  const free = present - pagesIn(map.used, first, columns * rows);
  const share = `${percent(free, present).padStart(6)} free`;
  const cells = Array.from({ length: columns }, (_, column) =>
    rows === 1
      ? cellCode(map, first + column)
      : paint(
          colour,
          HALF_BLOCK,
          cellColour(map, first + column),
          cellColour(map, first + columns + column),
        ),
  );
  return `${dim(colour, label)}  ${cells.join("")}  ${dim(colour, share)}  ${mark}`;
}

function cellCode(map: MemoryMap, cell: number): string {
  return PAGE_KINDS[map.kind[cell] ?? PAGE_KIND.hole].code;
}

function cellColour(map: MemoryMap, cell: number): number {
  const kind = map.kind[cell] ?? PAGE_KIND.hole;
  const own = PAGE_KINDS[kind].colour;
  if (kind === PAGE_KIND.hole || kind === PAGE_KIND.free) return own;
  const fill = map.used[cell] / map.present[cell];
  return mix(PAGE_KINDS[PAGE_KIND.free].colour, own, LEAST_STRENGTH + (1 - LEAST_STRENGTH) * fill);
}

function pagesIn(column: Uint32Array, first: number, count: number): number {
  return column.subarray(first, first + count).reduce((sum, pages) => sum + pages, 0);
}
