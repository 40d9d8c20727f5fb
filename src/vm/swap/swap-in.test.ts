import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { lruAddDrain } from "../../memory/lru.ts";
import { folioTestAnon } from "../../memory/mapping-word.ts";
import { type Folio, testFlag } from "../../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import { followPage } from "../follow-page.ts";
import { forkMm } from "../fork.ts";
import type { Mm } from "../mm.ts";
import { MREMAP, mremap } from "../mremap.ts";
import { PTE } from "../pte.ts";
import { anonymousPage, sharePage, smallVm, touchPage, type UserPage } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import { exitMm, unmapRange, zapRange } from "../zap.ts";
import { newSwapFolio, pageOut, smallSwap } from "./small-swap.ts";
import type { SwapArea } from "./swap-area.ts";
import { addToSwap, folioTestSwapcache } from "./swap-cache.ts";
import type { SwapEntry } from "./swap-entry.ts";
import { readSwapCache } from "./swap-read.ts";

interface Scene {
  readonly vm: Vm;
  readonly area: SwapArea;
  readonly page: UserPage;
}

/** A page that holds 41 and is out. */
function pagedOut(options: Parameters<typeof smallSwap>[2] = {}): Scene {
  const vm = smallVm();
  const area = smallSwap(vm, undefined, options);
  const page = anonymousPage(vm, 41);
  assert.equal(runToEnd(pageOut(vm, page.folio)), "freed");
  return { vm, area, page };
}

function read(vm: Vm, { mm, vpn }: { mm: Mm; vpn: number }): unknown {
  return runToEnd(readUser(vm, mm, vpn, 0));
}

function write(vm: Vm, { mm, vpn }: { mm: Mm; vpn: number }, value: number): unknown {
  return runToEnd(writeUser(vm, mm, vpn, 0, value));
}

function folioOf(vm: Vm, { entry }: UserPage): Folio {
  assert.equal(vm.tables.bits(entry) & PTE.present, PTE.present);
  return vm.tables.pfn(entry) as Folio;
}

for (const synchronous of [{}, { synchronous: true as const }]) {
  const how = "synchronous" in synchronous ? "past the cache" : "through the cache";

  test(`what went out comes back ${how} at the next use, and its slot is free after a write`, () => {
    const { vm, area, page } = pagedOut(synchronous);
    assert.deepEqual([page.mm.rssPages, page.mm.swapEntries], [0, 1]);
    assert.equal(read(vm, page), 41);
    assert.deepEqual([page.mm.rssPages, page.mm.swapEntries], [1, 0]);
    const folio = folioOf(vm, page);
    assert.equal(testFlag(vm.mem, folio, PG.anonExclusive), true);
    assert.equal(folioTestAnon(vm.mem, folio), true);
    assert.equal(vm.mem.index[folio], page.vma.pgoff);
    assert.equal(vm.tables.bits(page.entry) & (PTE.write | PTE.dirty), 0);
    assert.equal(folioTestSwapcache(vm.mem, folio), !("synchronous" in synchronous));
    assert.equal(write(vm, page, 42), "done");
    assert.equal(folioOf(vm, page), folio, "no copy is made");
    assert.equal(read(vm, page), 42);
    runToEnd(exitMm(vm, page.mm));
    lruAddDrain(vm.mem);
    assert.equal(area.slotsInUse, 0);
  });

  test(`a write brings it back ${how}, dirty and writable, and frees the slot`, () => {
    const { vm, area, page } = pagedOut(synchronous);
    assert.equal(write(vm, page, 42), "done");
    const bits = PTE.present | PTE.write | PTE.dirty | PTE.young;
    assert.equal(vm.tables.bits(page.entry) & bits, bits);
    assert.equal(area.slotsInUse, 0);
    assert.equal(vm.mem.events.vmstat.snapshot().pgmajfault, 1);
    assert.equal(vm.mem.events.vmstat.snapshot().pswpin, 1);
    assert.equal(vm.mem.events.vmstat.snapshot().pswpout, 1);
  });
}

test("a page still in the cache is used as it is, and nothing is read", () => {
  const vm = smallVm();
  smallSwap(vm);
  const page = anonymousPage(vm, 41);
  folioGet(vm.mem, page.folio);
  assert.equal(runToEnd(pageOut(vm, page.folio)), "cached", "a reference keeps it");
  folioPut(vm.mem, page.folio);
  lruAddDrain(vm.mem);
  assert.equal(read(vm, page), 41);
  assert.equal(folioOf(vm, page), page.folio);
  assert.equal(vm.mem.events.vmstat.snapshot().pswpin, 0);
  assert.equal(testFlag(vm.mem, page.folio, PG.anonExclusive), true);
});

