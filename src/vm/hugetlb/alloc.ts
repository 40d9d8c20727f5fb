/**
 * Huge pages from the allocator, for the pool and beyond it.
 *
 * All may sleep for memory, so the counts are looked at again afterwards.
 * Linux: `alloc_buddy_huge_page()`, `alloc_surplus_huge_page()`, `alloc_migrate_huge_page()`,
 * `alloc_huge_page_nodemask()`, mm/hugetlb.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import { GFP, GFP_HIGHUSER_MOVABLE, gfpRequest } from "../../memory/gfp.ts";
import type { Folio } from "../../memory/memmap.ts";
import { folioAllocGfp } from "../../memory/page-alloc.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { HPG, setHugetlbBit } from "./folio-state.ts";
import { type Hstate, HUGETLB_ORDER } from "./hstate.ts";

/** Where a huge page may come from. */
export interface HugetlbPlace {
  /** The node to begin with. */
  readonly node: number;
  /** GFP bits: of the caller's, `thisNode` alone matters. */
  readonly gfp: number;
  /** By id, the nodes that will do; all if absent. */
  readonly nodes?: readonly number[];
}

/** A new folio of the pool with one reference, counted and on no list, or null. */
export function* allocFreshHugetlb(hstate: Hstate, place: HugetlbPlace): Blocking<Folio | null> {
  const { events } = hstate.mem;
  const gfp = hugetlbGfp(place.gfp) | GFP.comp | GFP.noWarn | GFP.retryMayfail;
  const request = gfpRequest(gfp, HUGETLB_ORDER, place.node, place.nodes);
  const folio = yield* folioAllocGfp(hstate.mem, request);
  const event = folio === null ? "htlb_buddy_alloc_fail" : "htlb_buddy_alloc_success";
  events.count(VM_EVENT[event], 1);
  if (folio !== null) hstate.adopt(folio);
  return folio;
}

/** One more than the pool has, within the overcommit; with one reference, or null. */
export function* allocSurplusHugetlb(hstate: Hstate, place: HugetlbPlace): Blocking<Folio | null> {
  if (hstate.surplusHugePages >= hstate.nrOvercommitHugePages) return null;
  const folio = yield* allocFreshHugetlb(hstate, place);
  if (folio === null) return null;
  if (hstate.surplusHugePages >= hstate.nrOvercommitHugePages) {
    // Somebody else was faster: this one is too many.
    setHugetlbBit(hstate.mem, folio, HPG.temporary);
    folioPut(hstate.mem, folio);
    return null;
  }
  hstate.surplusHugePages++;
  hstate.surplusHugePagesNode[hstate.mem.nodeOf(folio).id]++;
  return folio;
}

/**
 * A folio to move to, with one reference: a free one that nobody was promised, or a temporary one,
 * for which the overcommit is not asked. Null if there is neither.
 */
export function* allocHugetlbNodemask(hstate: Hstate, place: HugetlbPlace): Blocking<Folio | null> {
  if (hstate.availableHugePages > 0) {
    const onlyNode = (place.gfp & GFP.thisNode) !== 0;
    const folio = onlyNode
      ? hstate.dequeueFrom(place.node)
      : hstate.dequeue(place.node, place.nodes);
    if (folio !== null) return folio;
  }
  const folio = yield* allocFreshHugetlb(hstate, place);
  if (folio !== null) setHugetlbBit(hstate.mem, folio, HPG.temporary);
  return folio;
}

/** Of the caller's mask hugetlb takes two bits. Linux: `htlb_modify_alloc_mask()`. */
function hugetlbGfp(gfp: number): number {
  return GFP_HIGHUSER_MOVABLE | (gfp & (GFP.thisNode | GFP.noWarn));
}
