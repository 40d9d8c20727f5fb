/**
 * Fork of a huge entry: the child maps the same folio whole, and neither may write.
 *
 * A migration entry is copied as a read-only one on both sides. A folio that a device may be
 * writing to stays the parent's: its entry is split, and the pages copied one by one.
 * Linux: `copy_huge_pmd()`, mm/huge_memory.c, 6.1 (where a file's is left to faults).
 */
import { folioGet } from "../../memory/folio-ref.ts";
import type { Folio } from "../../memory/memmap.ts";
import { tryShareAnonymous } from "../copy-on-write.ts";
import type { Vma } from "../mm.ts";
import { HUGE_PAGES } from "../page-tables.ts";
import { PTE, PTE_MIGRATION } from "../pte.ts";
import { addRmapHuge } from "../rmap.ts";
import type { Vm } from "../vm.ts";
import { splitHugePmd } from "./split-pmd.ts";
import { mmGetHugeZeroPage } from "./zero-page.ts";

/** Gives `copy` what `vma` has at the huge entry that begins at `vpn`, or splits that. */
export function forkHugeEntry(vm: Vm, vma: Vma, copy: Vma, vpn: number): "copied" | "split" {
  const { mem, tables } = vm;
  const entry = vma.mm.directory.findHuge(vpn);
  const bits = tables.bits(entry);
  const folio = tables.pfn(entry) as Folio;
  const isAnon = vma.mapping === null;
  if ((bits & PTE.special) !== 0) {
    mmGetHugeZeroPage(vm, copy.mm);
    tables.set(copy.mm.directory.makeHuge(vpn), folio, bits);
    return "copied";
  }
  const isMoving = (bits & PTE_MIGRATION) !== 0;
  if (isAnon && !isMoving && !tryShareAnonymous(vm, folio)) {
    splitHugePmd(vm, vma, vpn);
    return "split";
  }
  let kept = bits;
  if (isAnon && isMoving) kept = (bits & ~PTE_MIGRATION) | PTE.migrationRead;
  else if (isAnon) kept = bits & ~PTE.write;
  tables.set(entry, folio, kept);
  copy.mm.rssPages += HUGE_PAGES;
  if (!isMoving) {
    folioGet(mem, folio);
    addRmapHuge(mem, folio, copy);
    kept &= ~PTE.young;
  }
  tables.set(copy.mm.directory.makeHuge(vpn), folio, kept);
  return "copied";
}
