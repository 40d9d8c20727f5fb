import assert from "node:assert/strict";
import { test } from "node:test";
import { MIGRATE, type Migratetype } from "../../memory/constants.ts";
import { ALLOC } from "../../memory/watermark.ts";
import {
  COMPACT_MEMORY,
  COMPACT_SYSCTL_DEFAULTS,
  CompactControl,
  type CompactRequest,
  type CompactSysctl,
  lastBlockStart,
} from "./control.ts";
import { HandMadeZone } from "./hand-made-zone.ts";
import {
  compactFinished,
  compactionSuitable,
  fragmentationIndex,
  scannersMet,
} from "./suitable.ts";

function control(
  made: HandMadeZone,
  request: Partial<CompactRequest>,
  sysctl: Partial<CompactSysctl> = {},
): CompactControl {
  const all = { ...COMPACT_SYSCTL_DEFAULTS, ...sysctl };
  const cc = new CompactControl(made.vm, made.zone, { ...COMPACT_MEMORY, ...request }, all);
  cc.migratePfn = made.zone.startPfn;
  cc.freePfn = lastBlockStart(made.zone);
  return cc;
}

/** What is said of the zone for a movable block of `order`. */
function suitableFor(
  made: HandMadeZone,
  order: number,
  sysctl: Partial<CompactSysctl> = {},
): string {
  const wanted = { order, highestZone: "Movable", allocFlags: ALLOC.cma } as const;
  return compactionSuitable(made.mem, made.zone, wanted, { ...COMPACT_SYSCTL_DEFAULTS, ...sysctl });
}

/** Single free frames, none beside another. */
function scatter(made: HandMadeZone, count: number): void {
  for (let at = 0; at < count; at++) made.free(made.block(0) + 2 * at);
}

test("a compaction of the whole zone always begins", () => {
  const made = new HandMadeZone(2);
  assert.equal(suitableFor(made, -1), "continue");
});

test("a request that could be met now needs no compaction", () => {
  const made = new HandMadeZone(2, { watermarkMin: 20, watermarkLow: 30 });
  made.free(made.block(1), 5);
  assert.equal(suitableFor(made, 3), "success", "32 - 7 > 20, and a block is there");
  assert.equal(suitableFor(made, 4), "skipped", "32 - 15 is not, and 32 is not over 30 + 32");
  made.zone.watermarkBoost = 5;
  assert.equal(suitableFor(made, 3), "skipped", "a boosted zone keeps more");
});

test("compaction needs room to work in: twice the block above the mark of its order", () => {
  for (const [order, mark, room] of [
    [2, 10, 8],
    [3, 10, 16],
    [4, 30, 32],
  ]) {
    for (const extra of [0, 1]) {
      const made = new HandMadeZone(2, { watermarkMin: 10, watermarkLow: 30 });
      scatter(made, mark + room + extra);
      const expected = extra === 0 ? "skipped" : "continue";
      const sysctl = { "vm.extfrag_threshold": 0 };
      assert.equal(suitableFor(made, order, sysctl), expected, `order ${order}`);
    }
  }
});

test("large blocks that lack for want of memory, not of order, are reclaim's business", () => {
  const made = new HandMadeZone(2);
  scatter(made, 60);
  const index = fragmentationIndex(made.zone, 4);
  assert.equal(index, 1000 - Math.floor((1000 + 3750) / 60));
  const suitable = (order: number, threshold: number): string =>
    suitableFor(made, order, { "vm.extfrag_threshold": threshold });
  assert.equal(suitable(4, index), "skipped");
  assert.equal(suitable(4, index - 1), "continue");
  assert.equal(suitable(3, 1000), "continue", "not asked of small blocks");
  const told = made.compactionTrace.map((line) => line.replace(/.*ret=/, ""));
  assert.deepEqual(told, ["not_suitable_zone", "continue", "continue"]);
});

test("the index nears 0 for want of memory and 1000 for want of order", () => {
  const empty = new HandMadeZone(2);
  assert.equal(fragmentationIndex(empty.zone, 4), 0, "nothing is free");
  const whole = new HandMadeZone(2);
  whole.free(whole.block(1), 4);
  assert.equal(fragmentationIndex(whole.zone, 4), -1000, "there is a block");
  assert.equal(fragmentationIndex(whole.zone, 5), 1000 - (1000 + 500), "one half block");
  const few = new HandMadeZone(2);
  scatter(few, 2);
  const many = new HandMadeZone(2);
  scatter(many, 200);
  assert.ok(fragmentationIndex(few.zone, 9) < 500);
  assert.ok(fragmentationIndex(many.zone, 4) > 900);
});

test("the scanners have met once they are in one pageblock, or past each other", () => {
  const made = new HandMadeZone(4);
  const cc = control(made, {});
  for (const [migrate, free, met] of [
    [made.block(1) + 511, made.block(2), false],
    [made.block(2), made.block(2) + 511, true],
    [made.block(2) + 1, made.block(1), true],
    [made.block(0), made.block(3), false],
  ] as const) {
    cc.migratePfn = migrate;
    cc.freePfn = free;
    assert.equal(scannersMet(cc), met);
  }
});

test("a request for a block goes on to the end of the pageblock, then looks for one", () => {
  const made = new HandMadeZone(4);
  made.free(made.block(3) + 64, 5);
  const cc = control(made, { order: 5 });
  cc.migratePfn = made.block(1) + 32;
  assert.equal(compactFinished(cc), "continue");
  cc.migratePfn = made.block(1);
  assert.equal(compactFinished(cc), "success");
  const none = control(made, { order: 6 });
  assert.equal(compactFinished(none), "continue");
  const told = made.compactionTrace.map((line) => line.replace(/.*ret=/, ""));
  assert.deepEqual(told, ["continue", "success", "no_suitable_page"]);
});

test("a free block serves if it is the request's, CMA's for a movable one, or can be stolen", () => {
  const { unmovable, movable, reclaimable, highatomic, cma, isolate } = MIGRATE;
  const cases: readonly (readonly [Migratetype, number, number, boolean])[] = [
    [movable, movable, 0, true],
    [movable, cma, 0, true],
    [unmovable, cma, 9, false],
    [movable, unmovable, 3, false],
    [movable, unmovable, 4, true],
    [movable, reclaimable, 4, true],
    [unmovable, movable, 0, true],
    [reclaimable, movable, 0, true],
    [movable, highatomic, 9, false],
    [movable, isolate, 9, false],
  ];
  for (const [migratetype, blockType, order, serves] of cases) {
    const made = new HandMadeZone(4);
    made.setType(2, blockType);
    made.free(made.block(2), order);
    const cc = control(made, { order: 0, migratetype });
    const expected = serves ? "success" : "continue";
    assert.equal(compactFinished(cc), expected, `${migratetype} from ${blockType}, order ${order}`);
  }
});

test("a larger free block than the one that is wanted serves as well", () => {
  const made = new HandMadeZone(4);
  made.free(made.block(2), 7);
  assert.equal(compactFinished(control(made, { order: 3 })), "success");
  assert.equal(compactFinished(control(made, { order: 8 })), "continue");
});

test("a compaction that somebody wants out of the way ends contended where it found no block", () => {
  const made = new HandMadeZone(4);
  const cc = control(made, { order: 3 });
  cc.contended = true;
  assert.equal(compactFinished(cc), "contended");
  made.free(made.block(2), 3);
  assert.equal(compactFinished(cc), "success");
});
