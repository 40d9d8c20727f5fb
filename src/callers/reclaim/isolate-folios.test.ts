import assert from "node:assert/strict";
import { test } from "node:test";
import { ZONE_TYPES } from "../../memory/constants.ts";
import { folioAddLru, lruAddDrain } from "../../memory/lru.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { LRU } from "../../memory/node.ts";
import { folioAlloc, movableRequest } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import { isolateLruFolios } from "./isolate-folios.ts";
import { listed, scanFor, smallReclaim } from "./small-reclaim.ts";

function newFolio(mem: Memory, order = 0, highestZone: "Normal" | "Movable" = "Movable"): Folio {
  const folio = folioAlloc(mem, { ...movableRequest(0), order, highestZone });
  assert.ok(folio !== null, "the memory has room");
  folioAddLru(mem, folio);
  lruAddDrain(mem);
  return folio;
}

test("folios come off the tail, oldest last on the new list, with a reference and no PG_lru", () => {
  const reclaimer = smallReclaim();
  const { mem } = reclaimer.vm;
  const folios = Array.from({ length: 5 }, () => newFolio(mem));
  const list = mem.takeList();
  const [node] = reclaimer.nodes;
  const found = isolateLruFolios(scanFor(reclaimer), node, LRU.inactiveFile, 3, list);
  assert.deepEqual(found, { taken: 3, scanned: 3 });
  assert.deepEqual(listed(mem, list), [folios[2], folios[1], folios[0]]);
  for (const at of [0, 1, 2]) assert.equal(mem.refcount[folios[at]], 2);
  assert.equal(mem.flags[folios[0]] & PG.lru, 0);
  assert.equal(node.node.lruPages[LRU.inactiveFile], 2);
  assert.equal(mem.zones[0].lruPages[LRU.inactiveFile], 2);
});

test("a large folio counts all its pages and ends the batch", () => {
  const reclaimer = smallReclaim();
  const { mem } = reclaimer.vm;
  const large = newFolio(mem, 3);
  newFolio(mem);
  const list = mem.takeList();
  const [node] = reclaimer.nodes;
  const found = isolateLruFolios(scanFor(reclaimer), node, LRU.inactiveFile, 4, list);
  assert.deepEqual(found, { taken: 8, scanned: 8 });
  assert.deepEqual(listed(mem, list), [large]);
});

test("what somebody isolates or frees at the moment goes to the head and is passed over", () => {
  const reclaimer = smallReclaim();
  const { mem } = reclaimer.vm;
  const [isolated, freed, idle] = [newFolio(mem), newFolio(mem), newFolio(mem)];
  mem.flags[isolated] &= ~PG.lru;
  mem.refcount[freed] = 0;
  const list = mem.takeList();
  const [node] = reclaimer.nodes;
  const found = isolateLruFolios(scanFor(reclaimer), node, LRU.inactiveFile, 3, list);
  assert.deepEqual(found, { taken: 1, scanned: 3 });
  assert.deepEqual(listed(mem, list), [idle]);
  assert.deepEqual(listed(mem, node.node.lruLists[LRU.inactiveFile]), [freed, isolated]);
});

test("folios of a zone that the request cannot use are put back at the head, and counted", () => {
  const zones = [
    { startPfn: 0, spanned: 32 },
    { startPfn: 32, spanned: 32, type: "Movable" },
  ] as const;
  const reclaimer = smallReclaim({ pageCount: 64, zones });
  const { mem } = reclaimer.vm;
  const movable = [newFolio(mem), newFolio(mem)];
  const normal = newFolio(mem, 0, "Normal");
  const list = mem.takeList();
  const [node] = reclaimer.nodes;
  const sc = scanFor(reclaimer, { highestZone: ZONE_TYPES.indexOf("Normal") });
  const found = isolateLruFolios(sc, node, LRU.inactiveFile, 32, list);
  assert.deepEqual(found, { taken: 1, scanned: 3 });
  assert.deepEqual(listed(mem, list), [normal]);
  assert.deepEqual(listed(mem, node.node.lruLists[LRU.inactiveFile]), movable.toReversed());
  assert.equal(mem.events.vmstat.snapshot().pgskip_movable, 2);
});
