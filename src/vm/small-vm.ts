/**
 * A few processes on a small memory, for tests and for scenarios that are run many times.
 *
 * Pages are made the way that processes make them: an anonymous page by a write, a file's by
 * entering the cache and then the page tables. Each is on the LRU when it is returned, with no
 * reference but its owners'.
 */
import { assert } from "../base/assert.ts";
import { folioNrPages, pageFolio } from "../memory/folio.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { folioAddLru, lruAddDrain } from "../memory/lru.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { type SmallMemoryShape, smallMemory } from "../memory/small-memory.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { filemapAddFolio } from "../pagecache/page-cache.ts";
import { runToEnd } from "../sched/run.ts";
import { writeUser } from "./fault.ts";
import { shrinkHugeZeroPage } from "./huge/zero-page.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { HUGE_PAGES } from "./page-tables.ts";
import { PTE } from "./pte.ts";
import { addRmap } from "./rmap.ts";
import { Vm } from "./vm.ts";
import { exitMm } from "./zap.ts";

/** 64 frames, or what `shape` says. */
export function smallVm(shape: SmallMemoryShape = { pageCount: 64 }): Vm {
  return new Vm(smallMemory(shape));
}

/** A page of a process: where it is mapped, and the page table entry there. */
export interface UserPage {
  readonly mm: Mm;
  readonly vma: Vma;
  readonly vpn: number;
  readonly entry: number;
  readonly folio: Folio;
}

/** A new process with one anonymous page, which holds `value`. */
export function anonymousPage(
  vm: Vm,
  value: number,
  vmFlags: number = VM.read | VM.write,
): UserPage {
  const mm = vm.createMm(`process ${vm.mms.length}`);
  const vma = vm.mapAnonymous(mm, mm.freeRange(1), vmFlags);
  return touchPage(vm, vma, vma.startVpn, value);
}

/** A new process with a transparent huge page, mapped whole; its first page holds `value`. */
export function hugePage(vm: Vm, value: number, vmFlags: number = VM.read | VM.write): UserPage {
  const mm = vm.createMm(`process ${vm.mms.length}`);
  const vma = vm.mapAnonymous(mm, mm.freeRange(HUGE_PAGES), vmFlags | VM.hugepage);
  const page = touchPage(vm, vma, vma.startVpn, value);
  assert(folioNrPages(vm.mem, page.folio) === HUGE_PAGES, "no huge page could be had");
  return page;
}

/** Has the process of an anonymous VMA write `value` to one of its pages for the first time. */
export function touchPage(vm: Vm, vma: Vma, vpn: number, value: number): UserPage {
  const { mm } = vma;
  const written = runToEnd(writeUser(vm, mm, vpn, 0, value));
  assert(written === "done", "a small process cannot write to its memory:", written);
  lruAddDrain(vm.mem);
  const entry = mm.directory.lookUp(vpn);
  return { mm, vma, vpn, entry, folio: vm.mem.pfn(vm.tables.pfn(entry)) as Folio };
}

/** Ends every process. Returns how many frames are in use afterwards, reserved ones left out. */
export function endProcesses(vm: Vm): number {
  const { mem } = vm;
  for (const mm of vm.mms) if (mm !== undefined) runToEnd(exitMm(vm, mm));
  shrinkHugeZeroPage(vm);
  lruAddDrain(mem);
  let used = 0;
  for (let pfn = 0; pfn < mem.pageCount; pfn++) {
    if ((mem.flags[pfn] & PG.reserved) === 0 && mem.refcount[pfn] > 0) used++;
  }
  return used;
}

/** A second process that maps an anonymous page, as a fork leaves it: no longer writable. */
export function sharePage(vm: Vm, page: UserPage): UserPage {
  const { vma: first, folio, vpn, entry } = page;
  const { anonVma, pgoff } = first;
  assert(anonVma !== null, "only anonymous pages are shared so");
  const mm = vm.createMm(`process ${vm.mms.length}`);
  const range = { ...mm.freeRange(first.endVpn - first.startVpn), pgoff };
  const vma = vm.mapAnonymousAlong(mm, range, anonVma, first.flags);
  vm.mem.flags[folio] &= ~PG.anonExclusive;
  vm.tables.set(entry, folio, vm.tables.bits(entry) & ~PTE.write);
  return mapPage(vm, vma, vma.startVpn + (vpn - first.startVpn), folio, PTE.present | PTE.young);
}

/** A folio of a file, uptodate, with `value` in its first page. */
export function cachedFolio(
  vm: Vm,
  mapping: AddressSpace,
  offset: number,
  value: number,
  order = 0,
): Folio {
  const { mem } = vm;
  const folio = folioAlloc(mem, { ...movableRequest(0), order });
  assert(folio !== null, "no memory for a folio of order", order);
  mem.frames.clear(folio);
  mem.frames.writeWord(folio, 0, value);
  mem.flags[folio] |= PG.uptodate;
  filemapAddFolio(mem, mapping, folio, offset);
  folioAddLru(mem, folio);
  lruAddDrain(mem);
  folioPut(mem, folio);
  return folio;
}

/** A new process that maps a file's folio, writable and clean, with an entry for each page. */
export function mapFilePage(
  vm: Vm,
  mapping: AddressSpace,
  folio: Folio,
  vmFlags?: number,
): UserPage {
  const mm = vm.createMm(`process ${vm.mms.length}`);
  const pages = folioNrPages(vm.mem, folio);
  const range = { ...mm.freeRange(pages), pgoff: vm.mem.index[folio] };
  const vma = vm.mapFile(mm, range, mapping, vmFlags);
  const bits = PTE.present | PTE.young | ((vma.flags & VM.write) !== 0 ? PTE.write : 0);
  for (let at = pages - 1; at > 0; at--) {
    mapPage(vm, vma, vma.startVpn + at, (folio + at) as Pfn, bits);
  }
  return mapPage(vm, vma, vma.startVpn, folio, bits);
}

/** Enters a page into the page tables, with its mapping, its reference and the count of pages. */
function mapPage(vm: Vm, vma: Vma, vpn: number, page: Pfn, bits: number): UserPage {
  const { mem } = vm;
  const { mm } = vma;
  const entry = mm.directory.make(vpn);
  const folio = pageFolio(mem, page);
  vm.tables.set(entry, page, bits);
  mm.rssPages++;
  folioGet(mem, folio);
  addRmap(mem, page, vma);
  lruAddDrain(mem);
  return { mm, vma, vpn, entry, folio };
}
