/**
 * A file's folio of 2 MiB mapped whole.
 *
 * Possible where the VMA's addresses and the file's offsets are aligned alike and all of the folio
 * lies in the VMA. Linux: `do_set_pmd()`, mm/memory.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { folioNrPages } from "../../memory/folio.ts";
import { folioGet } from "../../memory/folio-ref.ts";
import type { Folio } from "../../memory/memmap.ts";
import { VM, type Vma } from "../mm.ts";
import { HUGE_PAGES, hugeStart } from "../page-tables.ts";
import { PTE } from "../pte.ts";
import { addRmapHuge } from "../rmap.ts";
import type { Vm } from "../vm.ts";

/** Maps the folio, which the caller holds; false where it must be mapped page by page. */
export function mapHugeFile(vm: Vm, vma: Vma, folio: Folio): boolean {
  const { mem, tables } = vm;
  assert(vma.mapping !== null, "a file's folio in anonymous memory:", folio);
  const vpn = vma.startVpn + (mem.index[folio] - vma.pgoff);
  if (folioNrPages(mem, folio) !== HUGE_PAGES || vpn !== hugeStart(vpn)) return false;
  if (vpn < vma.startVpn || vpn + HUGE_PAGES > vma.endVpn) return false;
  if (!vma.mm.directory.isVacant(vpn)) return false;
  const bits = PTE.present | PTE.huge | PTE.young | PTE.softDirty;
  const mayWrite = (vma.flags & VM.write) !== 0;
  const entry = vma.mm.directory.makeHuge(vpn);
  tables.set(entry, folio, mayWrite ? bits | PTE.write | PTE.dirty : bits);
  vma.mm.rssPages += HUGE_PAGES;
  folioGet(mem, folio);
  addRmapHuge(mem, folio, vma);
  return true;
}
