/**
 * The migratetype of each pageblock, which no file of /proc tells, inferred zone by zone.
 *
 * Three witnesses: what the block holds (the kernel's pages gather in unmovable and reclaimable
 * blocks, those of processes and files in movable ones); how many blocks of each type pagetypeinfo
 * counts; and how many free blocks of each order it counts on each type's lists, where every free
 * block smaller than a pageblock lies on its own block's. Without pagetypeinfo, content alone.
 */
import {
  MIGRATE,
  MIGRATE_TYPES,
  MIGRATETYPE_NAMES,
  PAGEBLOCK_NR_PAGES,
  PAGEBLOCK_ORDER,
} from "../memory/constants.ts";
import { type BlockContents, summarizeBlocks } from "./block-content.ts";
import { freeByType, type MatchInput, matchTypes } from "./block-match.ts";
import type { PagetypeinfoZone } from "./parse/pagetypeinfo.ts";
import { type Finding, type FreeBlocks, NO_BLOCK, type SnapshotZone } from "./snapshot.ts";
import type { ZoneSegment } from "./zones.ts";

export interface BlockTypeInput {
  readonly kind: Uint8Array;
  readonly flags: Int32Array;
  readonly order: Uint8Array;
  readonly zones: readonly SnapshotZone[];
  readonly segments: readonly ZoneSegment[];
  /** By zone, found in the pages. */
  readonly freeBlocks: readonly FreeBlocks[];
  readonly buddyinfo: readonly FreeBlocks[] | null;
  readonly pagetypeinfo: readonly (PagetypeinfoZone | null)[] | null;
}

/** What one zone's inference works on. */
interface ZoneBlocks {
  readonly contents: BlockContents;
  readonly types: Uint8Array;
  /** Blocks that are not free as a whole. */
  readonly partial: readonly number[];
  /** First block of each free block of order 9 or 10. */
  readonly whole: readonly number[];
  /** Share of pages without flags that are the kernel's, 0 to 1; the rest is on per-CPU lists. */
  readonly unknownWeight: number;
  /** From this block on the kernel may have set up the memory map late: see `kernelLean`. */
  readonly lateFrom: number;
}

/**
 * A kernel that sets up most of the memory map late (CONFIG_DEFERRED_STRUCT_PAGE_INIT) marks only
 * blocks whose first page is free as movable; those that firmware or the memory map hold keep the
 * type 0, Unmovable. Other kernels mark all. Whichever fits the counts better is taken.
 */
type ReservedBlocks = "movable" | "unmovable";

const RESERVED_BLOCKS: readonly ReservedBlocks[] = ["movable", "unmovable"];

/** A block whose kernel and movable pages are both fewer than this says little. */
const EVIDENCE_PAGES = 48;
/** Cost of content that speaks as clearly as it can, against one free block on a wrong list. */
const CONTENT_WEIGHT = 6;
/** For a reclaimable block, against pages that are no slab. */
const NO_SLAB_WEIGHT = 3;
/** How surely a reserved block is of the type that its kernel gives it. */
const RESERVED_LEAN = 0.9;
/** Memory that the kernel took before there was an allocator shows no flag either. */
const EARLY_LEAN = -0.3;
/** Pages of a node's last zone that are set up early. Linux: `PAGES_PER_SECTION`. */
const SECTION_PAGES = 32768;

/** By pageblock; what was matched how well is added to `findings`. */
export function inferBlockTypes(input: BlockTypeInput, findings: Finding[]): Uint8Array {
  const contents = summarizeBlocks(input.kind, input.flags, input.order, input.segments);
  const types = new Uint8Array(contents.zone.length).fill(NO_BLOCK);
  for (const [number, zone] of input.zones.entries()) {
    const blocks = zoneBlocks(contents, types, input.zones, number);
    const row = input.pagetypeinfo?.[number] ?? null;
    const name = `zone ${zone.type} of node ${zone.node}`;
    if (row?.blocks) {
      const weight = weights(input.freeBlocks[number], input.buddyinfo?.[number] ?? null, row);
      inferFromCounts(blocks, row, row.blocks, weight, name, findings);
    } else inferFromContent(blocks, name, findings);
  }
  return types;
}

function zoneBlocks(
  contents: BlockContents,
  types: Uint8Array,
  zones: readonly SnapshotZone[],
  number: number,
): ZoneBlocks {
  const zone = zones[number];
  const partial: number[] = [];
  const whole: number[] = [];
  let unknown = 0;
  for (const [block, owner] of contents.zone.entries()) {
    if (owner !== number) continue;
    unknown += contents.unknown[block];
    if (contents.wholeOrder[block] !== 0) whole.push(block);
    else if (contents.secondHalf[block] === 0) partial.push(block);
  }
  const perCpu = zone.pcp.reduce((sum, { count }) => sum + count, 0);
  const unknownWeight = unknown === 0 ? 1 : Math.max(0.1, 1 - perCpu / unknown);
  // Memory for ZONE_MOVABLE may have come later, by hotplug.
  const isLast = zones.every(
    ({ node, startPfn, type }) =>
      node !== zone.node || startPfn <= zone.startPfn || type === "Movable" || type === "Device",
  );
  const latePfn = Math.ceil((zone.startPfn + SECTION_PAGES + 1) / SECTION_PAGES) * SECTION_PAGES;
  const lateFrom = isLast ? latePfn / PAGEBLOCK_NR_PAGES : Number.POSITIVE_INFINITY;
  return { contents, types, partial, whole, unknownWeight, lateFrom };
}

