/**
 * A small machine's swap, and pages on their way out and in, for tests and for scenarios.
 *
 * `pageOut` takes the steps of reclaim for one folio, in its order, and nothing else of it: who
 * wants ageing and counters has reclaim itself.
 */
import { assert } from "../../base/assert.ts";
import { folioMapped, folioNrPages } from "../../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioPut, folioRefFreeze, folioRefUnfreeze } from "../../memory/folio-ref.ts";
import { folioIsolateLru, folioPutbackLru } from "../../memory/lru.ts";
import { folioTestAnon } from "../../memory/mapping-word.ts";
import { type Folio, type PageList, testFlag } from "../../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { listDel, listEmpty, listFirst } from "../../memory/page-list.ts";
import type { MigrateFolio } from "../../pagecache/address-space.ts";
import { folioClearDirtyForIo } from "../../pagecache/writeback.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import { tryToUnmap } from "../try-to-unmap.ts";
import type { Vm } from "../vm.ts";
import { Swap } from "./swap.ts";
import type { SwapArea, SwapAreaOptions } from "./swap-area.ts";
import { addToSwap, folioTestSwapcache, removeFromSwapCache } from "./swap-cache.ts";
import { RamSwap } from "./swap-device.ts";

const SLOTS = 64;

/** Gives the machine a swap area, 64 slots of memory at once there or what `options` say. */
export function smallSwap(
  vm: Vm,
  migrateFolio: MigrateFolio = noMigration,
  options: Partial<SwapAreaOptions> = {},
): SwapArea {
  vm.swap ??= new Swap(vm.cache, migrateFolio);
  const slots = options.slots ?? SLOTS;
  const device = options.device ?? new RamSwap(vm.mem, slots);
  return vm.swap.swapOn({ name: "a swap area", priority: 0, ...options, slots, device });
}

// biome-ignore lint/correctness/useYield: it never gets as far as a point
function* noMigration(): Steps<never> {
  assert(false, "a folio of the swap cache moves where nothing does");
}

/** A page to read into, wherever there is one. */
export function* newSwapFolio({ mem }: Vm): Blocking<Folio | null> {
  yield "new-swap-folio";
  return folioAlloc(mem, movableRequest(0));
}

/** How far a folio came: its page is free; it stays in the cache, or where it was. */
export type PageOutOutcome = "freed" | "cached" | "kept";

/** Takes one folio out to swap. Linux: `shrink_folio_list()`. */
export function* pageOut(vm: Vm, folio: Folio): Blocking<PageOutOutcome> {
  const { mem } = vm;
  return folioIsolateLru(mem, folio) ? yield* pageOutIsolated(vm, folio) : "kept";
}

/** The same for a folio that is isolated; it goes back to the LRU if it stays. */
function* pageOutIsolated(vm: Vm, folio: Folio): Blocking<PageOutOutcome> {
  const { mem } = vm;
  if (!folioTrylock(mem, folio)) {
    folioPutbackLru(mem, folio);
    return "kept";
  }
  const isFreed = yield* writeAndRemove(vm, folio);
  if (isFreed) {
    mem.flags[folio] &= ~PG.active;
    folioUnlock(mem, folio);
    folioPut(mem, folio);
    return "freed";
  }
  if (testFlag(mem, folio, PG.locked)) folioUnlock(mem, folio);
  const outcome = folioTestSwapcache(mem, folio) ? "cached" : "kept";
  folioPutbackLru(mem, folio);
  return outcome;
}

/** Has advice to page memory out take folios out in that way. */
export function supplyPageOut(vm: Vm): void {
  const { mem } = vm;
  vm.reclaimPages = function* (list: PageList): Blocking<void> {
    while (!listEmpty(mem, list)) {
      const folio = listFirst(mem, list) as Folio;
      listDel(mem, folio);
      yield* pageOutIsolated(vm, folio);
    }
  };
}

/** True if the folio is in no mapping any more, its one reference the isolation's. */
function* writeAndRemove(vm: Vm, folio: Folio): Blocking<boolean> {
  const { mem, swap } = vm;
  assert(swap !== null, "no swap to page out to");
  if (testFlag(mem, folio, PG.writeback)) return false;
  const isLazyfree = !testFlag(mem, folio, PG.swapbacked);
  const needsSlot = !isLazyfree && folioTestAnon(mem, folio) && !folioTestSwapcache(mem, folio);
  if (needsSlot && !addToSwap(swap, folio)) return false;
  if (folioMapped(mem, folio)) yield* tryToUnmap(vm, folio);
  if (folioMapped(mem, folio)) return false;
  if (isLazyfree) return removeLazyfree(vm, folio);
  if (testFlag(mem, folio, PG.dirty) && !(yield* writeOut(vm, folio))) return false;
  const expected = 1 + folioNrPages(mem, folio);
  if (!folioTestSwapcache(mem, folio) || !folioRefFreeze(mem, folio, expected)) return false;
  removeFromSwapCache(swap, folio, null);
  folioRefUnfreeze(mem, folio, 1);
  return true;
}

/** True if the folio is locked again, and clean: its write was over at once. */
function* writeOut({ mem, cache }: Vm, folio: Folio): Blocking<boolean> {
  const mapping = cache.folioMapping(folio);
  const writepage = mapping?.ops.writepage;
  const isAlone = mem.refcount[folio] === 1 + folioNrPages(mem, folio);
  if (!isAlone || mapping === null || writepage === undefined) return false;
  yield* folioClearDirtyForIo(mem, mapping, folio);
  if ((yield* writepage(mem, mapping, folio, "none")) === "activate") return false;
  const isClean = (mem.flags[folio] & (PG.writeback | PG.dirty)) === 0;
  return isClean && folioTrylock(mem, folio);
}

function removeLazyfree({ mem }: Vm, folio: Folio): boolean {
  return !testFlag(mem, folio, PG.dirty) && mem.refcount[folio] === 1;
}
