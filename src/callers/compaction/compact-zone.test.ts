import assert from "node:assert/strict";
import { test } from "node:test";
import { MIGRATE } from "../../memory/constants.ts";
import { folioTryPin } from "../../memory/folio-ref.ts";
import { folioIsolateLru, lruAddDrain } from "../../memory/lru.ts";
import type { Pfn } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { pageblockSkip } from "../../memory/pageblock.ts";
import { migrateFolio } from "../../migrate/callbacks.ts";
import { runToEnd } from "../../sched/run.ts";
import { compactMemory, compactZone, type ZoneCompaction } from "./compact-zone.ts";
import { COMPACT_MEMORY, COMPACT_SYSCTL_DEFAULTS, type CompactRequest } from "./control.ts";
import { HandMadeZone } from "./hand-made-zone.ts";

/** As an allocation that waits asks for it, with the given changes. */
const DIRECT: CompactRequest = {
  ...COMPACT_MEMORY,
  order: 4,
  mode: "sync-light",
  migratetype: MIGRATE.movable,
  wholeZone: false,
  ignoreSkipHint: false,
  ignoreBlockSuitable: false,
  direct: true,
};

function compact(made: HandMadeZone, request: Partial<CompactRequest> = {}): ZoneCompaction {
  const all = { ...COMPACT_MEMORY, ...request };
  return runToEnd(compactZone(made.vm, made.zone, all, COMPACT_SYSCTL_DEFAULTS));
}

/** Every other frame of a block an anonymous page, the rest free. */
function checker(made: HandMadeZone, block: number): number[] {
  const frames: number[] = [];
  for (let at = 0; at < 512; at += 2) {
    frames.push(made.anonymous(made.block(block) + at));
    made.free(made.block(block) + at + 1);
  }
  return frames;
}

test("a zone compacts whole: pages go up, whole blocks are free below, no contents are lost", () => {
  const made = new HandMadeZone(5);
  const low = [0, 1].flatMap((block) => checker(made, block));
  const high = [3, 4].flatMap((block) => checker(made, block));
  const { result, migrateScanned, freeScanned } = compact(made);
  assert.equal(result, "complete");
  for (const frame of [...low, ...high]) {
    const { frame: now, value } = made.whereIs(frame);
    assert.equal(value, frame);
    assert.ok(now >= made.block(3), `page ${frame} is at ${now}`);
  }
  assert.equal(made.zone.freeBlocks[9], 2);
  assert.equal(made.zone.freePages, 4 * 256);
  const counts = made.mem.events.vmstat.snapshot();
  assert.equal(counts.pgmigrate_success, 512);
  assert.equal(counts.compact_isolated, 1024, "512 to move, 512 to move to");
  assert.deepEqual(
    [counts.compact_migrate_scanned, counts.compact_free_scanned],
    [migrateScanned, freeScanned],
  );
  assert.deepEqual([...made.mem.nodes[0].isolatedPages], [0, 0]);
});

test("no list is left over, and what was not used is free again, however the zone ends", () => {
  for (const request of [COMPACT_MEMORY, DIRECT, { ...DIRECT, mode: "async" } as const]) {
    const made = new HandMadeZone(4);
    for (const block of [0, 3]) checker(made, block);
    const { freePages } = made.zone;
    const before = made.mem.listsInUse;
    compact(made, request);
    assert.equal(made.mem.listsInUse, before);
    assert.equal(made.zone.freePages, freePages);
  }
});

test("every zone of every node is compacted, after all batches were emptied", () => {
  const made = new HandMadeZone(4);
  checker(made, 0);
  made.free(made.block(3), 9);
  const folio = made.anonymous(made.block(1));
  assert.ok(folioIsolateLru(made.mem, folio));
  made.mem.lruBatches[0].add[0] = folio;
  made.mem.lruBatches[0].addCount = 1;
  const done = runToEnd(compactMemory(made.vm, COMPACT_SYSCTL_DEFAULTS));
  assert.deepEqual(
    done.map(({ result }) => result),
    ["complete"],
  );
  assert.ok((made.mem.flags[folio] & PG.lru) !== 0);
});

test("begin, each step and end are told in the kernel's words", () => {
  const made = new HandMadeZone(3);
  made.anonymous(made.block(0) + 7);
  made.free(made.block(2) + 9);
  made.free(made.block(0) + 64, 6);
  compact(made);
  const finished = "mm_compaction_finished: node=0 zone=Normal   order=-1";
  assert.deepEqual(made.compactionTrace, [
    "mm_compaction_suitable: node=0 zone=Normal   order=-1 ret=continue",
    "mm_compaction_begin: zone_start=0x200 migrate_pfn=0x200 free_pfn=0x600 zone_end=0x800, mode=sync",
    `${finished} ret=continue`,
    "mm_compaction_isolate_migratepages: range=(0x200 ~ 0x400) nr_scanned=449 nr_taken=1",
    "mm_compaction_isolate_freepages: range=(0x600 ~ 0x60a) nr_scanned=10 nr_taken=1",
    "mm_compaction_migratepages: nr_migrated=1 nr_failed=0",
    `${finished} ret=continue`,
    "mm_compaction_isolate_migratepages: range=(0x400 ~ 0x600) nr_scanned=512 nr_taken=0",
    `${finished} ret=complete`,
    "mm_compaction_end: zone_start=0x200 migrate_pfn=0x600 free_pfn=0x60a zone_end=0x800, " +
      "mode=sync status=complete",
  ]);
});

