/**
 * A page of shmem comes back from swap.
 *
 * Order of steps: find the folio in the swap cache, or read it in; lock it, which waits for the
 * read; see that it still stands for the slot, and the slot for the page; wait for its write; see
 * again; enter it into the file; take it out of the swap cache; free the slot. It is dirty then:
 * its bytes are nowhere else. Whatever has changed meanwhile ends in "EEXIST": look again.
 * Linux: `shmem_swapin_folio()`, mm/shmem.c, 6.1, which marks a page that cannot be read for good;
 * here another try reads again.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioLock, folioUnlock, folioWaitWriteback } from "../../memory/folio-lock.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import { type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import { filemapAddFolio, filemapGetFolio } from "../../pagecache/page-cache.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import { allocSharedFolio } from "../../vm/policy/policy-node.ts";
import type { Swap } from "../../vm/swap/swap.ts";
import type { SwapArea } from "../../vm/swap/swap-area.ts";
import { deleteFromSwapCache } from "../../vm/swap/swap-cache.ts";
import { type SwapEntry, swapAreaOf } from "../../vm/swap/swap-entry.ts";
import { noteSwapCacheHit, swapClusterReadahead } from "../../vm/swap/swap-readahead.ts";
import type { Vm } from "../../vm/vm.ts";

/** Why a page did not come back. "EEXIST": it is elsewhere by now. */
export type ShmemSwapInError = "EEXIST" | "ENOMEM" | "EIO";

/** The folio of a slot, in its file, locked and held. */
export function* shmemSwapIn(
  vm: Vm,
  swap: Swap,
  mapping: AddressSpace,
  offset: number,
  slot: SwapEntry,
): Blocking<Folio | ShmemSwapInError> {
  const { mem } = vm;
  let folio = yield* filemapGetFolio(mem, swap.mapping, slot);
  if (folio === null) {
    const read = yield* swapClusterReadahead(swap, slot, () =>
      allocSharedFolio(vm, mapping, offset, 0),
    );
    if (read === "ENOENT") return "EEXIST";
    if (read === "ENOMEM") return isSwapped(mapping, offset, slot) ? "ENOMEM" : "EEXIST";
    mem.events.count(VM_EVENT.pgmajfault, 1);
    folio = read;
  } else {
    noteSwapCacheHit(swap, folio);
  }
  yield* folioLock(mem, folio);
  const outcome = yield* takeIn(swap, mapping, offset, slot, folio);
  if (outcome === "done") return folio;
  folioUnlock(mem, folio);
  folioPut(mem, folio);
  return outcome;
}

/** The locked folio leaves the swap cache for its file, if it still is what the slot stands for. */
function* takeIn(
  swap: Swap,
  mapping: AddressSpace,
  offset: number,
  slot: SwapEntry,
  folio: Folio,
): Blocking<"done" | "EEXIST" | "EIO"> {
  const { mem } = swap;
  const isOfSlot = swap.mapping.folios.load(slot) === folio;
  if (!isOfSlot || !isSwapped(mapping, offset, slot)) return "EEXIST";
  if (!testFlag(mem, folio, PG.uptodate)) return "EIO";
  yield* folioWaitWriteback(mem, folio);
  if (!isSwapped(mapping, offset, slot)) return "EEXIST";
  yield* enterFile(swap, mapping, offset, slot, folio);
  return "done";
}

function* enterFile(
  swap: Swap,
  mapping: AddressSpace,
  offset: number,
  slot: SwapEntry,
  folio: Folio,
): Steps<void> {
  const { mem } = swap;
  mapping.swapped?.delete(offset);
  filemapAddFolio(mem, mapping, folio, offset);
  yield "shmem-swap-in-both";
  deleteFromSwapCache(swap, folio);
  setFlag(mem, folio, PG.dirty);
  swap.free(slot);
}

/** Linux: `shmem_confirm_swap()`. */
function isSwapped({ swapped }: AddressSpace, offset: number, slot: SwapEntry): boolean {
  return swapped?.get(offset) === (slot as number);
}

/** Brings back what a file has in an area; false where a page could not be had. */
export function* shmemUnuse(vm: Vm, mapping: AddressSpace, area: SwapArea): Blocking<boolean> {
  const { mem, swap } = vm;
  if (swap === null || mapping.swapped === null) return true;
  for (const [offset, entry] of mapping.swapped) {
    const slot = entry as SwapEntry;
    if (swapAreaOf(slot) !== area.id) continue;
    const folio = yield* shmemSwapIn(vm, swap, mapping, offset, slot);
    if (folio === "ENOMEM" || folio === "EIO") return false;
    if (folio === "EEXIST") continue;
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  }
  return true;
}
