/**
 * Unmapping for a move as it was before there were migration entries: by what reclaim leaves.
 *
 * Order of steps: a slot in swap for an anonymous folio that has none; then every entry becomes a
 * swap entry, or nothing for a file's page. Nobody puts entries back afterwards: processes fault,
 * and find the new folio in the swap cache or in the file, and wait for its lock while it moves.
 * So with swap full, or without any, no anonymous folio moves. Other kinds than single anonymous
 * pages are younger than that and stay.
 *
 * Linux: the direct migration of 2005, for 2.6.15. What it answers where there is no slot is not
 * known here: "EBUSY" gives the folio up and lets the call go on.
 */
import { folioTestLarge } from "../memory/folio.ts";
import { folioTestAnon, folioTestKsm } from "../memory/mapping-word.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import type { Steps } from "../sched/blocking.ts";
import { addToSwap, folioTestSwapcache } from "../vm/swap/swap-cache.ts";
import { tryToUnmap } from "../vm/try-to-unmap.ts";
import type { Vm } from "../vm/vm.ts";

/** `src` is locked and mapped; after "unmapped" it may be mapped still, where it is mlocked. */
export function* unmapToSwap(vm: Vm, src: Folio): Steps<"unmapped" | "EBUSY"> {
  const { mem } = vm;
  if (folioTestAnon(mem, src) && !folioTestSwapcache(mem, src) && !takeSlot(vm, src)) {
    mem.events.refusals.refuse("no_swap", 0, 1);
    return "EBUSY";
  }
  yield* tryToUnmap(vm, src);
  return "unmapped";
}

function takeSlot({ mem, swap }: Vm, folio: Folio): boolean {
  if (swap === null || folioTestLarge(mem, folio) || folioTestKsm(mem, folio)) return false;
  return testFlag(mem, folio, PG.swapbacked) && addToSwap(swap, folio);
}