test("a page that stays is put back on the LRU, and the zone goes on without it", () => {
  const made = new HandMadeZone(4);
  const busy = made.cached(made.block(0) + 1, { migrateFolio });
  folioTryPin(made.mem, busy);
  const other = made.anonymous(made.block(1) + 1);
  for (let at = 0; at < 40; at++) made.free(made.block(3) + 2 * at);
  assert.equal(compact(made).result, "complete");
  lruAddDrain(made.mem);
  assert.ok((made.mem.flags[busy] & PG.lru) !== 0);
  assert.equal(made.mem.refcount[busy], 1 + 1024);
  assert.deepEqual([...made.mem.nodes[0].isolatedPages], [0, 0]);
  assert.ok(made.whereIs(other).frame >= made.block(3));
  const counts = made.mem.events.vmstat.snapshot();
  assert.deepEqual([counts.pgmigrate_success, counts.pgmigrate_fail], [1, 1]);
  assert.ok(made.trace.lines.includes("mm_compaction_migratepages: nr_migrated=0 nr_failed=1"));
});

test("pages of the block below the free scanner's stay, once the migrate scanner has been through", () => {
  const made = new HandMadeZone(4);
  for (const block of [0, 1, 2, 3]) checker(made, block);
  assert.equal(compact(made).result, "complete");
  const last = made.compactionTrace.filter((line) => line.includes("_migratepages: nr_")).at(-1);
  assert.equal(last, "mm_compaction_migratepages: nr_migrated=0 nr_failed=224");
  assert.equal(made.mem.events.vmstat.snapshot().pgmigrate_fail, 1, "the first; the rest untried");
});

test("a zone without a page to move to is given up, all folios back in their places", () => {
  const made = new HandMadeZone(4);
  const frames = [1, 2, 3].map((at) => made.anonymous(made.block(0) + at));
  made.free(made.block(0) + 64, 6);
  assert.equal(compact(made).result, "complete", "the free scanner came down to the other one");
  for (const frame of frames) assert.equal(made.whereIs(frame).frame, frame);

  const guarded = new HandMadeZone(4, { watermarkMin: 64 });
  guarded.anonymous(guarded.block(0) + 1);
  guarded.free(guarded.block(0) + 64, 6);
  guarded.free(guarded.block(3));
  assert.equal(compact(guarded).result, "contended", "a free page that the watermark keeps");
  assert.equal(guarded.mem.events.vmstat.snapshot().pgmigrate_fail, 1);
});

test("an asynchronous compaction stops where too much is isolated", () => {
  const made = new HandMadeZone(4);
  checker(made, 0);
  made.mem.nodes[0].isolatedPages[0] = 1000;
  assert.equal(compact(made, { mode: "async" }).result, "contended");
  assert.equal(made.mem.events.vmstat.snapshot().compact_isolated, 0);
});

test("scanners begin where the last compaction left the zone, each mode at its own place", () => {
  const made = new HandMadeZone(6);
  made.zone.compactCachedMigratePfn.set([made.block(2), made.block(1)]);
  made.zone.compactCachedFreePfn = made.block(4);
  const begin = (mode: "async" | "sync-light"): string | undefined => {
    made.trace.lines.length = 0;
    compact(made, { order: -1, mode, wholeZone: false });
    return made.trace.lines
      .find((line) => line.includes("_begin"))
      ?.replace(/.*migrate/, "migrate");
  };
  assert.equal(begin("async"), "migrate_pfn=0x600 free_pfn=0xa00 zone_end=0xe00, mode=async");
  made.zone.compactCachedMigratePfn.set([made.block(2), made.block(1)]);
  made.zone.compactCachedFreePfn = made.block(4);
  assert.equal(begin("sync-light"), "migrate_pfn=0x400 free_pfn=0xa00 zone_end=0xe00, mode=sync");
});

test("cached positions outside the zone are set right", () => {
  for (const outside of [0, 5000]) {
    const made = new HandMadeZone(4);
    made.zone.compactCachedMigratePfn.fill(outside);
    made.zone.compactCachedFreePfn = outside;
    compact(made, { order: -1, mode: "sync-light", wholeZone: false });
    const begin = made.trace.lines.find((line) => line.includes("_begin"));
    assert.match(begin ?? "", /migrate_pfn=0x200 free_pfn=0x800 /);
  }
});

