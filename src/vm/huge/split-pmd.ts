/**
 * A huge entry becomes 512 single ones: when only a part of its pages is to be treated otherwise.
 *
 * The folio stays whole. Its pages count a mapping and a reference each in place of the one for
 * all, and are exclusive each if the folio was. The dirty bit goes to the folio and not to the
 * entries. A migration entry becomes 512 of the same kind, which count nothing; one of the huge
 * zero page 512 of the zero page. A file's is dropped altogether: its pages are in the cache.
 *
 * Of a file's folio, too, a dirty entry sets the flag alone: its owner's `dirtyFolio` is not asked,
 * and the index not marked. That is right for shmem alone, which nobody writes back; no other file
 * is to have huge entries that may be written (`mapsWritable`, `../file-fault.ts`).
 *
 * Each function stands for a section under the page table lock. Linux: `__split_huge_pmd()`, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { VM_EVENT } from "../../events/vmstat.ts";
import { deferredSplitFolio } from "../../memory/deferred-split.ts";
import { folioEntireMapcount, pageFolio } from "../../memory/folio.ts";
import { folioMaybeDmaPinned, folioPut } from "../../memory/folio-ref.ts";
import { clearFlag, type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { migrationBits } from "../migration-bits.ts";
import type { Vma } from "../mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "../mmu-notifier.ts";
import { HUGE_PAGES, hugeStart, NO_ENTRY } from "../page-tables.ts";
import { PTE } from "../pte.ts";
import { dropRmapHuge, removeRmapHuge } from "../rmap.ts";
import { flushTlbRange } from "../tlb.ts";
import type { Vm } from "../vm.ts";

/** Splits the huge entry that covers `vpn`, if one does. */
export function splitHugePmd(vm: Vm, vma: Vma, vpn: number): void {
  const { mem, tables } = vm;
  const entry = vma.mm.directory.findHuge(vpn);
  if (entry === NO_ENTRY) return;
  mem.events.count(VM_EVENT.thp_split_pmd, 1);
  const start = hugeStart(vpn);
  invalidateRangeStart(vma.mm, start, start + HUGE_PAGES);
  flushTlbRange(vm, vma.mm, start, start + HUGE_PAGES);
  const bits = tables.bits(entry);
  const first = tables.pfn(entry);
  if ((bits & PTE.special) !== 0) splitZeroPmd(vm, vma, vpn);
  else if (vma.mapping !== null) dropFilePmd(vm, vma, vpn, bits);
  else if ((bits & PTE.present) === 0) fillLeaf(vm, vma, vpn, first, bits & ~PTE.huge);
  else splitPresentPmd(vm, vma, vpn, pageFolio(mem, mem.pfn(first)), bits);
  invalidateRangeEnd(vma.mm, start, start + HUGE_PAGES);
}

/** Splits the entry at one end of a VMA, where it would reach beyond it. */
export function splitHugePmdAtBoundary(vm: Vm, vma: Vma, vpn: number): void {
  if (vpn !== hugeStart(vpn)) splitHugePmd(vm, vma, vpn);
}

/**
 * Splits the huge entry of an anonymous folio that is about to be split itself: into migration
 * entries at once, which trace nothing. A folio that may be pinned gets present entries, and what
 * follows fails. Linux: `split_huge_pmd_address()` with `freeze`.
 */
export function freezeHugePmd(vm: Vm, vma: Vma, vpn: number, folio: Folio): void {
  const { mem, tables } = vm;
  const isExclusive = testFlag(mem, folio, PG.anonExclusive);
  if (isExclusive && folioMaybeDmaPinned(mem, folio)) {
    splitHugePmd(vm, vma, vpn);
    return;
  }
  const bits = tables.bits(vma.mm.directory.findHuge(vpn));
  const start = hugeStart(vpn);
  invalidateRangeStart(vma.mm, start, start + HUGE_PAGES);
  flushTlbRange(vm, vma.mm, start, start + HUGE_PAGES);
  mem.events.count(VM_EVENT.thp_split_pmd, 1);
  if (isExclusive) clearFlag(mem, folio, PG.anonExclusive);
  if ((bits & PTE.dirty) !== 0) setFlag(mem, folio, PG.dirty);
  fillLeaf(vm, vma, vpn, folio, migrationBits(bits, isExclusive) & ~PTE.huge);
  dropRmapHuge(mem, folio, vma);
  // Its pages lose their mappings one by one: the first of them queues the folio.
  if (folioEntireMapcount(mem, folio) === 0) deferredSplitFolio(mem, folio);
  folioPut(mem, folio);
  invalidateRangeEnd(vma.mm, start, start + HUGE_PAGES);
}

function splitPresentPmd(vm: Vm, vma: Vma, vpn: number, folio: Folio, bits: number): void {
  const { mem } = vm;
  const isExclusive = testFlag(mem, folio, PG.anonExclusive);
  if ((bits & PTE.dirty) !== 0) setFlag(mem, folio, PG.dirty);
  fillLeaf(vm, vma, vpn, folio, bits & ~(PTE.huge | PTE.dirty));
  mem.refcount[folio] += HUGE_PAGES - 1;
  for (let page: number = folio; page < folio + HUGE_PAGES; page++) {
    mem.mapcount[page]++;
    if (isExclusive) mem.flags[page] |= PG.anonExclusive;
  }
  dropRmapHuge(mem, folio, vma);
}

function splitZeroPmd(vm: Vm, vma: Vma, vpn: number): void {
  const { tables, zeroPage } = vm;
  assert(zeroPage !== null, "a huge zero page is mapped, and there is no small one");
  const first = vma.mm.directory.splitHuge(vpn);
  for (let at = 0; at < HUGE_PAGES; at++) {
    tables.set(first + at, zeroPage, PTE.present | PTE.young | PTE.special);
  }
}

function dropFilePmd(vm: Vm, vma: Vma, vpn: number, bits: number): void {
  const { mem, tables } = vm;
  const { mm } = vma;
  const folio = pageFolio(mem, mem.pfn(tables.pfn(mm.directory.findHuge(vpn))));
  mm.directory.clearHuge(vpn);
  mm.rssPages -= HUGE_PAGES;
  if ((bits & PTE.present) === 0) return;
  if ((bits & PTE.dirty) !== 0) setFlag(mem, folio, PG.dirty);
  if ((bits & PTE.young) !== 0) setFlag(mem, folio, PG.referenced);
  removeRmapHuge(mem, folio, vma);
  folioPut(mem, folio);
}

function fillLeaf(vm: Vm, vma: Vma, vpn: number, firstPfn: number, bits: number): void {
  const leaf = vma.mm.directory.splitHuge(vpn);
  for (let at = 0; at < HUGE_PAGES; at++) vm.tables.set(leaf + at, firstPfn + at, bits);
}
