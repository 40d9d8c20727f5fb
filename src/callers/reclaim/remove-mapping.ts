/**
 * The last step: nobody but the isolation and its cache holds the folio, and so it is taken away.
 *
 * The count is frozen at exactly what those two hold; a reference more means that somebody will use
 * the page. Only then can it be told whether the folio is clean, as who dirties a page holds it or
 * maps it. From freeze to removal nothing else runs: the kernel holds `i_pages`, whose lookups
 * fail at a frozen count. The caller owns the frozen folio and frees it.
 * Linux: `__remove_mapping()`, mm/vmscan.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { folioNrPages } from "../../memory/folio.ts";
import { folioRefFreeze, folioRefUnfreeze } from "../../memory/folio-ref.ts";
import { isolatedClass } from "../../memory/lru-list.ts";
import { type Folio, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import { removeFrozenFolio } from "../../pagecache/page-cache.ts";
import type { Steps } from "../../sched/blocking.ts";
import { folioTestSwapcache, removeFromSwapCache } from "../../vm/swap/swap-cache.ts";
import type { Vm } from "../../vm/vm.ts";
import { workingsetEviction } from "./workingset.ts";

/** False, with the folio as it was, if somebody holds it or has made it dirty. */
export function* removeMapping(vm: Vm, mapping: AddressSpace, folio: Folio): Steps<boolean> {
  const { mem, swap } = vm;
  const expected = 1 + folioNrPages(mem, folio);
  yield "remove-mapping-count";
  if (!folioRefFreeze(mem, folio, expected)) return false;
  if (testFlag(mem, folio, PG.dirty)) {
    folioRefUnfreeze(mem, folio, expected);
    return false;
  }
  if (folioTestSwapcache(mem, folio)) {
    assert(swap !== null, "a folio in the swap cache of a machine without:", folio);
    removeFromSwapCache(swap, folio, workingsetEviction(mem, folio));
  } else {
    const isFile = isolatedClass(mem, folio) === 1;
    const shadow = isFile ? workingsetEviction(mem, folio) : null;
    removeFrozenFolio(mem, mapping, folio, shadow);
  }
  return true;
}
