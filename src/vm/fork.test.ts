/** Fork, copy on write, mprotect and munmap of parts: who sees what, and who holds what. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioTryPin, folioUnpin } from "../memory/folio-ref.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser, writeUser } from "./fault.ts";
import { forkMm } from "./fork.ts";
import { removeMigrationPtes, tryToMigrate } from "./migration-entry.ts";
import { type Mm, VM } from "./mm.ts";
import { protectVma } from "./protect.ts";
import { PTE } from "./pte.ts";
import { anonymousPage, cachedFolio, mapFilePage, smallVm, touchPage } from "./small-vm.ts";
import type { Vm } from "./vm.ts";
import { exitMm, unmapRange } from "./zap.ts";

function fork(vm: Vm, parent: Mm): Mm {
  const child = forkMm(vm, parent, "child");
  assert.ok(child !== null);
  return child;
}

test("a forked page is shared, written by neither, until one of them writes", () => {
  const vm = smallVm();
  const { mm, vpn, entry, folio } = anonymousPage(vm, 7);
  const child = fork(vm, mm);
  const other = child.directory.find(vpn);
  assert.deepEqual([vm.tables.pfn(entry), vm.tables.pfn(other)], [folio, folio]);
  assert.equal((vm.tables.bits(entry) | vm.tables.bits(other)) & PTE.write, 0);
  assert.deepEqual([vm.mem.mapcount[folio], vm.mem.refcount[folio]], [2, 2]);
  assert.equal(vm.mem.flags[folio] & PG.anonExclusive, 0);

  assert.equal(runToEnd(writeUser(vm, child, vpn, 0, 8)), "done");
  assert.notEqual(vm.tables.pfn(other), folio);
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 7);
  assert.equal(runToEnd(readUser(vm, child, vpn, 0)), 8);
  assert.deepEqual([vm.mem.mapcount[folio], vm.mem.refcount[folio]], [1, 1]);
});

test("the last one left writes without a copy", () => {
  const vm = smallVm();
  const { mm, vpn, entry, folio } = anonymousPage(vm, 7);
  runToEnd(exitMm(vm, fork(vm, mm)));
  assert.equal(runToEnd(writeUser(vm, mm, vpn, 0, 9)), "done");
  assert.equal(vm.tables.pfn(entry), folio);
  assert.ok((vm.mem.flags[folio] & PG.anonExclusive) !== 0);
});

test("without memory for the copy of a pinned page there is no child, and nothing of it is left", () => {
  const vm = smallVm();
  const { mm, vma, vpn, folio } = anonymousPage(vm, 7);
  const range = { startVpn: vma.startVpn - 512, endVpn: vma.startVpn - 510, pgoff: 0 };
  const below = vm.mapAnonymous(mm, range);
  const shared = touchPage(vm, below, below.startVpn, 8);
  assert.ok(folioTryPin(vm.mem, folio));
  while (folioAlloc(vm.mem, movableRequest(0)) !== null);
  assert.equal(forkMm(vm, mm, "child"), null);
  assert.deepEqual(
    vm.mms.map((each) => each?.name),
    [mm.name, undefined],
  );
  assert.deepEqual([vm.mem.mapcount[shared.folio], vm.mem.refcount[shared.folio]], [1, 1]);
  assert.equal(runToEnd(writeUser(vm, mm, vpn, 0, 9)), "done");
  folioUnpin(vm.mem, folio);
});

test("a pinned page stays the parent's: the child gets a copy at once", () => {
  const vm = smallVm();
  const { mm, vpn, entry, folio } = anonymousPage(vm, 7);
  assert.ok(folioTryPin(vm.mem, folio));
  const child = fork(vm, mm);
  assert.equal(vm.tables.pfn(entry), folio);
  assert.ok((vm.tables.bits(entry) & PTE.write) !== 0);
  assert.notEqual(vm.tables.pfn(child.directory.find(vpn)), folio);
  assert.equal(runToEnd(readUser(vm, child, vpn, 0)), 7);
  folioUnpin(vm.mem, folio);
});

test("a page that is being moved is found by its mover in both processes", () => {
  const vm = smallVm();
  const { mm, vpn, folio } = anonymousPage(vm, 7);
  vm.mem.flags[folio] |= PG.locked;
  vm.mem.refcount[folio]++;
  runToEnd(tryToMigrate(vm, folio));
  const child = fork(vm, mm);
  for (const process of [mm, child]) {
    assert.equal(
      vm.tables.bits(process.directory.find(vpn)) & PTE.migrationRead,
      PTE.migrationRead,
    );
  }
  runToEnd(removeMigrationPtes(vm, folio, folio));
  vm.mem.flags[folio] &= ~PG.locked;
  vm.mem.refcount[folio]--;
  assert.deepEqual([vm.mem.mapcount[folio], vm.mem.refcount[folio]], [2, 2]);
  assert.equal(vm.mem.flags[folio] & PG.anonExclusive, 0);
});

test("files stay shared: what one writes the other reads", () => {
  const vm = smallVm();
  const mapping = vm.cache.createMapping("a file", {});
  const folio = cachedFolio(vm, mapping, 0, 3);
  const { mm, vpn } = mapFilePage(vm, mapping, folio);
  const child = fork(vm, mm);
  assert.equal(runToEnd(writeUser(vm, child, vpn, 0, 4)), "done");
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 4);
  assert.equal(vm.mem.mapcount[folio], 2);
});

test("the zero page is shared by a fork and counted by nobody", () => {
  const vm = smallVm();
  const mm = vm.createMm("a process");
  const { startVpn } = vm.mapAnonymous(mm, mm.freeRange(1));
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 0)), 0);
  const child = fork(vm, mm);
  assert.equal(runToEnd(readUser(vm, child, startVpn, 0)), 0);
  assert.deepEqual([mm.rssPages, child.rssPages], [0, 0]);
});

test("mprotect takes rights away at once and gives them with the next use", () => {
  const vm = smallVm();
  const { mm, vma, vpn, entry } = anonymousPage(vm, 7);
  runToEnd(protectVma(vm, vma, 0));
  assert.ok((vm.tables.bits(entry) & PTE.protNone) !== 0);
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), "SIGSEGV");
  runToEnd(protectVma(vm, vma, VM.read));
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 7);
  assert.equal(runToEnd(writeUser(vm, mm, vpn, 0, 8)), "SIGSEGV");
  runToEnd(protectVma(vm, vma, VM.read | VM.write));
  assert.equal(runToEnd(writeUser(vm, mm, vpn, 0, 8)), "done");
});

test("unmapping the middle of a VMA leaves both ends, each with its pages", () => {
  const vm = smallVm();
  const mm = vm.createMm("a process");
  const vma = vm.mapAnonymous(mm, mm.freeRange(5));
  const first = vma.startVpn;
  const pages = [0, 1, 2, 3, 4].map((at) => touchPage(vm, vma, first + at, at + 1));
  runToEnd(unmapRange(vm, mm, first + 1, first + 3));
  assert.deepEqual(
    mm.vmas.map(({ startVpn, endVpn, pgoff }) => [startVpn - first, endVpn - first, pgoff - first]),
    [
      [0, 1, 0],
      [3, 5, 3],
    ],
  );
  assert.equal(runToEnd(readUser(vm, mm, first + 1, 0)), "SIGSEGV");
  assert.equal(runToEnd(readUser(vm, mm, first + 4, 0)), 5);
  assert.deepEqual(
    pages.map(({ folio }) => vm.mem.refcount[folio]),
    [1, 0, 0, 1, 1],
  );
  assert.equal(mm.rssPages, 3);
});
