/**
 * How processes give memory to KSM and take it back.
 *
 * Linux: `ksm_madvise()`, mm/ksm.c, 6.1.
 */
import type { Blocking } from "../../sched/blocking.ts";
import { type Mm, VM, type Vma } from "../mm.ts";
import type { Vm } from "../vm.ts";
import { unmergeKsmPages } from "./break-ksm.ts";

/** Memory that is shared, or a device's, is passed over without a word. */
const NEVER: number = VM.shared | VM.io | VM.pfnmap | VM.hugetlb;

/** Linux: `MADV_MERGEABLE`. "ENOMEM" where the stretch has a hole; the rest is done. */
export function madviseMergeable(
  vm: Vm,
  mm: Mm,
  startVpn: number,
  endVpn: number,
): "done" | "ENOMEM" {
  for (const vma of vm.isolateVmas(mm, startVpn, endVpn)) {
    if ((vma.flags & NEVER) === 0 && vma.mapping === null) vma.flags |= VM.mergeable;
  }
  return hasHole(mm, startVpn, endVpn) ? "ENOMEM" : "done";
}

/** Linux: `MADV_UNMERGEABLE`. "ENOMEM" also where there is none for a copy. */
export function* madviseUnmergeable(
  vm: Vm,
  mm: Mm,
  startVpn: number,
  endVpn: number,
): Blocking<"done" | "ENOMEM"> {
  yield* mm.mmapLock.lock();
  let outcome: "done" | "ENOMEM" = hasHole(mm, startVpn, endVpn) ? "ENOMEM" : "done";
  for (const vma of vm.isolateVmas(mm, startVpn, endVpn)) {
    if ((yield* unmergeVma(vm, vma)) === "ENOMEM") outcome = "ENOMEM";
  }
  mm.mmapLock.unlock();
  return outcome;
}

function* unmergeVma(vm: Vm, vma: Vma): Blocking<"done" | "ENOMEM"> {
  if ((vma.flags & VM.mergeable) === 0) return "done";
  // First the flag: a scan that comes meanwhile leaves the pages alone.
  vma.flags &= ~VM.mergeable;
  return yield* unmergeKsmPages(vm, vma, vma.startVpn, vma.endVpn);
}

function hasHole(mm: Mm, startVpn: number, endVpn: number): boolean {
  let vpn = startVpn;
  for (const vma of mm.vmas) if (vma.startVpn <= vpn && vpn < vma.endVpn) vpn = vma.endVpn;
  return vpn < endVpn;
}
