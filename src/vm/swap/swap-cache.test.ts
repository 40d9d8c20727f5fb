import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import type { Folio } from "../../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { anonymousPage, smallVm } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import { pageOut, smallSwap } from "./small-swap.ts";
import type { Swap } from "./swap.ts";
import {
  addToSwap,
  deleteFromSwapCache,
  folioFreeSwap,
  folioSwapEntry,
  folioTestSwapcache,
  freeSwapAndCache,
  removeFromSwapCache,
} from "./swap-cache.ts";
import { type SwapEntry, swapAreaOf, swapEntry, swapSlotOf } from "./swap-entry.ts";

function swapOf(vm: Vm): Swap {
  assert.ok(vm.swap !== null);
  return vm.swap;
}

/** A locked folio of 2^order pages, in the cache. */
function cachedFolio(vm: Vm, order = 0): Folio {
  const { mem } = vm;
  const folio = folioAlloc(mem, { ...movableRequest(0), order });
  assert.ok(folio !== null && folioTrylock(mem, folio));
  mem.flags[folio] |= PG.uptodate | PG.swapbacked;
  assert.ok(addToSwap(swapOf(vm), folio));
  return folio;
}

test("an entry says its area and its slot, and is no entry for a header", () => {
  for (const [area, slot] of [
    [0, 1],
    [3, 77],
    [31, 0x3ff_ffff],
  ]) {
    const entry = swapEntry(area, slot);
    assert.ok(entry > 0);
    assert.deepEqual([swapAreaOf(entry), swapSlotOf(entry)], [area, slot]);
  }
  assert.throws(() => swapEntry(0, 0), /no slot of a swap area/);
});

test("a folio in the cache has a slot, a reference for it, a mapping, and is dirty", () => {
  const vm = smallVm();
  const area = smallSwap(vm);
  const { mem } = vm;
  const folio = cachedFolio(vm);
  const entry = folioSwapEntry(mem, folio);
  assert.equal(vm.cache.folioMapping(folio), swapOf(vm).mapping);
  assert.equal(swapOf(vm).mapping.folios.load(entry), folio);
  assert.deepEqual([mem.refcount[folio], mem.flags[folio] & PG.dirty], [2, PG.dirty]);
  assert.deepEqual([area.slotsInUse, area.count(swapSlotOf(entry))], [1, 0]);
  assert.deepEqual([mem.nodes[0].swapcachePages, mem.nodes[0].filePages], [1, 1]);
  deleteFromSwapCache(swapOf(vm), folio);
  assert.equal(vm.cache.folioMapping(folio), null);
  assert.deepEqual([mem.refcount[folio], area.slotsInUse, mem.private[folio]], [1, 0, 0]);
  assert.deepEqual([mem.nodes[0].swapcachePages, mem.nodes[0].filePages], [0, 0]);
});

test("a large folio has a slot for each page, in one aligned run, or none", () => {
  const vm = smallVm();
  const area = smallSwap(vm, undefined, { slots: 17 });
  const { mem } = vm;
  cachedFolio(vm);
  const large = cachedFolio(vm, 2);
  const entry = folioSwapEntry(mem, large);
  assert.equal(swapSlotOf(entry) % 4, 0);
  assert.deepEqual([mem.refcount[large], area.slotsInUse], [5, 5]);
  for (let at = 0; at < 4; at++) {
    assert.equal(swapOf(vm).mapping.folios.load(entry + at), large);
  }
  cachedFolio(vm, 3);
  // Slots 1 and 4-7 and 8-15 are taken: three are left, and no run of four.
  const none = folioAlloc(mem, { ...movableRequest(0), order: 2 });
  assert.ok(none !== null && folioTrylock(mem, none));
  mem.flags[none] |= PG.uptodate | PG.swapbacked;
  assert.equal(addToSwap(swapOf(vm), none), false);
  assert.equal(folioTestSwapcache(mem, none), false);
  assert.equal(mem.refcount[none], 1);
});

test("slots are given in turn, and a freed one again only after the others", () => {
  const vm = smallVm();
  const area = smallSwap(vm, undefined, { slots: 4 });
  const [first, second, third] = [1, 2, 3].map(() => area.allocate(1));
  assert.deepEqual([first, second, third, area.allocate(1)], [1, 2, 3, 0]);
  area.dropCache(2);
  assert.equal(area.allocate(1), 2);
  assert.equal(area.allocate(1), 0);
  area.dropCache(1);
  area.dropCache(3);
  assert.deepEqual([area.allocate(1), area.allocate(1)], [3, 1]);
});

