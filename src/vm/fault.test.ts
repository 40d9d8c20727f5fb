import assert from "node:assert/strict";
import { test } from "node:test";
import { folioGet, folioUnpin } from "../memory/folio-ref.ts";
import { lruAddDrain } from "../memory/lru.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser, writeUser } from "./fault.ts";
import { pinUserPage } from "./gup.ts";
import { VM } from "./mm.ts";
import { PTE } from "./pte.ts";
import { anonymousPage, cachedFolio, mapFilePage, sharePage, smallVm } from "./small-vm.ts";
import { exitMm, unmapVma, zapRange } from "./zap.ts";

test("what was never written reads as zeros and takes no page; what was, as written", () => {
  const vm = smallVm();
  const mm = vm.createMm("a process");
  const { startVpn } = vm.mapAnonymous(mm, mm.freeRange(2));
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 0)), 0);
  assert.equal(runToEnd(writeUser(vm, mm, startVpn + 1, 0, 77)), "done");
  assert.equal(runToEnd(readUser(vm, mm, startVpn + 1, 0)), 77);
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 0)), 0);
  assert.equal(mm.rssPages, 1);
  assert.equal(runToEnd(writeUser(vm, mm, startVpn, 0, 5)), "done");
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 0)), 5);
  assert.equal(mm.rssPages, 2);
});

test("a new anonymous page is its process's alone, mapped once and on its way to the LRU", () => {
  const vm = smallVm();
  const { mem } = vm;
  const { folio, vma, vpn } = anonymousPage(vm, 5);
  assert.equal(folioTestAnon(mem, folio), true);
  assert.equal(mem.index[folio], vma.pgoff + (vpn - vma.startVpn));
  const wanted = PG.anonExclusive | PG.swapbacked | PG.uptodate | PG.lru;
  assert.equal(mem.flags[folio] & wanted, wanted);
  assert.deepEqual([mem.mapcount[folio], mem.refcount[folio]], [1, 1]);
});

test("use without a mapping or without the right is SIGSEGV, without memory SIGBUS", () => {
  const vm = smallVm();
  const mm = vm.createMm("a process");
  assert.equal(runToEnd(readUser(vm, mm, 5, 0)), "SIGSEGV");
  const { startVpn } = vm.mapAnonymous(mm, mm.freeRange(1), VM.read);
  assert.equal(runToEnd(writeUser(vm, mm, startVpn, 0, 1)), "SIGSEGV");
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 0)), 0);
  const mapping = vm.cache.createMapping("a file", {});
  const beyond = vm.mapFile(mm, mm.freeRange(1), mapping);
  assert.equal(runToEnd(readUser(vm, mm, beyond.startVpn, 0)), "SIGBUS", "not in the cache");
  const large = vm.mapAnonymous(mm, mm.freeRange(100));
  let result: unknown = "done";
  for (let at = 0; result === "done"; at++) {
    result = runToEnd(writeUser(vm, mm, large.startVpn + at, 0, 1));
  }
  assert.equal(result, "SIGBUS");
  assert.equal(vm.mem.zones[0].freePages, 0);
});

test("reads leave young behind, writes young, dirty and soft-dirty", () => {
  const vm = smallVm();
  const { mm, vpn, entry, folio } = anonymousPage(vm, 1);
  vm.tables.set(entry, folio, PTE.present | PTE.write);
  runToEnd(readUser(vm, mm, vpn, 0));
  assert.equal(vm.tables.bits(entry), PTE.present | PTE.write | PTE.young);
  runToEnd(writeUser(vm, mm, vpn, 0, 2));
  const all = PTE.present | PTE.write | PTE.young | PTE.dirty | PTE.softDirty;
  assert.equal(vm.tables.bits(entry), all);
});

test("a page that mprotect made writable becomes so with the first write", () => {
  const vm = smallVm();
  const { mm, vpn, entry, folio } = anonymousPage(vm, 1);
  vm.tables.set(entry, folio, PTE.present);
  assert.equal(runToEnd(writeUser(vm, mm, vpn, 0, 2)), "done");
  assert.ok((vm.tables.bits(entry) & PTE.write) !== 0);
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 2);
});

test("a pin faults the page in, counts 1024, and is given back", () => {
  const vm = smallVm();
  const mm = vm.createMm("a process");
  const { startVpn } = vm.mapAnonymous(mm, mm.freeRange(1));
  const folio = runToEnd(pinUserPage(vm, mm, startVpn));
  assert.ok(typeof folio === "number");
  lruAddDrain(vm.mem);
  assert.equal(vm.mem.refcount[folio], 1025);
  folioUnpin(vm.mem, folio);
  assert.equal(vm.mem.refcount[folio], 1);
  assert.equal(runToEnd(pinUserPage(vm, mm, 3)), "SIGSEGV");
});

test("a pin of one page of a large folio pins the folio", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", {});
  const folio = cachedFolio(vm, mapping, 0, 1, 2);
  const { mm, vpn } = mapFilePage(vm, mapping, folio);
  assert.equal(runToEnd(pinUserPage(vm, mm, vpn + 3)), folio);
  assert.equal(vm.mem.next[folio + 1], 1);
  folioUnpin(vm.mem, folio);
});

test("emptying an entry drops its mapping and its reference, and the last one frees the page", () => {
  const vm = smallVm();
  const page = anonymousPage(vm, 1);
  const other = sharePage(vm, page);
  const { mem } = vm;
  runToEnd(zapRange(vm, page.vma, page.vpn, page.vpn + 1));
  assert.deepEqual([mem.mapcount[page.folio], mem.refcount[page.folio]], [1, 1]);
  assert.equal(page.mm.rssPages, 0);
  runToEnd(zapRange(vm, page.vma, page.vpn, page.vpn + 1));
  assert.equal(page.mm.rssPages, 0, "an empty entry is left alone");
  runToEnd(zapRange(vm, other.vma, other.vpn, other.vpn + 1));
  assert.equal(mem.zones[0].freePages, 63);
});

test("an entry of a file's page hands its dirt to the folio, which stays in the cache", () => {
  for (const bits of [0, PTE.dirty]) {
    const vm = smallVm();
    const mapping = vm.cache.createMapping("a file", {});
    const folio = cachedFolio(vm, mapping, 0, 1);
    const { vma, entry, mm } = mapFilePage(vm, mapping, folio);
    vm.tables.set(entry, folio, PTE.present | PTE.write | bits);
    runToEnd(unmapVma(vm, vma));
    assert.equal((vm.mem.flags[folio] & PG.dirty) !== 0, bits !== 0);
    assert.equal(vm.mem.refcount[folio], 1);
    assert.deepEqual(mm.vmas, []);
  }
});

test("a process that exits leaves no VMA, no table and no page behind", () => {
  const vm = smallVm();
  const { mm, folio } = anonymousPage(vm, 1);
  vm.mapAnonymous(mm, mm.freeRange(4));
  folioGet(vm.mem, folio);
  runToEnd(exitMm(vm, mm));
  assert.equal(vm.tables.leavesInUse, 0);
  assert.equal(vm.mms[mm.id], undefined);
  assert.ok(vm.anonVmas.every((anonVma) => anonVma === undefined));
  assert.deepEqual([vm.mem.mapcount[folio], vm.mem.refcount[folio as Folio]], [0, 1]);
});
