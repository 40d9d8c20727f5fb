/**
 * Pages of shmem are given up: in the cache and in swap.
 *
 * Parts of pages at both ends are zeroed first, which may bring a page back for it. Then slots are
 * freed and folios leave the file, until one look finds neither: a page may go out to swap behind
 * the one walk and before the other, or come back. Linux: `shmem_undo_range()`, mm/shmem.c, 6.1.
 */
import { PAGE_SIZE } from "../../memory/constants.ts";
import { folioNrPages, folioTestLarge } from "../../memory/folio.ts";
import { folioUnlock, folioWaitWriteback } from "../../memory/folio-lock.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import { setFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import { findGetFolio, lockInFile } from "../../pagecache/find-folio.ts";
import { pageOffset } from "../../pagecache/new-folio.ts";
import { truncateFolio } from "../../pagecache/truncate.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import { freeSwapAndCache } from "../../vm/swap/swap-cache.ts";
import type { SwapEntry } from "../../vm/swap/swap-entry.ts";
import type { Vm } from "../../vm/vm.ts";
import { shmemGetFolio } from "./get-folio.ts";

/** Every page of a stretch of bytes; parts are zeroed. Linux: `shmem_truncate_range()`. */
export function* shmemTruncateRange(
  vm: Vm,
  mapping: AddressSpace,
  startBytes: number,
  endBytes: number,
): Blocking<void> {
  const first = Math.ceil(startBytes / PAGE_SIZE);
  const last = pageOffset(endBytes) - 1;
  if (startBytes % PAGE_SIZE !== 0) yield* truncatePart(vm, mapping, startBytes, endBytes);
  const isOnePage = last < first - 1;
  if (endBytes % PAGE_SIZE !== 0 && !isOnePage) {
    yield* truncatePart(vm, mapping, (last + 1) * PAGE_SIZE, endBytes, startBytes);
  }
  while (hasPages(vm.mem, mapping, first, last)) {
    yield* freeSlots(vm, mapping, first, last);
    yield* truncateCached(vm, mapping, first, last, startBytes, endBytes);
  }
}

/** Whether any is in swap, or in a folio that lies in the stretch whole. */
function hasPages(mem: Memory, mapping: AddressSpace, first: number, last: number): boolean {
  for (const offset of mapping.swapped?.keys() ?? []) {
    if (first <= offset && offset <= last) return true;
  }
  for (let at = first; at <= last; ) {
    const folio = mapping.folios.find(at, last);
    if (folio === null) return false;
    at = mem.index[folio] + folioNrPages(mem, folio);
    if (mem.index[folio] >= first && at <= last + 1) return true;
  }
  return false;
}

/** The part of the folio at `atBytes` that is in the stretch. `shmem_get_partial_folio()`. */
function* truncatePart(
  vm: Vm,
  mapping: AddressSpace,
  atBytes: number,
  endBytes: number,
  startBytes: number = atBytes,
): Blocking<void> {
  const { mem } = vm;
  const folio = yield* shmemGetFolio(vm, mapping, pageOffset(atBytes), "read");
  if (typeof folio === "string") return;
  // What processes wrote may be known to their entries alone: the rest of it must not be dropped.
  setFlag(mem, folio, PG.dirty);
  yield* truncateFolio(mem, mapping, folio, startBytes, endBytes);
  folioUnlock(mem, folio);
  folioPut(mem, folio);
}

/** Linux: `shmem_free_swap()`. */
function* freeSlots(
  { swap }: Vm,
  { swapped }: AddressSpace,
  first: number,
  last: number,
): Steps<void> {
  if (swap === null || swapped === null) return;
  for (const offset of swapped.keys()) {
    if (offset < first || offset > last) continue;
    yield "shmem-free-swap";
    const slot = swapped.get(offset);
    if (slot === undefined) continue;
    swapped.delete(offset);
    freeSwapAndCache(swap, slot as SwapEntry);
  }
}

function* truncateCached(
  { mem }: Vm,
  mapping: AddressSpace,
  first: number,
  last: number,
  startBytes: number,
  endBytes: number,
): Blocking<void> {
  for (let at = first; at <= last; ) {
    const folio = yield* findGetFolio(mem, mapping, at, last);
    if (folio === null) return;
    if (!(yield* lockInFile(mem, mapping, folio))) continue;
    yield* folioWaitWriteback(mem, folio);
    // What processes wrote may be known to their entries alone: a part must not be dropped.
    if (folioTestLarge(mem, folio)) setFlag(mem, folio, PG.dirty);
    at = Math.max(at, yield* truncateFolio(mem, mapping, folio, startBytes, endBytes));
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  }
}
