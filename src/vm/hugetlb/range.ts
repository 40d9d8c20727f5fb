/**
 * Stretches of huge pages: taken from a process, given to a child.
 *
 * One entry maps each. Nothing of them is counted as resident: `Mm.hugetlbPages` has them. A
 * migration entry goes the way of a page. Linux: `__unmap_hugepage_range()`,
 * `copy_hugetlb_page_range()`, mm/hugetlb.c, 6.1.
 */
import { folioPut } from "../../memory/folio-ref.ts";
import { type Folio, setFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { tryShareAnonymous } from "../copy-on-write.ts";
import type { Vma } from "../mm.ts";
import { NO_ENTRY } from "../page-tables.ts";
import { PTE, PTE_MIGRATION, PTE_NONE } from "../pte.ts";
import { addRmapHuge, removeRmapHuge } from "../rmap.ts";
import type { Vm } from "../vm.ts";
import { copyForChild } from "./copy-on-write.ts";
import { HUGETLB_PAGES } from "./hstate.ts";

/** Empties the entries of a hugetlb VMA in a range of whole huge pages. */
export function zapHugetlbRange(vm: Vm, vma: Vma, startVpn: number, endVpn: number): void {
  const { directory } = vma.mm;
  for (let vpn = startVpn; vpn < endVpn; vpn += HUGETLB_PAGES) {
    const entry = directory.findHuge(vpn);
    if (entry !== NO_ENTRY) zapEntry(vm, vma, vpn, entry);
  }
}

function zapEntry(vm: Vm, vma: Vma, vpn: number, entry: number): void {
  const { mem, tables } = vm;
  const bits = tables.bits(entry);
  const folio = tables.pfn(entry) as Folio;
  vma.mm.directory.clearHuge(vpn);
  if (bits === PTE_NONE) return;
  vma.mm.hugetlbPages -= HUGETLB_PAGES;
  if ((bits & PTE.present) === 0) return;
  if ((bits & PTE.dirty) !== 0) setFlag(mem, folio, PG.dirty);
  removeRmapHuge(mem, folio, vma);
  folioPut(mem, folio);
}

/** Gives a child's VMA what the parent's has; false where there was no memory for a copy. */
export function forkHugetlbRange(vm: Vm, vma: Vma, copy: Vma): boolean {
  const { directory } = vma.mm;
  for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn += HUGETLB_PAGES) {
    const entry = directory.findHuge(vpn);
    if (entry === NO_ENTRY || vm.tables.bits(entry) === PTE_NONE) continue;
    if (!forkEntry(vm, vma, copy, vpn, entry)) return false;
  }
  return true;
}

function forkEntry(vm: Vm, vma: Vma, copy: Vma, vpn: number, entry: number): boolean {
  const { mem, tables } = vm;
  const bits = tables.bits(entry);
  const folio = tables.pfn(entry) as Folio;
  const isPrivate = vma.mapping === null;
  if ((bits & PTE_MIGRATION) !== 0) {
    const kept = isPrivate ? (bits & ~PTE_MIGRATION) | PTE.migrationRead : bits;
    tables.set(entry, folio, kept);
    tables.set(copy.mm.directory.makeHuge(vpn), folio, kept);
    copy.mm.hugetlbPages += HUGETLB_PAGES;
    return true;
  }
  if (isPrivate && !tryShareAnonymous(vm, folio)) return copyForChild(vm, copy, vpn, folio);
  const kept = isPrivate ? bits & ~PTE.write : bits;
  tables.set(entry, folio, kept);
  mem.refcount[folio]++;
  addRmapHuge(mem, folio, copy);
  tables.set(copy.mm.directory.makeHuge(vpn), folio, kept);
  copy.mm.hugetlbPages += HUGETLB_PAGES;
  return true;
}
