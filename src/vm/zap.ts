/**
 * Taking memory away from a process: single pages, a VMA, all of it.
 *
 * An entry that is emptied drops its mapping and its reference; the last one frees the page. A
 * migration entry is emptied too: the mover then finds nothing to put back. Linux: mm/memory.c
 * (`zap_pte_range()`), mm/mmap.c (`exit_mmap()`).
 */
import { pageFolio } from "../memory/folio.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import { setFlag } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import type { Mm, Vma } from "./mm.ts";
import { NO_ENTRY } from "./page-tables.ts";
import { PTE, PTE_NONE } from "./pte.ts";
import { removeRmap } from "./rmap.ts";
import type { Vm } from "./vm.ts";

/** Empties the entries of `vma` from one virtual page up to another. Linux: `MADV_DONTNEED`. */
export function zapRange(vm: Vm, vma: Vma, startVpn: number, endVpn: number): void {
  for (let vpn = startVpn; vpn < endVpn; vpn++) {
    const entry = vma.mm.directory.find(vpn);
    if (entry !== NO_ENTRY) zapEntry(vm, vma, entry);
  }
}

/** Unmaps a whole VMA. Linux: `munmap()`. */
export function unmapVma(vm: Vm, vma: Vma): void {
  zapRange(vm, vma, vma.startVpn, vma.endVpn);
  vm.dropVma(vma);
}

/** Unmaps a stretch of virtual pages, of as many VMAs as it touches. Linux: `do_munmap()`. */
export function unmapRange(vm: Vm, mm: Mm, startVpn: number, endVpn: number): void {
  if (startVpn >= endVpn) return;
  for (const vma of [...mm.vmas]) {
    if (vma.endVpn <= startVpn || vma.startVpn >= endVpn) continue;
    const middle = vma.startVpn < startVpn ? vm.splitVma(vma, startVpn) : vma;
    if (middle.endVpn > endVpn) vm.splitVma(middle, endVpn);
    unmapVma(vm, middle);
  }
}

/** Ends a process: every VMA, then the tables. Linux: `exit_mmap()`. */
export function exitMm(vm: Vm, mm: Mm): void {
  while (mm.vmas.length > 0) unmapVma(vm, mm.vmas[mm.vmas.length - 1]);
  mm.directory.release();
  vm.mms[mm.id] = undefined;
}

function zapEntry(vm: Vm, vma: Vma, entry: number): void {
  const { mem, tables } = vm;
  const bits = tables.bits(entry);
  if (bits === PTE_NONE) return;
  const page = mem.pfn(tables.pfn(entry));
  tables.set(entry, 0, PTE_NONE);
  if ((bits & PTE.special) !== 0) return;
  vma.mm.rssPages--;
  if ((bits & PTE.present) === 0) return;
  const folio = pageFolio(mem, page);
  if ((bits & PTE.dirty) !== 0 && !folioTestAnon(mem, folio)) setFlag(mem, folio, PG.dirty);
  removeRmap(mem, page, vma);
  folioPut(mem, folio);
}
