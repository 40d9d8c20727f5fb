/** Huge entries out of and back into the page tables, and everything that may happen between. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TraceLines } from "../../events/events.ts";
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioMapped } from "../../memory/folio.ts";
import { folioGet, folioPut, folioTryPin } from "../../memory/folio-ref.ts";
import type { Folio } from "../../memory/memmap.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import { forkMm } from "../fork.ts";
import { removeMigrationPtes, tryToMigrate } from "../migration-entry.ts";
import { VM } from "../mm.ts";
import { NO_ENTRY } from "../page-tables.ts";
import { protectVma } from "../protect.ts";
import { PTE, PTE_MIGRATION } from "../pte.ts";
import { folioGetAnonVma, putAnonVma } from "../rmap.ts";
import { endProcesses, hugePage, smallVm, type UserPage } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import { unmapRange } from "../zap.ts";

/** A process's huge page, locked and held as a mover holds it. */
function newMove(vmFlags?: number): { vm: Vm; page: UserPage } {
  const vm = smallVm({ pageCount: 4096 });
  const page = hugePage(vm, 7, vmFlags);
  folioGet(vm.mem, page.folio);
  vm.mem.flags[page.folio] |= PG.locked;
  return { vm, page };
}

/** A folio that has taken the place of `src`, as the mover leaves it before the remapping. */
function replacement({ mem }: Vm, src: Folio): Folio {
  const dst = folioAlloc(mem, { ...movableRequest(0), order: 9 });
  assert.ok(dst !== null);
  mem.mapping[dst] = mem.mapping[src];
  mem.index[dst] = mem.index[src];
  mem.flags[dst] |= mem.flags[src] & (PG.dirty | PG.swapbacked | PG.uptodate);
  return dst;
}

function finish({ mem }: Vm, ...folios: Folio[]): void {
  for (const folio of folios) {
    mem.flags[folio] &= ~PG.locked;
    folioPut(mem, folio);
  }
}

test("one entry stands for 512 pages, and what it says of them survives the move", () => {
  const { vm, page } = newMove();
  const { mem, tables } = vm;
  const { folio: src, entry } = page;
  const before = tables.bits(entry);
  runToEnd(tryToMigrate(vm, src));
  assert.equal(folioMapped(mem, src), false);
  assert.deepEqual([mem.refcount[src], page.mm.rssPages], [1, 512]);
  assert.notEqual(mem.flags[src] & PG.dirty, 0, "dirty is the folio's to keep");
  assert.equal(mem.flags[src] & PG.anonExclusive, 0);
  assert.equal(tables.bits(entry) & (PTE.huge | PTE_MIGRATION), PTE.huge | PTE.migrationWrite);
  const dst = replacement(vm, src);
  runToEnd(removeMigrationPtes(vm, src, dst));
  assert.deepEqual([tables.pfn(entry), tables.bits(entry)], [dst, before]);
  assert.deepEqual([mem.refcount[dst], mem.mapping[dst + 1]], [2, 1]);
  assert.notEqual(mem.flags[dst] & PG.anonExclusive, 0);
  finish(vm, src, dst);
  assert.equal(endProcesses(vm), 0);
});

test("each process's entry is told by one event, with its address and no order", () => {
  const { vm, page } = newMove();
  assert.ok(forkMm(vm, page.mm, "child") !== null);
  const trace = new TraceLines();
  vm.mem.events.trace = trace;
  runToEnd(tryToMigrate(vm, page.folio));
  runToEnd(removeMigrationPtes(vm, page.folio, page.folio));
  const names = trace.lines.map((line) => line.replace(/pmd=\w+$/, ""));
  const [set, removed] = ["set", "remove"].map((kind) => `${kind}_migration_pmd: addr=200000, `);
  assert.deepEqual(names, [set, set, removed, removed]);
});

for (const [what, kind, prepare] of [
  ["an exclusive page that may not be written", PTE.migrationReadExclusive, () => {}],
  [
    "a page that others may share",
    PTE.migrationRead,
    (vm: Vm, { folio }: UserPage) => {
      vm.mem.flags[folio] &= ~PG.anonExclusive;
    },
  ],
] as const) {
  test(`${what} comes back as it was`, () => {
    const { vm, page } = newMove();
    runToEnd(protectVma(vm, page.vma, VM.read));
    prepare(vm, page);
    const exclusive = vm.mem.flags[page.folio] & PG.anonExclusive;
    runToEnd(tryToMigrate(vm, page.folio));
    assert.equal(vm.tables.bits(page.entry) & PTE_MIGRATION, kind);
    runToEnd(protectVma(vm, page.vma, VM.read | VM.write));
    runToEnd(removeMigrationPtes(vm, page.folio, page.folio));
    assert.equal(vm.tables.bits(page.entry) & PTE.write, 0);
    assert.equal(vm.mem.flags[page.folio] & PG.anonExclusive, exclusive);
  });
}

