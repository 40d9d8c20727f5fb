/** Parts of huge pages: unmapped, protected, given up; what the folio then counts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VM_EVENT, type VmEventName } from "../../events/vmstat.ts";
import { folioMapcount } from "../../memory/folio.ts";
import { folioTryPin, folioUnpin } from "../../memory/folio-ref.ts";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import { forkMm } from "../fork.ts";
import { tryToMigrate } from "../migration-entry.ts";
import { VM } from "../mm.ts";
import { NO_ENTRY } from "../page-tables.ts";
import { protectRange, protectVma } from "../protect.ts";
import { PTE } from "../pte.ts";
import { endProcesses, hugePage, smallVm } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import { exitMm, unmapRange, zapRange } from "../zap.ts";
import { splitHugePmd } from "./split-pmd.ts";

function newVm(): Vm {
  return smallVm({ pageCount: 4096 });
}

function count(vm: Vm, name: VmEventName): number {
  return vm.mem.events.vmstat.counts[VM_EVENT[name]];
}

test("a split says of each page what the huge entry said of all, but for dirty", () => {
  const vm = newVm();
  const { mm, vma, vpn, folio } = hugePage(vm, 7);
  const { mem, tables } = vm;
  splitHugePmd(vm, vma, vpn + 77);
  assert.equal(mm.directory.findHuge(vpn), NO_ENTRY);
  for (let at = 0; at < 512; at++) {
    const entry = mm.directory.find(vpn + at);
    assert.equal(tables.pfn(entry), folio + at);
    const bits = PTE.present | PTE.write | PTE.young | PTE.softDirty;
    assert.equal(tables.bits(entry), bits, `page ${at}`);
    assert.equal(mem.mapcount[folio + at], 1);
    assert.notEqual(mem.flags[folio + at] & PG.anonExclusive, 0);
  }
  assert.deepEqual([mem.refcount[folio], mem.mapping[folio + 1]], [512, 0]);
  assert.equal(mm.rssPages, 512);
  assert.notEqual(mem.flags[folio] & PG.dirty, 0);
  assert.deepEqual([count(vm, "thp_split_pmd"), count(vm, "thp_deferred_split_page")], [1, 0]);
  splitHugePmd(vm, vma, vpn);
  assert.equal(count(vm, "thp_split_pmd"), 1, "nothing is left to split");
  assert.equal(endProcesses(vm), 0);
});

test("a huge page that is unmapped whole goes without a split", () => {
  const vm = newVm();
  const { mm, vma, vpn, folio } = hugePage(vm, 7);
  runToEnd(zapRange(vm, vma, vpn, vpn + 512));
  assert.deepEqual([vm.mem.refcount[folio], mm.rssPages], [0, 0]);
  assert.equal(count(vm, "thp_split_pmd"), 0);
  assert.ok(mm.directory.isVacant(vpn));
  assert.equal(endProcesses(vm), 0);
});

test("munmap of half splits the mapping, and the folio waits to be split, once", () => {
  const vm = newVm();
  const { mm, vpn, folio } = hugePage(vm, 7);
  runToEnd(unmapRange(vm, mm, vpn + 256, vpn + 512));
  const { mem } = vm;
  assert.deepEqual([mem.refcount[folio], folioMapcount(mem, folio), mm.rssPages], [256, 256, 256]);
  assert.deepEqual([count(vm, "thp_split_pmd"), count(vm, "thp_deferred_split_page")], [1, 1]);
  assert.equal(mem.nodes[0].deferredSplitCount, 1);
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 7);
  runToEnd(unmapRange(vm, mm, vpn + 128, vpn + 256));
  assert.equal(count(vm, "thp_deferred_split_page"), 1);
  runToEnd(exitMm(vm, mm));
  assert.equal(mem.nodes[0].deferredSplitCount, 0, "freed, it leaves the queue");
  assert.equal(endProcesses(vm), 0);
});

test("MADV_DONTNEED of a few pages leaves the VMA whole and splits the mapping", () => {
  const vm = newVm();
  const { mm, vma, vpn } = hugePage(vm, 7);
  runToEnd(zapRange(vm, vma, vpn + 3, vpn + 5));
  assert.equal(mm.vmas.length, 1);
  assert.equal(mm.rssPages, 510);
  assert.deepEqual([count(vm, "thp_split_pmd"), count(vm, "thp_deferred_split_page")], [1, 1]);
  assert.equal(runToEnd(writeUser(vm, mm, vpn + 3, 0, 1)), "done");
  assert.equal(mm.rssPages, 511, "a single page fills the gap");
});

test("mprotect of one page splits the mapping; the folio stays whole and is not queued", () => {
  const vm = newVm();
  const { mm, vpn, folio } = hugePage(vm, 7);
  assert.equal(runToEnd(protectRange(vm, mm, vpn + 300, vpn + 301, VM.read)), "done");
  assert.equal(vm.tables.bits(mm.directory.find(vpn + 300)) & PTE.write, 0);
  assert.notEqual(vm.tables.bits(mm.directory.find(vpn + 301)) & PTE.write, 0);
  assert.deepEqual([vm.mem.refcount[folio], mm.rssPages], [512, 512]);
  assert.equal(vm.mem.nodes[0].deferredSplitCount, 0);
  assert.deepEqual([count(vm, "thp_split_pmd"), count(vm, "thp_deferred_split_page")], [1, 0]);
});

test("mprotect of all of it changes one entry", () => {
  const vm = newVm();
  const { vma, entry } = hugePage(vm, 7);
  runToEnd(protectVma(vm, vma, VM.read));
  assert.equal(vm.tables.bits(entry) & (PTE.write | PTE.huge), PTE.huge);
  runToEnd(protectVma(vm, vma, 0));
  assert.equal(vm.tables.bits(entry) & (PTE.protNone | PTE.huge), PTE.protNone | PTE.huge);
  assert.equal(count(vm, "thp_split_pmd"), 0);
});

test("a second process that maps the folio whole keeps its pages from being split off", () => {
  const vm = newVm();
  const { mm, vpn, folio } = hugePage(vm, 7);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  runToEnd(unmapRange(vm, mm, vpn + 256, vpn + 512));
  assert.equal(vm.mem.nodes[0].deferredSplitCount, 0);
  assert.deepEqual([vm.mem.refcount[folio], vm.mem.mapping[folio + 1]], [1 + 256, 1]);
  runToEnd(exitMm(vm, child));
  assert.equal(vm.mem.nodes[0].deferredSplitCount, 1, "now half of it is nobody's");
  assert.equal(endProcesses(vm), 0);
});

test("a fork copies what a device may be writing to: every page of a pinned folio", () => {
  const vm = newVm();
  const { mm, vpn, folio } = hugePage(vm, 7);
  assert.ok(folioTryPin(vm.mem, folio));
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.equal(mm.directory.findHuge(vpn), NO_ENTRY);
  assert.deepEqual([child.rssPages, vm.mem.refcount[folio]], [512, 513]);
  const copy = vm.tables.pfn(child.directory.find(vpn));
  assert.ok(copy < folio || copy >= folio + 512);
  assert.equal(runToEnd(readUser(vm, child, vpn, 0)), 7);
  assert.notEqual(vm.tables.bits(mm.directory.find(vpn)) & PTE.write, 0);
  folioUnpin(vm.mem, folio);
  assert.equal(endProcesses(vm), 0);
});

test("a fork of a folio that single entries map shares each of its pages", () => {
  const vm = newVm();
  const { mm, vma, vpn, folio } = hugePage(vm, 7);
  splitHugePmd(vm, vma, vpn);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.deepEqual([vm.mem.refcount[folio], vm.mem.mapcount[folio + 511]], [1024, 2]);
  assert.equal(vm.mem.flags[folio + 511] & PG.anonExclusive, 0);
  assert.equal(runToEnd(writeUser(vm, child, vpn + 511, 0, 1)), "done");
  assert.deepEqual([vm.mem.refcount[folio], vm.mem.mapcount[folio + 511]], [1023, 1]);
  assert.equal(endProcesses(vm), 0);
});

test("a fork shares the huge zero page, and the child holds it", () => {
  const vm = newVm();
  const mm = vm.createMm("parent");
  const { startVpn } = vm.mapAnonymous(mm, mm.freeRange(512), VM.read | VM.hugepage);
  assert.equal(runToEnd(readUser(vm, mm, startVpn, 0)), 0);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.equal(vm.hugeZero.processes, 2);
  assert.equal(runToEnd(readUser(vm, child, startVpn + 511, 0)), 0);
  assert.equal(child.rssPages, 0);
  assert.equal(endProcesses(vm), 0);
});

test("the entry of a folio that is being moved splits into 512 that say the same", () => {
  const vm = newVm();
  const { mm, vma, vpn, folio } = hugePage(vm, 7);
  const { mem, tables } = vm;
  mem.refcount[folio]++;
  mem.flags[folio] |= PG.locked;
  runToEnd(tryToMigrate(vm, folio));
  assert.equal(mem.refcount[folio], 1);
  splitHugePmd(vm, vma, vpn);
  for (const at of [0, 255, 511]) {
    const entry = mm.directory.find(vpn + at);
    assert.equal(tables.pfn(entry), folio + at);
    const kept = PTE.migrationWrite | PTE.young | PTE.dirty | PTE.softDirty;
    assert.equal(tables.bits(entry), kept);
  }
  assert.deepEqual([mem.refcount[folio], folioMapcount(mem, folio)], [1, 0]);
  assert.equal(mm.rssPages, 512);
});
