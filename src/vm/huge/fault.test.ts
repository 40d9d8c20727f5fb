/** Faults that map huge pages, the huge zero page, and copies of a huge page's parts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VM_EVENT, type VmEventName } from "../../events/vmstat.ts";
import { folioMapcount } from "../../memory/folio.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import type { Pfn } from "../../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import { forkMm } from "../fork.ts";
import { type Mm, VM, type Vma } from "../mm.ts";
import { NO_ENTRY } from "../page-tables.ts";
import { PTE } from "../pte.ts";
import { endProcesses, hugePage, smallVm } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import { exitMm } from "../zap.ts";
import { shrinkHugeZeroPage } from "./zero-page.ts";

const RW = VM.read | VM.write;

function newVm(): Vm {
  return smallVm({ pageCount: 4096 });
}

function count(vm: Vm, name: VmEventName): number {
  return vm.mem.events.vmstat.counts[VM_EVENT[name]];
}

/** 2 MiB of a new process, with these flags. */
function mapTwoMiB(vm: Vm, flags: number): Vma {
  const mm = vm.createMm("process");
  return vm.mapAnonymous(mm, mm.freeRange(512), flags);
}

function write(vm: Vm, mm: Mm, vpn: number, value: number): void {
  assert.equal(runToEnd(writeUser(vm, mm, vpn, 0, value)), "done");
}

function read(vm: Vm, mm: Mm, vpn: number): number | string {
  return runToEnd(readUser(vm, mm, vpn, 0));
}

test("the first write maps a zeroed folio whole: one mapping, one reference, 512 pages", () => {
  const vm = newVm();
  const { mm, vpn, entry, folio } = hugePage(vm, 7);
  const { mem } = vm;
  assert.equal(folio % 512, 0);
  assert.equal(vm.tables.bits(entry) & (PTE.huge | PTE.write | PTE.dirty), 0x806);
  assert.deepEqual(
    [mem.refcount[folio], mem.mapcount[folio], folioMapcount(mem, folio)],
    [1, 0, 1],
  );
  assert.equal(mm.rssPages, 512);
  assert.deepEqual([count(vm, "thp_fault_alloc"), count(vm, "thp_fault_fallback")], [1, 0]);
  assert.notEqual(mem.flags[folio] & PG.anonExclusive, 0);
  assert.equal(mem.flags[folio + 1] & PG.anonExclusive, 0, "the first page speaks for all");
  write(vm, mm, vpn + 511, 9);
  assert.deepEqual(
    [0, 1, 511].map((at) => read(vm, mm, vpn + at)),
    [7, 0, 9],
  );
  assert.equal(mem.frames.readWord((folio + 511) as Pfn, 0), 9);
  assert.equal(endProcesses(vm), 0);
});

for (const [what, enabled, flags] of [
  ["memory that did not ask for them", "madvise", RW],
  ["memory that asked for none", "always", RW | VM.nohugepage],
  ["any memory of a machine without them", "never", RW | VM.hugepage],
  ["an argument stack under exec", "always", RW | VM.incompleteStack],
] as const) {
  test(`${what} gets single pages`, () => {
    const vm = newVm();
    vm.thp.enabled = enabled;
    const { mm, startVpn } = mapTwoMiB(vm, flags);
    write(vm, mm, startVpn, 1);
    assert.equal(mm.rssPages, 1);
    assert.equal(mm.directory.findHuge(startVpn), NO_ENTRY);
  });
}

test("where they are always wanted nobody need ask", () => {
  const vm = newVm();
  vm.thp.enabled = "always";
  const { mm, startVpn } = mapTwoMiB(vm, RW);
  write(vm, mm, startVpn + 3, 1);
  assert.equal(mm.rssPages, 512);
});

test("only 2 MiB that lie in the VMA, with no page table yet, can be mapped whole", () => {
  const vm = newVm();
  const mm = vm.createMm("process");
  const { startVpn } = mm.freeRange(1);
  const range = { startVpn: startVpn + 1, endVpn: startVpn + 1536, pgoff: startVpn + 1 };
  vm.mapAnonymous(mm, range, RW | VM.hugepage);
  mm.directory.make(startVpn + 1024);
  for (const at of [1, 600, 1100]) write(vm, mm, startVpn + at, 1);
  assert.equal(mm.rssPages, 1 + 512 + 1);
  assert.notEqual(mm.directory.findHuge(startVpn + 512), NO_ENTRY);
  assert.equal(count(vm, "thp_fault_fallback"), 0);
});

test("without a free block of 2 MiB a fault falls back to a single page, and counts it", () => {
  const vm = newVm();
  while (folioAlloc(vm.mem, { ...movableRequest(0), order: 9 }) !== null);
  const { mm, startVpn } = mapTwoMiB(vm, RW | VM.hugepage);
  write(vm, mm, startVpn, 1);
  write(vm, mm, startVpn + 1, 1);
  assert.equal(mm.rssPages, 2);
  assert.equal(count(vm, "thp_fault_fallback"), 1, "there is a page table afterwards");
});

