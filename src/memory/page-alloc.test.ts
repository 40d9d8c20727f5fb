import assert from "node:assert/strict";
import { test } from "node:test";
import { MIGRATE } from "./constants.ts";
import { folioOrder } from "./folio.ts";
import type { Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import {
  type AllocRequest,
  allocPages,
  folioAlloc,
  movableRequest,
  prepNewPage,
} from "./page-alloc.ts";
import { type SmallZone, smallMemory } from "./small-memory.ts";

/** Nodes 0 and 1 have a Normal zone each, node 2 a Normal and a Movable one. */
function threeNodes(zone: Partial<SmallZone> = {}): Memory {
  return smallMemory({
    pageCount: 256,
    zones: [
      { startPfn: 0, spanned: 64, node: 0, ...zone },
      { startPfn: 64, spanned: 64, node: 1, ...zone },
      { startPfn: 128, spanned: 64, node: 2, ...zone },
      { startPfn: 192, spanned: 64, node: 2, type: "Movable", ...zone },
    ],
    distances: [
      [10, 30, 20],
      [30, 10, 20],
      [20, 20, 10],
    ],
  });
}

const NORMAL: AllocRequest = { ...movableRequest(0), highestZone: "Normal" };

/** Takes single pages until none is left; returns the zones that gave, in order. */
function zonesInTurn(mem: Memory, request: AllocRequest): number[] {
  const zones: number[] = [];
  for (;;) {
    const pfn = allocPages(mem, request);
    if (pfn === -1) return zones;
    const { number } = mem.zoneOf(pfn);
    if (zones.at(-1) !== number) zones.push(number);
  }
}

test("zones give from the wanted node outwards, on each node from high to low", () => {
  assert.deepEqual(zonesInTurn(threeNodes(), movableRequest(0)), [0, 3, 2, 1]);
  assert.deepEqual(zonesInTurn(threeNodes(), movableRequest(2)), [3, 2, 0, 1]);
  assert.deepEqual(
    zonesInTurn(threeNodes(), { ...movableRequest(2), highestZone: "Normal" }),
    [2, 0, 1],
  );
  assert.deepEqual(zonesInTurn(threeNodes(), { ...movableRequest(1), onlyNode: true }), [1]);
  assert.deepEqual(zonesInTurn(threeNodes(), { ...NORMAL, highestZone: "DMA32" }), []);
});

test("every zone is asked for what is above its low mark before any goes below it", () => {
  const marks = { watermarkMin: 8, watermarkLow: 40 };
  assert.deepEqual(zonesInTurn(threeNodes(marks), NORMAL), [0, 2, 1, 0, 2, 1]);
  const mem = threeNodes(marks);
  zonesInTurn(mem, movableRequest(0));
  assert.deepEqual(
    mem.zones.map(({ freePages }) => freePages),
    [8, 8, 8, 8],
  );
});

test("a boost raises both marks of its zone", () => {
  const mem = threeNodes({ watermarkMin: 8, watermarkLow: 16 });
  mem.zones[0].watermarkBoost = 30;
  zonesInTurn(mem, NORMAL);
  assert.deepEqual(mem.zones.map(({ freePages }) => freePages).slice(0, 3), [38, 8, 8]);
});

test("a zone whose pages are CMA's has nothing for an unmovable request", () => {
  const mem = threeNodes();
  mem.zones[0].freeCmaPages = mem.zones[0].freePages;
  const pfn = allocPages(mem, { ...NORMAL, migratetype: MIGRATE.unmovable });
  assert.equal(mem.zoneOf(pfn).number, 2);
});

test("a new page has one reference, no flags and no private word", () => {
  const mem = smallMemory({ pageCount: 64 });
  mem.private.fill(77);
  const folio = folioAlloc(mem, movableRequest(0));
  assert.ok(folio !== null);
  assert.deepEqual([mem.refcount[folio], mem.flags[folio], mem.private[folio]], [1, 0, 0]);
  assert.equal(mem.index[folio], 0);
  assert.equal(mem.events.vmstat.snapshot().pgalloc, 1);
});

test("small blocks come by way of the processor's own lists, others straight from the zone", () => {
  const zones = [{ startPfn: 0, spanned: 1024, pcp: { high: 256, batch: 8 } }];
  for (const [order, kept] of [
    [0, 7],
    [3, 8],
    [4, 0],
    [8, 0],
  ]) {
    const mem = smallMemory({ pageCount: 1024, zones });
    allocPages(mem, { ...NORMAL, order });
    assert.equal(mem.zones[0].pcp[0].count, kept, `order ${order}`);
  }
});

test("a folio of order 1 or more is a compound, and none is null", () => {
  const mem = smallMemory({ pageCount: 64 });
  const folio = folioAlloc(mem, { ...NORMAL, order: 3 });
  assert.ok(folio !== null);
  assert.equal(folioOrder(mem, folio), 3);
  assert.equal(mem.events.vmstat.snapshot().pgalloc, 8);
  assert.equal(folioAlloc(mem, { ...NORMAL, order: 6 }), null);
});

test("a page that somebody holds or marked is not to be handed out, nor an order that is none", () => {
  const mem = smallMemory({ pageCount: 64, free: "none" });
  mem.refcount[5] = 1;
  assert.throws(() => prepNewPage(mem, 5 as Pfn), /allocation of a page in use: 5/);
  mem.flags[6] = 0x10;
  assert.throws(() => prepNewPage(mem, 6 as Pfn), /allocation of a page with flags: 6 16/);
  assert.throws(() => allocPages(mem, { ...NORMAL, order: 11 }), /no block has order 11/);
});
