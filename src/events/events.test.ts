import assert from "node:assert/strict";
import { test } from "node:test";
import { Events, TraceLines } from "./events.ts";
import { REFUSAL_TEXT } from "./refusals.ts";
import { VM_EVENT, VM_EVENT_NAMES } from "./vmstat.ts";

test("counters are read by the kernel's names and in its order", () => {
  const events = new Events();
  events.count(VM_EVENT.pgmigrate_success, 3);
  events.count(VM_EVENT.pgmigrate_success, 2);
  events.count(VM_EVENT.compact_isolated, 7);
  const counts = events.vmstat.snapshot();
  assert.deepEqual(Object.keys(counts), [...VM_EVENT_NAMES]);
  const counted = Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
  assert.deepEqual(counted, { pgmigrate_success: 5, compact_isolated: 7 });
});

test("every counter has a place of its own", () => {
  const places = VM_EVENT_NAMES.map((name) => VM_EVENT[name]);
  assert.deepEqual(places, [...VM_EVENT_NAMES.keys()]);
});

test("each machine counts for itself", () => {
  const [one, other] = [new Events(), new Events()];
  one.count(VM_EVENT.pgfree, 1);
  one.refusals.refuse("locked", 1, 0);
  assert.equal(other.vmstat.snapshot().pgfree, 0);
  assert.equal(other.refusals.counts.locked, 0);
});

test("the last refusal of a folio stands until it moves", () => {
  const { refusals } = new Events();
  refusals.refuse("locked", 1, 0);
  refusals.settle(8);
  refusals.refuse("refcount", 4, 2);
  refusals.settle(8);
  refusals.settle(9);
  assert.deepEqual(refusals.standing.get(8), { name: "refcount", found: 4, expected: 2 });
  assert.deepEqual([refusals.counts.locked, refusals.counts.refcount], [1, 1]);
  refusals.forget(8);
  assert.deepEqual([...refusals.standing.keys()], [9]);
  assert.equal(refusals.counts.refcount, 1, "that it was refused is not forgotten");
});

test("every refusal has a sentence and a count", () => {
  const { refusals } = new Events();
  assert.deepEqual(Object.keys(refusals.counts), Object.keys(REFUSAL_TEXT));
  for (const text of Object.values(REFUSAL_TEXT)) assert.match(text, /^[a-z].{10,}[^.]$/);
});

test("whoever listens gets each event as a line", () => {
  const events = new Events();
  assert.equal(events.trace, null);
  const lines = new TraceLines();
  events.trace = lines;
  events.trace.event("mm_migrate_pages_start", "mode=MIGRATE_SYNC reason=compaction");
  assert.deepEqual(lines.lines, ["mm_migrate_pages_start: mode=MIGRATE_SYNC reason=compaction"]);
});
