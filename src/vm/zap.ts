/**
 * Taking memory away from a process: single pages, a VMA, all of it.
 *
 * An entry that is emptied drops its mapping and its reference; the last one frees the page. A
 * migration entry is emptied too: the mover then finds nothing to put back. An entry of swap gives
 * up its claim on the slot. A dirty entry of a file makes its folio dirty first, under the
 * process's `pageTableLock`, which may spin for the file's `privateLock`.
 * Linux: mm/memory.c (`zap_pte_range()`), mm/mmap.c (`exit_mmap()`).
 */
import { assert } from "../base/assert.ts";
import { pageFolio } from "../memory/folio.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import { type Folio, setFlag } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { folioMarkDirty } from "../pagecache/mark-dirty.ts";
import { truncateFile } from "../pagecache/truncate.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import { splitHugePmd } from "./huge/split-pmd.ts";
import { mmPutHugeZeroPage } from "./huge/zero-page.ts";
import { closeHugetlbVma } from "./hugetlb/map.ts";
import { zapHugetlbRange } from "./hugetlb/range.ts";
import { ksmExit } from "./ksm/stable-tree.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { HUGE_PAGES, hugeStart, NO_ENTRY } from "./page-tables.ts";
import { PTE, PTE_NONE } from "./pte.ts";
import { removeRmap, removeRmapHuge } from "./rmap.ts";
import { freeSwapAndCache, freeSwapCache } from "./swap/swap-cache.ts";
import type { SwapEntry } from "./swap/swap-entry.ts";
import { flushTlbMm, flushTlbPage, flushTlbRange } from "./tlb.ts";
import type { Vm } from "./vm.ts";

/** Empties the entries of `vma` from one virtual page up to another. Linux: `MADV_DONTNEED`. */
export function* zapRange(vm: Vm, vma: Vma, startVpn: number, endVpn: number): Steps<void> {
  const { directory } = vma.mm;
  invalidateRangeStart(vma.mm, startVpn, endVpn);
  if ((vma.flags & VM.hugetlb) !== 0) {
    zapHugetlbRange(vm, vma, startVpn, endVpn);
    flushTlbRange(vm, vma.mm, startVpn, endVpn);
    invalidateRangeEnd(vma.mm, startVpn, endVpn);
    return;
  }
  for (let vpn = startVpn; vpn < endVpn; vpn++) {
    if (vpn === startVpn || vpn % HUGE_PAGES === 0) yield "zap-page-table";
    if (directory.findHuge(vpn) !== NO_ENTRY) {
      if (vpn === hugeStart(vpn) && vpn + HUGE_PAGES <= endVpn) {
        zapHuge(vm, vma, vpn);
        vpn += HUGE_PAGES - 1;
        continue;
      }
      splitHugePmd(vm, vma, vpn);
    }
    yield* zapEntry(vm, vma, vpn);
  }
  invalidateRangeEnd(vma.mm, startVpn, endVpn);
}

/** Unmaps a whole VMA; a file without a name goes with its last. Linux: `munmap()`. */
export function* unmapVma(vm: Vm, vma: Vma): Blocking<void> {
  yield* zapRange(vm, vma, vma.startVpn, vma.endVpn);
  if ((vma.flags & VM.hugetlb) !== 0) closeHugetlbVma(vm, vma);
  vm.dropVma(vma);
  const { mapping } = vma;
  if (mapping === null || !mapping.isUnlinked || vm.fileVmas[mapping.id].size > 0) return;
  // Waits for whoever has a folio's lock. Linux: `shmem_evict_inode()`.
  yield* truncateFile(vm.mem, mapping, 0);
}

/** Unmaps a stretch of virtual pages, of as many VMAs as it touches. Linux: `do_munmap()`. */
export function* unmapRange(vm: Vm, mm: Mm, startVpn: number, endVpn: number): Blocking<void> {
  for (const vma of vm.isolateVmas(mm, startVpn, endVpn)) yield* unmapVma(vm, vma);
}

