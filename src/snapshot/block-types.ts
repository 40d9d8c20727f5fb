/**
 * The migratetype of each pageblock, which no file of /proc tells, inferred zone by zone.
 *
 * Three witnesses: what the block holds (the kernel's pages gather in unmovable and reclaimable
 * blocks, those of processes and files in movable ones); how many blocks of each type pagetypeinfo
 * counts; and how many free blocks of each order it counts on each type's lists, where every free
 * block smaller than a pageblock lies on its own block's. Without pagetypeinfo, content alone.
 */
import { MIGRATE, MIGRATE_TYPES, MIGRATETYPE_NAMES, PAGEBLOCK_ORDER } from "../memory/constants.ts";
import { summarizeBlocks } from "./block-content.ts";
import { kernelLean, noSlabShare, type ReservedBlocks } from "./block-lean.ts";
import { freeByType, type MatchInput, matchTypes } from "./block-match.ts";
import { chooseWholes, retag, wholeCounts } from "./block-wholes.ts";
import type { PagetypeinfoZone } from "./parse/pagetypeinfo.ts";
import { type Finding, type FreeBlocks, NO_BLOCK, type SnapshotZone } from "./snapshot.ts";
import { type ZoneBlocks, zoneBlocks } from "./zone-blocks.ts";
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

const RESERVED_BLOCKS: readonly ReservedBlocks[] = ["movable", "unmovable"];

/** Cost of content that speaks as clearly as it can, against one free block on a wrong list. */
const CONTENT_WEIGHT = 6;
/** For a reclaimable block, against pages that are no slab. */
const NO_SLAB_WEIGHT = 3;
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
