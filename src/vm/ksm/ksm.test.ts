import assert from "node:assert/strict";
import { test } from "node:test";
import { folioGet, folioPut, folioUnpin } from "../../memory/folio-ref.ts";
import { folioTestKsm } from "../../memory/mapping-word.ts";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import { forkMm } from "../fork.ts";
import { pinUserPage } from "../gup.ts";
import { migrationEntryWait, removeMigrationPtes, tryToMigrate } from "../migration-entry.ts";
import { VM } from "../mm.ts";
import { MREMAP, mremap } from "../mremap.ts";
import { PTE, PTE_MIGRATION } from "../pte.ts";
import { anonymousPage, smallVm, type UserPage } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import { exitMm, zapRange } from "../zap.ts";
import { ksmMappings } from "./ksm-mappings.ts";
import { madviseMergeable, madviseUnmergeable } from "./madvise.ts";
import { ksmScan } from "./scan.ts";
import { folioAt, ksmPass, mergeablePages, mergedPages } from "./small-ksm.ts";
import { folioStableNode, getKsmFolio } from "./stable-tree.ts";

function read(vm: Vm, { mm, vpn }: UserPage): unknown {
  return runToEnd(readUser(vm, mm, vpn, 0));
}

function write(vm: Vm, { mm, vpn }: UserPage, value: number): void {
  assert.equal(runToEnd(writeUser(vm, mm, vpn, 0, value)), "done");
}

test("equal pages that did not change between two passes become one; others stay apart", () => {
  const vm = smallVm();
  const { mem } = vm;
  const pages = mergeablePages(vm, [5, 5, 5, 7]);
  const free = mem.zones[0].freePages;
  ksmPass(vm);
  assert.equal(mem.zones[0].freePages, free, "the first pass only looks");
  ksmPass(vm);
  const folios = pages.map(({ vma, vpn }) => folioAt(vm, vma, vpn));
  assert.deepEqual(folios, [pages[1].folio, pages[1].folio, pages[1].folio, pages[3].folio]);
  assert.equal(mem.zones[0].freePages, free + 2);
  const [merged] = folios;
  assert.deepEqual([mem.mapcount[merged], mem.refcount[merged]], [3, 3]);
  assert.equal(folioTestKsm(mem, merged), true);
  assert.deepEqual([vm.ksm.pagesShared, vm.ksm.pagesSharing], [1, 2]);
  assert.deepEqual(
    pages.map((page) => read(vm, page)),
    [5, 5, 5, 7],
  );
});

test("what a merged page looks like: read-only for all, of nobody's own, dirty and referenced", () => {
  const vm = smallVm();
  const pages = mergeablePages(vm, [5, 5, 5]);
  ksmPass(vm);
  ksmPass(vm);
  const bits = pages.map(({ entry }) => vm.tables.bits(entry));
  const other = PTE.present | PTE.young;
  // The page that was kept has its old entry, but for write and dirty.
  assert.deepEqual(bits, [other, other | PTE.softDirty, other]);
  const flags = vm.mem.flags[folioAt(vm, pages[0].vma, pages[0].vpn)];
  assert.equal(flags & PG.anonExclusive, 0);
  const wanted = PG.dirty | PG.referenced | PG.uptodate | PG.swapbacked | PG.lru;
  assert.equal(flags & wanted, wanted);
});

test("the mappings of a merged page are found newest first, then those of forks", () => {
  const vm = smallVm();
  const [page] = mergeablePages(vm, [5, 5, 5]);
  ksmPass(vm);
  ksmPass(vm);
  const child = forkMm(vm, page.mm, "child");
  assert.ok(child !== null);
  const merged = folioAt(vm, page.vma, page.vpn);
  assert.deepEqual(
    [...ksmMappings(vm, merged)].map(({ vma, vpn }) => [vma.mm, vpn - page.vpn]),
    [page.mm, child].flatMap((mm) => [2, 1, 0].map((at) => [mm, at])),
  );
  assert.equal(vm.mem.mapcount[merged], 6);
});

test("a write to a merged page gives a copy, even to the last who has it", () => {
  const vm = smallVm();
  const { mem } = vm;
  const [one, other] = mergedPages(vm, 5, 2);
  write(vm, one, 6);
  assert.deepEqual([read(vm, one), read(vm, other)], [6, 5]);
  const { folio } = other;
  assert.equal(mem.refcount[folio], 1);
  write(vm, other, 7);
  assert.notEqual(folioAt(vm, other.vma, other.vpn), folio);
  assert.equal(mem.refcount[folio], 0, "the merged page went with its last mapping");
  assert.deepEqual([read(vm, one), read(vm, other)], [6, 7]);
});

