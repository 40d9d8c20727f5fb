/**
 * mprotect: what a process may do with a VMA from now on.
 *
 * Entries lose at once what is no longer allowed; what is newly allowed they get when it is used.
 * All entries are changed before the TLBs are flushed, once: until then who meets a changed entry
 * must not take it for one that no TLB has. The mmap_lock is held throughout.
 * Linux: `mprotect_fixup()`, `change_pte_range()`.
 */
import type { Blocking, Steps } from "../sched/blocking.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { NO_ENTRY } from "./page-tables.ts";
import { PTE } from "./pte.ts";
import { flushTlbRange } from "./tlb.ts";
import type { Vm } from "./vm.ts";

/**
 * Sets the permissions of a stretch of virtual pages; VMAs that reach beyond it are split.
 *
 * "ENOMEM" at the first hole, as Linux says it; what lies before it has been changed by then.
 */
export function* protectRange(
  vm: Vm,
  mm: Mm,
  startVpn: number,
  endVpn: number,
  allowed: number,
): Blocking<"done" | "ENOMEM"> {
  yield* mm.mmapLock.lock();
  const outcome = yield* protectLocked(vm, mm, startVpn, endVpn, allowed);
  mm.mmapLock.unlock();
  return outcome;
}

function* protectLocked(
  vm: Vm,
  mm: Mm,
  startVpn: number,
  endVpn: number,
  allowed: number,
): Steps<"done" | "ENOMEM"> {
  for (let vpn = startVpn; vpn < endVpn; ) {
    const found = mm.vmaAt(vpn);
    if (found === null) return "ENOMEM";
    const vma = found.startVpn < vpn ? vm.splitVma(found, vpn) : found;
    if (vma.endVpn > endVpn) vm.splitVma(vma, endVpn);
    yield* protectVma(vm, vma, allowed);
    vpn = vma.endVpn;
  }
  return "done";
}

/**
 * Sets the permissions of a whole VMA; `allowed` is VM.read, VM.write, both or 0. The caller holds
 * the mmap_lock, or has the process for itself.
 */
export function* protectVma(vm: Vm, vma: Vma, allowed: number): Steps<void> {
  const { tables } = vm;
  vma.flags = (vma.flags & ~(VM.read | VM.write)) | allowed;
  invalidateRangeStart(vma.mm, vma.startVpn, vma.endVpn);
  for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
    // A huge entry is met once for each of its pages: doing it again changes nothing.
    const entry = vma.mm.directory.lookUp(vpn);
    if (entry === NO_ENTRY || (tables.bits(entry) & PTE.present) === 0) continue;
    let bits = tables.bits(entry) & ~PTE.protNone;
    if ((allowed & VM.write) === 0) bits &= ~PTE.write;
    if (allowed === 0) bits |= PTE.protNone;
    tables.set(entry, tables.pfn(entry), bits);
  }
  yield "protect-flush-pending";
  flushTlbRange(vm, vma.mm, vma.startVpn, vma.endVpn);
  invalidateRangeEnd(vma.mm, vma.startVpn, vma.endVpn);
}
