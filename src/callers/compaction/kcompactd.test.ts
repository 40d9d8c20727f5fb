import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "../../sched/run.ts";
import { COMPACT_SYSCTL_DEFAULTS, type CompactSysctl } from "./control.ts";
import { HandMadeZone } from "./hand-made-zone.ts";
import { Kcompactd } from "./kcompactd.ts";
import { fragmentationMarks, fragmentationScoreNode, fragmentationScoreZone } from "./score.ts";

function daemon(made: HandMadeZone, sysctl: Partial<CompactSysctl> = {}): Kcompactd {
  const all = { ...COMPACT_SYSCTL_DEFAULTS, ...sysctl };
  return new Kcompactd(made.vm, made.mem.nodes[0], () => all);
}

/** Every other frame of block 0 a page; the rest of it and of block 5 free, no two together. */
function fragmented(): HandMadeZone {
  const made = new HandMadeZone(6);
  for (let at = 0; at < 512; at += 2) made.free(made.block(5) + at);
  for (let at = 0; at < 512; at += 2) {
    made.anonymous(made.block(0) + at);
    made.free(made.block(0) + at + 1);
  }
  return made;
}

test("asked for an order, it compacts each zone once, counts what it scanned and forgets", () => {
  const made = fragmented();
  const kcompactd = daemon(made);
  kcompactd.wake(7, "Normal");
  runToEnd(kcompactd.work());
  assert.equal(made.zone.freeBlocks[9], 1, "the pageblock is finished");
  const counts = made.mem.events.vmstat.snapshot();
  assert.equal(counts.compact_daemon_wake, 1);
  assert.equal(counts.compact_daemon_migrate_scanned, counts.compact_migrate_scanned);
  assert.equal(counts.compact_daemon_free_scanned, counts.compact_free_scanned);
  assert.ok(counts.compact_daemon_migrate_scanned >= 512);
  assert.equal(made.zone.compactOrderFailed, 8, "the order is known to work");
  made.trace.lines.length = 0;
  runToEnd(kcompactd.work());
  assert.equal(
    made.compactionTrace[0],
    "mm_compaction_kcompactd_wake: nid=0 order=0 classzone_idx=Normal  ",
  );
});

test("a zone that was seen through in vain is put off, and not looked at while it is", () => {
  const made = new HandMadeZone(6);
  for (let at = 0; at < 512; at += 2) made.free(made.block(5) + at);
  for (let at = 0; at < 512; at += 2) made.free(made.block(4) + at);
  for (let at = 0; at < 512; at += 2) made.free(made.block(3) + at);
  for (let at = 0; at < 512; at += 2) made.free(made.block(2) + at);
  for (let at = 0; at < 512; at += 2) made.free(made.block(1) + at);
  const kcompactd = daemon(made);
  const round = (): string => {
    made.trace.lines.length = 0;
    kcompactd.wake(9, "Normal");
    runToEnd(kcompactd.work());
    const told = made.compactionTrace.filter((line) => line.includes("_defer"));
    return told.map((line) => line.replace(/: .*consider/, " consider")).join("; ");
  };
  const defer = "mm_compaction_defer_compaction consider=0";
  const deferred = "mm_compaction_deferred consider";
  assert.equal(round(), `${defer} limit=2`);
  assert.equal(round(), `${deferred}=1 limit=2`);
  assert.equal(round(), `${defer} limit=4`);
  assert.deepEqual(
    [round(), round(), round()],
    [1, 2, 3].map((times) => `${deferred}=${times} limit=4`),
  );
  assert.equal(round(), `${defer} limit=8`);
});

test("zones above the highest that was asked for are left alone", () => {
  const made = fragmented();
  const kcompactd = daemon(made);
  kcompactd.wake(9, "DMA32");
  runToEnd(kcompactd.work());
  assert.equal(made.mem.events.vmstat.snapshot().compact_migrate_scanned, 0);
});

test("the score is the share of free memory that no huge page could use", () => {
  const made = new HandMadeZone(4);
  assert.equal(fragmentationScoreZone(made.zone), 0, "nothing is free");
  made.free(made.block(1), 9);
  assert.equal(fragmentationScoreZone(made.zone), 0);
  for (let at = 0; at < 512; at += 4) made.free(made.block(2) + at);
  assert.equal(fragmentationScoreZone(made.zone), 20, "128 of 640");
  assert.equal(fragmentationScoreNode(made.mem.nodes[0]), 19, "2048 present, one is added");
});

test("proactiveness sets where compaction begins and ends", () => {
  const marks = (value: number): unknown =>
    fragmentationMarks({ ...COMPACT_SYSCTL_DEFAULTS, "vm.compaction_proactiveness": value });
  assert.deepEqual(marks(20), { low: 80, high: 90 });
  assert.deepEqual(marks(100), { low: 5, high: 15 });
  assert.deepEqual(marks(0), { low: 100, high: 100 });
});

test("above the high mark a node is compacted unasked, down to the low one", () => {
  const made = fragmented();
  assert.equal(runToEnd(daemon(made).compactProactively()), "done");
  assert.ok(fragmentationScoreZone(made.zone) <= 80);
  const last = made.compactionTrace.at(-1) ?? "";
  assert.match(last, /mm_compaction_end: .* mode=sync status=success$/);
});

test("it is not due below the mark, when switched off, or beside a running kswapd", () => {
  const made = fragmented();
  const off = daemon(made, { "vm.compaction_proactiveness": 0 });
  assert.equal(runToEnd(off.compactProactively()), "not due");
  made.mem.allocHooks.kswapdIsRunning = () => true;
  assert.equal(runToEnd(daemon(made).compactProactively()), "not due");
  const tidy = new HandMadeZone(4);
  tidy.free(tidy.block(1), 9);
  assert.equal(runToEnd(daemon(tidy).compactProactively()), "not due");
});

test("a score that did not fall is told: nothing can be moved", () => {
  const made = new HandMadeZone(4);
  for (let at = 0; at < 512; at += 2) made.free(made.block(2) + at);
  assert.equal(runToEnd(daemon(made).compactProactively()), "no progress");
});
