import assert from "node:assert/strict";
import { test } from "node:test";
import { folioMapped } from "../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioTryPin, folioUnpin } from "../memory/folio-ref.ts";
import { lruAddDrain } from "../memory/lru.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { runToEnd } from "../sched/run.ts";
import { folioReferenced } from "./folio-referenced.ts";
import { VM } from "./mm.ts";
import { PTE } from "./pte.ts";
import {
  anonymousPage,
  cachedFolio,
  mapFilePage,
  sharePage,
  smallVm,
  type UserPage,
} from "./small-vm.ts";
import { smallSwap } from "./swap/small-swap.ts";
import { addToSwap, folioSwapEntry } from "./swap/swap-cache.ts";
import { tryToUnmap, type UnmapLocked } from "./try-to-unmap.ts";
import type { Vm } from "./vm.ts";

/** Unmaps as reclaim does: locked and held. */
function unmap(vm: Vm, folio: Folio, locked?: UnmapLocked): void {
  const { mem } = vm;
  folioGet(mem, folio);
  assert.ok(folioTrylock(mem, folio));
  runToEnd(tryToUnmap(vm, folio, locked));
  folioUnlock(mem, folio);
}

function inSwapCache(vm: Vm, page: UserPage): number {
  const { mem, swap } = vm;
  assert.ok(swap !== null && folioTrylock(mem, page.folio));
  assert.ok(addToSwap(swap, page.folio));
  folioUnlock(mem, page.folio);
  return folioSwapEntry(mem, page.folio);
}

function bitsAt(vm: Vm, { entry }: UserPage): number {
  return vm.tables.bits(entry);
}

test("a page of the swap cache leaves the entry of its slot, exclusive and soft-dirty as it was", () => {
  const vm = smallVm();
  smallSwap(vm);
  const page = anonymousPage(vm, 5);
  const slot = inSwapCache(vm, page);
  vm.tables.set(page.entry, page.folio, bitsAt(vm, page) | PTE.uffdWp);
  unmap(vm, page.folio);
  const kept = PTE.softDirty | PTE.uffdWp;
  assert.equal(bitsAt(vm, page), PTE.swap | PTE.swapExclusive | kept);
  assert.equal(vm.tables.pfn(page.entry), slot);
  assert.deepEqual([page.mm.rssPages, page.mm.swapEntries], [0, 1]);
  assert.equal(vm.swap?.count(folioSwapEntry(vm.mem, page.folio)), 1);
  assert.equal(testFlag(vm.mem, page.folio, PG.anonExclusive), false);
  assert.deepEqual([vm.mem.mapcount[page.folio], vm.mem.refcount[page.folio]], [0, 2]);
});

test("each process that shares the page names its slot, and none has it alone", () => {
  const vm = smallVm();
  smallSwap(vm);
  const page = anonymousPage(vm, 5);
  const other = sharePage(vm, page);
  const slot = inSwapCache(vm, page);
  unmap(vm, page.folio);
  assert.equal(vm.swap?.count(folioSwapEntry(vm.mem, page.folio)), 2);
  for (const one of [page, other]) {
    assert.equal(vm.tables.pfn(one.entry), slot);
    assert.equal(bitsAt(vm, one) & (PTE.swap | PTE.swapExclusive), PTE.swap);
  }
});

test("an anonymous page without a slot and a pinned one stay mapped, the pinned one exclusive", () => {
  const vm = smallVm();
  smallSwap(vm);
  const slotless = anonymousPage(vm, 5);
  const before = bitsAt(vm, slotless);
  unmap(vm, slotless.folio);
  assert.equal(bitsAt(vm, slotless), before);
  const pinned = anonymousPage(vm, 6);
  const slot = inSwapCache(vm, pinned);
  assert.ok(folioTryPin(vm.mem, pinned.folio));
  unmap(vm, pinned.folio);
  assert.equal(folioMapped(vm.mem, pinned.folio), true);
  assert.equal(testFlag(vm.mem, pinned.folio, PG.anonExclusive), true);
  assert.equal(vm.swap?.count(folioSwapEntry(vm.mem, pinned.folio)), 0, "no entry was left");
  folioUnpin(vm.mem, pinned.folio);
  unmap(vm, pinned.folio);
  assert.equal(vm.tables.pfn(pinned.entry), slot);
});

test("what was written is told to the folio", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", {});
  const folio = cachedFolio(vm, mapping, 0, 1);
  const clean = mapFilePage(vm, mapping, folio);
  unmap(vm, folio);
  assert.equal(bitsAt(vm, clean), 0);
  assert.equal(clean.mm.rssPages, 0);
  assert.equal(testFlag(vm.mem, folio, PG.dirty), false);
  const dirty = mapFilePage(vm, mapping, folio);
  vm.tables.set(dirty.entry, folio, bitsAt(vm, dirty) | PTE.dirty);
  unmap(vm, folio);
  assert.equal(bitsAt(vm, dirty), 0);
  assert.equal(testFlag(vm.mem, folio, PG.dirty), true);
});

