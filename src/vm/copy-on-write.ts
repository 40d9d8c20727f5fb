/**
 * Copy on write: private pages that processes share until one of them writes.
 *
 * PG_anonExclusive says that a page is one process's alone and may be made writable as it is. A
 * fork clears it; a write then copies the page, unless nobody else holds it any more.
 *
 * Each plain function stands for a section under the page table lock. A copy may sleep for its
 * page: the old folio is held meanwhile, and the entry looked at again afterwards.
 * Linux: `do_wp_page()`, `wp_page_copy()`, mm/memory.c, 6.1.
 */

import { pageFolio } from "../memory/folio.ts";
import { folioGet, folioMaybeDmaPinned, folioPut } from "../memory/folio-ref.ts";
import { GFP_HIGHUSER_MOVABLE } from "../memory/gfp.ts";
import { folioAddLru, lruAddDrain } from "../memory/lru.ts";
import { folioTestAnon, folioTestKsm } from "../memory/mapping-word.ts";
import { clearFlag, type Folio, type Pfn, setFlag, testFlag } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import type { Blocking } from "../sched/blocking.ts";
import { VM, type Vma } from "./mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { allocVmaFolio } from "./policy/policy-node.ts";
import { PTE } from "./pte.ts";
import { addRmap, removeRmap, setAnonOwner } from "./rmap.ts";
import { folioTestSwapcache, freeSwapAtLock, freeSwapCache } from "./swap/swap-cache.ts";
import { flushTlbPage } from "./tlb.ts";
import type { Vm } from "./vm.ts";

/** "again": the entry is no longer what it was, and the use starts over. */
type WriteFaultOutcome = "done" | "again" | "SIGBUS";

/** Makes an entry that maps a page writable, with a page of its own where that takes one. */
export function* writeFault(
  vm: Vm,
  vma: Vma,
  vpn: number,
  entry: number,
): Blocking<WriteFaultOutcome> {
  const { mem, tables } = vm;
  const page = mem.pfn(tables.pfn(entry));
  const folio = pageFolio(mem, page);
  if ((vma.flags & VM.shared) === 0 && !folioTestAnon(mem, folio)) {
    // A file's own page: PG_anonExclusive has another meaning there.
    vm.prepareAnonVma(vma);
    return yield* copyPage(vm, vma, vpn, entry);
  }
  const isShared = (vma.flags & VM.shared) !== 0;
  if (!isShared && !testFlag(mem, page, PG.anonExclusive)) {
    if (!tryReuse(vm, folio)) return yield* copyPage(vm, vma, vpn, entry);
    setFlag(mem, page, PG.anonExclusive);
  }
  tables.set(entry, page, tables.bits(entry) | PTE.write);
  return "done";
}

/**
 * Whether nobody holds the folio but the entry that faulted. A batch's reference is nobody's: it
 * must not cost a copy. Nor must the swap cache's, if the slot is of no more use.
 */
function tryReuse(vm: Vm, folio: Folio): boolean {
  const { mem, swap } = vm;
  // A merged page is looked for by its contents: nobody may write to it, alone or not.
  if (folioTestKsm(mem, folio)) return false;
  if (mem.refcount[folio] === 1) return true;
  lruAddDrain(mem);
  if (swap !== null && folioTestSwapcache(mem, folio) && mem.refcount[folio] === 2) {
    freeSwapAtLock(swap, folio);
  }
  return mem.refcount[folio] === 1;
}

/** Gives a new folio with its one reference to an entry of an anonymous VMA, and to the LRU. */
export function mapNewAnonymous(vm: Vm, vma: Vma, vpn: number, entry: number, folio: Folio): void {
  const { mem } = vm;
  setFlag(mem, folio, PG.uptodate);
  setAnonOwner(mem, folio, vma, vpn);
  setFlag(mem, folio, PG.anonExclusive);
  addRmap(mem, folio, vma);
  let bits = PTE.present | PTE.young | PTE.softDirty;
  if ((vma.flags & VM.write) !== 0) bits |= PTE.write | PTE.dirty;
  vm.tables.set(entry, folio, bits);
  // What was there before, a page that was shared or the zero page, is no longer to be used.
  flushTlbPage(vm, vma.mm, vpn);
  folioAddLru(mem, folio);
}

/**
 * Whether a fork may let the child share this page: not if a device may be using it, as the pin
 * is the parent's and must stay with the page that the parent writes to.
 *
 * Shares it, if so: nobody writes before a copy is made. Linux: `page_try_dup_anon_rmap()`.
 */
export function tryShareAnonymous(vm: Vm, page: Pfn): boolean {
  const { mem } = vm;
  if (!testFlag(mem, page, PG.anonExclusive)) return true;
  if (folioMaybeDmaPinned(mem, pageFolio(mem, page))) return false;
  clearFlag(mem, page, PG.anonExclusive);
  return true;
}

function* copyPage(vm: Vm, vma: Vma, vpn: number, entry: number): Blocking<WriteFaultOutcome> {
  const { mem, tables } = vm;
  const page = mem.pfn(tables.pfn(entry));
  const bits = tables.bits(entry);
  const old = pageFolio(mem, page);
  folioGet(mem, old);
  const copy = yield* allocVmaFolio(mem, vma, vpn, 0, GFP_HIGHUSER_MOVABLE);
  const isSame =
    vma.mm.directory.find(vpn) === entry &&
    tables.pfn(entry) === page &&
    tables.bits(entry) === bits;
  let outcome: WriteFaultOutcome = copy === null ? "SIGBUS" : "again";
  if (copy !== null && isSame) {
    invalidateRangeStart(vma.mm, vpn, vpn + 1);
    mem.frames.copy(copy, page);
    mapNewAnonymous(vm, vma, vpn, entry, copy);
    invalidateRangeEnd(vma.mm, vpn, vpn + 1);
    removeRmap(mem, page, vma);
    if (vm.swap !== null) freeSwapCache(vm.swap, old);
    folioPut(mem, old);
    outcome = "done";
  } else if (copy !== null) {
    folioPut(mem, copy);
  }
  folioPut(mem, old);
  return outcome;
}
