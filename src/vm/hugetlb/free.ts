/**
 * The end of a hugetlb folio's use: back to the pool, or to the allocator.
 *
 * Called in the place of the usual freeing when the last reference is put. A folio that was taken
 * from the reserve and never used gives it back. Linux: `free_huge_page()`, mm/hugetlb.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { folioMapped } from "../../memory/folio.ts";
import type { Folio } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import {
  clearHugetlbBit,
  folioSubpool,
  HPG,
  setFolioSubpool,
  testHugetlbBit,
} from "./folio-state.ts";
import type { Hstate } from "./hstate.ts";

/** All that a free one keeps of its flags. */
const KEPT_FLAGS = PG.head | PG.hugetlb | PG.hwpoison;
/** What stands for somebody's claim. */
const CLAIMS = PG.locked | PG.lru | PG.writeback | PG.private | PG.waiters;

export function freeHugetlbFolio(hstate: Hstate, folio: Folio): void {
  const { mem } = hstate;
  assert(mem.refcount[folio] === 0, "free of a hugetlb folio with references:", folio);
  assert(!folioMapped(mem, folio), "free of a mapped hugetlb folio:", folio);
  assert((mem.flags[folio] & CLAIMS) === 0, "free of a hugetlb folio with claims:", folio);
  const subpool = folioSubpool(mem, folio);
  const restore = testHugetlbBit(mem, folio, HPG.restoreReserve);
  mem.mapping[folio] = 0;
  mem.index[folio] = 0;
  mem.flags[folio] &= KEPT_FLAGS;
  setFolioSubpool(mem, folio, -1);
  if (subpool !== -1 && !restore) hstate.subpools[subpool].uncharge(1);
  clearHugetlbBit(mem, folio, HPG.restoreReserve);
  clearHugetlbBit(mem, folio, HPG.migratable);
  if (restore) hstate.resvHugePages++;
  if (testHugetlbBit(mem, folio, HPG.temporary)) hstate.release(folio, "persistent");
  else if (hstate.surplusHugePagesNode[mem.nodeOf(folio).id] > 0) hstate.release(folio, "surplus");
  else hstate.enqueue(folio);
}
