/**
 * The reverse map: from a folio to every page table entry that maps it.
 *
 * An anonymous folio names its anon_vma, a cached one its file; both lead to VMAs, and the folio's
 * offset gives its address in each. Adding and removing a mapping keeps `mapcount`, and the
 * unevictable state of locked VMAs; the reference of the entry is the caller's to get and put.
 *
 * Locks: the folio's lock or the anon_vma's reference keeps the VMAs; then the page table lock.
 * Linux: mm/rmap.c.
 */
import { assert } from "../base/assert.ts";
import { folioEntireMapcount, folioMapped, folioTestLarge, pageFolio } from "../memory/folio.ts";
import { folioTestAnon, MAPPING_ANON, mappingId, mappingWord } from "../memory/mapping-word.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { mlockFolio, munlockFolio } from "../memory/mlock.ts";
import { PG } from "../memory/page-flags.ts";
import { type AnonVma, VM, type Vma } from "./mm.ts";
import { NO_ENTRY } from "./page-tables.ts";
import type { Vm } from "./vm.ts";

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
  const owned = folioTestAnon(vm.mem, folio) ? vm.anonVmas[id]?.vmas : vm.fileVmas[id];
  return owned ?? NO_VMAS;
}

/** The entry at which `vma` would map the page at `offset`, or NO_ENTRY. Linux: `vma_address()`. */
export function rmapEntry(vma: Vma, offset: number): number {
  const vpn = vma.startVpn + (offset - vma.pgoff);
  if (vpn < vma.startVpn || vpn >= vma.endVpn) return NO_ENTRY;
  return vma.mm.directory.find(vpn);
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
  if ((vma.flags & VM.locked) !== 0) mlockFolio(mem, pageFolio(mem, page));
}

/** One page table entry fewer maps the page. Linux: `page_remove_rmap()`. */
export function removeRmap(mem: Memory, page: Pfn, vma: Vma): void {
  assert(mem.mapcount[page] > 0, "a mapping is removed that was never added:", page);
  mem.mapcount[page]--;
  if ((vma.flags & VM.locked) !== 0) munlockFolio(mem, pageFolio(mem, page));
}

/** One more huge entry maps all of the folio. */
export function addRmapHuge(mem: Memory, folio: Folio, vma: Vma): void {
  assert(folioTestLarge(mem, folio), "a huge entry for a single page:", folio);
  mem.mapping[folio + 1]++;
  if ((vma.flags & VM.locked) !== 0) mlockFolio(mem, folio);
}

/** One huge entry fewer maps the folio. */
export function removeRmapHuge(mem: Memory, folio: Folio, vma: Vma): void {
  assert(folioEntireMapcount(mem, folio) > 0, "a huge mapping that was never added:", folio);
  mem.mapping[folio + 1]--;
  if ((vma.flags & VM.locked) !== 0) munlockFolio(mem, folio);
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
  anonVma.refcount++;
  return anonVma;
}

export function putAnonVma(vm: Vm, anonVma: AnonVma): void {
  assert(anonVma.refcount > 0, "put of an anon_vma that nobody holds:", anonVma.id);
  if (--anonVma.refcount === 0) vm.reapAnonVma(anonVma);
}
