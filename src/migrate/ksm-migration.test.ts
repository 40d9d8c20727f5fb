import assert from "node:assert/strict";
import { test } from "node:test";
import { TraceLines } from "../events/events.ts";
import { folioTestKsm } from "../memory/mapping-word.ts";
import type { Folio } from "../memory/memmap.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser, writeUser } from "../vm/fault.ts";
import { folioAt, ksmPass, mergeablePages, mergedPages } from "../vm/ksm/small-ksm.ts";
import { smallVm, type UserPage } from "../vm/small-vm.ts";
import type { Vm } from "../vm/vm.ts";
import { migratePages } from "./migrate-pages.ts";
import { AllocTarget, isolateForMigration } from "./small-migration.ts";

/** Moves one folio; returns where it is then. */
function move(vm: Vm, { vma, vpn }: UserPage): Folio {
  const list = vm.mem.takeList();
  assert.ok(isolateForMigration(vm.mem, folioAt(vm, vma, vpn), list));
  const target = new AllocTarget(vm.mem);
  assert.equal(runToEnd(migratePages(vm, list, target, "sync", "syscall_or_cpuset")).notMoved, 0);
  vm.mem.releaseList(list);
  return folioAt(vm, vma, vpn);
}

test("a merged page moves with all its mappings, and its node goes along", () => {
  const vm = smallVm();
  const { mem } = vm;
  const pages = mergedPages(vm, 5, 3);
  const old = pages[0].folio;
  const now = move(vm, pages[0]);
  assert.notEqual(now, old);
  for (const { vma, vpn } of pages) assert.equal(folioAt(vm, vma, vpn), now);
  assert.deepEqual([mem.mapcount[now], mem.refcount[now], mem.refcount[old]], [3, 3, 0]);
  assert.deepEqual([folioTestKsm(mem, now), mem.ksmFolios[0]], [true, now]);
  const [later] = mergeablePages(vm, [5]);
  ksmPass(vm);
  assert.equal(folioAt(vm, later.vma, later.vpn), now, "equals are found at the new place");
  assert.equal(runToEnd(writeUser(vm, pages[1].mm, pages[1].vpn, 0, 6)), "done");
  assert.deepEqual(
    pages.map(({ mm, vpn }) => runToEnd(readUser(vm, mm, vpn, 0))),
    [5, 6, 5],
  );
});

test("the mappings of a merged page are taken out and put back newest first", () => {
  const vm = smallVm();
  const pages = mergeablePages(vm, [5, 5, 5]);
  ksmPass(vm);
  ksmPass(vm);
  const trace = new TraceLines();
  vm.mem.events.trace = trace;
  move(vm, pages[0]);
  const [newest, middle, oldest] = [2, 1, 0].map((at) => {
    return ((pages[0].vpn + at) * 4096).toString(16);
  });
  const places = trace.lines
    .filter((line) => line.includes("migration_pte"))
    .map((line) => line.replace(/,.*/, ""));
  assert.deepEqual(places, [
    `set_migration_pte: addr=${newest}`,
    `set_migration_pte: addr=${middle}`,
    `set_migration_pte: addr=${oldest}`,
    `remove_migration_pte: addr=${newest}`,
    `remove_migration_pte: addr=${middle}`,
    `remove_migration_pte: addr=${oldest}`,
  ]);
});