test("the slot goes with the last entry unless a folio stands for it", () => {
  const vm = smallVm();
  const area = smallSwap(vm);
  const slot = area.allocate(1);
  area.duplicate(slot);
  area.duplicate(slot);
  assert.equal(area.prepareCache(slot), "EEXIST");
  area.dropCache(slot);
  area.free(slot);
  assert.equal(area.prepareCache(slot), "claimed");
  area.free(slot);
  assert.deepEqual([area.isFree(slot), area.count(slot)], [false, 0]);
  area.dropCache(slot);
  assert.equal(area.isFree(slot), true);
  assert.equal(area.prepareCache(slot), "ENOENT");
  assert.throws(() => area.free(slot), /that no entry names/);
  assert.throws(() => area.duplicate(slot), /an entry for a free slot/);
  assert.throws(() => area.dropCache(slot), /no folio of the swap cache/);
});

test("the higher area fills first, equal ones take turns, a closed one takes nothing", () => {
  const vm = smallVm();
  smallSwap(vm, undefined, { name: "low", priority: -2, slots: 3 });
  smallSwap(vm, undefined, { name: "one", priority: 5, slots: 3 });
  const two = smallSwap(vm, undefined, { name: "two", priority: 5, slots: 3 });
  const swap = swapOf(vm);
  assert.equal(swap.freeSlots, 6);
  const taken = (): string | undefined => {
    const entry = swap.allocate(1);
    return entry === null ? undefined : swap.area(entry).name;
  };
  assert.deepEqual([taken(), taken(), taken()], ["one", "two", "one"]);
  swap.makeUnavailable(two);
  assert.deepEqual([taken(), taken(), taken()], ["low", "low", undefined]);
  swap.makeAvailable(two);
  assert.deepEqual([taken(), taken()], ["two", undefined]);
});

test("a folio leaves the cache when no entry needs its slot and nobody writes it, dirty", () => {
  const vm = smallVm();
  smallSwap(vm);
  const { mem } = vm;
  const swap = swapOf(vm);
  const folio = cachedFolio(vm);
  const entry = folioSwapEntry(mem, folio);
  swap.duplicate(entry);
  assert.equal(folioFreeSwap(swap, folio), false);
  mem.flags[folio] &= ~PG.dirty;
  swap.free(entry);
  mem.flags[folio] |= PG.writeback;
  assert.equal(folioFreeSwap(swap, folio), false);
  mem.flags[folio] &= ~PG.writeback;
  assert.equal(folioFreeSwap(swap, folio), true);
  assert.deepEqual([mem.refcount[folio], mem.flags[folio] & PG.dirty], [1, PG.dirty]);
  assert.equal(folioFreeSwap(swap, folio), false, "it is out already");
});

test("the last entry takes the folio out of the cache with it, if nobody holds the lock", () => {
  const vm = smallVm();
  const area = smallSwap(vm);
  const { mem } = vm;
  const swap = swapOf(vm);
  const folio = cachedFolio(vm);
  const entry = folioSwapEntry(mem, folio);
  for (let at = 0; at < 3; at++) swap.duplicate(entry);
  folioUnlock(mem, folio);
  freeSwapAndCache(swap, entry);
  assert.deepEqual([folioTestSwapcache(mem, folio), mem.refcount[folio]], [true, 2]);
  freeSwapAndCache(swap, entry);
  assert.ok(folioTrylock(mem, folio));
  freeSwapAndCache(swap, entry);
  assert.deepEqual([folioTestSwapcache(mem, folio), mem.refcount[folio]], [true, 2]);
  swap.duplicate(entry);
  folioUnlock(mem, folio);
  freeSwapAndCache(swap, entry);
  assert.deepEqual([folioTestSwapcache(mem, folio), mem.refcount[folio]], [false, 1]);
  assert.equal(area.slotsInUse, 0);
});

test("what a folio leaves behind is kept as long as its slot", () => {
  const vm = smallVm();
  smallSwap(vm);
  const { mem } = vm;
  const swap = swapOf(vm);
  const folio = cachedFolio(vm);
  const entry = folioSwapEntry(mem, folio);
  swap.duplicate(entry);
  removeFromSwapCache(swap, folio, 7);
  assert.equal(swap.shadows.get(entry), 7);
  swap.free(entry);
  assert.equal(swap.shadows.size, 0);
});

test("a page goes out with its bytes and its page is free; its slot holds them until it is free", () => {
  const vm = smallVm();
  const area = smallSwap(vm);
  const { mem } = vm;
  const page = anonymousPage(vm, 41);
  const free = mem.zones[0].freePages;
  assert.equal(runToEnd(pageOut(vm, page.folio)), "freed");
  assert.equal(mem.zones[0].freePages, free + 1);
  const entry = vm.tables.pfn(page.entry) as SwapEntry;
  assert.equal(area.device.frames?.readWord(swapSlotOf(entry) as never, 0), 41);
  assert.deepEqual([area.count(swapSlotOf(entry)), area.hasCache(swapSlotOf(entry))], [1, false]);
  vm.tables.set(page.entry, 0, 0);
  freeSwapAndCache(swapOf(vm), entry);
  assert.notEqual(area.device.frames?.readWord(swapSlotOf(entry) as never, 0), 41);
});
