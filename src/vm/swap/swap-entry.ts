/**
 * Swap entries: which area, which slot. A page table entry and a folio in the swap cache name one.
 *
 * Slot 0 of an area is its header, so no entry is 0. Five bits of area and 26 of slot (256 GiB)
 * keep an entry a small non-negative integer that fits a column. Linux: `swp_entry_t`.
 */
import { assert } from "../../base/assert.ts";
import type { Brand } from "../../base/brand.ts";

export type SwapEntry = Brand<number, "SwapEntry">;

const OFFSET_BITS = 26;
const OFFSET_MASK = 0x3ff_ffff;

/** Slots of an area, its header included. */
export const SWAP_SLOTS_MAX = 0x400_0000;

/** Linux: MAX_SWAPFILES, here what fits five bits. */
export const SWAP_AREAS_MAX = 32;

/** Linux: `swp_entry()`. */
export function swapEntry(area: number, slot: number): SwapEntry {
  assert(slot > 0 && slot < SWAP_SLOTS_MAX, "no slot of a swap area:", slot);
  return ((area << OFFSET_BITS) | slot) as SwapEntry;
}

/** Linux: `swp_type()`. */
export function swapAreaOf(entry: SwapEntry): number {
  return entry >>> OFFSET_BITS;
}

/** Linux: `swp_offset()`. */
export function swapSlotOf(entry: SwapEntry): number {
  return entry & OFFSET_MASK;
}
