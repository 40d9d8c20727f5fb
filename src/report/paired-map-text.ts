/**
 * The maps of before and after side by side, as text: what decides the pageblocks of each cell.
 *
 * The letters are the same with and without colour; colour only lays a shade under them, the
 * stronger the more blocks of the cell are kept. A cell that is free but for a few blocks shows as
 * free, or nearly every cell would be marked on a machine in use.
 */
import { PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import { PAGE_KIND, PAGE_KINDS } from "../snapshot/page-kinds.ts";
import { bold, type ColourDepth, dim, inkOn, mix, paint } from "./colour.ts";
import { countKinds } from "./deciding-kinds.ts";
import { blocksPerCellFor } from "./memory-map.ts";
import { counted, grouped, pagesAsSize } from "./numbers.ts";
import { wrapped } from "./tables.ts";

/** Rows of a map at most: both must fit on a screen with all that is said about them. */
const MAX_ROWS = 10;
/** Columns come in steps of this many, so that rows begin at round addresses. */
const COLUMN_STEP = 8;
const LABEL_WIDTH = 8;
const GAP = "   ";
/** A cell shows what keeps its blocks if at least this share of them is kept. */
const SHOWN_SHARE = 1 / 4;
/** How strongly one kept block shows, and how much lighter the letter is than its ground. */
const LEAST_STRENGTH = 0.25;
const LETTER_LIGHT = 0.45;

/** Both by pageblock, as `decidingKinds` gives them. */
export interface PairedKinds {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** The two maps with their titles and legend, in lines of at most `width` characters. */
export function pairedMapText(pair: PairedKinds, width: number, depth: ColourDepth): string[] {
  const room = (width - LABEL_WIDTH - 2 - GAP.length) / 2;
  const columns = Math.max(COLUMN_STEP, Math.floor(room / COLUMN_STEP) * COLUMN_STEP);
  const blocks = pair.before.length;
  const blocksPerCell = blocksPerCellFor(blocks * PAGEBLOCK_NR_PAGES, columns, MAX_ROWS);
  const perRow = columns * blocksPerCell;
  const wide = Math.min(columns, Math.ceil(blocks / blocksPerCell));
  const title = `${"".padEnd(LABEL_WIDTH)}  ${"before".padEnd(wide)}${GAP}after`;
  const lines = [bold(depth, title)];
  for (let first = 0; first < blocks; first += perRow) {
    const label = pagesAsSize(first * PAGEBLOCK_NR_PAGES).padStart(LABEL_WIDTH);
    const [before, after] = [pair.before, pair.after].map((deciding) =>
      rowText(deciding.subarray(first, first + perRow), blocksPerCell, wide, depth),
    );
    lines.push(`${dim(depth, label)}  ${before}${GAP}${after}`);
  }
  return [...lines, ...legendLines(pair, blocksPerCell, width, depth)];
}

function rowText(
  deciding: Uint8Array,
  blocksPerCell: number,
  columns: number,
  depth: ColourDepth,
): string {
  let text = "";
  for (let column = 0; column < columns; column++) {
    const from = column * blocksPerCell;
    text += cellText(deciding.subarray(from, from + blocksPerCell), depth);
  }
  return text;
}

function cellText(blocks: Uint8Array, depth: ColourDepth): string {
  const counts = countKinds(blocks);
  const present = blocks.length - counts[PAGE_KIND.hole];
  if (present === 0) return " ";
  const kept = present - counts[PAGE_KIND.free];
  const free = PAGE_KINDS[PAGE_KIND.free];
  counts[PAGE_KIND.hole] = 0;
  counts[PAGE_KIND.free] = 0;
  const most = PAGE_KINDS[counts.indexOf(Math.max(...counts))];
  const share = kept / present;
  const strength = kept === 0 ? 0 : LEAST_STRENGTH + (1 - LEAST_STRENGTH) * share;
  const ground = kept === 0 ? free.colour : mix(free.colour, most.colour, strength);
  const { code } = share >= SHOWN_SHARE ? most : free;
  return paint(depth, code, mix(ground, 0xffffff, LETTER_LIGHT), ground);
}

/** What each letter stands for, and how many blocks it decides before and after. */
function legendLines(
  pair: PairedKinds,
  blocksPerCell: number,
  width: number,
  depth: ColourDepth,
): string[] {
  const before = countKinds(pair.before);
  const after = countKinds(pair.after);
  const entries = PAGE_KINDS.filter(
    ({ kind }) => kind !== PAGE_KIND.hole && before[kind] + after[kind] > 0,
  ).map(({ kind, code, name, colour }) => {
    const [from, to] = [before[kind], after[kind]].map(grouped);
    const counts = from === to ? from : `${from} -> ${to}`;
    const length = `${code} ${name} ${counts}`.length;
    return {
      length,
      text: `${paint(depth, code, inkOn(colour), colour)} ${name} ${dim(depth, counts)}`,
    };
  });
  const cell =
    `A cell is ${counted(blocksPerCell, "block")}, ${pagesAsSize(blocksPerCell * PAGEBLOCK_NR_PAGES)}: ` +
    "what keeps most of those that are not free, if a quarter are not.";
  const note = wrapped(cell, width, "").map((line) => dim(depth, line));
  return [...packed(entries, width), ...note];
}

/** Entries in as many lines as they need, two spaces apart. */
function packed(
  entries: readonly { readonly length: number; readonly text: string }[],
  width: number,
): string[] {
  const lines: string[] = [];
  let line = "";
  let length = 0;
  for (const entry of entries) {
    if (length > 0 && length + 2 + entry.length > width) {
      lines.push(line);
      line = "";
      length = 0;
    }
    line += length === 0 ? entry.text : `  ${entry.text}`;
    length += (length === 0 ? 0 : 2) + entry.length;
  }
  return [...lines, line];
}
