/**
 * The pageblocks of one zone, as the inference of their types takes them.
 */
import { PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import type { BlockContents } from "./block-content.ts";
import type { SnapshotZone } from "./snapshot.ts";

/** What one zone's inference works on. */
export interface ZoneBlocks {
  readonly contents: BlockContents;
  /** By pageblock of all memory; written as types are found. */
  readonly types: Uint8Array;
  /** Blocks that are not free as a whole. */
  readonly partial: readonly number[];
  /** First block of each free block of order 9 or 10. */
  readonly whole: readonly number[];
  /** Share of pages without flags that are the kernel's, 0 to 1; the rest is on per-CPU lists. */
  readonly unknownWeight: number;
  /** From this block on the kernel may have set up the memory map late: see block-lean.ts. */
  readonly lateFrom: number;
}

/** Pages of a node's last zone that are set up early. Linux: `PAGES_PER_SECTION`. */
const SECTION_PAGES = 32768;

export function zoneBlocks(
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
