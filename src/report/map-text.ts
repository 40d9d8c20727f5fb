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
const SHARE_WIDTH = 6;
const GAP = "  ";
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

/** How many cells a line has, and what stands behind it. */
interface Layout {
  readonly columns: number;
  /** One cell above the other in colour. */
  readonly rowsPerLine: 1 | 2;
  readonly blocksPerCell: number;
  /** By line, marks joined. */
  readonly marks: readonly string[];
}

/** The map of all frames, a heading above it, in lines of at most `width` characters. */
export function mapText(
  kinds: Uint8Array,
  marks: readonly MapMark[],
  width: number,
  colour: ColourDepth,
): MapText {
  const layout = layoutFor(kinds.length, marks, width, colour);
  const { columns, rowsPerLine, blocksPerCell } = layout;
  const map = memoryMap(kinds, blocksPerCell);
  const lines = [dim(colour, heading(columns))];
  let isInHole = false;
  for (const [line, mark] of layout.marks.entries()) {
    const first = line * columns * rowsPerLine;
    const isHole = pagesIn(map.present, first, columns * rowsPerLine) === 0;
    if (!isHole) lines.push(mapLine(map, first, layout, mark, colour));
    else if (!isInHole) lines.push(dim(colour, `${" ".repeat(LABEL_WIDTH)}${GAP}(no memory)`));
    isInHole = isHole;
  }
  return { lines, blocksPerCell };
}

/** As many cells in a line as fit: a multiple of 16, so that lines begin at round addresses. */
function layoutFor(
  pageCount: number,
  marks: readonly MapMark[],
  width: number,
  colour: ColourDepth,
): Layout {
  const rowsPerLine = colour === "none" ? 1 : 2;
  for (let columns = Math.floor(width / 16) * 16; ; columns -= 16) {
    const blocksPerCell = blocksPerCellFor(pageCount, columns, MAX_LINES * rowsPerLine);
    const pagesPerLine = columns * rowsPerLine * blocksPerCell * PAGEBLOCK_NR_PAGES;
    const byLine = Array.from({ length: Math.ceil(pageCount / pagesPerLine) }, (_, line) =>
      marks
        .filter(({ pfn }) => Math.floor(pfn / pagesPerLine) === line)
        .map(({ text }) => text)
        .join(", "),
    );
    const behind = Math.max(...byLine.map(({ length }) => length));
    const needed = heading(columns).length + GAP.length + behind;
    if (needed <= width || columns <= 16)
      return { columns, rowsPerLine, blocksPerCell, marks: byLine };
  }
}

function heading(columns: number): string {
  return " ".repeat(LABEL_WIDTH + columns) + GAP + GAP + "free".padStart(SHARE_WIDTH);
}

function mapLine(
  map: MemoryMap,
  first: number,
  { columns, rowsPerLine }: Layout,
  mark: string,
  colour: ColourDepth,
): string {
  const pagesPerCell = map.blocksPerCell * PAGEBLOCK_NR_PAGES;
  const label = pagesAsSize(first * pagesPerCell).padStart(LABEL_WIDTH);
  const present = pagesIn(map.present, first, columns * rowsPerLine);
  const free = present - pagesIn(map.used, first, columns * rowsPerLine);
  const share = percent(free, present).padStart(SHARE_WIDTH);
  const cells = Array.from({ length: columns }, (_, column) =>
    rowsPerLine === 1
      ? cellCode(map, first + column)
      : paint(
          colour,
          HALF_BLOCK,
          cellColour(map, first + column),
          cellColour(map, first + columns + column),
        ),
  );
  return [dim(colour, label), cells.join(""), dim(colour, share), mark].join(GAP).trimEnd();
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
