import assert from "node:assert/strict";
import { test } from "node:test";
import { MIGRATE } from "./constants.ts";
import {
  GFP,
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
  GFP_RECLAIM,
  GFP_TRANSHUGE,
  GFP_TRANSHUGE_LIGHT,
  gfpRequest,
} from "./gfp.ts";

test("each mask is the sum of the bits that Linux puts into it", () => {
  assert.equal(GFP_RECLAIM, GFP.directReclaim | GFP.kswapdReclaim);
  assert.equal(GFP_KERNEL, GFP_RECLAIM | GFP.io | GFP.fs);
  const user = GFP_KERNEL | GFP.hardwall | GFP.highmem | GFP.movable;
  assert.equal(GFP_HIGHUSER_MOVABLE, user);
  const huge = user | GFP.comp | GFP.noMemalloc | GFP.noWarn;
  assert.equal(GFP_TRANSHUGE_LIGHT, huge & ~GFP_RECLAIM);
  assert.equal(GFP_TRANSHUGE, GFP_TRANSHUGE_LIGHT | GFP.directReclaim);
});

test("no two bits are the same", () => {
  const bits = Object.values(GFP);
  const all = bits.reduce((sum, bit) => sum + bit, 0);
  assert.equal(
    all,
    bits.reduce<number>((union, bit) => union | bit, 0),
  );
});

test("a mask says which zone will do, and for which kind of block", () => {
  const told = (gfp: number): unknown[] => {
    const { highestZone, migratetype } = gfpRequest(gfp, 0, 0);
    return [highestZone, migratetype];
  };
  assert.deepEqual(told(GFP_KERNEL), ["Normal", MIGRATE.unmovable]);
  assert.deepEqual(told(GFP_KERNEL | GFP.movable), ["Normal", MIGRATE.movable]);
  assert.deepEqual(told(GFP_KERNEL | GFP.reclaimable), ["Normal", MIGRATE.reclaimable]);
  assert.deepEqual(told(GFP_HIGHUSER_MOVABLE), ["Movable", MIGRATE.movable]);
  assert.deepEqual(told(GFP_KERNEL | GFP.dma), ["DMA", MIGRATE.unmovable]);
  assert.deepEqual(told(GFP_KERNEL | GFP.dma32), ["DMA32", MIGRATE.unmovable]);
});

test("one node alone, or those of a mask", () => {
  assert.deepEqual(gfpRequest(GFP_KERNEL | GFP.thisNode, 3, 1), {
    gfp: GFP_KERNEL | GFP.thisNode,
    order: 3,
    node: 1,
    migratetype: MIGRATE.unmovable,
    highestZone: "Normal",
    onlyNode: true,
    nodes: undefined,
  });
  assert.deepEqual(gfpRequest(GFP_KERNEL, 0, 1, [0, 2]).nodes, [0, 2]);
});