test("a page that equals a merged one joins it in the first pass that looks at it", () => {
  const vm = smallVm();
  const [{ folio }] = mergedPages(vm, 5, 2);
  const [third] = mergeablePages(vm, [5]);
  ksmPass(vm);
  assert.equal(folioAt(vm, third.vma, third.vpn), folio);
  assert.equal(vm.mem.mapcount[folio], 3);
});

test("a page that somebody else holds or that a device has pinned is not merged", () => {
  const vm = smallVm();
  const { mem } = vm;
  const [held, pinned, third] = mergeablePages(vm, [5, 5, 5]);
  folioGet(mem, held.folio);
  const pin = runToEnd(pinUserPage(vm, pinned.mm, pinned.vpn));
  assert.equal(pin, pinned.folio);
  for (let pass = 0; pass < 4; pass++) ksmPass(vm);
  assert.equal(vm.ksm.pagesShared, 0);
  for (const page of [held, pinned, third]) {
    assert.equal(folioTestKsm(mem, folioAt(vm, page.vma, page.vpn)), false);
    assert.equal(read(vm, page), 5);
  }
  folioPut(mem, held.folio);
  folioUnpin(mem, pinned.folio);
  for (let pass = 0; pass < 2; pass++) ksmPass(vm);
  assert.deepEqual([vm.ksm.pagesShared, vm.ksm.pagesSharing], [1, 2]);
});

test("a page that changes with every pass waits, and one that has changed since it waits is not taken", () => {
  const vm = smallVm();
  const [one, other] = mergeablePages(vm, [1, 2]);
  for (let value = 10; value < 14; value++) {
    write(vm, one, value);
    write(vm, other, value);
    ksmPass(vm);
  }
  assert.equal(vm.ksm.pagesShared, 0);
  // One waits in the unstable tree, changes, and the other comes.
  assert.equal(runToEnd(ksmScan(vm, 1)), 1);
  write(vm, one, 99);
  assert.equal(runToEnd(ksmScan(vm, 10)), 1);
  assert.deepEqual([vm.ksm.pagesShared, read(vm, one), read(vm, other)], [0, 99, 13]);
});

test("a merged page has no more mappings than it may; the next equals make another", () => {
  const vm = smallVm();
  vm.ksm.maxPageSharing = 2;
  const pages = mergeablePages(vm, [5, 5, 5, 5, 5]);
  for (let pass = 0; pass < 3; pass++) ksmPass(vm);
  const folios = pages.map(({ vma, vpn }) => folioAt(vm, vma, vpn));
  assert.equal(new Set(folios).size, 3);
  assert.deepEqual([vm.ksm.pagesShared, vm.ksm.pagesSharing], [2, 2]);
});

test("a node whose page is gone is dropped when it is looked for, and its frame is not trusted", () => {
  const vm = smallVm();
  const { mem } = vm;
  const [one, other] = mergedPages(vm, 5, 2);
  const node = folioStableNode(vm, one.folio);
  assert.ok(node !== null);
  for (const { vma, vpn } of [one, other]) runToEnd(zapRange(vm, vma, vpn, vpn + 1));
  assert.equal(mem.refcount[one.folio], 0);
  const next = [anonymousPage(vm, 5), anonymousPage(vm, 5)].find(
    ({ folio }) => folio === one.folio,
  );
  assert.ok(next !== undefined, "the frame is another's");
  assert.equal(runToEnd(getKsmFolio(vm, node)), null);
  assert.deepEqual([vm.ksm.nodes[node.id], vm.ksm.stable.size], [undefined, 0]);
  assert.equal(mem.refcount[next.folio], 1);
});

test("processes that end take their items along, and their anon_vmas go", () => {
  const vm = smallVm();
  const [one, other] = mergedPages(vm, 5, 2);
  runToEnd(exitMm(vm, one.mm));
  assert.deepEqual([vm.ksm.pagesSharing, read(vm, other)], [0, 5]);
  runToEnd(exitMm(vm, other.mm));
  assert.equal(vm.ksm.items.size, 0);
  assert.ok(vm.anonVmas.every((anonVma) => anonVma === undefined));
});