test("write permission that was taken away during the move does not come back", () => {
  const { vm, page } = newMove();
  runToEnd(tryToMigrate(vm, page.folio));
  runToEnd(protectVma(vm, page.vma, VM.read));
  runToEnd(removeMigrationPtes(vm, page.folio, page.folio));
  assert.equal(vm.tables.bits(page.entry) & (PTE.present | PTE.write), PTE.present);
});

test("a folio that a device may be using stays mapped", () => {
  const { vm, page } = newMove();
  const bits = vm.tables.bits(page.entry);
  assert.ok(folioTryPin(vm.mem, page.folio));
  runToEnd(tryToMigrate(vm, page.folio));
  assert.ok(folioMapped(vm.mem, page.folio));
  assert.equal(vm.tables.bits(page.entry), bits);
  assert.notEqual(vm.mem.flags[page.folio] & PG.anonExclusive, 0);
});

test("half of it unmapped during the move: the other half comes back by single entries", () => {
  const { vm, page } = newMove();
  const { mem } = vm;
  const { mm, vpn, folio } = page;
  runToEnd(tryToMigrate(vm, folio));
  runToEnd(unmapRange(vm, mm, vpn + 256, vpn + 512));
  assert.equal(mm.rssPages, 256);
  const dst = replacement(vm, folio);
  runToEnd(removeMigrationPtes(vm, folio, dst));
  assert.equal(mm.directory.findHuge(vpn), NO_ENTRY);
  assert.deepEqual([mem.refcount[dst], mem.mapping[dst + 1]], [257, 0]);
  assert.equal(vm.tables.pfn(mm.directory.find(vpn + 255)), dst + 255);
  assert.notEqual(mem.flags[dst + 255] & PG.anonExclusive, 0);
  finish(vm, folio, dst);
  assert.equal(endProcesses(vm), 0);
});

test("all of it unmapped during the move: nothing comes back", () => {
  const { vm, page } = newMove();
  const { mm, vpn, folio } = page;
  const anonVma = folioGetAnonVma(vm, folio);
  assert.ok(anonVma !== null);
  runToEnd(tryToMigrate(vm, folio));
  runToEnd(unmapRange(vm, mm, vpn, vpn + 512));
  runToEnd(removeMigrationPtes(vm, folio, folio));
  putAnonVma(vm, anonVma);
  assert.deepEqual([vm.mem.refcount[folio], mm.rssPages], [1, 0]);
  finish(vm, folio);
  assert.equal(endProcesses(vm), 0);
});

test("a fork during the move: both sides get it back, and neither may write", () => {
  const { vm, page } = newMove();
  const { mem } = vm;
  const { mm, vpn, folio } = page;
  runToEnd(tryToMigrate(vm, folio));
  const child = forkMm(vm, mm, "child");
  assert.ok(child !== null);
  assert.equal(mem.refcount[folio], 1, "migration entries hold no references");
  runToEnd(removeMigrationPtes(vm, folio, folio));
  assert.deepEqual([mem.refcount[folio], mem.mapping[folio + 1]], [3, 2]);
  assert.equal(mem.flags[folio] & PG.anonExclusive, 0);
  finish(vm, folio);
  assert.equal(runToEnd(writeUser(vm, child, vpn + 1, 0, 5)), "done");
  assert.equal(runToEnd(readUser(vm, mm, vpn + 1, 0)), 0);
  assert.equal(runToEnd(readUser(vm, child, vpn, 0)), 7);
  assert.equal(endProcesses(vm), 0);
});

test("an mlocked folio is kept for as long as it is mapped, and again once it is back", () => {
  const { vm, page } = newMove(VM.read | VM.write | VM.locked);
  const { mem } = vm;
  assert.equal(mem.nodes[0].mlockedPages, 512);
  runToEnd(tryToMigrate(vm, page.folio));
  assert.equal(mem.nodes[0].mlockedPages, 0);
  runToEnd(removeMigrationPtes(vm, page.folio, page.folio));
  assert.equal(mem.nodes[0].mlockedPages, 512);
  finish(vm, page.folio);
  assert.equal(endProcesses(vm), 0);
  assert.equal(mem.nodes[0].mlockedPages, 0);
});

test("a move of a folio that single entries map puts it on the queue of those to be split", () => {
  const { vm, page } = newMove();
  const { mm, vpn, folio } = page;
  runToEnd(unmapRange(vm, mm, vpn + 511, vpn + 512));
  const counted = vm.mem.events.vmstat.counts;
  assert.equal(counted[VM_EVENT.thp_deferred_split_page], 1);
  runToEnd(tryToMigrate(vm, folio));
  assert.equal(folioMapped(vm.mem, folio), false);
  assert.equal(counted[VM_EVENT.thp_deferred_split_page], 1, "it was on it already");
});
