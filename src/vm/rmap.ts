/**
 * The reverse map: from a folio to every page table entry that maps it.
 *
 * An anonymous folio names its anon_vma, a cached one its file; both lead to VMAs, and the folio's
 * offset gives its address in each. Adding and removing a mapping keeps `mapcount`, and the
 * unevictable state of locked VMAs; the reference of the entry is the caller's to get and put.
 * mlock keeps a large folio by way of its huge entries only, as in 6.1.
 *
 * Locks: the folio's lock keeps a file's VMAs, a mapping or a reference the anon_vma: who walks
 * from a folio that may be mapped no longer holds one. Then the page table lock.
 * Linux: mm/rmap.c.
 */
import { assert } from "../base/assert.ts";
import { deferredSplitFolio } from "../memory/deferred-split.ts";
import {
  folioEntireMapcount,
  folioMapped,
  folioNrPages,
  folioTestLarge,
  pageFolio,
} from "../memory/folio.ts";
import {
  folioTestAnon,
  MAPPING_ANON,
  MAPPING_FLAGS,
  MAPPING_KSM,
  mappingId,
  mappingWord,
} from "../memory/mapping-word.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { mlockFolio, munlockFolio } from "../memory/mlock.ts";
import { PG } from "../memory/page-flags.ts";
import { type AnonVma, VM, type Vma } from "./mm.ts";
import { HUGE_PAGES, hugeStart, NO_ENTRY, type PageTables } from "./page-tables.ts";
import { PTE, PTE_NONE } from "./pte.ts";
import type { Vm } from "./vm.ts";

/** Marks a page of a large folio. */
const OF_LARGE = PG.head | PG.tail;

const NO_VMAS: ReadonlySet<Vma> = new Set();

/**
 * The VMAs in which the folio may be mapped, in the order in which they joined.
 *
 * In Linux a walk holds the lock of the tree, and who joins or leaves waits for its end. Here those
 * are atomic and need not wait: a walk that is under way meets who joins, whose entries may be
 * copies of those that it has seen to, and passes over who has left.
 */
export function rmapVmas(vm: Vm, folio: Folio): ReadonlySet<Vma> {
  const word = vm.mem.mapping[folio];
  if (word === 0) return NO_VMAS;
  const id = mappingId(word);
  const kind = word & MAPPING_FLAGS;
  // No offset leads to the mappings of a merged page: `ksmMappings` does.
  if (kind === MAPPING_KSM) return NO_VMAS;
  if (kind !== MAPPING_ANON) return vm.fileVmas[id] ?? NO_VMAS;
  const anonVma = vm.anonVmas[id];
  assert(anonVma !== undefined, "a walk of the reverse map from an anon_vma that is gone:", id);
  return anonVma.vmas;
}

/** The entry at which `vma` would map the page at `offset`, or NO_ENTRY. Linux: `vma_address()`. */
export function rmapEntry(vma: Vma, offset: number): number {
  const vpn = vma.startVpn + (offset - vma.pgoff);
  if (vpn < vma.startVpn || vpn >= vma.endVpn) return NO_ENTRY;
  return vma.mm.directory.find(vpn);
}

/**
 * The first offset from `offset` on at which `vma` has an entry that says anything; `end` if none.
 *
 * For walks of large folios: empty entries and missing tables are passed over without a step, and
 * a huge entry is met at its first page alone.
 * Linux: `page_vma_mapped_walk()`.
 */
export function nextMappedOffset(
  tables: PageTables,
  vma: Vma,
  offset: number,
  end: number,
): number {
  const shift = vma.startVpn - vma.pgoff;
  const endVpn = Math.min(end + shift, vma.endVpn);
  let vpn = Math.max(offset + shift, vma.startVpn);
  while (vpn < endVpn) {
    const entry = vma.mm.directory.lookUp(vpn);
    const bits = entry === NO_ENTRY ? PTE_NONE : tables.bits(entry);
    const isInsideHuge = (bits & PTE.huge) !== 0 && vpn !== hugeStart(vpn);
    if (entry === NO_ENTRY || isInsideHuge) vpn = hugeStart(vpn) + HUGE_PAGES;
    else if (bits === PTE_NONE) vpn++;
    else return vpn - shift;
  }
  return end;
}

/** The huge entry at which `vma` would map the 512 pages from `offset` on, or NO_ENTRY. */
export function rmapHugeEntry(vma: Vma, offset: number): number {
  const vpn = vma.startVpn + (offset - vma.pgoff);
  if (vpn < vma.startVpn || vpn + HUGE_PAGES > vma.endVpn) return NO_ENTRY;
  return vpn === hugeStart(vpn) ? vma.mm.directory.findHuge(vpn) : NO_ENTRY;
}

