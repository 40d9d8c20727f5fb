/** Huge pages under mremap: moved whole to aligned places, page by page to others. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VM_EVENT } from "../../events/vmstat.ts";
import { folioGet } from "../../memory/folio-ref.ts";
import type { Pfn } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { runToEnd } from "../../sched/run.ts";
import { readUser, writeUser } from "../fault.ts";
import { removeMigrationPtes, tryToMigrate } from "../migration-entry.ts";
import { MREMAP, mremap } from "../mremap.ts";
import { NO_ENTRY } from "../page-tables.ts";
import { PTE } from "../pte.ts";
import { endProcesses, hugePage, smallVm, type UserPage } from "../small-vm.ts";
import type { Vm } from "../vm.ts";

const FIXED = MREMAP.mayMove | MREMAP.fixed;

function newScene(): { vm: Vm; page: UserPage } {
  const vm = smallVm({ pageCount: 4096 });
  const page = hugePage(vm, 7);
  assert.equal(runToEnd(writeUser(vm, page.mm, page.vpn + 300, 0, 8)), "done");
  return { vm, page };
}

function moveTo(vm: Vm, { mm, vpn }: UserPage, at: number, pages: number, newVpn: number): void {
  const call = { vpn: vpn + at, oldPages: pages, newPages: pages, flags: FIXED, newVpn };
  assert.equal(runToEnd(mremap(vm, mm, call)), newVpn);
}

function splits(vm: Vm): number {
  return vm.mem.events.vmstat.counts[VM_EVENT.thp_split_pmd];
}

test("a huge page moves whole to an aligned place", () => {
  const { vm, page } = newScene();
  const { mm, vpn, folio } = page;
  moveTo(vm, page, 0, 512, 0x2000);
  const entry = mm.directory.findHuge(0x2000);
  assert.deepEqual([vm.tables.pfn(entry), splits(vm)], [folio, 0]);
  assert.notEqual(vm.tables.bits(entry) & PTE.softDirty, 0);
  assert.ok(mm.directory.isVacant(vpn));
  assert.deepEqual([vm.mem.refcount[folio], mm.rssPages], [1, 512]);
  assert.equal(runToEnd(readUser(vm, mm, 0x2000 + 300, 0)), 8);
  assert.equal(endProcesses(vm), 0);
});

test("to any other place it moves page by page", () => {
  const { vm, page } = newScene();
  const { mm, folio } = page;
  moveTo(vm, page, 0, 512, 0x2001);
  assert.equal(mm.directory.findHuge(0x2001), NO_ENTRY);
  assert.deepEqual([vm.mem.refcount[folio], mm.rssPages, splits(vm)], [512, 512, 1]);
  assert.equal(runToEnd(readUser(vm, mm, 0x2001 + 300, 0)), 8);
  assert.equal(endProcesses(vm), 0);
});

test("a part of it leaves the rest where it was", () => {
  const { vm, page } = newScene();
  const { mm, vpn, folio } = page;
  moveTo(vm, page, 256, 256, 0x2100);
  assert.deepEqual([vm.mem.refcount[folio], mm.rssPages, splits(vm)], [512, 512, 1]);
  assert.equal(runToEnd(readUser(vm, mm, 0x2100 + 44, 0)), 8);
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 7);
  assert.equal(runToEnd(readUser(vm, mm, vpn + 300, 0)), "SIGSEGV");
  assert.equal(vm.mem.nodes[0].deferredSplitCount, 0);
  assert.equal(endProcesses(vm), 0);
});

test("a migration entry moves too, and the folio comes back at the new place", () => {
  const { vm, page } = newScene();
  const { mm, folio } = page;
  const { mem } = vm;
  folioGet(mem, folio);
  mem.flags[folio] |= PG.locked;
  runToEnd(tryToMigrate(vm, folio));
  moveTo(vm, page, 0, 512, 0x2000);
  runToEnd(removeMigrationPtes(vm, folio, folio));
  const entry = mm.directory.findHuge(0x2000);
  assert.equal(vm.tables.bits(entry) & (PTE.present | PTE.write), PTE.present | PTE.write);
  assert.equal(mem.frames.readWord((folio + 300) as Pfn, 0), 8);
  assert.deepEqual([mem.refcount[folio], mem.mapping[folio + 1]], [2, 1]);
});
