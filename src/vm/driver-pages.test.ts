/** Memory of drivers that a process maps: what can be found there, and what becomes of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MIGRATE } from "../memory/constants.ts";
import type { Pfn } from "../memory/memmap.ts";
import { allocPages } from "../memory/page-alloc.ts";
import { runToEnd } from "../sched/run.ts";
import { remapPfnRange, vmInsertPage } from "./driver-pages.ts";
import { userPage } from "./fault.ts";
import { followPage, vmaMigratable } from "./follow-page.ts";
import { forkMm } from "./fork.ts";
import type { DriverMapping, Mm, Vma } from "./mm.ts";
import { PTE } from "./pte.ts";
import { smallVm } from "./small-vm.ts";
import type { Vm } from "./vm.ts";
import { exitMm } from "./zap.ts";

function driverVma(fault?: DriverMapping["fault"]): { vm: Vm; mm: Mm; vma: Vma; page: Pfn } {
  const vm = smallVm();
  const mm = vm.createMm("one");
  const driver = fault === undefined ? { name: "a ring" } : { name: "a ring", fault };
  const vma = vm.mapDriver(mm, { ...mm.freeRange(2), pgoff: 0 }, driver);
  const request = { order: 0, migratetype: MIGRATE.unmovable, node: 0 } as const;
  const page = allocPages(vm.mem, { ...request, highestZone: "Normal" }) as Pfn;
  return { vm, mm, vma, page };
}

test("an inserted page is counted, found, and shared by a fork", () => {
  const { vm, mm, vma, page } = driverVma();
  const { mem } = vm;
  vmInsertPage(vm, vma, vma.startVpn, page);
  assert.deepEqual([mem.refcount[page], mem.mapcount[page], mm.rssPages], [2, 1, 1]);
  assert.equal(followPage(vm, vma, vma.startVpn), page);
  mem.refcount[page]--;
  assert.ok(vmaMigratable(vma));
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.deepEqual([mem.refcount[page], mem.mapcount[page]], [3, 2]);
  runToEnd(exitMm(vm, child));
  runToEnd(exitMm(vm, mm));
  assert.deepEqual([mem.refcount[page], mem.mapcount[page]], [1, 0]);
});

test("bare frames are counted by nobody, and not moved", () => {
  const { vm, mm, vma, page } = driverVma();
  remapPfnRange(vm, vma, page);
  assert.equal(vm.tables.bits(mm.directory.find(vma.startVpn)), PTE.present | PTE.special);
  assert.equal(followPage(vm, vma, vma.startVpn), "EFAULT");
  assert.ok(!vmaMigratable(vma));
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.equal(vm.tables.pfn(child.directory.find(vma.startVpn + 1)), page + 1);
  runToEnd(exitMm(vm, child));
  runToEnd(exitMm(vm, mm));
  assert.deepEqual([vm.mem.refcount[page], vm.mem.mapcount[page]], [1, 0]);
});

test("a page is supplied at its first use where the driver can, and only there", () => {
  const supplied = driverVma((pgoff) => (pgoff === 1 ? supplied.page : null));
  const { vm, mm, vma, page } = supplied;
  assert.equal(followPage(vm, vma, vma.startVpn + 1), "ENOENT");
  assert.equal(runToEnd(userPage(vm, mm, vma.startVpn + 1, "read")), page);
  assert.equal(runToEnd(userPage(vm, mm, vma.startVpn, "read")), "SIGBUS");
  const without = driverVma();
  assert.equal(followPage(without.vm, without.vma, without.vma.startVpn), "EFAULT");
  assert.equal(runToEnd(userPage(without.vm, without.mm, without.vma.startVpn, "read")), "SIGBUS");
});

test("a VMA of a driver's keeps its driver when it is cut", () => {
  const { vm, vma } = driverVma();
  assert.equal(vm.splitVma(vma, vma.startVpn + 1).driver, vma.driver);
});