test("met scanners make a zone complete if one began at its start, and begin at its ends again", () => {
  for (const [start, firstSource, result] of [
    [0, 0, "complete"],
    [1, 0, "partial_skipped"],
    [0, null, "partial_skipped"],
  ] as const) {
    for (const direct of [false, true]) {
      const made = new HandMadeZone(4);
      const from = made.block(start);
      made.zone.compactCachedMigratePfn.fill(from);
      // Until a reset of the skip bits has found a first source, none counts as the start.
      if (firstSource !== null) made.zone.compactInitMigratePfn = made.block(firstSource);
      const request = { order: -1, mode: "sync-light", wholeZone: false, direct } as const;
      assert.equal(compact(made, request).result, result);
      const { zone } = made;
      assert.deepEqual([...zone.compactCachedMigratePfn], [made.block(0), made.block(0)]);
      assert.equal(zone.compactCachedFreePfn, made.block(3));
      assert.equal(zone.compactBlockskipFlush, direct, "the skip bits have served");
    }
  }
});

test("free pages that were not used let the next free scanner begin at them again", () => {
  const made = new HandMadeZone(6);
  const start = made.block(0);
  made.anonymous(start);
  made.free(start + 1);
  made.free(start + 2, 1);
  for (let at = 0; at < 20; at += 2) made.free(made.block(3) + at);
  made.free(made.block(5) + 100, 1);
  made.zone.compactCachedFreePfn = made.block(2);
  assert.equal(compact(made, { ...DIRECT, order: 2, wholeZone: true }).result, "success");
  assert.equal(made.whereIs(start).frame, made.block(5) + 101, "one of two");
  assert.equal(made.zone.compactCachedFreePfn, made.block(5));
});

test("a request for a block is over as soon as one is free, at the end of a pageblock", () => {
  const made = new HandMadeZone(6);
  for (let at = 0; at < 512; at += 2) made.free(made.block(5) + at);
  for (const block of [0, 1]) checker(made, block);
  assert.equal(compact(made, DIRECT).result, "success");
  assert.equal(made.zone.freeBlocks[9], 1, "the first block, to its end");
  const moved = made.mem.events.vmstat.snapshot().pgmigrate_success;
  assert.equal(moved, 256);
  const [first] = made.compactionTrace.filter((line) => line.includes("isolate_migratepages"));
  assert.match(first, /range=\(0x200 ~ /);
});

test("an asynchronous direct compaction goes on behind an aligned block in which a page stayed", () => {
  const made = new HandMadeZone(6);
  const start = made.block(0);
  for (let at = 0; at < 512; at += 2) made.free(made.block(5) + at);
  const busy = made.cached(start + 3, { migrateFolio });
  folioTryPin(made.mem, busy);
  made.free(start, 1);
  made.free(start + 2);
  made.free(start + 4, 2);
  // Nothing as large as eight pages, by which the fast search would choose the block.
  for (const at of [8, 16, 24]) {
    made.anonymous(start + at);
    for (let free = at + 1; free < at + 8; free++) made.free(start + free);
  }
  const request = { ...DIRECT, mode: "async", order: 5 } as const;
  compact(made, request);
  const ranges = made.compactionTrace
    .filter((line) => line.includes("isolate_migratepages"))
    .map((line) => /range=\((\w+) ~ (\w+)\)/.exec(line)?.slice(1).join(" "));
  assert.equal(ranges[0], "0x200 0x220", "both pages are in one aligned block of 32");
  assert.equal(ranges[1]?.startsWith("0x220 "), true);
});

test("pages freed behind the scanner are drained, so that a request sees the block that they make", () => {
  const pcp = { high: 4096, batch: 8 };
  const made = new HandMadeZone(6, { pcp });
  for (let at = 0; at < 512; at += 2) made.free(made.block(5) + at);
  checker(made, 0);
  assert.equal(compact(made, { ...DIRECT, order: 4 }).result, "success");
  assert.ok(made.zone.freeBlocks[9] === 1, "nothing of it is on a processor's own list");
  const kept = new HandMadeZone(6, { pcp });
  checker(kept, 0);
  for (let at = 0; at < 512; at += 2) kept.free(kept.block(5) + at);
  compact(kept);
  assert.ok(kept.zone.pcp[0].count > 0, "a compaction of the whole zone does not care");
});

test("blocks in which nothing was found are marked for those who heed marks", () => {
  const made = new HandMadeZone(4);
  compact(made);
  const marks = [0, 1, 2, 3].map((block) => pageblockSkip(made.mem, made.block(block) as Pfn));
  assert.deepEqual(marks, [true, true, true, false]);
});
