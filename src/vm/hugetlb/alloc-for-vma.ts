/**
 * A huge page for a process that uses its mapping.
 *
 * A use that was promised one gets it out of the reserve; any other needs one that nobody was
 * promised, or a surplus page. Linux: `alloc_huge_page()`, `dequeue_huge_page_vma()`, 6.1.
 */
import type { Folio } from "../../memory/memmap.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { HugePlace } from "../policy/policy-node.ts";
import { allocSurplusHugetlb } from "./alloc.ts";
import type { HugetlbFile } from "./file.ts";
import { HPG, setFolioSubpool, setHugetlbBit } from "./folio-state.ts";
import type { Hstate } from "./hstate.ts";

/** Whether the use may take a page that its VMA was promised. */
export type Claim = "promised" | "unpromised";

/**
 * A folio with one reference, on the active list and not migratable yet, or null. Put without
 * having been used it goes back to the reserve, if it came from there.
 */
export function* allocHugetlbForVma(
  hstate: Hstate,
  file: HugetlbFile | null,
  claim: Claim,
  place: HugePlace,
): Blocking<Folio | null> {
  const { mem } = hstate;
  const subpool = file?.subpool ?? null;
  if (claim === "unpromised" && subpool !== null && !subpool.charge(1)) return null;
  let folio = takeFree(hstate, claim, place);
  if (folio === null) {
    folio = yield* allocSurplusByPolicy(hstate, place);
    if (folio === null) {
      if (claim === "unpromised") subpool?.uncharge(1);
      return null;
    }
    hstate.activate(folio);
  }
  setFolioSubpool(mem, folio, subpool?.id ?? -1);
  return folio;
}

/** Linux: `alloc_buddy_huge_page_with_mpol()`. */
function* allocSurplusByPolicy(
  hstate: Hstate,
  { node, nodes, orAny }: HugePlace,
): Blocking<Folio | null> {
  const place = { node, gfp: 0 };
  const bound = nodes === undefined ? place : { ...place, nodes };
  const folio = yield* allocSurplusHugetlb(hstate, bound);
  return folio === null && orAny ? yield* allocSurplusHugetlb(hstate, place) : folio;
}

/** A free page of the pool, without sleep; null if there is none for that claim. */
export function takeFree(
  hstate: Hstate,
  claim: Claim,
  { node, nodes, orAny }: HugePlace,
): Folio | null {
  if (claim === "unpromised" && hstate.availableHugePages === 0) return null;
  let folio = hstate.dequeue(node, nodes);
  if (folio === null && orAny) folio = hstate.dequeue(node);
  if (folio !== null && claim === "promised") {
    setHugetlbBit(hstate.mem, folio, HPG.restoreReserve);
    hstate.resvHugePages--;
  }
  return folio;
}