/** Ends a process: every VMA, then the tables. Linux: `exit_mmap()`. */
export function* exitMm(vm: Vm, mm: Mm): Blocking<void> {
  mm.isExiting = true;
  ksmExit(vm, mm);
  while (mm.vmas.length > 0) yield* unmapVma(vm, mm.vmas[mm.vmas.length - 1]);
  mm.directory.release();
  flushTlbMm(vm, mm);
  mmPutHugeZeroPage(vm, mm);
  vm.mms[mm.id] = undefined;
}

/**
 * Empties one entry, once the file knows what the process wrote. Linux: `zap_pte_range()`.
 *
 * All of it is one section under the page table lock in Linux. Here it is taken where the section
 * has points in it: who waits for the entry to be gone must not find it gone and the folio still
 * mapped, nor marked as dirty and not yet counted.
 */
function* zapEntry(vm: Vm, vma: Vma, vpn: number): Steps<void> {
  const { mem, tables } = vm;
  const { directory, pageTableLock } = vma.mm;
  for (;;) {
    if (pageTableLock.held) yield* pageTableLock.wait();
    const entry = directory.find(vpn);
    if (entry === NO_ENTRY) return;
    const bits = tables.bits(entry);
    if (!isWrittenFilePage(vm, entry, bits)) {
      emptyEntry(vm, vma, vpn, entry, bits);
      return;
    }
    const folio = pageFolio(mem, mem.pfn(tables.pfn(entry)));
    yield* pageTableLock.lock();
    folioGet(mem, folio);
    tables.set(entry, tables.pfn(entry), bits & ~PTE.dirty);
    flushTlbRange(vm, vma.mm, vpn, vpn + 1);
    yield* folioMarkDirty(mem, vm.cache.folioMapping(folio), folio);
    folioPut(mem, folio);
    pageTableLock.unlock();
  }
}

function isWrittenFilePage({ mem, tables }: Vm, entry: number, bits: number): boolean {
  const wanted = PTE.present | PTE.dirty;
  if ((bits & (wanted | PTE.special)) !== wanted) return false;
  return !folioTestAnon(mem, pageFolio(mem, mem.pfn(tables.pfn(entry))));
}

function emptyEntry(vm: Vm, vma: Vma, vpn: number, entry: number, bits: number): void {
  const { mem, swap, tables } = vm;
  if (bits === PTE_NONE) return;
  if ((bits & PTE.swap) !== 0) {
    zapSwapEntry(vm, vma, entry);
    return;
  }
  const page = mem.pfn(tables.pfn(entry));
  tables.set(entry, 0, PTE_NONE);
  flushTlbPage(vm, vma.mm, vpn);
  if ((bits & PTE.special) !== 0) return;
  vma.mm.rssPages--;
  if ((bits & PTE.present) === 0) return;
  const folio = pageFolio(mem, page);
  removeRmap(mem, page, vma);
  if (swap !== null) freeSwapCache(swap, folio);
  folioPut(mem, folio);
}

/** Empties the huge entry that begins at `vpn`. Linux: `zap_huge_pmd()`. */
function zapHuge(vm: Vm, vma: Vma, vpn: number): void {
  const { mem, tables } = vm;
  const { mm } = vma;
  const entry = mm.directory.findHuge(vpn);
  const bits = tables.bits(entry);
  const folio = tables.pfn(entry) as Folio;
  mm.directory.clearHuge(vpn);
  flushTlbRange(vm, mm, vpn, vpn + HUGE_PAGES);
  if (bits === PTE_NONE || (bits & PTE.special) !== 0) return;
  mm.rssPages -= HUGE_PAGES;
  if ((bits & PTE.present) === 0) return;
  // Of files only shmem has huge entries that are written to, and marks no more than the folio.
  if ((bits & PTE.dirty) !== 0 && !folioTestAnon(mem, folio)) setFlag(mem, folio, PG.dirty);
  removeRmapHuge(mem, folio, vma);
  folioPut(mem, folio);
}

/** Empties an entry that names a slot in swap. */
export function zapSwapEntry({ swap, tables }: Vm, vma: Vma, entry: number): void {
  assert(swap !== null, "a swap entry on a machine without swap:", entry);
  const slot = tables.pfn(entry) as SwapEntry;
  tables.set(entry, 0, PTE_NONE);
  vma.mm.swapEntries--;
  freeSwapAndCache(swap, slot);
}
