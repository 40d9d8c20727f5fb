/**
 * What a pageblock's content says of its type, as numbers.
 */
import type { ZoneBlocks } from "./zone-blocks.ts";

/**
 * A kernel that sets up most of the memory map late (CONFIG_DEFERRED_STRUCT_PAGE_INIT) marks only
 * blocks whose first page is free as movable; those that firmware or the memory map hold keep the
 * type 0, Unmovable. Other kernels mark all. Whichever fits the counts better is taken.
 */
export type ReservedBlocks = "movable" | "unmovable";

/** A block whose kernel and movable pages are both fewer than this says little. */
const EVIDENCE_PAGES = 48;
/** How surely a reserved block is of the type that its kernel gives it. */
const RESERVED_LEAN = 0.9;
/** Memory that the kernel took before there was an allocator shows no flag either. */
const EARLY_LEAN = -0.3;

/** From -1 (processes and files hold it) to 1 (the kernel does). */
export function kernelLean(blocks: ZoneBlocks, block: number, reserved: ReservedBlocks): number {
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
export function noSlabShare(blocks: ZoneBlocks, block: number): number {
  const { contents, unknownWeight } = blocks;
  const other = contents.kernel[block] + contents.unknown[block] * unknownWeight;
  return other / (other + contents.slab[block] + 1);
}
