/** Folios of the swap cache move, mapped and not, and their slots find them where they are then. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioNrPages } from "../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { folioAddLru, lruAddDrain } from "../memory/lru.ts";
import { type Folio, type Pfn, testFlag } from "../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { listEmpty } from "../memory/page-list.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser, writeUser } from "../vm/fault.ts";
import { PTE } from "../vm/pte.ts";
import { anonymousPage, sharePage, smallVm, touchPage, type UserPage } from "../vm/small-vm.ts";
import { splitFolioToList } from "../vm/split-folio.ts";
import { newSwapFolio, pageOut, smallSwap } from "../vm/swap/small-swap.ts";
import type { Swap } from "../vm/swap/swap.ts";
import { addToSwap, folioSwapEntry, folioTestSwapcache } from "../vm/swap/swap-cache.ts";
import type { SwapEntry } from "../vm/swap/swap-entry.ts";
import { readSwapCache } from "../vm/swap/swap-read.ts";
import type { Vm } from "../vm/vm.ts";
import { migrateFolio } from "./callbacks.ts";
import { folioExpectedRefs } from "./folio-mapping.ts";
import { migratePages } from "./migrate-pages.ts";
import { putbackMovablePages } from "./putback.ts";
import { AllocTarget, isolateForMigration } from "./small-migration.ts";

/** Two nodes of 64 frames, and swap. */
function machine(): { vm: Vm; swap: Swap } {
  const vm = smallVm({
    pageCount: 128,
    zones: [
      { startPfn: 0, spanned: 64, node: 0 },
      { startPfn: 64, spanned: 64, node: 1 },
    ],
    distances: [
      [10, 20],
      [20, 10],
    ],
  });
  smallSwap(vm, migrateFolio);
  assert.ok(vm.swap !== null);
  return { vm, swap: vm.swap };
}

/** Moves a folio to node 1; the folio that took its place, or null if it stayed. */
function move(vm: Vm, folio: Folio): Folio | null {
  const { mem } = vm;
  lruAddDrain(mem);
  const list = mem.takeList();
  assert.ok(isolateForMigration(mem, folio, list));
  const target = new AllocTarget(mem, 1);
  const result = runToEnd(migratePages(vm, list, target, "sync", "syscall_or_cpuset"));
  runToEnd(putbackMovablePages(vm, list));
  mem.releaseList(list);
  return result.notMoved === 0 ? target.given[target.given.length - 1] : null;
}

function inSwapCache(swap: Swap, folio: Folio): SwapEntry {
  const { mem } = swap;
  assert.ok(folioTrylock(mem, folio));
  assert.ok(addToSwap(swap, folio));
  folioUnlock(mem, folio);
  return folioSwapEntry(mem, folio);
}

function bitsAt(vm: Vm, { entry }: UserPage): number {
  return vm.tables.bits(entry);
}

test("a mapped folio of the cache moves: slot, entry, flag, dirty and counters go along", () => {
  const { vm, swap } = machine();
  const { mem } = vm;
  const page = anonymousPage(vm, 41);
  const entry = inSwapCache(swap, page.folio);
  const dst = move(vm, page.folio);
  assert.ok(dst !== null);
  assert.equal(swap.mapping.folios.load(entry), dst);
  assert.equal(folioSwapEntry(mem, dst), entry);
  assert.equal(testFlag(mem, dst, PG.dirty), true);
  assert.deepEqual([mem.refcount[dst], mem.mapcount[dst]], [2, 1]);
  assert.deepEqual([mem.flags[page.folio] & PG.swapcache, mem.private[page.folio]], [0, 0]);
  const counted = mem.nodes.map((node) => [node.swapcachePages, node.filePages, node.shmemPages]);
  assert.deepEqual(counted, [
    [0, 0, 0],
    [1, 1, 0],
  ]);
  assert.equal(runToEnd(readUser(vm, page.mm, page.vpn, 0)), 41);
});

test("a folio that was read and is mapped by nobody moves, and is found by the next use", () => {
  const { vm, swap } = machine();
  const { mem } = vm;
  const page = anonymousPage(vm, 41);
  assert.equal(runToEnd(pageOut(vm, page.folio)), "freed");
  const src = runToEnd(
    readSwapCache(swap, vm.tables.pfn(page.entry) as SwapEntry, () => newSwapFolio(vm)),
  );
  assert.ok(typeof src === "number");
  folioPut(mem, src);
  assert.equal(mem.mapping[src], 0);
  const dst = move(vm, src);
  assert.ok(dst !== null);
  assert.equal(runToEnd(readUser(vm, page.mm, page.vpn, 0)), 41);
  assert.equal(vm.tables.pfn(page.entry), dst);
  assert.equal(mem.events.vmstat.snapshot().pswpin, 1);
});

