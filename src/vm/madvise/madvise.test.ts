import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { lruAddDrain, lruAddDrainAll } from "../../memory/lru.ts";
import { setFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import { type Mm, VM, type Vma } from "../mm.ts";
import { PTE } from "../pte.ts";
import { SecondaryMmu } from "../secondary-mmu.ts";
import {
  anonymousPage,
  cachedFolio,
  mapFilePage,
  sharePage,
  smallVm,
  touchPage,
  type UserPage,
} from "../small-vm.ts";
import { pageOut, smallSwap, supplyPageOut } from "../swap/small-swap.ts";
import { addToSwap, folioTestSwapcache } from "../swap/swap-cache.ts";
import { Tlbs } from "../tlb.ts";
import type { Vm } from "../vm.ts";
import { type Advice, type MadviseOutcome, madvise } from "./madvise.ts";

/** A process with three pages that hold 1, 2 and 3, on a machine that can page out. */
interface Scene {
  readonly vm: Vm;
  readonly mm: Mm;
  readonly vma: Vma;
  readonly pages: readonly UserPage[];
}

function threePages(): Scene {
  const vm = smallVm();
  smallSwap(vm);
  supplyPageOut(vm);
  const mm = vm.createMm("a process");
  const vma = vm.mapAnonymous(mm, mm.freeRange(3));
  const pages = [0, 1, 2].map((at) => touchPage(vm, vma, vma.startVpn + at, at + 1));
  return { vm, mm, vma, pages };
}

function advise({ vm, mm, vma }: Scene, advice: Advice, from = 0, to = 3): MadviseOutcome {
  const outcome = runToEnd(madvise(vm, mm, vma.startVpn + from, vma.startVpn + to, advice));
  lruAddDrainAll(vm.mem);
  return outcome;
}

function bitsAt({ vm }: Scene, { entry }: UserPage): number {
  return vm.tables.bits(entry);
}

function read({ vm }: Scene, { mm, vpn }: UserPage): unknown {
  return runToEnd(readUser(vm, mm, vpn, 0));
}

test("what is not needed reads as zeros at once, and only that", () => {
  const scene = threePages();
  assert.equal(advise(scene, "MADV_DONTNEED", 1, 2), "done");
  assert.deepEqual(
    scene.pages.map((page) => read(scene, page)),
    [1, 0, 3],
  );
});

test("a freed page stays until memory is short; a write before keeps it, and the bytes", () => {
  const scene = threePages();
  const { vm, pages } = scene;
  const { mem } = vm;
  assert.equal(advise(scene, "MADV_FREE"), "done");
  for (const page of pages) {
    assert.equal(bitsAt(scene, page) & (PTE.young | PTE.dirty), 0);
    assert.equal(bitsAt(scene, page) & PTE.softDirty, PTE.softDirty);
    assert.equal(testFlag(mem, page.folio, PG.swapbacked), false);
  }
  assert.deepEqual([...mem.nodes[0].lruPages].slice(0, 4), [0, 0, 3, 0]);
  const [dropped, written, kept] = pages;
  assert.equal(runToEnd(pageOut(vm, dropped.folio)), "freed");
  assert.equal(read(scene, dropped), 0);
  assert.equal(runToEnd(writeUser(vm, written.mm, written.vpn, 0, 20)), "done");
  assert.equal(runToEnd(pageOut(vm, written.folio)), "kept");
  assert.equal(testFlag(mem, written.folio, PG.swapbacked), true);
  assert.deepEqual([read(scene, written), read(scene, kept)], [20, 3]);
  assert.equal(mem.events.vmstat.snapshot().pglazyfree, 3);
});

test("freeing takes slots away: of entries at once, of the cache where nobody else needs them", () => {
  const scene = threePages();
  const { vm, mm, pages } = scene;
  const { mem, swap } = vm;
  assert.ok(swap !== null);
  const [out, cached, locked] = pages;
  assert.equal(runToEnd(pageOut(vm, out.folio)), "freed");
  for (const { folio } of [cached, locked]) {
    assert.ok(folioTrylock(mem, folio));
    assert.ok(addToSwap(swap, folio));
    folioUnlock(mem, folio);
  }
  assert.ok(folioTrylock(mem, locked.folio));
  assert.equal(advise(scene, "MADV_FREE"), "done");
  folioUnlock(mem, locked.folio);
  assert.deepEqual([bitsAt(scene, out), mm.swapEntries], [0, 0]);
  assert.equal(folioTestSwapcache(mem, cached.folio), false);
  assert.equal(testFlag(mem, cached.folio, PG.dirty), false);
  assert.equal(testFlag(mem, cached.folio, PG.swapbacked), false);
  assert.equal(folioTestSwapcache(mem, locked.folio), true);
  assert.equal(bitsAt(scene, locked) & PTE.dirty, PTE.dirty);
});

test("a dirty page that another process maps too is not freed", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 5);
  sharePage(vm, page);
  setFlag(vm.mem, page.folio, PG.dirty);
  assert.equal(runToEnd(madvise(vm, page.mm, page.vpn, page.vpn + 1, "MADV_FREE")), "done");
  lruAddDrain(vm.mem);
  assert.equal(testFlag(vm.mem, page.folio, PG.swapbacked), true);
  assert.equal(testFlag(vm.mem, page.folio, PG.dirty), true);
});

