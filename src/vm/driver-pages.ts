/**
 * Memory of drivers and of the kernel itself that a process maps: rings, the vdso, bare frames.
 *
 * Pages are inserted in two ways. `vmInsertPage` maps a page as a file's is mapped, with a
 * reference and a mapcount: it can be found, and asked where it is, but it is on no LRU list and
 * cannot be isolated. `remapPfnRange` maps bare frames, of which nobody counts the uses: they
 * need not even be memory, and a VMA of them is never looked into. Linux: `vm_insert_page()`,
 * `remap_pfn_range()`, `special_mapping_fault()`, 6.1.
 */
import { assert } from "../base/assert.ts";
import { pageFolio } from "../memory/folio.ts";
import { folioGet } from "../memory/folio-ref.ts";
import type { Pfn } from "../memory/memmap.ts";
import { VM, type Vma } from "./mm.ts";
import { PTE, PTE_NONE } from "./pte.ts";
import { addRmap } from "./rmap.ts";
import type { Vm } from "./vm.ts";

/** Maps a page of the driver, which keeps a reference of its own. */
export function vmInsertPage(vm: Vm, vma: Vma, vpn: number, page: Pfn): void {
  const { mem, tables } = vm;
  assert(vma.driver !== null, "a driver's page in a VMA that is not a driver's:", vpn);
  assert((vma.flags & VM.pfnmap) === 0, "a page among bare frames:", vpn);
  const entry = vma.mm.directory.make(vpn);
  assert(tables.bits(entry) === PTE_NONE, "a driver's page where one is mapped:", vpn);
  folioGet(mem, pageFolio(mem, page));
  addRmap(mem, page, vma);
  const isWritable = (vma.flags & VM.write) !== 0;
  tables.set(entry, page, PTE.present | PTE.young | (isWritable ? PTE.write : 0));
  vma.mm.rssPages++;
}

/** Maps all of a VMA to frames from `firstPfn` on; it is never moved from then on. */
export function remapPfnRange(vm: Vm, vma: Vma, firstPfn: number): void {
  assert(vma.driver !== null, "bare frames in a VMA that is not a driver's:", firstPfn);
  vma.flags |= VM.io | VM.pfnmap;
  for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
    const entry = vma.mm.directory.make(vpn);
    vm.tables.set(entry, firstPfn + (vpn - vma.startVpn), PTE.present | PTE.special);
  }
}

/** A use of a page of a driver that is not mapped yet; false if the driver has none there. */
export function driverFault(vm: Vm, vma: Vma, vpn: number): boolean {
  const page = vma.driver?.fault?.(vpn - vma.startVpn + vma.pgoff) ?? null;
  if (page === null) return false;
  vmInsertPage(vm, vma, vpn, page);
  return true;
}