test("a page whose slot another process names stays shared through a move and back", () => {
  const { vm, swap } = machine();
  const page = anonymousPage(vm, 41);
  const other = sharePage(vm, page);
  assert.equal(runToEnd(pageOut(vm, page.folio)), "freed");
  assert.equal(runToEnd(readUser(vm, page.mm, page.vpn, 0)), 41);
  const slot = vm.tables.pfn(other.entry) as SwapEntry;
  const dst = move(vm, vm.tables.pfn(page.entry) as Folio);
  assert.ok(dst !== null);
  assert.equal(bitsAt(vm, page) & PTE.write, 0);
  assert.equal(testFlag(vm.mem, dst, PG.anonExclusive), false);
  assert.deepEqual([vm.tables.pfn(other.entry), swap.count(slot)], [slot, 1], "entries stay");
  assert.equal(runToEnd(writeUser(vm, other.mm, other.vpn, 0, 42)), "done");
  assert.equal(runToEnd(readUser(vm, page.mm, page.vpn, 0)), 41);
});

test("a reference more than the cache's and the mover's keeps it where it is", () => {
  const { vm, swap } = machine();
  const { mem } = vm;
  const page = anonymousPage(vm, 41);
  const entry = inSwapCache(swap, page.folio);
  assert.equal(folioExpectedRefs(mem, swap.mapping, page.folio), 2);
  folioGet(mem, page.folio);
  assert.equal(move(vm, page.folio), null);
  assert.equal(swap.mapping.folios.load(entry), page.folio);
  assert.deepEqual([mem.refcount[page.folio], mem.mapcount[page.folio]], [4, 1]);
  assert.deepEqual([folioTestSwapcache(mem, page.folio), mem.private[page.folio]], [true, entry]);
});

test("a page out of the cache has nothing to move, and its slot is as it was", () => {
  const { vm, swap } = machine();
  const page = anonymousPage(vm, 41);
  assert.equal(runToEnd(pageOut(vm, page.folio)), "freed");
  const slot = vm.tables.pfn(page.entry) as SwapEntry;
  assert.deepEqual([swap.count(slot), swap.mapping.folios.load(slot)], [1, null]);
  assert.equal(isolateForMigration(vm.mem, page.folio, vm.mem.takeList()), false);
});

/** A folio of four pages that four neighbouring entries map, each with its number. */
function largeFolio(vm: Vm): { folio: Folio; pages: UserPage[] } {
  const { mem } = vm;
  const mm = vm.createMm("a process");
  const vma = vm.mapAnonymous(mm, mm.freeRange(4));
  const pages = [0, 1, 2, 3].map((at) => touchPage(vm, vma, vma.startVpn + at, at + 1));
  const folio = folioAlloc(mem, { ...movableRequest(0), order: 2 });
  assert.ok(folio !== null);
  mem.flags[folio] |= PG.uptodate | PG.swapbacked;
  mem.mapping[folio] = mem.mapping[pages[0].folio];
  mem.index[folio] = vma.pgoff;
  for (const [at, { entry, folio: small }] of pages.entries()) {
    const page = (folio + at) as Pfn;
    mem.frames.copy(page, small);
    mem.flags[page] |= PG.anonExclusive;
    mem.mapcount[page]++;
    vm.tables.set(entry, page, vm.tables.bits(entry));
    mem.mapcount[small]--;
    folioPut(mem, small);
  }
  mem.refcount[folio] += 4;
  folioAddLru(mem, folio);
  folioPut(mem, folio);
  return { folio, pages };
}

function wordsOf(vm: Vm, pages: readonly UserPage[]): unknown[] {
  return pages.map(({ mm, vpn }) => runToEnd(readUser(vm, mm, vpn, 0)));
}

test("a large folio moves with a slot for each of its pages", () => {
  const { vm, swap } = machine();
  const { folio, pages } = largeFolio(vm);
  const entry = inSwapCache(swap, folio);
  const dst = move(vm, folio);
  assert.ok(dst !== null && folioNrPages(vm.mem, dst) === 4);
  for (let at = 0; at < 4; at++) assert.equal(swap.mapping.folios.load(entry + at), dst);
  assert.equal(folioSwapEntry(vm.mem, dst), entry);
  assert.deepEqual(
    vm.mem.nodes.map((node) => node.swapcachePages),
    [0, 4],
  );
  assert.deepEqual(wordsOf(vm, pages), [1, 2, 3, 4]);
});

test("a large folio that is split leaves each page its own slot, entry and reference", () => {
  const { vm, swap } = machine();
  const { mem } = vm;
  const { folio, pages } = largeFolio(vm);
  const entry = inSwapCache(swap, folio);
  const pieces = mem.takeList();
  assert.ok(isolateForMigration(mem, folio, pieces));
  assert.ok(folioTrylock(mem, folio));
  assert.equal(runToEnd(splitFolioToList(vm, folio, pieces)), "split");
  folioUnlock(mem, folio);
  for (let at = 0; at < 4; at++) {
    const page = (folio + at) as Folio;
    assert.equal(swap.mapping.folios.load(entry + at), page);
    assert.equal(folioSwapEntry(mem, page), entry + at);
    // Its list's, its slot's, its entry's.
    assert.equal(mem.refcount[page], 3);
  }
  runToEnd(putbackMovablePages(vm, pieces));
  assert.equal(listEmpty(mem, pieces), true);
  assert.deepEqual(wordsOf(vm, pages), [1, 2, 3, 4]);
});