test("a file's large folio leaves every entry of every process", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", {});
  const folio = cachedFolio(vm, mapping, 4, 1, 2);
  const pages = [mapFilePage(vm, mapping, folio), mapFilePage(vm, mapping, folio)];
  unmap(vm, folio);
  assert.equal(folioMapped(vm.mem, folio), false);
  for (const { mm } of pages) assert.equal(mm.rssPages, 0);
});

test("mlock keeps a page, except from who may ignore it", () => {
  const vm = smallVm();
  smallSwap(vm);
  const page = anonymousPage(vm, 5, VM.read | VM.write | VM.locked);
  inSwapCache(vm, page);
  unmap(vm, page.folio);
  assert.equal(folioMapped(vm.mem, page.folio), true);
  lruAddDrain(vm.mem);
  unmap(vm, page.folio, "ignore-mlock");
  assert.equal(folioMapped(vm.mem, page.folio), false);
});

test("a page that was given up goes, unless it was written since or somebody looks at it", () => {
  const vm = smallVm();
  const { mem } = vm;
  const giveUp = ({ folio, entry }: UserPage): void => {
    mem.flags[folio] &= ~PG.swapbacked;
    vm.tables.set(entry, folio, vm.tables.bits(entry) & ~PTE.dirty);
  };
  const pages = [anonymousPage(vm, 1), anonymousPage(vm, 2), anonymousPage(vm, 3)];
  // They are linked as swap-backed pages: their place on the LRU is of no matter here.
  const [gone, written, held] = pages;
  for (const page of pages) giveUp(page);
  unmap(vm, gone.folio);
  assert.deepEqual([bitsAt(vm, gone), mem.refcount[gone.folio]], [0, 1]);
  vm.tables.set(written.entry, written.folio, bitsAt(vm, written) | PTE.dirty);
  unmap(vm, written.folio);
  assert.equal(bitsAt(vm, written) & PTE.present, PTE.present);
  assert.equal(testFlag(mem, written.folio, PG.swapbacked), true);
  folioGet(mem, held.folio);
  unmap(vm, held.folio);
  assert.equal(folioMapped(mem, held.folio), true);
  assert.equal(testFlag(mem, held.folio, PG.swapbacked), true);
});

test("a use is found once, in each VMA that used the folio", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 5);
  const other = sharePage(vm, page);
  vm.mem.flags[page.folio] |= PG.idle;
  const used = runToEnd(folioReferenced(vm, page.folio, "unlocked"));
  assert.deepEqual(used, { count: 2, vmFlags: VM.read | VM.write });
  assert.equal(testFlag(vm.mem, page.folio, PG.idle), false);
  assert.equal((bitsAt(vm, page) | bitsAt(vm, other)) & PTE.young, 0);
  assert.equal(runToEnd(folioReferenced(vm, page.folio, "unlocked")).count, 0);
  vm.mem.flags[page.folio] |= PG.young;
  assert.equal(runToEnd(folioReferenced(vm, page.folio, "unlocked")).count, 1, "idle tracking's");
  assert.equal(runToEnd(folioReferenced(vm, page.folio, "unlocked")).count, 0);
});

test("a sequential reader does not count, a locked VMA ends the walk and leaves young alone", () => {
  const vm = smallVm();
  const { vma, folio } = anonymousPage(vm, 5);
  vma.flags |= VM.seqRead;
  assert.deepEqual(runToEnd(folioReferenced(vm, folio, "locked")), { count: 0, vmFlags: 0 });
  const locked = anonymousPage(vm, 6, VM.read | VM.write | VM.locked);
  const found = runToEnd(folioReferenced(vm, locked.folio, "unlocked"));
  assert.deepEqual(found, { count: 0, vmFlags: VM.locked });
  assert.equal(bitsAt(vm, locked) & PTE.young, PTE.young);
});

test("a file's folio that another task holds counts as used; an unmapped one does not", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", {});
  const folio = cachedFolio(vm, mapping, 0, 1);
  assert.equal(runToEnd(folioReferenced(vm, folio, "unlocked")).count, 0);
  const page = mapFilePage(vm, mapping, folio);
  assert.ok(folioTrylock(vm.mem, folio));
  assert.deepEqual(runToEnd(folioReferenced(vm, folio, "unlocked")), { count: 1, vmFlags: 0 });
  assert.equal(bitsAt(vm, page) & PTE.young, PTE.young, "nobody looked");
  assert.equal(runToEnd(folioReferenced(vm, folio, "locked")).count, 1);
  assert.equal(bitsAt(vm, page) & PTE.young, 0);
  folioUnlock(vm.mem, folio);
});
