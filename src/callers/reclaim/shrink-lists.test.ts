/** Batches of a list: what is counted, what is put back where, and when there is a wait. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { folioGet } from "../../memory/folio-ref.ts";
import { GFP } from "../../memory/gfp.ts";
import { lruAddDrain } from "../../memory/lru.ts";
import { folioActivate } from "../../memory/lru-moves.ts";
import type { Folio } from "../../memory/memmap.ts";
import { LRU } from "../../memory/node.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { listAdd } from "../../memory/page-list.ts";
import { runToEnd } from "../../sched/run.ts";
import { VM } from "../../vm/mm.ts";
import { anonymousPage, cachedFolio, mapFilePage } from "../../vm/small-vm.ts";
import { moveFoliosToLru } from "./putback.ts";
import type { Reclaimer } from "./reclaimer.ts";
import { inactiveIsLow, shrinkActiveList } from "./shrink-active.ts";
import { shrinkInactiveList } from "./shrink-inactive.ts";
import { listed, scanFor, smallReclaim } from "./small-reclaim.ts";

function fileFolios({ vm }: Reclaimer, count: number): Folio[] {
  const file = vm.cache.createMapping("a file", {});
  return Array.from({ length: count }, (_, at) => cachedFolio(vm, file, at, at));
}

test("a batch is counted as scanned and stolen, by who and of what, and is no longer isolated", () => {
  for (const by of ["kswapd", "direct"] as const) {
    const reclaimer = smallReclaim();
    const { mem } = reclaimer.vm;
    const [node] = reclaimer.nodes;
    const folios = fileFolios(reclaimer, 4);
    folioGet(mem, folios[0]);
    const freed = runToEnd(
      shrinkInactiveList(scanFor(reclaimer, { by }), node, LRU.inactiveFile, 3),
    );
    assert.equal(freed, 2);
    assert.deepEqual(listed(mem, node.node.lruLists[LRU.inactiveFile]), [folios[0], folios[3]]);
    assert.deepEqual([...node.node.isolatedPages], [0, 0]);
    const counts = mem.events.vmstat.snapshot();
    assert.deepEqual(
      [counts[`pgscan_${by}`], counts[`pgsteal_${by}`], counts.pgscan_file, counts.pgsteal_file],
      [3, 2, 3, 2],
    );
  }
});

test("more isolated than an eighth of the list makes a direct reclaim wait once, then give up", () => {
  const reclaimer = smallReclaim();
  const [node] = reclaimer.nodes;
  fileFolios(reclaimer, 16);
  const isolated = node.node.isolatedPages;
  const attempt = (gfp: number, by: "direct" | "kswapd" = "direct"): number =>
    runToEnd(shrinkInactiveList(scanFor(reclaimer, { gfp, by }), node, LRU.inactiveFile, 1));
  isolated[1] = 3;
  assert.equal(attempt(GFP.io | GFP.fs), 0);
  assert.equal(reclaimer.clock.now, 20_000_000, "a fiftieth of a second");
  assert.equal(attempt(GFP.io), 1, "who others may wait for goes on");
  assert.equal(attempt(GFP.io | GFP.fs, "kswapd"), 1, "kswapd goes on");
  isolated[1] = 0;
  assert.equal(attempt(GFP.io | GFP.fs), 1);
});

test("a wait for putback ends when folios are put back", () => {
  const reclaimer = smallReclaim();
  const [node] = reclaimer.nodes;
  fileFolios(reclaimer, 16);
  node.node.isolatedPages[1] = 3;
  reclaimer.clock.after(5, () => {
    node.node.isolatedPages[1] = 0;
    node.node.throttled.wakeAll();
  });
  const sc = scanFor(reclaimer);
  assert.equal(runToEnd(shrinkInactiveList(sc, node, LRU.inactiveFile, 1)), 1);
  assert.equal(reclaimer.clock.now, 5);
});

test("an active list loses its tail to the head of the inactive one, but not a program's code", () => {
  const reclaimer = smallReclaim();
  const { vm } = reclaimer;
  const { mem } = vm;
  const [node] = reclaimer.nodes;
  const file = vm.cache.createMapping("a program", {});
  const folios = [0, 1, 2].map((at) => cachedFolio(vm, file, at, at));
  mapFilePage(vm, file, folios[0], VM.read | VM.exec);
  mapFilePage(vm, file, folios[1], VM.read);
  for (const folio of folios) makeActive(reclaimer, folio);
  runToEnd(shrinkActiveList(scanFor(reclaimer), node, LRU.activeFile, 3));
  assert.deepEqual(listed(mem, node.node.lruLists[LRU.activeFile]), [folios[0]]);
  assert.deepEqual(listed(mem, node.node.lruLists[LRU.inactiveFile]), [folios[2], folios[1]]);
  assert.equal(mem.flags[folios[1]] & (PG.active | PG.workingset), PG.workingset);
  const { pgrefill, pgdeactivate } = mem.events.vmstat.snapshot();
  assert.deepEqual([pgrefill, pgdeactivate], [3, 2]);
  assert.deepEqual([...node.node.isolatedPages], [0, 0]);
});

function makeActive({ vm: { mem } }: Reclaimer, folio: Folio): void {
  folioActivate(mem, folio);
  lruAddDrain(mem);
}

test("a folio that mlock caught meanwhile goes to the unevictable list", () => {
  const reclaimer = smallReclaim();
  const { vm } = reclaimer;
  const { mem } = vm;
  const [node] = reclaimer.nodes;
  const { folio } = anonymousPage(vm, 1);
  const sc = scanFor(reclaimer);
  mem.flags[folio] |= PG.mlocked;
  node.node.mlockedPages++;
  runToEnd(shrinkInactiveList(sc, node, LRU.inactiveAnon, 1));
  lruAddDrain(mem);
  assert.ok((mem.flags[folio] & PG.unevictable) !== 0);
  assert.equal(node.node.lruPages[LRU.unevictable], 1);
  assert.equal(reclaimer.outcomes.unevictable, 1);
});

test("a folio whose owner let go of it is freed on its way back", () => {
  const reclaimer = smallReclaim();
  const { mem } = reclaimer.vm;
  const folio = folioAlloc(mem, movableRequest(0));
  assert.ok(folio !== null);
  mem.flags[folio] |= PG.active;
  const list = mem.takeList();
  listAdd(mem, list, folio);
  const { freePages } = mem.zones[0];
  assert.equal(moveFoliosToLru(mem, list), 0, "none went to a list");
  assert.equal(mem.zones[0].freePages, freePages + 1);
  mem.releaseList(list);
});

test("the inactive list is short below the active one, and below a third of it on a large node", () => {
  const reclaimer = smallReclaim();
  const [node] = reclaimer.nodes;
  const { lruPages } = node.node;
  lruPages[LRU.inactiveAnon] = 100;
  lruPages[LRU.activeAnon] = 100;
  assert.equal(inactiveIsLow(node, 0), false);
  lruPages[LRU.activeAnon] = 101;
  assert.equal(inactiveIsLow(node, 0), true);
  lruPages[LRU.inactiveFile] = 70_000;
  lruPages[LRU.activeFile] = 200_000;
  assert.equal(inactiveIsLow(node, 1), false, "3 times, as there is more than a gigabyte");
  lruPages[LRU.activeFile] = 210_001;
  assert.equal(inactiveIsLow(node, 1), true);
});
