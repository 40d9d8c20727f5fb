/**
 * Types of the free blocks of a pageblock or two: their content tells nothing, pagetypeinfo's rows
 * for their orders tell how many of them each type has.
 */
import { MIGRATE, PAGEBLOCK_ORDER } from "../memory/constants.ts";
import type { PagetypeinfoZone } from "./parse/pagetypeinfo.ts";
import type { ZoneBlocks } from "./zone-blocks.ts";

/** Of each type, how many of the free blocks of order 9 and 10 that were found it gets. */
export function wholeCounts(
  blocks: ZoneBlocks,
  row: PagetypeinfoZone,
): { nine: number[]; ten: number[] } {
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

/**
 * Gives the free blocks of one order their types. The kernel takes two pageblocks at a time where
 * it can, so those next to its other blocks of a type come first.
 */
export function chooseWholes(blocks: ZoneBlocks, order: number, counts: readonly number[]): void {
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

/** Types a free block as a whole. */
export function retag(blocks: ZoneBlocks, block: number, type: number): void {
  blocks.types[block] = type;
  if (blocks.contents.wholeOrder[block] > PAGEBLOCK_ORDER) blocks.types[block + 1] = type;
}