test("cold pages are old and inactive, and remember that they were active", () => {
  const scene = threePages();
  const { vm, pages } = scene;
  const { mem } = vm;
  const [folio, shared] = [pages[0].folio, pages[1].folio];
  const other = sharePage(vm, pages[1]);
  for (const one of [folio, shared]) {
    mem.flags[one] |= PG.referenced | PG.young;
  }
  for (const { folio: one } of pages) {
    // As reclaim finds a page in use: on the active list.
    mem.nodes[0].lruPages[0]--;
    mem.nodes[0].lruPages[1]++;
    mem.flags[one] |= PG.active;
  }
  assert.equal(advise(scene, "MADV_COLD", 0, 2), "done");
  assert.equal(mem.flags[folio] & (PG.referenced | PG.young | PG.active), 0);
  assert.equal(testFlag(mem, folio, PG.workingset), true);
  assert.equal(bitsAt(scene, pages[0]) & PTE.young, 0);
  assert.equal(testFlag(mem, shared, PG.active), true, "others may be using it");
  assert.equal(bitsAt(scene, other) & PTE.young, PTE.young);
  assert.equal(testFlag(mem, pages[2].folio, PG.active), true, "not asked about");
  assert.deepEqual(
    scene.pages.map((page) => read(scene, page)),
    [1, 2, 3],
  );
});

test("pages go out when the process says so, those that it shares do not; all come back", () => {
  const scene = threePages();
  const { vm, mm, pages } = scene;
  sharePage(vm, pages[1]);
  assert.equal(advise(scene, "MADV_PAGEOUT"), "done");
  assert.deepEqual(
    pages.map((page) => (bitsAt(scene, page) & PTE.swap) !== 0),
    [true, false, true],
  );
  assert.equal(mm.swapEntries, 2);
  assert.deepEqual(
    pages.map((page) => read(scene, page)),
    [1, 2, 3],
  );
});

test("without reclaim nothing goes out, and no folio is lost", () => {
  const scene = threePages();
  const { vm } = scene;
  vm.reclaimPages = null;
  const lists = vm.mem.listsInUse;
  assert.equal(advise(scene, "MADV_PAGEOUT"), "done");
  assert.deepEqual([...vm.mem.nodes[0].lruPages].slice(0, 2), [3, 0]);
  assert.equal(vm.mem.listsInUse, lists);
});

test("locked memory takes no such advice, a file's none to be freed, and a hole is told", () => {
  const vm = smallVm();
  const locked = anonymousPage(vm, 1, VM.read | VM.write | VM.locked);
  for (const advice of ["MADV_DONTNEED", "MADV_FREE", "MADV_COLD", "MADV_PAGEOUT"] as const) {
    assert.equal(runToEnd(madvise(vm, locked.mm, locked.vpn, locked.vpn + 1, advice)), "EINVAL");
  }
  const mapping = vm.cache.createMapping("a file", {});
  const folio = cachedFolio(vm, mapping, 0, 1);
  const { mm, vpn } = mapFilePage(vm, mapping, folio);
  assert.equal(runToEnd(madvise(vm, mm, vpn, vpn + 1, "MADV_FREE")), "EINVAL");
  assert.equal(runToEnd(madvise(vm, mm, vpn, vpn + 2, "MADV_DONTNEED")), "ENOMEM");
  assert.equal(mm.rssPages, 0, "what is mapped was done");
  assert.equal(runToEnd(madvise(vm, mm, vpn + 5, vpn + 6, "MADV_COLD")), "ENOMEM");
  assert.equal(runToEnd(madvise(vm, mm, vpn, vpn, "MADV_COLD")), "done");
  assert.equal(runToEnd(madvise(vm, mm, vpn, vpn - 1, "MADV_COLD")), "EINVAL");
});

test("reading in sequence is said of a part of a mapping, and taken back", () => {
  const scene = threePages();
  const { mm, vma } = scene;
  assert.equal(advise(scene, "MADV_SEQUENTIAL", 1, 2), "done");
  const flags = (): number[] => mm.vmas.map((one) => one.flags & VM.seqRead);
  assert.deepEqual(flags(), [0, VM.seqRead, 0]);
  assert.equal(mm.vmas[1].startVpn, vma.startVpn + 1);
  assert.equal(advise(scene, "MADV_NORMAL", 1, 2), "done");
  assert.deepEqual(flags(), [0, 0, 0]);
});

test("a processor that knew a freed page as dirty marks the next write all the same", () => {
  const scene = threePages();
  const { vm, pages } = scene;
  const [page] = pages;
  vm.tlbs = new Tlbs(1);
  assert.equal(runToEnd(writeUser(vm, page.mm, page.vpn, 0, 10)), "done");
  assert.equal(advise(scene, "MADV_FREE"), "done");
  assert.equal(runToEnd(writeUser(vm, page.mm, page.vpn, 0, 11)), "done");
  assert.equal(bitsAt(scene, page) & PTE.dirty, PTE.dirty);
  assert.equal(runToEnd(pageOut(vm, page.folio)), "kept");
  assert.equal(read(scene, page), 11);
});

test("a guest that knew a freed page looks it up again for the next write", () => {
  const scene = threePages();
  const { vm, pages } = scene;
  const [page] = pages;
  const secondary = new SecondaryMmu(vm, page.mm);
  assert.equal(runToEnd(secondary.write(page.vpn, 0, 10)), "done");
  assert.equal(advise(scene, "MADV_FREE"), "done");
  assert.equal(secondary.pages.size, 0);
  assert.equal(runToEnd(secondary.write(page.vpn, 0, 11)), "done");
  secondary.close();
  assert.equal(runToEnd(pageOut(vm, page.folio)), "kept");
  assert.equal(read(scene, page), 11);
});
