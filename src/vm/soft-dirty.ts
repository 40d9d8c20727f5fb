/**
 * Soft-dirty: what a process has written to since somebody last asked.
 *
 * Clearing write-protects, so that the next write shows; the mark travels with pages that move or
 * are on swap, and new memory counts as written to. Pages that a device may write to without a
 * fault are left marked; huge pages of hugetlb are passed over.
 * Linux: `clear_refs_write()` with 4, `clear_soft_dirty()`, fs/proc/task_mmu.c, 6.1.
 */
import { pageFolio } from "../memory/folio.ts";
import { folioMaybeDmaPinned } from "../memory/folio-ref.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import { splitHugePmd } from "./huge/split-pmd.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { NO_ENTRY } from "./page-tables.ts";
import { PTE } from "./pte.ts";
import { flushTlbRange } from "./tlb.ts";
import type { Vm } from "./vm.ts";

/** Forgets all marks of a process. */
export function clearSoftDirty(vm: Vm, mm: Mm): void {
  for (const vma of mm.vmas) {
    const { startVpn, endVpn } = vma;
    vma.isSoftDirty = false;
    if ((vma.flags & VM.hugetlb) !== 0) continue;
    invalidateRangeStart(mm, startVpn, endVpn);
    for (let vpn = startVpn; vpn < endVpn; vpn++) {
      splitHugePmd(vm, vma, vpn);
      const entry = mm.directory.find(vpn);
      if (entry !== NO_ENTRY) clearEntry(vm, entry);
    }
    flushTlbRange(vm, mm, startVpn, endVpn);
    invalidateRangeEnd(mm, startVpn, endVpn);
  }
}

function clearEntry({ mem, tables }: Vm, entry: number): void {
  const bits = tables.bits(entry);
  const pfn = tables.pfn(entry);
  let cleared = bits & ~PTE.softDirty;
  if ((bits & (PTE.present | PTE.special)) === PTE.present) {
    const folio = pageFolio(mem, mem.pfn(pfn));
    if (folioTestAnon(mem, folio) && folioMaybeDmaPinned(mem, folio)) return;
    cleared &= ~PTE.write;
  }
  if (bits !== cleared) tables.set(entry, pfn, cleared);
}

/** Whether /proc/PID/pagemap would say soft-dirty. */
export function isSoftDirty(vm: Vm, vma: Vma, vpn: number): boolean {
  if (vma.isSoftDirty) return true;
  const entry = vma.mm.directory.lookUp(vpn);
  return entry !== NO_ENTRY && (vm.tables.bits(entry) & PTE.softDirty) !== 0;
}
