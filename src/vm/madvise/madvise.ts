/**
 * madvise: what a process says of its memory.
 *
 * The advice goes to one VMA after another. A hole is passed over and told at the end ("ENOMEM");
 * a VMA that cannot take the advice ends the call ("EINVAL"), with what lies before it done.
 *
 * The mmap_lock is held for reading where pages are only looked at or given up, as faults may go
 * on meanwhile: each entry is looked at anew. Linux: `do_madvise()`, mm/madvise.c, 6.1; advice on
 * huge pages and on KSM is in their own folders.
 */
import { lruAddDrain } from "../../memory/lru.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { type Mm, VM, type Vma } from "../mm.ts";
import { hugeStart } from "../page-tables.ts";
import type { Vm } from "../vm.ts";
import { zapRange } from "../zap.ts";
import { coldRange, pageoutRange } from "./cold.ts";
import { freeRange } from "./free.ts";

/** Linux: MADV_*. */
export type Advice =
  | "MADV_NORMAL"
  | "MADV_SEQUENTIAL"
  | "MADV_DONTNEED"
  | "MADV_FREE"
  | "MADV_COLD"
  | "MADV_PAGEOUT";

export type MadviseOutcome = "done" | "EINVAL" | "ENOMEM";

export function* madvise(
  vm: Vm,
  mm: Mm,
  startVpn: number,
  endVpn: number,
  advice: Advice,
): Blocking<MadviseOutcome> {
  if (startVpn >= endVpn) return startVpn === endVpn ? "done" : "EINVAL";
  yield* mm.mmapLock.readLock();
  const outcome = yield* adviseVmas(vm, mm, startVpn, endVpn, advice);
  mm.mmapLock.readUnlock();
  return outcome;
}

function* adviseVmas(
  vm: Vm,
  mm: Mm,
  startVpn: number,
  endVpn: number,
  advice: Advice,
): Blocking<MadviseOutcome> {
  let outcome: MadviseOutcome = "done";
  let at = startVpn;
  for (const vma of mm.vmas.filter((vma) => vma.endVpn > startVpn && vma.startVpn < endVpn)) {
    if (vma.startVpn > at) outcome = "ENOMEM";
    const from = Math.max(vma.startVpn, at);
    const to = Math.min(vma.endVpn, endVpn);
    if (!takesAdvice(vma, advice, from)) return "EINVAL";
    yield* adviseVma(vm, vma, from, to, advice);
    at = to;
  }
  return at < endVpn ? "ENOMEM" : outcome;
}

/** Linux: `can_madv_lru_vma()`, `madvise_dontneed_free_valid_vma()`. */
function takesAdvice(vma: Vma, advice: Advice, from: number): boolean {
  if (advice === "MADV_NORMAL" || advice === "MADV_SEQUENTIAL") return true;
  // Pages of a pool are given back whole, and are not on the LRU to be aged.
  if ((vma.flags & VM.hugetlb) !== 0) return advice === "MADV_DONTNEED" && from === hugeStart(from);
  if ((vma.flags & (VM.locked | VM.pfnmap)) !== 0) return false;
  return advice !== "MADV_FREE" || vma.mapping === null;
}

function* adviseVma(vm: Vm, vma: Vma, from: number, to: number, advice: Advice): Blocking<void> {
  switch (advice) {
    case "MADV_NORMAL":
    case "MADV_SEQUENTIAL":
      setReading(vm, vma, from, to, advice === "MADV_SEQUENTIAL" ? VM.seqRead : 0);
      return;
    case "MADV_DONTNEED":
      yield* zapRange(vm, vma, from, (vma.flags & VM.hugetlb) === 0 ? to : hugeStart(to));
      return;
    case "MADV_FREE":
      lruAddDrain(vm.mem);
      yield* freeRange(vm, vma, from, to);
      return;
    case "MADV_COLD":
      lruAddDrain(vm.mem);
      yield* coldRange(vm, vma, from, to);
      return;
    case "MADV_PAGEOUT":
      lruAddDrain(vm.mem);
      yield* pageoutRange(vm, vma, from, to);
  }
}

/** The part of the VMA that the advice is about becomes one of its own. */
function setReading(vm: Vm, vma: Vma, from: number, to: number, reading: number): void {
  const part = vma.startVpn < from ? vm.splitVma(vma, from) : vma;
  if (part.endVpn > to) vm.splitVma(part, to);
  part.flags = (part.flags & ~VM.seqRead) | reading;
}
