import assert from "node:assert/strict";
import { test } from "node:test";
import { freeOneBlock } from "./buddy.ts";
import { MIGRATE } from "./constants.ts";
import type { Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { type SmallZone, smallMemory } from "./small-memory.ts";
import { ALLOC, zoneWatermarkOk } from "./watermark.ts";

/** Index in ZONE_TYPES. */
const NORMAL = 2;
const MOVABLE = 3;

/** A zone with one free block of each order and type that is given. */
function zoneWith(
  blocks: readonly (readonly [order: number, type: number])[],
  zone: Partial<SmallZone> = {},
): Memory {
  const zones = [{ startPfn: 0, spanned: 8192, ...zone }];
  const mem = smallMemory({ pageCount: 8192, zones, free: "none" });
  for (const [at, [order, type]] of blocks.entries()) {
    freeOneBlock(mem, mem.zones[0], (1024 * (at + 1)) as Pfn, order, type);
  }
  return mem;
}

function ok(mem: Memory, order: number, mark: number, flags = 0, highest = NORMAL): boolean {
  return zoneWatermarkOk(mem, mem.zones[0], order, mark, highest, flags);
}

test("more than the mark must be free when the request has been met", () => {
  const mem = zoneWith([[5, MIGRATE.movable]]);
  assert.equal(ok(mem, 0, 31), true);
  assert.equal(
    ok(mem, 0, 32),
    false,
    "a request of order 0 takes nothing off, the rest must exceed",
  );
  assert.equal(ok(mem, 3, 24), true, "32 - 7 = 25");
  assert.equal(ok(mem, 3, 25), false);
});

test("a block of the order must be there, of a type that everybody may use", () => {
  for (const type of [MIGRATE.unmovable, MIGRATE.movable, MIGRATE.reclaimable]) {
    const mem = zoneWith([[4, type]]);
    assert.deepEqual(
      [3, 4, 5].map((order) => ok(mem, order, 0)),
      [true, true, false],
    );
  }
  const scattered = zoneWith([
    [2, MIGRATE.movable],
    [2, MIGRATE.movable],
    [2, MIGRATE.movable],
  ]);
  assert.equal(ok(scattered, 3, 0), false, "12 free pages and no block of 8");
  assert.equal(ok(scattered, 0, 11), true);
});

test("CMA memory counts for movable requests only, as pages and as blocks", () => {
  const mem = zoneWith([
    [0, MIGRATE.movable],
    [6, MIGRATE.cma],
  ]);
  assert.equal(ok(mem, 0, 1), false);
  assert.equal(ok(mem, 0, 1, ALLOC.cma), true);
  assert.equal(ok(mem, 6, 0, ALLOC.cma), true);
  const beside = zoneWith([
    [3, MIGRATE.unmovable],
    [3, MIGRATE.unmovable],
    [3, MIGRATE.unmovable],
    [6, MIGRATE.cma],
  ]);
  assert.equal(ok(beside, 4, 0), false, "enough pages, and the block is CMA's");
  assert.equal(ok(beside, 4, 0, ALLOC.cma), true);
  assert.equal(ok(beside, 7, -100, ALLOC.cma | ALLOC.highatomic), false);
});

test("the highatomic reserve is for urgent requests, which may also use half of the minimum", () => {
  const mem = zoneWith([
    [2, MIGRATE.movable],
    [5, MIGRATE.highatomic],
  ]);
  mem.zones[0].reservedHighatomic = 32;
  assert.equal(ok(mem, 0, 4), false, "4 pages but for the reserve");
  assert.equal(ok(mem, 0, 4, ALLOC.highatomic), true);
  assert.equal(ok(mem, 5, 0), false);
  assert.equal(ok(mem, 5, 0, ALLOC.highatomic), true);
  assert.equal(ok(mem, 0, 70, ALLOC.highatomic), true, "36 > 35");
  assert.equal(ok(mem, 0, 72, ALLOC.highatomic), false, "36 > 36");
});

test("isolated blocks count for nobody", () => {
  const all = ALLOC.cma | ALLOC.highatomic;
  const mem = zoneWith([
    [0, MIGRATE.movable],
    [0, MIGRATE.movable],
    [0, MIGRATE.movable],
    [9, MIGRATE.isolate],
  ]);
  assert.equal(ok(mem, 0, 3), false);
  assert.equal(ok(mem, 0, 2), true);
  assert.equal(ok(mem, 1, 0, all), false, "3 - 1 pages are over the mark, and no block is there");
});

test("a request that could use a higher zone leaves the reserve of this one alone", () => {
  const mem = zoneWith([[5, MIGRATE.movable]], { lowmemReserve: [0, 0, 0, 20, 20] });
  assert.equal(ok(mem, 0, 12, 0, NORMAL), true);
  assert.equal(ok(mem, 0, 12, 0, MOVABLE), false, "32 > 12 + 20");
  assert.equal(ok(mem, 0, 11, 0, MOVABLE), true);
});