/**
 * What a free block too many or too few on a list costs, by type and order: the less, the more the
 * lists changed between the count and the scan. Of the whole change a list is taken to have its
 * share by length.
 */
function weights(
  found: FreeBlocks,
  buddyinfo: FreeBlocks | null,
  row: PagetypeinfoZone,
): number[][] {
  return row.free.map((counts) =>
    Array.from({ length: PAGEBLOCK_ORDER }, (_, order) => {
      const listed = row.free.reduce((sum, each) => sum + (each?.[order] ?? 0), 0);
      const fromLists = row.cut ? 0 : Math.abs(listed - found[order]);
      const fromBuddyinfo = buddyinfo ? Math.abs(buddyinfo[order] - found[order]) : 0;
      const share = (counts?.[order] ?? 0) / Math.max(1, found[order]);
      return 1 / (1 + share * Math.max(fromLists, fromBuddyinfo));
    }),
  );
}

function inferFromContent(blocks: ZoneBlocks, name: string, findings: Finding[]): void {
  for (const block of blocks.whole) retag(blocks, block, MIGRATE.movable);
  for (const block of blocks.partial) {
    const isKernels = kernelLean(blocks, block, "movable") > 0;
    blocks.types[block] = isKernels ? MIGRATE.unmovable : MIGRATE.movable;
  }
  findings.push({
    topic: "pageblock types",
    text: `${name}: without pagetypeinfo, a block is Unmovable if the kernel holds most of it, else Movable`,
    certainty: "guess",
  });
}

function inferFromCounts(
  blocks: ZoneBlocks,
  row: PagetypeinfoZone,
  counts: readonly number[],
  weight: readonly (readonly number[])[],
  name: string,
  findings: Finding[],
): void {
  const wholes = wholeCounts(blocks, row);
  const wanted = counts.map((count, type) =>
    type === MIGRATE.movable ? 0 : Math.max(0, count - wholes.nine[type] - 2 * wholes.ten[type]),
  );
  const inputs = RESERVED_BLOCKS.map((reserved) =>
    matchInput(blocks, wanted, row, weight, reserved),
  );
  const tried = inputs.map((input) => ({ input, ...matchTypes(input) }));
  const { input, types } = tried.reduce((best, next) => (next.total < best.total ? next : best));
  for (const [index, block] of blocks.partial.entries()) blocks.types[block] = types[index];
  chooseWholes(blocks, PAGEBLOCK_ORDER, wholes.nine);
  chooseWholes(blocks, PAGEBLOCK_ORDER + 1, wholes.ten);
  tellMatch(input, types, row, name, findings);
}

/** Of each type, how many of the free blocks of order 9 and 10 that were found it gets. */
function wholeCounts(blocks: ZoneBlocks, row: PagetypeinfoZone): { nine: number[]; ten: number[] } {
  const ofOrder = (order: number): number[] =>
    row.free.map((free, type) => (type === MIGRATE.movable ? 0 : (free?.[order] ?? 0)));
  const limited = (counts: number[], order: number): number[] => {
    let left = blocks.whole.filter((block) => blocks.contents.wholeOrder[block] === order).length;
    return counts.map((count) => {
      const taken = Math.min(count, left);
      left -= taken;
      return taken;
    });
  };
  return {
    nine: limited(ofOrder(PAGEBLOCK_ORDER), PAGEBLOCK_ORDER),
    ten: limited(ofOrder(PAGEBLOCK_ORDER + 1), PAGEBLOCK_ORDER + 1),
  };
}

function matchInput(
  blocks: ZoneBlocks,
  wanted: readonly number[],
  row: PagetypeinfoZone,
  weight: readonly (readonly number[])[],
  reserved: ReservedBlocks,
): MatchInput {
  const { partial, contents } = blocks;
  const cost = new Float32Array(partial.length * MIGRATE_TYPES);
  const free = new Uint16Array(partial.length * PAGEBLOCK_ORDER);
  for (const [index, block] of partial.entries()) {
    const from = block * PAGEBLOCK_ORDER;
    free.set(contents.free.subarray(from, from + PAGEBLOCK_ORDER), index * PAGEBLOCK_ORDER);
    const lean = kernelLean(blocks, block, reserved) * CONTENT_WEIGHT;
    const at = index * MIGRATE_TYPES;
    cost[at + MIGRATE.unmovable] = -lean;
    cost[at + MIGRATE.movable] = lean;
    cost[at + MIGRATE.reclaimable] = -lean + noSlabShare(blocks, block) * NO_SLAB_WEIGHT;
    cost[at + MIGRATE.cma] = lean;
  }
  // Movable lists follow from the others and are the ones that the kernel stops counting.
  const wantedFree = row.free.map((rows, type) => (type === MIGRATE.movable ? null : rows));
  return { count: partial.length, cost, free, wanted, wantedFree, weight };
}

