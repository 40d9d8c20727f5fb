/**
 * The answer of `godwit look` as text: the map, then what it shows in numbers, then how surely.
 */
import { MAX_ORDER, PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import { PAGE_KIND, PAGE_KINDS, type PageKindLook } from "../snapshot/page-kinds.ts";
import type { Certainty } from "../snapshot/snapshot.ts";
import { bold, type ColourDepth, dim, paint } from "./colour.ts";
import type { Look, LookKind, LookZone } from "./look.ts";
import { mapText } from "./map-text.ts";
import { counted, grouped, pagesAsSize, percent } from "./numbers.ts";
import { type Column, columnsThatFit, tableLines, wrapped } from "./tables.ts";

/** How a text is drawn. */
export interface TextStyle {
  readonly width: number;
  readonly colour: ColourDepth;
}

/** Tables stand behind a margin. */
const SET_IN = 2;
const SWATCH = "\u2588\u2588";

/** The whole answer, lines without a line end. `kinds` is the snapshot's column. */
export function lookText(look: Look, kinds: Uint8Array, style: TextStyle): string[] {
  const { colour } = style;
  return [
    ...headerLines(look, style),
    "",
    ...mapSection(look, kinds, style),
    "",
    ...kindTable(look, style),
    "",
    bold(colour, "Free blocks by zone, migratetype of their pageblock, and order"),
    ...freeListTable(look, style),
    "",
    bold(colour, "Huge pages"),
    ...hugePageLines(look),
    "",
    bold(colour, "What was inferred, and how surely"),
    ...findingLines(look, style),
  ];
}

function headerLines(look: Look, { colour }: TextStyle): string[] {
  const facts = [
    look.kernel ?? "kernel not told",
    pagesAsSize(look.pages),
    counted(look.nodes, "node"),
    counted(look.zones.length, "zone"),
  ];
  return [`${bold(colour, look.name)} (${look.side})  ${facts.join(" \u00b7 ")}`];
}

function mapSection(look: Look, kinds: Uint8Array, style: TextStyle): string[] {
  const marks = look.zones.map((zone) => ({ pfn: zone.startPfn, text: zoneName(look, zone) }));
  const { lines, blocksPerCell } = mapText(kinds, marks, style.width, style.colour);
  const size = pagesAsSize(blocksPerCell * PAGEBLOCK_NR_PAGES);
  const caption =
    style.colour === "none"
      ? `A cell is ${size}: the letter of most of its pages in use.`
      : `A cell is ${size}: the colour of most of its pages in use, the fuller the stronger.`;
  const below = wrapped(caption, style.width, "").map((line) => dim(style.colour, line));
  return [...lines, "", ...below];
}

/** The legend of the map, with what is known of each kind; the last columns if there is room. */
function kindTable(look: Look, { width, colour }: TextStyle): string[] {
  const number = (title: string): Column => ({ title, align: "right", gap: 2 });
  const columns: Column[] = [
    { title: "", align: "left" },
    { title: "", align: "left", gap: 1 },
    number("pages"),
    number("size"),
    number("share"),
    number("blocks"),
    number("mapped 1"),
    number("more"),
    number("mlocked"),
    number("dirty"),
    number("large"),
  ];
  const cell = (value: number): string => (value === 0 ? "-" : grouped(value));
  const rows = look.kinds.map((kind) => [
    colour === "none" ? lookOf(kind).code : SWATCH,
    lookOf(kind).name,
    grouped(kind.pages),
    pagesAsSize(kind.pages),
    percent(kind.pages, look.pages),
    grouped(kind.blocks),
    cell(kind.mappedOnce),
    cell(kind.mappedMore),
    cell(kind.mlocked),
    cell(kind.dirty),
    cell(kind.inLargeFolios),
  ]);
  const shown = columns.slice(0, columnsThatFit(columns, rows, width - SET_IN));
  const table = paintedTable(shown, rows, colour, (row) => lookOf(look.kinds[row]).colour);
  const note =
    "blocks: pageblocks with such pages; mapped 1, more: by how many page table entries; " +
    "large: in folios of more than one page";
  const notes = wrapped(note, width - SET_IN, "");
  return [...table, ...notes.map((line) => dim(colour, `  ${line}`))];
}

function freeListTable(look: Look, { width, colour }: TextStyle): string[] {
  const columnsWith = (gap: number): Column[] => [
    { title: "zone", align: "left" },
    { title: "type", align: "left" },
    { title: "blocks", align: "right" },
    ...Array.from({ length: MAX_ORDER }, (_, order): Column => {
      return { title: String(order), align: "right", gap };
    }),
  ];
  const rows = look.zones.flatMap((zone) =>
    zone.types.map(({ type, pageblocks, freeBlocks }, index) => [
      index > 0 ? "" : zoneName(look, zone),
      type,
      grouped(pageblocks),
      ...freeBlocks.map((count) => (count === 0 ? "-" : String(count))),
    ]),
  );
  const wide = columnsWith(2);
  const fits = columnsThatFit(wide, rows, width - SET_IN) === wide.length;
  return paintedTable(fits ? wide : columnsWith(1), rows, colour, () => null);
}

function hugePageLines(look: Look): string[] {
  const { movable, unknown, kernel, fixed } = look.pageblocks;
  const size = pagesAsSize(look.hugePages * PAGEBLOCK_NR_PAGES);
  const rows = [
    [grouped(look.hugePages), `free blocks of 2 MiB: as many huge pages can be had now (${size})`],
    [grouped(movable), "pageblocks more hold only free pages and pages that migration may move"],
    [grouped(unknown), "hold also pages that are the kernel's or on a CPU's own free list"],
    [grouped(kernel), "hold also pages of the kernel or a driver"],
    [grouped(fixed), "hold reserved, offline, poisoned or hugetlb pages, or a hole"],
  ];
  const columns: Column[] = [
    { title: "", align: "right" },
    { title: "", align: "left" },
  ];
  return tableLines(columns, rows)
    .slice(1)
    .map((line) => `  ${line}`);
}

const CERTAINTY_COLOURS: Readonly<Record<Certainty, number>> = {
  exact: 0x54b865,
  likely: 0xa6cf4d,
  guess: 0xe0a030,
  missing: 0xd8563f,
};

function findingLines(look: Look, { width, colour }: TextStyle): string[] {
  const indent = 9;
  const topics = [...new Set(look.findings.map(({ topic }) => topic))];
  const grouped = topics.flatMap((wanted) => look.findings.filter(({ topic }) => topic === wanted));
  return grouped.flatMap(({ topic, text, certainty }) => {
    const lines = wrapped(`${topic}: ${text}`, width - indent - 2, "");
    const mark = paint(colour, certainty.padEnd(indent), CERTAINTY_COLOURS[certainty]);
    return lines.map((line, index) => `  ${index === 0 ? mark : " ".repeat(indent)}${line}`);
  });
}

/** A table set in, titles faint, "-" faint, the first column in the row's colour. */
function paintedTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  colour: ColourDepth,
  rowColour: (row: number) => number | null,
): string[] {
  const lines = tableLines(columns, rows, (text, row, column) => {
    if (row < 0 || text.trim() === "-") return dim(colour, text);
    const own = column === 0 ? rowColour(row) : null;
    return own === null ? text : paint(colour, text, own);
  });
  return lines.map((line) => `  ${line}`);
}

/** With its node where there are several, as `--zone` takes it. */
function zoneName(look: Look, { type, node }: LookZone): string {
  return look.nodes > 1 ? `${node}:${type}` : type;
}

function lookOf(kind: LookKind): PageKindLook {
  return PAGE_KINDS.find(({ key }) => key === kind.kind) ?? PAGE_KINDS[PAGE_KIND.unknown];
}
