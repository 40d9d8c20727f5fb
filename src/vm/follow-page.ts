/**
 * From an address to the page behind it, without faulting anything in.
 *
 * What is not there has two answers that callers tell users apart: "EFAULT" where nothing could be
 * (the zero page included), "ENOENT" where something may have been (a swapped or moving page, an
 * untouched page of a file, a page that nobody may touch, one that the kernel itself must not).
 * Linux: `follow_page()` with FOLL_GET and FOLL_DUMP, 6.1.
 */
import { pageFolio } from "../memory/folio.ts";
import { folioTryGet } from "../memory/folio-ref.ts";
import type { Pfn } from "../memory/memmap.ts";
import { AS } from "../pagecache/address-space.ts";
import { VM, type Vma } from "./mm.ts";
import { entryPfn, NO_ENTRY } from "./page-tables.ts";
import { PTE, PTE_NONE } from "./pte.ts";
import type { Vm } from "./vm.ts";

/** The page at `vpn` of the VMA, its folio held by one more reference. */
export function followPage(vm: Vm, vma: Vma, vpn: number): Pfn | "EFAULT" | "ENOENT" {
  const { mem, tables } = vm;
  if (((vma.mapping?.flags ?? 0) & AS.inaccessible) !== 0) return "ENOENT";
  const entry = vma.mm.directory.lookUp(vpn);
  const bits = entry === NO_ENTRY ? PTE_NONE : tables.bits(entry);
  if (bits === PTE_NONE) return hasFault(vma) ? "ENOENT" : "EFAULT";
  if ((bits & PTE.special) !== 0) return "EFAULT";
  if ((bits & PTE.present) === 0 || (bits & PTE.protNone) !== 0) return "ENOENT";
  const page = mem.pfn(entryPfn(tables, entry, vpn));
  return folioTryGet(mem, pageFolio(mem, page)) ? page : "ENOENT";
}

/** Whether somebody would supply a page that is not there. */
function hasFault({ mapping, driver, flags }: Vma): boolean {
  // Private huge pages are a file's too, one that nobody sees.
  const isFiles = mapping !== null || (flags & VM.hugetlb) !== 0;
  return isFiles || driver?.fault !== undefined;
}

/** Whether the pages of a VMA may be moved at all. Linux: `vma_migratable()`. */
export function vmaMigratable(vma: Vma): boolean {
  return (vma.flags & (VM.io | VM.pfnmap)) === 0;
}