/** From -1 (processes and files hold it) to 1 (the kernel does). */
function kernelLean(blocks: ZoneBlocks, block: number, reserved: ReservedBlocks): number {
  const { contents, unknownWeight } = blocks;
  const marked = contents.slab[block] + contents.kernel[block];
  const movable = contents.movable[block];
  if (contents.reservedFirst[block] === 1 && marked + movable === 0) {
    const isKept = reserved === "unmovable" && block >= blocks.lateFrom;
    return isKept ? RESERVED_LEAN : -RESERVED_LEAN;
  }
  if (contents.reserved[block] > 0 && marked + movable === 0) return EARLY_LEAN;
  const kernel = marked + contents.unknown[block] * unknownWeight;
  return (kernel - movable) / (kernel + movable + EVIDENCE_PAGES);
}

/** Of the kernel's pages here, the share that no reclaimable cache holds. */
function noSlabShare(blocks: ZoneBlocks, block: number): number {
  const { contents, unknownWeight } = blocks;
  const other = contents.kernel[block] + contents.unknown[block] * unknownWeight;
  return other / (other + contents.slab[block] + 1);
}

/**
 * Gives the free blocks of one order their types. A block that is free as a whole tells nothing;
 * the kernel takes two pageblocks at a time where it can, so those next to blocks of the type come
 * first.
 */
function chooseWholes(blocks: ZoneBlocks, order: number, counts: readonly number[]): void {
  const free = blocks.whole.filter((block) => blocks.contents.wholeOrder[block] === order);
  const width = 2 ** (order - PAGEBLOCK_ORDER);
  for (const block of free) retag(blocks, block, MIGRATE.movable);
  const { slab, kernel, unknown } = blocks.contents;
  const isKernelBlock = (block: number, type: number): boolean =>
    blocks.types[block] === type &&
    (slab[block] + kernel[block] + unknown[block] > 0 || blocks.contents.wholeOrder[block] > 0);
  for (const [type, count] of counts.entries()) {
    if (type === MIGRATE.movable) continue;
    const nearness = (block: number): number => {
      if (blocks.types[block] !== MIGRATE.movable) return -1;
      const partner = width === 1 && isKernelBlock(block ^ 1, type) ? 4 : 0;
      const before = isKernelBlock(block - 1, type) ? 1 : 0;
      return partner + before + (isKernelBlock(block + width, type) ? 1 : 0);
    };
    for (let n = 0; n < count; n++) {
      // One at a time, since each makes its neighbours likelier. The last of equals: the
      // allocator starts from the end of a zone.
      const best = free.reduce((a, b) => (nearness(b) >= nearness(a) ? b : a));
      retag(blocks, best, type);
    }
  }
}

function retag(blocks: ZoneBlocks, block: number, type: number): void {
  blocks.types[block] = type;
  if (blocks.contents.wholeOrder[block] > PAGEBLOCK_ORDER) blocks.types[block + 1] = type;
}

function tellMatch(
  input: MatchInput,
  types: Uint8Array,
  row: PagetypeinfoZone,
  name: string,
  findings: Finding[],
): void {
  const counts = (row.blocks ?? [])
    .map((count, type) => ({ count, type: MIGRATETYPE_NAMES[type] }))
    .filter(({ count }) => count > 0)
    .map(({ count, type }) => `${count.toLocaleString("en")} ${type}`);
  if (counts.length === 1) {
    const text = `${name}: all ${counts[0]}, as pagetypeinfo counts`;
    findings.push({ topic: "pageblock types", text, certainty: "exact" });
    return;
  }
  const { apart, total } = freeApart(input, types);
  const match = apart === 0 ? "exactly" : `but for ${apart} of ${total.toLocaleString("en")}`;
  findings.push({
    topic: "pageblock types",
    text: `${name}: ${counts.join(", ")}, told apart by content and so that the free blocks on their lists are pagetypeinfo's ${match}`,
    certainty: "likely",
  });
}

/** How many free blocks too many or too few the lists of known length have, of how many. */
function freeApart(input: MatchInput, types: Uint8Array): { apart: number; total: number } {
  const present = freeByType(input, types);
  let apart = 0;
  let total = 0;
  for (const [type, rows] of input.wantedFree.entries()) {
    for (let order = 0; rows && order < PAGEBLOCK_ORDER; order++) {
      apart += Math.abs(rows[order] - present[type][order]);
      total += rows[order];
    }
  }
  return { apart, total };
}
