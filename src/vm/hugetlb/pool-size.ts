/**
 * How large the pool is: what an administrator writes to nr_hugepages of a node.
 *
 * Growing takes from the allocator; shrinking gives back free pages that nobody was promised. Those
 * in use beyond the wanted number become surplus and go when they are freed.
 * Linux: `set_max_huge_pages()`, mm/hugetlb.c, 6.1.
 */
import { folioPut } from "../../memory/folio-ref.ts";
import { GFP } from "../../memory/gfp.ts";
import type { Folio } from "../../memory/memmap.ts";
import { listFirst, listIsEnd } from "../../memory/page-list.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { allocFreshHugetlb } from "./alloc.ts";
import type { Hstate } from "./hstate.ts";

/** Gives a node `count` persistent huge pages, as far as memory allows; returns how many it has. */
export function* setNrHugepages(hstate: Hstate, node: number, count: number): Blocking<number> {
  const persistent = (): number => hstate.nrHugePagesNode[node] - hstate.surplusHugePagesNode[node];
  while (hstate.surplusHugePagesNode[node] > 0 && persistent() < count) adjust(hstate, node, -1);
  while (persistent() < count) {
    const folio = yield* allocFreshHugetlb(hstate, { node, gfp: GFP.thisNode });
    if (folio === null) break;
    // Its way to the free list: nobody uses it.
    folioPut(hstate.mem, folio);
  }
  while (persistent() > count && hstate.availableHugePages > 0) {
    if (!releaseFree(hstate, node, "persistent")) break;
  }
  while (persistent() > count) adjust(hstate, node, 1);
  return persistent();
}

/** Gives a free page of the node back to the allocator; false if it has none. */
export function releaseFree(hstate: Hstate, node: number, kind: "persistent" | "surplus"): boolean {
  if (kind === "surplus" && hstate.surplusHugePagesNode[node] === 0) return false;
  const list = hstate.freeLists[node];
  const folio = listFirst(hstate.mem, list);
  if (listIsEnd(list, folio)) return false;
  hstate.release(folio as Folio, kind);
  return true;
}

/** Counts a page of the node as surplus, or no longer. Linux: `adjust_pool_surplus()`. */
function adjust(hstate: Hstate, node: number, delta: 1 | -1): void {
  hstate.surplusHugePages += delta;
  hstate.surplusHugePagesNode[node] += delta;
}