test("processes that share a slot find one page in the cache, and copy it to write", () => {
  const vm = smallVm();
  const area = smallSwap(vm, undefined, { synchronous: true });
  const page = anonymousPage(vm, 41);
  const other = sharePage(vm, page);
  assert.equal(runToEnd(pageOut(vm, page.folio)), "freed");
  assert.equal(read(vm, page), 41);
  const folio = folioOf(vm, page);
  assert.equal(folioTestSwapcache(vm.mem, folio), true, "another needs the slot");
  assert.equal(testFlag(vm.mem, folio, PG.anonExclusive), false);
  assert.equal(write(vm, other, 42), "done");
  assert.notEqual(folioOf(vm, other), folio);
  assert.deepEqual([read(vm, page), read(vm, other)], [41, 42]);
  assert.equal(write(vm, page, 43), "done");
  assert.equal(folioOf(vm, page), folio, "the last one need not copy");
  assert.equal(area.slotsInUse, 0);
});

test("a fork shares what is out: neither side has it alone, and each has its own after a write", () => {
  const { vm, area, page } = pagedOut({ synchronous: true });
  const child = forkMm(vm, page.mm, "a child");
  assert.ok(child !== null);
  assert.equal(area.count(1), 2);
  assert.deepEqual([child.swapEntries, child.rssPages], [1, 0]);
  assert.equal(vm.tables.bits(page.entry) & PTE.swapExclusive, 0);
  assert.equal(write(vm, page, 42), "done");
  assert.equal(read(vm, { mm: child, vpn: page.vpn }), 41);
  assert.equal(read(vm, page), 42);
  runToEnd(exitMm(vm, child));
  assert.equal(area.slotsInUse, 0);
});

test("memory that is taken away takes its slots along, in the cache or out of it", () => {
  const vm = smallVm();
  const area = smallSwap(vm);
  const mm = vm.createMm("a process");
  const vma = vm.mapAnonymous(mm, mm.freeRange(3));
  const pages = [0, 1, 2].map((at) => touchPage(vm, vma, vma.startVpn + at, at + 1));
  for (const { folio } of pages) assert.equal(runToEnd(pageOut(vm, folio)), "freed");
  assert.equal(read(vm, pages[1]), 2);
  assert.deepEqual([area.slotsInUse, mm.swapEntries, mm.rssPages], [3, 2, 1]);
  runToEnd(zapRange(vm, vma, vma.startVpn, vma.startVpn + 1));
  assert.equal(read(vm, pages[0]), 0, "it is gone");
  runToEnd(unmapRange(vm, mm, vma.startVpn + 1, vma.startVpn + 2));
  lruAddDrain(vm.mem);
  assert.equal(area.slotsInUse, 1, "the mapped folio's slot went with its page");
  runToEnd(exitMm(vm, mm));
  assert.deepEqual([area.slotsInUse, mm.swapEntries], [0, 0]);
});

test("a moved mapping takes its swapped-out pages along", () => {
  const { vm, page } = pagedOut();
  const { mm, vpn } = page;
  const [oldPages, newPages] = [1, 1];
  const flags = MREMAP.mayMove | MREMAP.fixed;
  const newVpn = vpn + 0x1000;
  assert.equal(runToEnd(mremap(vm, mm, { vpn, oldPages, newPages, flags, newVpn })), newVpn);
  assert.equal(read(vm, { mm, vpn: newVpn }), 41);
});

test("a page whose read failed is SIGBUS each time, until a read succeeds", () => {
  let fails = true;
  const { vm, page, area } = pagedOut();
  const { device } = area;
  const submit = device.submit.bind(device);
  device.submit = (request) => (fails ? request.done("EIO") : submit(request));
  assert.equal(read(vm, page), "SIGBUS");
  const { swap, mem } = vm;
  assert.ok(swap !== null);
  const failed = swap.mapping.folios.load(1);
  assert.ok(failed !== null && !testFlag(mem, failed, PG.uptodate));
  assert.deepEqual([area.count(1), page.mm.swapEntries], [1, 1]);
  assert.equal(read(vm, page), "SIGBUS", "the cache keeps the failed page");
  fails = false;
  runToEnd(exitMm(vm, page.mm));
  lruAddDrain(mem);
  assert.equal(area.slotsInUse, 0);
});

