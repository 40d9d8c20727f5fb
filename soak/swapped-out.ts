/** Where the bytes of a page are that is in swap: still in the cache, or in its slot alone. */
import { assert } from "../src/base/assert.ts";
import type { Frames } from "../src/memory/frames.ts";
import type { Pfn } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import { type SwapEntry, swapSlotOf } from "../src/vm/swap/swap-entry.ts";
import type { Vm } from "../src/vm/vm.ts";

/** The frames in which the bytes lie, and which of them. `word` is a page table entry's. */
export function swappedOut({ mem, swap }: Vm, word: number): { frames: Frames; page: Pfn } {
  assert(swap !== null, "an entry of swap on a machine without:", word);
  const entry = word as SwapEntry;
  const cached = swap.mapping.folios.load(entry);
  if (cached !== null && (mem.flags[cached] & PG.uptodate) !== 0) {
    return { frames: mem.frames, page: mem.pfn(cached + (entry - mem.private[cached])) };
  }
  const { frames } = swap.area(entry).device;
  assert(frames !== undefined, "a swap device that does not show its bytes:", entry);
  return { frames, page: swapSlotOf(entry) as Pfn };
}
