/** Moves as in 2005: by way of swap, for want of migration entries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PROFILES } from "../base/profile.ts";
import { PAGE_SIZE } from "../memory/constants.ts";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser, writeUser } from "../vm/fault.ts";
import { anonymousPage, cachedFolio, mapFilePage, smallVm } from "../vm/small-vm.ts";
import { smallSwap } from "../vm/swap/small-swap.ts";
import { folioTestSwapcache } from "../vm/swap/swap-cache.ts";
import type { Vm } from "../vm/vm.ts";
import { migrateFolio } from "./callbacks.ts";
import { type MigrateResult, migratePages } from "./migrate-pages.ts";
import { putbackMovablePages } from "./putback.ts";
import { AllocTarget, isolateForMigration } from "./small-migration.ts";

const MOVED: MigrateResult = { notMoved: 0, error: null, succeededPages: 1 };
const STAYED: MigrateResult = { notMoved: 1, error: null, succeededPages: 0 };

/** A machine of 2.6.15; with `slots` 0 it has no swap. */
function machine(slots: number): Vm {
  const vm = smallVm();
  vm.mem.profile = PROFILES["2.6.15"];
  if (slots > 0) smallSwap(vm, migrateFolio, { slots });
  return vm;
}

function move(vm: Vm, folio: Folio): { result: MigrateResult; given: readonly Folio[] } {
  const { mem } = vm;
  const list = mem.takeList();
  assert.ok(isolateForMigration(mem, folio, list));
  const target = new AllocTarget(mem);
  const result = runToEnd(migratePages(vm, list, target, "sync", "syscall_or_cpuset"));
  runToEnd(putbackMovablePages(vm, list));
  mem.releaseList(list);
  return { result, given: target.given };
}

test("an anonymous page moves to the swap cache, where its process finds it", () => {
  const vm = machine(8);
  const page = anonymousPage(vm, 41);
  const { mm, vpn } = page;
  const { result, given } = move(vm, page.folio);
  assert.deepEqual(result, MOVED);
  const [dst] = given;
  assert.equal(folioTestSwapcache(vm.mem, dst), true);
  assert.deepEqual([mm.rssPages, mm.swapEntries, vm.mem.mapcount[dst]], [0, 1, 0]);
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 41);
  assert.equal(vm.mem.pfn(vm.tables.pfn(mm.directory.lookUp(vpn))), dst);
  assert.equal(runToEnd(writeUser(vm, mm, vpn, 0, 42)), "done");
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 42);
  assert.equal(vm.mem.events.vmstat.snapshot().pswpin, 0, "the page never left memory");
});

test("without swap, or with swap full, it stays mapped where it is", () => {
  for (const slots of [0, 2]) {
    const vm = machine(slots);
    const pages = [anonymousPage(vm, 1), anonymousPage(vm, 2), anonymousPage(vm, 3)];
    const moves = pages.map(({ folio }) => move(vm, folio));
    const results = moves.map(({ result }) => result);
    // The first slot of an area is its header.
    assert.deepEqual(results, slots === 0 ? [STAYED, STAYED, STAYED] : [MOVED, STAYED, STAYED]);
    const last = pages[2];
    assert.deepEqual([last.mm.rssPages, vm.mem.mapcount[last.folio]], [1, 1]);
    assert.equal(vm.mem.events.refusals.standing.get(last.folio)?.name, "no_swap");
    assert.equal(moves[2].given.length, 1, "given up at once");
    assert.equal(vm.mem.flags[last.folio] & PG.locked, 0);
    assert.equal(last.vma.anonVma?.refcount, 0);
    for (const [at, { mm, vpn }] of pages.entries()) {
      assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), at + 1);
    }
  }
});

test("a file's page needs no swap", () => {
  const vm = machine(0);
  const file = vm.cache.createMapping("a file", { migrateFolio }, { sizeBytes: PAGE_SIZE });
  const folio = cachedFolio(vm, file, 0, 7);
  const { mm, vpn } = mapFilePage(vm, file, folio);
  const { result, given } = move(vm, folio);
  assert.deepEqual(result, MOVED);
  assert.deepEqual([mm.rssPages, file.folios.load(0)], [0, given[0]]);
  assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 7);
});
