import assert from "node:assert/strict";
import { test } from "node:test";
import type { Blocking } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { freeOneBlock } from "./buddy.ts";
import { Capture, withCapture } from "./capture.ts";
import { MIGRATE, type Migratetype } from "./constants.ts";
import type { Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { smallMemory } from "./small-memory.ts";

/** Two pageblocks, none of it free. */
function fullMemory(): Memory {
  return smallMemory({ pageCount: 1024, free: "none" });
}

/** Frees blocks of `order` while a compactor waits for one of `wanted`. */
function captured(
  mem: Memory,
  wanted: number,
  order: number,
  frames: readonly number[],
  type: Migratetype = MIGRATE.movable,
): number {
  const capture = new Capture(mem.zones[0], wanted);
  function* free(): Blocking<void> {
    for (const pfn of frames) {
      yield "next";
      freeOneBlock(mem, mem.zones[0], pfn as Pfn, order, type);
    }
  }
  runToEnd(withCapture(mem, capture, free));
  assert.equal(mem.capture, null, "over");
  return capture.page;
}

test("a block that merges to the order is taken before it reaches a list", () => {
  const mem = fullMemory();
  assert.equal(captured(mem, 9, 8, [512, 768]), 512);
  assert.equal(mem.zones[0].freePages, 0);
  assert.deepEqual([...mem.zones[0].freeBlocks], Array(11).fill(0));
  assert.equal(mem.flags[512], 0, "no free page any more, and nobody's yet");
});

test("one that is freed whole is, and only one", () => {
  const mem = fullMemory();
  assert.equal(captured(mem, 9, 9, [512, 0]), 512);
  assert.equal(mem.zones[0].freePages, 512);
  assert.equal(mem.zones[0].freeBlocks[9], 1);
});

test("smaller blocks and those of another zone go to their lists", () => {
  const mem = fullMemory();
  assert.equal(captured(mem, 9, 7, [512, 768]), -1);
  assert.equal(mem.zones[0].freeBlocks[7], 2);
  const zones = [
    { startPfn: 0, spanned: 512 },
    { startPfn: 512, spanned: 512, type: "Movable" as const },
  ];
  const two = smallMemory({ pageCount: 1024, zones, free: "none" });
  const capture = new Capture(two.zones[1], 9);
  function* free(): Blocking<void> {
    yield "next";
    freeOneBlock(two, two.zones[0], 0 as Pfn, 9, MIGRATE.movable);
  }
  runToEnd(withCapture(two, capture, free));
  assert.equal(capture.page, -1);
});

test("less than a pageblock is not taken out of a movable one, and none out of CMA or isolation", () => {
  assert.equal(captured(fullMemory(), 4, 4, [16]), -1);
  assert.equal(captured(fullMemory(), 4, 4, [16], MIGRATE.unmovable), 16);
  assert.equal(captured(fullMemory(), 9, 9, [512], MIGRATE.cma), -1);
  assert.equal(captured(fullMemory(), 9, 9, [512], MIGRATE.isolate), -1);
});

test("a compactor's own allocations make no room in turn, until it is over", () => {
  const mem = fullMemory();
  const seen: boolean[] = [];
  function* look(): Blocking<void> {
    seen.push(mem.memalloc);
    yield "looked";
    seen.push(mem.memalloc);
  }
  runToEnd(withCapture(mem, new Capture(mem.zones[0], 9), look));
  assert.deepEqual([...seen, mem.memalloc], [true, true, false]);
});

test("an error inside ends the capture too", () => {
  const mem = fullMemory();
  function* fail(): Blocking<void> {
    yield "soon";
    throw new RangeError("inside");
  }
  const capture = new Capture(mem.zones[0], 9);
  assert.throws(() => runToEnd(withCapture(mem, capture, fail)), /inside/);
  assert.deepEqual([mem.capture, mem.memalloc], [null, false]);
});