test("a read maps the huge zero page, which processes share and nobody counts", () => {
  const vm = newVm();
  const vmas = [1, 2].map(() => mapTwoMiB(vm, RW | VM.hugepage));
  for (const { mm, startVpn } of vmas) assert.equal(read(vm, mm, startVpn + 9), 0);
  const [first, second] = vmas.map(({ mm, startVpn }) => mm.directory.findHuge(startVpn));
  assert.equal(vm.tables.pfn(first), vm.tables.pfn(second));
  const folio = vm.tables.pfn(first);
  assert.deepEqual([vm.mem.refcount[folio], vm.mem.mapping[folio + 1]], [1, 0]);
  assert.equal(vmas[0].mm.rssPages, 0);
  assert.equal(count(vm, "thp_zero_page_alloc"), 1);
  assert.equal(shrinkHugeZeroPage(vm), 0, "two processes hold it");
  runToEnd(exitMm(vm, vmas[0].mm));
  runToEnd(exitMm(vm, vmas[1].mm));
  assert.equal(vm.mem.refcount[folio], 1, "it is kept for who reads next");
  assert.equal(shrinkHugeZeroPage(vm), 512);
  assert.equal(vm.mem.refcount[folio], 0);
});

test("a write to the huge zero page splits it, and takes one page", () => {
  const vm = newVm();
  const { mm, startVpn } = mapTwoMiB(vm, RW | VM.hugepage);
  assert.equal(read(vm, mm, startVpn), 0);
  write(vm, mm, startVpn + 5, 3);
  assert.deepEqual(
    [4, 5, 6].map((at) => read(vm, mm, startVpn + at)),
    [0, 3, 0],
  );
  assert.equal(mm.rssPages, 1);
  assert.deepEqual([count(vm, "thp_split_pmd"), count(vm, "thp_fault_alloc")], [1, 0]);
  assert.equal(endProcesses(vm), 0);
});

test("a machine that does not use the huge zero page gives a reader a folio", () => {
  const vm = newVm();
  vm.thp.useZeroPage = false;
  const { mm, startVpn } = mapTwoMiB(vm, RW | VM.hugepage);
  assert.equal(read(vm, mm, startVpn), 0);
  assert.deepEqual([mm.rssPages, count(vm, "thp_fault_alloc")], [512, 1]);
});

test("no room for the huge zero page is counted, and single pages are read", () => {
  const vm = newVm();
  while (folioAlloc(vm.mem, { ...movableRequest(0), order: 9 }) !== null);
  const { mm, startVpn } = mapTwoMiB(vm, RW | VM.hugepage);
  assert.equal(read(vm, mm, startVpn), 0);
  assert.equal(count(vm, "thp_zero_page_alloc_failed"), 1);
  assert.equal(count(vm, "thp_fault_fallback"), 1);
});

test("a write after fork splits the writer's entry and copies one page; the other keeps all", () => {
  const vm = newVm();
  const { mm, vpn, entry, folio } = hugePage(vm, 7);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.deepEqual([vm.mem.refcount[folio], folioMapcount(vm.mem, folio)], [2, 2]);
  assert.equal(child.rssPages, 512);
  write(vm, child, vpn + 3, 8);
  assert.deepEqual([read(vm, mm, vpn + 3), read(vm, child, vpn + 3)], [0, 8]);
  assert.deepEqual([read(vm, mm, vpn), read(vm, child, vpn)], [7, 7]);
  assert.equal(vm.tables.bits(entry) & PTE.huge, PTE.huge, "the parent's stays whole");
  assert.deepEqual([vm.mem.refcount[folio], vm.mem.mapping[folio + 1]], [1 + 511, 1]);
  assert.equal(count(vm, "thp_deferred_split_page"), 0, "no page of it is unmapped");
  assert.equal(endProcesses(vm), 0);
});

test("the last one that maps a shared folio writes to it without a copy", () => {
  const vm = newVm();
  const { mm, vpn, entry, folio } = hugePage(vm, 7);
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  runToEnd(exitMm(vm, child));
  write(vm, mm, vpn + 9, 8);
  assert.deepEqual([vm.tables.pfn(entry), vm.tables.bits(entry) & PTE.write], [folio, PTE.write]);
  assert.notEqual(vm.mem.flags[folio] & PG.anonExclusive, 0);
});

test("a reference from outside costs the writer of a shared folio a copy", () => {
  const vm = newVm();
  const { mm, vpn, folio } = hugePage(vm, 7);
  vm.mem.flags[folio] &= ~PG.anonExclusive;
  vm.tables.set(mm.directory.findHuge(vpn), folio, PTE.present | PTE.huge);
  folioGet(vm.mem, folio);
  write(vm, mm, vpn + 9, 8);
  assert.equal(mm.directory.findHuge(vpn), NO_ENTRY);
  assert.notEqual(vm.tables.pfn(mm.directory.find(vpn + 9)), folio + 9);
  assert.equal(vm.tables.pfn(mm.directory.find(vpn + 8)), folio + 8);
  folioPut(vm.mem, folio);
});
