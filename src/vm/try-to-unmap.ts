/**
 * Taking a folio out of every page table, so that its page can be reclaimed.
 *
 * What takes its place depends on the page: the entry of its slot for an anonymous one in the swap
 * cache; nothing for a file's, and for an anonymous page that its process has given up and not
 * written since (`MADV_FREE`). Such a page that was written after all stays, swap-backed again.
 * A locked VMA keeps its page. What the processor noted in the entry is kept: dirty on the folio,
 * soft-dirty and uffd-wp in the new entry.
 *
 * Per entry, under the page table lock: clear and flush, harvest, count the slot, give up
 * exclusiveness (not that of a pinned page), new entry, mapcount down and reference put. Callers
 * hold the folio's lock and look at `folioMapped` themselves: success is nothing else. An entry
 * that maps a huge folio whole is split first. A page that KSM has merged is met where its items
 * say; where they do not know of a mapping it stays mapped.
 *
 * Linux: `try_to_unmap()` with TTU_SPLIT_HUGE_PMD, mm/rmap.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import { folioMapcount, folioMapped, folioNrPages } from "../memory/folio.ts";
import { folioMaybeDmaPinned, folioPut } from "../memory/folio-ref.ts";
import { folioTestAnon, folioTestKsm } from "../memory/mapping-word.ts";
import { clearFlag, type Folio, type Pfn, setFlag, testFlag } from "../memory/memmap.ts";
import { mlockDrain, mlockFolio } from "../memory/mlock.ts";
import { PG } from "../memory/page-flags.ts";
import { folioMarkDirty } from "../pagecache/mark-dirty.ts";
import type { Steps } from "../sched/blocking.ts";
import { splitHugePmd } from "./huge/split-pmd.ts";
import { ksmMappings } from "./ksm/ksm-mappings.ts";
import { VM, type Vma } from "./mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { HUGE_PAGES, NO_ENTRY } from "./page-tables.ts";
import { PTE, PTE_NONE } from "./pte.ts";
import { removeRmap, rmapHugeEntry, rmapVmas } from "./rmap.ts";
import { folioSwapEntry, folioTestSwapcache } from "./swap/swap-cache.ts";
import type { SwapEntry } from "./swap/swap-entry.ts";
import { flushTlbPage } from "./tlb.ts";
import type { Vm } from "./vm.ts";

/** Whether mlock keeps the page where it is. Linux: TTU_IGNORE_MLOCK. */
export type UnmapLocked = "keep-mlocked" | "ignore-mlock";

/** Unmaps a locked folio wherever it may be unmapped. */
export function* tryToUnmap(
  vm: Vm,
  folio: Folio,
  locked: UnmapLocked = "keep-mlocked",
): Steps<void> {
  const { mem } = vm;
  assert(testFlag(mem, folio, PG.locked), "a folio is unmapped that is not locked:", folio);
  if (folioTestKsm(mem, folio)) {
    for (const { vma, vpn } of ksmMappings(vm, folio)) {
      yield "try-to-unmap-merged";
      if (!(yield* unmapAt(vm, vma, folio, folio, vpn, locked))) return;
      if (!folioMapped(mem, folio)) return;
    }
    return;
  }
  const pages = folioNrPages(mem, folio);
  const offset = mem.index[folio];
  for (const vma of rmapVmas(vm, folio)) {
    if (pages === HUGE_PAGES) splitHugeMapping(vm, vma, folio);
    const startVpn = vma.startVpn + (offset - vma.pgoff);
    for (let at = 0; at < pages; at++) {
      yield "try-to-unmap-entry";
      const vpn = startVpn + at;
      if (vpn < vma.startVpn || vpn >= vma.endVpn) continue;
      if (!(yield* unmapAt(vm, vma, folio, (folio + at) as Pfn, vpn, locked))) return;
    }
    if (!folioMapped(mem, folio)) return;
  }
}

