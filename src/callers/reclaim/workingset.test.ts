import assert from "node:assert/strict";
import { test } from "node:test";
import { type Folio, testFlag } from "../../memory/memmap.ts";
import { LRU } from "../../memory/node.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { smallReclaim } from "./small-reclaim.ts";
import { workingsetEviction, workingsetRefault } from "./workingset.ts";

test("a page that comes back sooner than the active list is long starts active", () => {
  for (const [distance, isActive] of [
    [10, true],
    [11, false],
  ] as const) {
    const reclaimer = smallReclaim();
    const { mem } = reclaimer.vm;
    const [home] = reclaimer.nodes;
    const folio = newFolio(mem);
    home.node.lruPages[LRU.activeFile] = 10;
    home.node.lruPages[LRU.inactiveFile] = 100;
    const shadow = workingsetEviction(mem, folio);
    // The eviction itself counts as one.
    home.node.nonresidentAge += distance - 1;
    const back = newFolio(mem);
    workingsetRefault(reclaimer, back, shadow);
    assert.equal(testFlag(mem, back, PG.active), isActive, `${distance} pages later`);
    const counts = mem.events.vmstat.snapshot();
    assert.equal(counts.workingset_refault_file, 1);
    assert.equal(counts.workingset_activate_file, isActive ? 1 : 0);
    assert.equal(home.activations[1], isActive ? 1 : 0);
  }
});

test("one that was in the working set is so again, and its kind has cost something", () => {
  const reclaimer = smallReclaim();
  const { mem } = reclaimer.vm;
  const [home] = reclaimer.nodes;
  home.node.lruPages[LRU.activeFile] = 100;
  const folio = newFolio(mem);
  mem.flags[folio] |= PG.workingset;
  const shadow = workingsetEviction(mem, folio);
  const back = newFolio(mem);
  workingsetRefault(reclaimer, back, shadow);
  assert.ok(testFlag(mem, back, PG.workingset));
  assert.deepEqual([home.anonCost, home.fileCost], [0, 1]);
  assert.equal(mem.events.vmstat.snapshot().workingset_restore_file, 1);
});

test("costs fade as they grow beyond a quarter of the lists", () => {
  const [home] = smallReclaim().nodes;
  home.node.lruPages[LRU.inactiveFile] = 400;
  home.noteCost(1, 60);
  home.noteCost(0, 40);
  assert.deepEqual([home.anonCost, home.fileCost], [40, 60]);
  home.noteCost(0, 1);
  assert.deepEqual([home.anonCost, home.fileCost], [20, 30]);
});

function newFolio(mem: Parameters<typeof folioAlloc>[0]): Folio {
  const folio = folioAlloc(mem, movableRequest(0));
  assert.ok(folio !== null, "the memory has room");
  return folio;
}