test("without memory to read into, a use is SIGBUS and the slot as it was", () => {
  for (const options of [{}, { synchronous: true as const }]) {
    const { vm, page, area } = pagedOut(options);
    const { mem } = vm;
    const taken: Folio[] = [];
    for (;;) {
      const folio = folioAlloc(mem, movableRequest(0));
      if (folio === null) break;
      taken.push(folio);
    }
    assert.equal(read(vm, page), "SIGBUS");
    assert.deepEqual([area.count(1), area.hasCache(1)], [1, false]);
    for (const folio of taken) folioPut(mem, folio);
    assert.equal(read(vm, page), 41);
  }
});

test("a slot that nobody needs is not read", () => {
  const { vm, page } = pagedOut();
  const { swap } = vm;
  assert.ok(swap !== null);
  const slot = vm.tables.pfn(page.entry) as SwapEntry;
  runToEnd(exitMm(vm, page.mm));
  assert.equal(runToEnd(readSwapCache(swap, slot, () => newSwapFolio(vm))), "ENOENT");
});

test("a folio that is read but not mapped has no owner, and has one once it is mapped", () => {
  const { vm, page } = pagedOut();
  const { mem, swap } = vm;
  assert.ok(swap !== null);
  const slot = vm.tables.pfn(page.entry) as SwapEntry;
  const folio = runToEnd(readSwapCache(swap, slot, () => newSwapFolio(vm)));
  assert.ok(typeof folio === "number");
  assert.deepEqual([mem.mapping[folio], mem.mapcount[folio]], [0, 0]);
  assert.equal(vm.cache.folioMapping(folio), swap.mapping);
  folioPut(mem, folio);
  assert.equal(read(vm, page), 41);
  assert.equal(folioTestAnon(mem, folio), true);
});

test("uffd-wp and soft-dirty come back with the page; such a page is not writable at once", () => {
  const vm = smallVm();
  smallSwap(vm);
  const page = anonymousPage(vm, 41);
  vm.tables.set(page.entry, page.folio, vm.tables.bits(page.entry) | PTE.uffdWp);
  assert.equal(runToEnd(pageOut(vm, page.folio)), "freed");
  assert.equal(read(vm, page), 41);
  const bits = vm.tables.bits(page.entry);
  assert.equal(bits & (PTE.uffdWp | PTE.softDirty), PTE.uffdWp | PTE.softDirty);
  assert.equal(bits & PTE.write, 0);
});

test("while a device reads stable pages, a page under writeback is not its process's alone", () => {
  const vm = smallVm();
  smallSwap(vm, undefined, { stableWrites: true });
  const { mem, swap } = vm;
  const page = anonymousPage(vm, 41);
  folioGet(mem, page.folio);
  assert.equal(runToEnd(pageOut(vm, page.folio)), "cached");
  folioPut(mem, page.folio);
  lruAddDrain(mem);
  assert.ok(swap !== null);
  mem.flags[page.folio] |= PG.writeback;
  assert.equal(write(vm, page, 42), "done");
  assert.notEqual(folioOf(vm, page), page.folio, "the write went to a copy");
  mem.flags[page.folio] &= ~PG.writeback;
});

test("move_pages and its like see nothing where a page is out", () => {
  const { vm, page } = pagedOut();
  assert.equal(followPage(vm, page.vma, page.vpn), "ENOENT");
});

test("a page that nobody shares is reused though it is in the cache; a locked one is copied", () => {
  for (const isLocked of [false, true]) {
    const vm = smallVm();
    smallSwap(vm);
    const { mem, swap } = vm;
    assert.ok(swap !== null);
    const page = anonymousPage(vm, 41);
    const other = sharePage(vm, page);
    runToEnd(exitMm(vm, other.mm));
    assert.ok(folioTrylock(mem, page.folio));
    assert.ok(addToSwap(swap, page.folio));
    if (!isLocked) folioUnlock(mem, page.folio);
    assert.equal(write(vm, page, 42), "done");
    assert.equal(folioOf(vm, page) === page.folio, !isLocked);
    assert.equal(read(vm, page), 42);
  }
});
