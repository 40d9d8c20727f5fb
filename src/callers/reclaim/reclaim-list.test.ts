import assert from "node:assert/strict";
import { test } from "node:test";
import { lruAddDrain } from "../../memory/lru.ts";
import { folioMarkLazyfree } from "../../memory/lru-moves.ts";
import { PG } from "../../memory/page-flags.ts";
import { isolateForMigration } from "../../migrate/small-migration.ts";
import { runToEnd } from "../../sched/run.ts";
import { anonymousPage, cachedFolio, mapFilePage } from "../../vm/small-vm.ts";
import { smallSwap } from "../../vm/swap/small-swap.ts";
import { reclaimCleanPagesFromList, reclaimPages } from "./reclaim-list.ts";
import { listed, smallReclaim } from "./small-reclaim.ts";

test("a range's clean file pages are dropped, in use or not, and the rest is left to be moved", () => {
  const reclaimer = smallReclaim();
  const { vm } = reclaimer;
  const { mem } = vm;
  const file = vm.cache.createMapping("a file", {});
  const clean = mapFilePage(vm, file, cachedFolio(vm, file, 0, 1)).folio;
  const dirty = cachedFolio(vm, file, 1, 1);
  mem.flags[dirty] |= PG.dirty;
  const { folio: anon } = anonymousPage(vm, 1);
  const writtenAfterAll = anonymousPage(vm, 2).folio;
  folioMarkLazyfree(mem, writtenAfterAll);
  lruAddDrain(mem);
  const list = mem.takeList();
  for (const folio of [clean, dirty, anon, writtenAfterAll]) {
    assert.ok(isolateForMigration(mem, folio, list));
  }
  const [node] = mem.nodes;
  assert.deepEqual([...node.isolatedPages], [1, 3]);
  assert.equal(runToEnd(reclaimCleanPagesFromList(reclaimer, node, list)), 1);
  assert.deepEqual(listed(mem, list), [writtenAfterAll, dirty, anon]);
  assert.deepEqual([...node.isolatedPages], [2, 1], "the one counts as anonymous from now on");
  assert.equal(mem.refcount[clean], 0);
});

test("pages to be paged out go whether they are used or not, and to swap if need be", () => {
  const reclaimer = smallReclaim();
  const { vm } = reclaimer;
  const { mem } = vm;
  smallSwap(vm);
  const file = vm.cache.createMapping("a file", {});
  const pages = [anonymousPage(vm, 1), mapFilePage(vm, file, cachedFolio(vm, file, 0, 1))];
  const list = mem.takeList();
  for (const { folio } of pages) {
    mem.flags[folio] |= PG.referenced;
    assert.ok(isolateForMigration(mem, folio, list));
  }
  assert.equal(runToEnd(reclaimPages(reclaimer, list)), 2);
  assert.deepEqual(listed(mem, list), []);
});
