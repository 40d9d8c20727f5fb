import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compactionDeferReset,
  compactionDeferred,
  compactionRestarting,
  deferCompaction,
} from "./defer.ts";
import { HandMadeZone } from "./hand-made-zone.ts";

/** How many attempts are put off before the next is let through. */
function putOff({ mem, zone }: HandMadeZone, order: number): number {
  let count = 0;
  while (compactionDeferred(mem, zone, order)) count++;
  return count;
}

test("each failure doubles how many attempts are put off, up to 64", () => {
  const made = new HandMadeZone(2);
  const counts: number[] = [putOff(made, 9)];
  for (let failure = 0; failure < 8; failure++) {
    deferCompaction(made.mem, made.zone, 9);
    counts.push(putOff(made, 9));
  }
  assert.deepEqual(counts, [0, 1, 3, 7, 15, 31, 63, 63, 63]);
});

test("orders below the one that failed are not put off", () => {
  const { mem, zone } = new HandMadeZone(2);
  compactionDeferReset(mem, zone, 9, "free");
  deferCompaction(mem, zone, 5);
  assert.equal(compactionDeferred(mem, zone, 4), false);
  assert.equal(compactionDeferred(mem, zone, 5), true);
  deferCompaction(mem, zone, 7);
  assert.equal(zone.compactOrderFailed, 5, "the lowest is remembered");
});

test("a free block lets its order through, an allocation forgets all", () => {
  const { mem, zone } = new HandMadeZone(2);
  for (let failure = 0; failure < 3; failure++) deferCompaction(mem, zone, 4);
  compactionDeferReset(mem, zone, 6, "free");
  assert.deepEqual([zone.compactOrderFailed, zone.compactDeferShift], [7, 3]);
  assert.equal(compactionDeferred(mem, zone, 6), false);
  assert.equal(compactionDeferred(mem, zone, 7), true);
  compactionDeferReset(mem, zone, 4, "allocated");
  assert.deepEqual([zone.compactConsidered, zone.compactDeferShift], [0, 0]);
  assert.equal(zone.compactOrderFailed, 7, "not lowered");
});

test("a zone put off for as long as ever begins afresh with the attempt that is let through", () => {
  const made = new HandMadeZone(2);
  const { mem, zone } = made;
  compactionDeferReset(mem, zone, 0, "free");
  for (let failure = 0; failure < 5; failure++) deferCompaction(mem, zone, 3);
  putOff(made, 3);
  assert.equal(compactionRestarting(zone, 3), false, "32 attempts");
  deferCompaction(mem, zone, 3);
  assert.equal(compactionRestarting(zone, 3), false, "not yet");
  putOff(made, 3);
  assert.equal(compactionRestarting(zone, 3), true);
  assert.equal(compactionRestarting(zone, 0), false, "an order that works");
});

test("deferral is told in the kernel's words", () => {
  const { mem, zone, trace } = new HandMadeZone(2);
  compactionDeferReset(mem, zone, 9, "free");
  deferCompaction(mem, zone, 9);
  assert.equal(compactionDeferred(mem, zone, 9), true);
  assert.deepEqual(trace.lines, [
    "mm_compaction_defer_reset: node=0 zone=Normal   order=9 order_failed=10 consider=0 limit=1",
    "mm_compaction_defer_compaction: node=0 zone=Normal   order=9 order_failed=9 consider=0 limit=2",
    "mm_compaction_deferred: node=0 zone=Normal   order=9 order_failed=9 consider=1 limit=2",
  ]);
});
