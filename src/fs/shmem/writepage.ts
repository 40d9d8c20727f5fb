/**
 * A page of shmem goes out to swap.
 *
 * The folio is locked, unmapped and no longer marked dirty. It gets a slot and enters the swap
 * cache; only then does it leave its file, which has the slot in its place: whoever looks for the
 * page finds one of them at any time. From there on it is written as an anonymous page is. Without
 * a slot it stays, dirty. Linux: `shmem_writepage()`, mm/shmem.c, 6.1, which splits a large folio
 * itself; here it stays, as reclaim, the one who calls, has split it before.
 */
import { assert } from "../../base/assert.ts";
import { folioMapped, folioTestLarge } from "../../memory/folio.ts";
import { type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { AddressSpace, WritepageOutcome } from "../../pagecache/address-space.ts";
import { filemapRemoveFolio } from "../../pagecache/page-cache.ts";
import type { Steps } from "../../sched/blocking.ts";
import type { Swap } from "../../vm/swap/swap.ts";
import { addToSwapCache } from "../../vm/swap/swap-cache.ts";
import type { SwapEntry } from "../../vm/swap/swap-entry.ts";
import { swapWritepage } from "../../vm/swap/swap-io.ts";
import type { Vm } from "../../vm/vm.ts";

export function* shmemWritepage(
  { mem, swap }: Vm,
  mapping: AddressSpace,
  folio: Folio,
): Steps<WritepageOutcome> {
  assert(testFlag(mem, folio, PG.uptodate), "a page of shmem without contents goes out:", folio);
  const slot = folioTestLarge(mem, folio) ? null : (swap?.allocate(1) ?? null);
  if (slot === null || swap === null) {
    setFlag(mem, folio, PG.dirty);
    return "activate";
  }
  addToSwapCache(swap, folio, slot);
  yield "shmem-writepage-in-both";
  replaceBySlot(swap, mapping, folio, slot);
  return yield* swapWritepage(swap, folio);
}

/** The slot stands for the page from now on. Linux: `shmem_delete_from_page_cache()`. */
function replaceBySlot(swap: Swap, mapping: AddressSpace, folio: Folio, slot: SwapEntry): void {
  const { mem } = swap;
  const offset = mem.index[folio];
  assert(!folioMapped(mem, folio), "a page of shmem goes out that is mapped:", folio);
  swap.duplicate(slot);
  filemapRemoveFolio(mem, mapping, folio);
  mapping.swapped ??= new Map();
  mapping.swapped.set(offset, slot);
}