test("what is unmapped or no longer mergeable is forgotten in the next pass", () => {
  const vm = smallVm();
  const [page, second] = mergeablePages(vm, [1, 2]);
  ksmPass(vm);
  assert.equal(vm.ksm.items.get(page.mm)?.size, 2);
  runToEnd(zapRange(vm, page.vma, page.vpn, page.vpn + 1));
  ksmPass(vm);
  assert.deepEqual([...(vm.ksm.items.get(page.mm)?.keys() ?? [])], [second.vpn]);
  second.vma.flags &= ~VM.mergeable;
  ksmPass(vm);
  assert.equal(vm.ksm.items.get(page.mm)?.size, 0);
});

test("memory is given to KSM by stretches, of which shared and device memory is passed over", () => {
  const vm = smallVm();
  const { mm, vma } = anonymousPage(vm, 5);
  vm.mapAnonymous(mm, { startVpn: 0x300, endVpn: 0x304, pgoff: 0x300 });
  const file = vm.mapFile(mm, mm.freeRange(1), vm.cache.createMapping("a file", {}));
  assert.equal(madviseMergeable(vm, mm, 0x301, 0x303), "done");
  assert.deepEqual(
    mm.vmas.map(({ startVpn, flags }) => [startVpn, (flags & VM.mergeable) !== 0]),
    [
      [vma.startVpn, false],
      [0x300, false],
      [0x301, true],
      [0x303, false],
      [file.startVpn, false],
    ],
  );
  assert.equal(madviseMergeable(vm, mm, file.startVpn, file.endVpn), "done");
  assert.equal(file.flags & VM.mergeable, 0);
  assert.equal(madviseMergeable(vm, mm, vma.startVpn, 0x300), "ENOMEM");
  assert.ok((vma.flags & VM.mergeable) !== 0, "what is there is given");
  assert.equal(runToEnd(madviseUnmergeable(vm, mm, vma.startVpn, 0x300)), "ENOMEM");
  assert.equal(vma.flags & VM.mergeable, 0);
});

test("memory that is taken back from KSM has pages of its own again", () => {
  const vm = smallVm();
  const [one, other] = mergedPages(vm, 5, 2);
  const { mm, vma } = one;
  assert.equal(runToEnd(madviseUnmergeable(vm, mm, vma.startVpn, vma.endVpn)), "done");
  assert.notEqual(folioAt(vm, vma, one.vpn), other.folio);
  assert.equal(vma.flags & VM.mergeable, 0);
  assert.deepEqual([read(vm, one), read(vm, other)], [5, 5]);
  ksmPass(vm);
  assert.equal(vm.mem.mapcount[other.folio], 1);
});

test("mremap takes apart what it moves, as merged pages are known by address", () => {
  const vm = smallVm();
  const [one, other] = mergedPages(vm, 5, 2);
  const flags = MREMAP.mayMove | MREMAP.fixed;
  const request = { vpn: one.vpn, oldPages: 1, newPages: 1, flags, newVpn: 0x1000 };
  assert.equal(runToEnd(mremap(vm, one.mm, request)), 0x1000);
  assert.equal(runToEnd(readUser(vm, one.mm, 0x1000, 0)), 5);
  assert.equal(vm.mem.mapcount[other.folio], 1);
});

test("every mapping of a merged page gets a migration entry, and all come back read-only", () => {
  const vm = smallVm();
  const { mem } = vm;
  const pages = mergedPages(vm, 5, 3);
  const [{ folio }] = pages;
  folioGet(mem, folio);
  mem.flags[folio] |= PG.locked;
  runToEnd(tryToMigrate(vm, folio));
  assert.deepEqual([mem.mapcount[folio], mem.refcount[folio]], [0, 1]);
  for (const { entry } of pages) {
    assert.equal(vm.tables.bits(entry) & PTE_MIGRATION, PTE.migrationRead);
  }
  assert.throws(() => runToEnd(migrationEntryWait(vm, pages[0].entry)), /would sleep/);
  runToEnd(removeMigrationPtes(vm, folio, folio));
  assert.deepEqual([mem.mapcount[folio], mem.refcount[folio]], [3, 4]);
  for (const { entry } of pages) assert.equal(vm.tables.bits(entry) & PTE.write, 0);
});