/** Unmaps the page where `vma` maps it at `vpn`, if it does; false if no other is to be tried. */
function* unmapAt(
  vm: Vm,
  vma: Vma,
  folio: Folio,
  page: Pfn,
  vpn: number,
  locked: UnmapLocked,
): Steps<boolean> {
  const entry = vma.mm.directory.find(vpn);
  if (entry === NO_ENTRY || !mapsPage(vm, entry, page)) return true;
  if (locked === "keep-mlocked" && (vma.flags & VM.locked) !== 0) {
    // mlock may have been too early to see this page: it is told again.
    mlockFolio(vm.mem, folio);
    return false;
  }
  invalidateRangeStart(vma.mm, vpn, vpn + 1);
  const isUnmapped = yield* unmapEntry(vm, vma, folio, page, vpn, entry);
  invalidateRangeEnd(vma.mm, vpn, vpn + 1);
  return isUnmapped;
}

/** A mapping that mlock keeps is split in vain: the kernel does so too. */
function splitHugeMapping(vm: Vm, vma: Vma, folio: Folio): void {
  const entry = rmapHugeEntry(vma, vm.mem.index[folio]);
  if (entry === NO_ENTRY || !mapsPage(vm, entry, folio)) return;
  splitHugePmd(vm, vma, vma.startVpn + (vm.mem.index[folio] - vma.pgoff));
}

function mapsPage(vm: Vm, entry: number, page: number): boolean {
  return (vm.tables.bits(entry) & PTE.present) !== 0 && vm.tables.pfn(entry) === page;
}

/** False, with the entry as it was, if it cannot be unmapped: then no other is tried. */
function* unmapEntry(
  vm: Vm,
  vma: Vma,
  folio: Folio,
  page: Pfn,
  vpn: number,
  entry: number,
): Steps<boolean> {
  const { mem, tables } = vm;
  const isDirty = (tables.bits(entry) & PTE.dirty) !== 0;
  const isAnon = folioTestAnon(mem, folio);
  if (isAnon && isDirty) setFlag(mem, folio, PG.dirty);
  if (!isAnon) {
    tables.set(entry, 0, PTE_NONE);
    flushTlbPage(vm, vma.mm, vpn);
    // What the process wrote must be known to the file before the folio can be freed.
    if (isDirty) yield* folioMarkDirty(mem, vm.cache.folioMapping(folio), folio);
  } else if (!testFlag(mem, folio, PG.swapbacked)) {
    if (!mayDiscard(vm, folio)) return false;
    tables.set(entry, 0, PTE_NONE);
  } else if (!setSwapEntry(vm, vma, folio, page, entry)) {
    return false;
  }
  if (isAnon) flushTlbPage(vm, vma.mm, vpn);
  vma.mm.rssPages--;
  removeRmap(mem, page, vma);
  if ((vma.flags & VM.locked) !== 0) mlockDrain(mem);
  folioPut(mem, folio);
  return true;
}

/**
 * Whether nobody wants the contents of a page that was given up: it is clean, and known to its page
 * tables and the one who isolated it alone. If not, the next to come finds it swap-backed.
 */
function mayDiscard(vm: Vm, folio: Folio): boolean {
  const { mem } = vm;
  const isAlone = mem.refcount[folio] === 1 + folioMapcount(mem, folio);
  if (isAlone && !testFlag(mem, folio, PG.dirty)) return true;
  setFlag(mem, folio, PG.swapbacked);
  return false;
}

function setSwapEntry(vm: Vm, vma: Vma, folio: Folio, page: Pfn, entry: number): boolean {
  const { mem, tables, swap } = vm;
  if (swap === null || !folioTestSwapcache(mem, folio)) return false;
  const isExclusive = testFlag(mem, page, PG.anonExclusive);
  if (isExclusive && folioMaybeDmaPinned(mem, folio)) return false;
  if (isExclusive) clearFlag(mem, page, PG.anonExclusive);
  const slot = (folioSwapEntry(mem, folio) + (page - folio)) as SwapEntry;
  swap.duplicate(slot);
  const kept = tables.bits(entry) & (PTE.softDirty | PTE.uffdWp);
  tables.set(entry, slot, PTE.swap | kept | (isExclusive ? PTE.swapExclusive : 0));
  vma.mm.swapEntries++;
  return true;
}