/** Makes a new folio of this VMA anonymous. Linux: `__page_set_anon_rmap()`. */
export function setAnonOwner(mem: Memory, folio: Folio, vma: Vma, vpn: number): void {
  assert(vma.anonVma !== null, "an anonymous page in a VMA without anon_vma at", vpn);
  mem.mapping[folio] = mappingWord(vma.anonVma.id, MAPPING_ANON);
  mem.index[folio] = vma.pgoff + (vpn - vma.startVpn);
  mem.flags[folio] |= PG.swapbacked;
}

/** One more entry maps the page. Linux: `page_add_anon_rmap()`, `page_add_file_rmap()`. */
export function addRmap(mem: Memory, page: Pfn, vma: Vma): void {
  mem.mapcount[page]++;
  if ((vma.flags & VM.locked) !== 0 && (mem.flags[page] & OF_LARGE) === 0) {
    mlockFolio(mem, page as Folio);
  }
}

/** One page table entry fewer maps the page. Linux: `page_remove_rmap()`. */
export function removeRmap(mem: Memory, page: Pfn, vma: Vma): void {
  assert(mem.mapcount[page] > 0, "a mapping is removed that was never added:", page);
  mem.mapcount[page]--;
  if ((mem.flags[page] & OF_LARGE) !== 0) deferSplitIfUnmapped(mem, page);
  else if ((vma.flags & VM.locked) !== 0) munlockFolio(mem, page as Folio);
}

/** A page that nobody maps any more may be wanted by others: its folio waits to be split. */
function deferSplitIfUnmapped(mem: Memory, page: Pfn): void {
  const folio = pageFolio(mem, page);
  if (!folioTestAnon(mem, folio) || mem.mapcount[page] !== 0) return;
  if (folioEntireMapcount(mem, folio) === 0) deferredSplitFolio(mem, folio);
}

/** One more huge entry maps all of the folio. */
export function addRmapHuge(mem: Memory, folio: Folio, vma: Vma): void {
  countHugeMapping(mem, folio);
  if ((vma.flags & VM.locked) !== 0) mlockFolio(mem, folio);
}

/** The same where it is known elsewhere whether the folio is kept by mlock. */
export function countHugeMapping(mem: Memory, folio: Folio): void {
  assert(folioTestLarge(mem, folio), "a huge entry for a single page:", folio);
  mem.mapping[folio + 1]++;
}

/**
 * One huge entry fewer maps the folio. Where single entries go on mapping parts of it, the rest
 * waits to be split off. Linux: `page_remove_anon_compound_rmap()`, `page_remove_file_rmap()`.
 */
export function removeRmapHuge(mem: Memory, folio: Folio, vma: Vma): void {
  dropRmapHuge(mem, folio, vma);
  if (folioTestAnon(mem, folio) && folioEntireMapcount(mem, folio) === 0) {
    const unmapped = folioUnmappedPages(mem, folio);
    if (unmapped > 0 && unmapped < folioNrPages(mem, folio)) deferredSplitFolio(mem, folio);
  }
}

/** As `removeRmapHuge`, where the caller puts something in the place of the huge entry. */
export function dropRmapHuge(mem: Memory, folio: Folio, vma: Vma): void {
  assert(folioEntireMapcount(mem, folio) > 0, "a huge mapping that was never added:", folio);
  mem.mapping[folio + 1]--;
  if ((vma.flags & VM.locked) !== 0) munlockFolio(mem, folio);
}

/** Pages of a large folio that no single entry maps. */
function folioUnmappedPages(mem: Memory, folio: Folio): number {
  const end = folio + folioNrPages(mem, folio);
  let unmapped = 0;
  for (let page: number = folio; page < end; page++) if (mem.mapcount[page] === 0) unmapped++;
  return unmapped;
}

/**
 * The anon_vma of a mapped anonymous folio, kept alive until `putAnonVma`; null if nobody maps it.
 *
 * Linux: `folio_get_anon_vma()`.
 */
export function folioGetAnonVma(vm: Vm, folio: Folio): AnonVma | null {
  if (!folioMapped(vm.mem, folio)) return null;
  const anonVma = vm.anonVmas[mappingId(vm.mem.mapping[folio])];
  assert(anonVma !== undefined, "a mapped folio whose anon_vma is gone:", folio);
  getAnonVma(anonVma);
  return anonVma;
}

/** One more reference, by somebody who knows that the anon_vma is alive. */
export function getAnonVma(anonVma: AnonVma): void {
  anonVma.refcount++;
}

export function putAnonVma(vm: Vm, anonVma: AnonVma): void {
  assert(anonVma.refcount > 0, "put of an anon_vma that nobody holds:", anonVma.id);
  assert(vm.anonVmas[anonVma.id] === anonVma, "an anon_vma went under its holder:", anonVma.id);
  if (--anonVma.refcount === 0) vm.reapAnonVma(anonVma);
}
