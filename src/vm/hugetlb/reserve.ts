/**
 * Promises: who maps huge pages is promised them at once, so that using them cannot fail.
 *
 * A shared mapping's promises are its file's: the file's map has the pages that are promised or in
 * use. A private mapping's are its own, and a child does not inherit them: its map has the pages
 * for which the promise has been kept. A promise that free pages do not cover takes surplus ones.
 *
 * Linux: `hugetlb_reserve_pages()`, `hugetlb_acct_memory()`, `vma_needs_reservation()`,
 * mm/hugetlb.c, 6.1; its region maps are sets of huge page numbers here.
 */
import { assert } from "../../base/assert.ts";
import { folioRefFreeze } from "../../memory/folio-ref.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { Vma } from "../mm.ts";
import { allocSurplusHugetlb } from "./alloc.ts";
import type { HugetlbFile } from "./file.ts";
import type { Hstate } from "./hstate.ts";
import { releaseFree } from "./pool-size.ts";

/** Number of a huge page in its file, or in the private mapping, of which a VMA is a part. */
export function hugeIndex(vma: Vma, vpn: number): number {
  return (vma.pgoff + (vpn - vma.startVpn)) >>> 9;
}

/** Promises `count` pages. False if there cannot be so many. */
export function* promisePages(hstate: Hstate, count: number): Blocking<boolean> {
  const { mem } = hstate;
  let gathered = 0;
  while (hstate.availableHugePages < count) {
    const near = mem.nodeOfCpu[mem.cpu];
    const folio = yield* allocSurplusHugetlb(hstate, { node: near, gfp: 0 });
    if (folio === null) {
      releaseSurplus(hstate, gathered);
      return false;
    }
    assert(folioRefFreeze(mem, folio, 1), "a new huge page has another user:", folio);
    hstate.enqueue(folio);
    gathered++;
  }
  hstate.resvHugePages += count;
  return true;
}

/** Takes promises back; surplus pages that were there for them go. */
function withdrawPromises(hstate: Hstate, count: number): void {
  hstate.resvHugePages -= count;
  assert(hstate.resvHugePages >= 0, "more promises are withdrawn than were made:", count);
  releaseSurplus(hstate, Math.min(count, hstate.surplusHugePages));
}

/** Frees surplus pages that nobody uses or was promised. */
function releaseSurplus(hstate: Hstate, count: number): void {
  let left = count;
  for (let node = 0; node < hstate.freeLists.length; node++) {
    while (left > 0 && hstate.availableHugePages > 0 && releaseFree(hstate, node, "surplus")) {
      left--;
    }
  }
}

/** Promises pages `from` to `to` of a file that have not been yet. */
export function* promiseFilePages(
  hstate: Hstate,
  { resv, subpool }: HugetlbFile,
  from: number,
  to: number,
): Blocking<boolean> {
  let missing = 0;
  for (let index = from; index < to; index++) if (!resv.has(index)) missing++;
  if (subpool !== null && !subpool.charge(missing)) return false;
  if (!(yield* promisePages(hstate, missing))) {
    subpool?.uncharge(missing);
    return false;
  }
  const before = resv.size;
  for (let index = from; index < to; index++) resv.add(index);
  // Somebody else may have been promised some of them meanwhile.
  const twice = missing - (resv.size - before);
  subpool?.uncharge(twice);
  withdrawPromises(hstate, twice);
  return true;
}

/** Forgets all that a file's map says from page `from` on, of which `freed` pages were in use. */
export function forgetFilePages(
  hstate: Hstate,
  { resv, subpool }: HugetlbFile,
  from: number,
  freed: number,
): void {
  let forgotten = 0;
  for (const index of [...resv]) if (index >= from && resv.delete(index)) forgotten++;
  subpool?.uncharge(forgotten - freed);
  withdrawPromises(hstate, forgotten - freed);
}

/** Whether a use of that page has no promise to rely on. Linux: `vma_needs_reservation()`. */
export function needsReservation(file: HugetlbFile | null, vma: Vma, index: number): boolean {
  if (file !== null) return !file.resv.has(index);
  return vma.resvMap === null || vma.resvMap.has(index);
}

/** The page is in use. Linux: `vma_commit_reservation()`. */
export function commitReservation(file: HugetlbFile | null, vma: Vma, index: number): void {
  if (file !== null) file.resv.add(index);
  else vma.resvMap?.add(index);
}

/** Takes back the promises of a private VMA that is going away. Linux: `hugetlb_vm_op_close()`. */
export function closeReservations(hstate: Hstate, vma: Vma): void {
  if (vma.resvMap === null) return;
  let kept = 0;
  const first = hugeIndex(vma, vma.startVpn);
  const end = hugeIndex(vma, vma.endVpn);
  for (let index = first; index < end; index++) if (!vma.resvMap.has(index)) kept++;
  withdrawPromises(hstate, kept);
}
