/**
 * A file's folio of 2 MiB mapped whole: by the first fault on it.
 *
 * Possible where the VMA's addresses and the file's offsets are aligned alike, all of the folio
 * lies in the VMA, and no page table is there. A write must be one that needs no word of the owner:
 * to a shared mapping of a file that is not told of writes. All else is mapped page by page.
 * Linux: `do_set_pmd()`, mm/memory.c, 6.1.
 */
import { folioNrPages } from "../../memory/folio.ts";
import { folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import { folioMarkDirty } from "../../pagecache/mark-dirty.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { faultFolio, mapsWritable } from "../file-fault.ts";
import type { Vma } from "../mm.ts";
import { HUGE_PAGES, hugeStart } from "../page-tables.ts";
import { PTE } from "../pte.ts";
import { addRmapHuge } from "../rmap.ts";
import type { Vm } from "../vm.ts";

/** Serves a fault where no page table is; false where single pages must. */
export function* hugeFileFault(
  vm: Vm,
  vma: Vma,
  mapping: AddressSpace,
  vpn: number,
  access: "read" | "write",
): Blocking<boolean> {
  const { mem } = vm;
  const offset = vma.pgoff + (vpn - vma.startVpn);
  const cached = mapping.folios.load(offset);
  if (cached === null || folioNrPages(mem, cached) !== HUGE_PAGES) return false;
  if (access === "write" && !mapsWritable(vma)) return false;
  const folio = yield* faultFolio(mem, vma.mm, mapping, offset);
  if (folio === "SIGBUS") return false;
  const isMapped = vma.mm.vmaAt(vpn) === vma && mapHugeFile(vm, vma, folio, access);
  if (isMapped && access === "write") yield* folioMarkDirty(mem, mapping, folio);
  folioUnlock(mem, folio);
  folioPut(mem, folio);
  return isMapped;
}

/** Maps the folio, which the caller holds; false where it must be mapped page by page. */
export function mapHugeFile(vm: Vm, vma: Vma, folio: Folio, access: "read" | "write"): boolean {
  const { mem, tables } = vm;
  const vpn = vma.startVpn + (mem.index[folio] - vma.pgoff);
  if (folioNrPages(mem, folio) !== HUGE_PAGES || vpn !== hugeStart(vpn)) return false;
  if (vpn < vma.startVpn || vpn + HUGE_PAGES > vma.endVpn) return false;
  if (!vma.mm.directory.isVacant(vpn)) return false;
  let bits = PTE.present | PTE.huge | PTE.young;
  if (access === "write") bits |= PTE.write | PTE.dirty | PTE.softDirty;
  else if (mapsWritable(vma)) bits |= PTE.write;
  tables.set(vma.mm.directory.makeHuge(vpn), folio, bits);
  vma.mm.rssPages += HUGE_PAGES;
  folioGet(mem, folio);
  addRmapHuge(mem, folio, vma);
  return true;
}
