import assert from "node:assert/strict";
import { test } from "node:test";
import { TraceLines } from "../events/events.ts";
import { folioTestLarge } from "../memory/folio.ts";
import { folioTrylock } from "../memory/folio-lock.ts";
import { folioGet, folioPut, folioTryPin } from "../memory/folio-ref.ts";
import { lruAddDrain } from "../memory/lru.ts";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { listEmpty } from "../memory/page-list.ts";
import { filemapRemoveFolio } from "../pagecache/page-cache.ts";
import type { Blocking } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { anonymousPage } from "../vm/small-vm.ts";
import { exitMm } from "../vm/zap.ts";
import { migratePages } from "./migrate-pages.ts";
import { putbackMovablePages } from "./putback.ts";
import { Caller } from "./small-caller.ts";
import { isolateForMigration } from "./small-migration.ts";

test("a folio that moves is freed, uncounted and replaced, and its refusal forgotten", () => {
  const caller = new Caller();
  const { mem } = caller.vm;
  const src = caller.isolate();
  mem.events.refusals.refuse("locked", 1, 0);
  mem.events.refusals.settle(src);
  assert.deepEqual(caller.migrate(), { notMoved: 0, error: null, succeededPages: 1 });
  const [dst] = caller.target.given;
  assert.equal(caller.mapping.folios.load(0), dst);
  assert.equal(mem.frames.readWord(dst, 0), 1);
  assert.equal(mem.refcount[src], 0);
  assert.equal(caller.isolated, 0);
  assert.deepEqual(caller.counted, { pgmigrate_success: 1 });
  assert.equal(mem.events.refusals.standing.size, 0);
  lruAddDrain(mem);
  assert.ok((mem.flags[dst] & PG.lru) !== 0);
  assert.equal(mem.refcount[dst], 1, "the cache's");
});

test("a folio that stays busy gets ten tries, each with a new folio that is given back", () => {
  const caller = new Caller();
  const { mem } = caller.vm;
  const src = caller.isolate();
  folioGet(mem, src);
  assert.deepEqual(caller.migrate(), { notMoved: 1, error: null, succeededPages: 0 });
  assert.equal(caller.target.given.length, 10);
  assert.equal(caller.target.returned, 10);
  assert.deepEqual(caller.left, [src]);
  assert.equal(caller.isolated, 1, "it still is");
  assert.deepEqual(caller.counted, { pgmigrate_fail: 1 });
  assert.equal(mem.flags[src] & PG.locked, 0);
  const { refusals } = mem.events;
  assert.equal(refusals.counts.refcount, 10);
  assert.deepEqual(refusals.standing.get(src), { name: "refcount", found: 3, expected: 2 });
});

test("a busy folio does not keep the others, and moves in a later pass if it is free by then", () => {
  const caller = new Caller();
  const { mem } = caller.vm;
  const [, busy] = [caller.isolate(), caller.isolate(), caller.isolate()];
  folioGet(mem, busy);
  const { target } = caller;
  const getNew = target.getNew.bind(target);
  target.getNew = (src) => {
    // The third pass: the two others have moved in the first.
    if (target.given.length === 4) folioPut(mem, busy);
    return getNew(src);
  };
  assert.deepEqual(caller.migrate(), { notMoved: 0, error: null, succeededPages: 3 });
  assert.equal(target.given.length, 5);
  assert.equal(target.returned, 2);
  assert.deepEqual(caller.left, []);
  assert.deepEqual(caller.counted, { pgmigrate_success: 3 });
});

test("without a new folio the call ends: those behind are not tried and do not count", () => {
  const caller = new Caller();
  const folios = [0, 1, 2, 3].map(() => caller.isolate());
  caller.target.limit = 2;
  assert.deepEqual(caller.migrate(), { notMoved: 1, error: "ENOMEM", succeededPages: 2 });
  assert.deepEqual(caller.left, folios.slice(2));
  assert.equal(caller.isolated, 2);
  assert.deepEqual(caller.counted, { pgmigrate_success: 2, pgmigrate_fail: 1 });
  const { standing } = caller.vm.mem.events.refusals;
  assert.deepEqual([...standing.keys()], [folios[2]]);
  assert.equal(standing.get(folios[2])?.name, "no_target");
});

test("a call that ends without memory counts those that it was to try again", () => {
  const caller = new Caller();
  const folios = [0, 1, 2, 3].map(() => caller.isolate());
  for (const busy of folios.slice(0, 2)) folioGet(caller.vm.mem, busy);
  caller.target.limit = 2;
  assert.equal(caller.migrate().error, "ENOMEM");
  assert.deepEqual(caller.counted, { pgmigrate_fail: 3 });
  assert.deepEqual(caller.left, folios);
});

test("an error for good ends the tries, and such folios come back before the busy ones", () => {
  const caller = new Caller();
  const { mem } = caller.vm;
  const [busy, written, moves, writtenToo] = [0, 1, 2, 3].map(() => caller.isolate());
  folioGet(mem, busy);
  for (const folio of [written, writtenToo]) mem.flags[folio] |= PG.writeback;
  assert.deepEqual(caller.migrate("sync-light"), { notMoved: 3, error: null, succeededPages: 1 });
  assert.deepEqual(caller.left, [written, writtenToo, busy]);
  assert.equal(caller.target.given.length, 10 + 2 + 1);
  assert.equal(mem.refcount[moves], 0);
  assert.deepEqual(caller.counted, { pgmigrate_success: 1, pgmigrate_fail: 3 });
});

test("a folio that its owner freed while it was isolated counts as moved, and needs no target", () => {
  const caller = new Caller();
  const { mem } = caller.vm;
  const src = caller.isolate();
  mem.flags[src] |= PG.active;
  folioTrylock(mem, src);
  filemapRemoveFolio(mem, caller.mapping, src);
  mem.flags[src] &= ~PG.locked;
  const { mm, folio } = anonymousPage(caller.vm, 1);
  assert.ok(isolateForMigration(mem, folio, caller.list));
  runToEnd(exitMm(caller.vm, mm));
  assert.deepEqual(caller.migrate("async"), { notMoved: 0, error: null, succeededPages: 2 });
  assert.equal(caller.target.given.length, 0);
  assert.equal(caller.isolated, 0);
  assert.equal(mem.zones[0].freePages, 63);
  assert.deepEqual(caller.counted, { pgmigrate_success: 2 });
});

test("a call works on 512 pages at a time: a busy folio has had its tries before the next begin", () => {
  const caller = new Caller(2048);
  const folios = Array.from({ length: 600 }, () => caller.isolate());
  folioGet(caller.vm.mem, folios[0]);
  const tried: number[] = [];
  const { target } = caller;
  const getNew = target.getNew.bind(target);
  target.getNew = (src) => {
    tried.push(src);
    return getNew(src);
  };
  assert.deepEqual(caller.migrate(), { notMoved: 1, error: null, succeededPages: 599 });
  assert.equal(tried.filter((src) => src === folios[0]).length, 10);
  assert.equal(tried.lastIndexOf(folios[0]), 512 + 9 - 1, "511 others in the first batch");
  assert.equal(tried.indexOf(folios[512]), 512 + 9);
});

test("a huge folio is a batch by itself and counts as huge and by its pages", () => {
  const caller = new Caller(8192);
  const huge = caller.isolate(9);
  const small = caller.isolate();
  const busy = caller.isolate(9);
  folioGet(caller.vm.mem, busy);
  assert.deepEqual(caller.migrate(), { notMoved: 1, error: null, succeededPages: 513 });
  assert.deepEqual(caller.counted, {
    pgmigrate_success: 513,
    pgmigrate_fail: 512,
    thp_migration_success: 1,
    thp_migration_fail: 1,
  });
  assert.deepEqual(caller.left, [busy]);
  assert.equal(caller.isolated, 512);
  for (const folio of [huge, small]) assert.equal(caller.vm.mem.refcount[folio], 0);
});

/** A target that has single pages only. */
function giveSinglesOnly({ vm, target }: Caller): void {
  const getNew = target.getNew.bind(target);
  target.getNew = function* (src): Blocking<Folio | null> {
    return folioTestLarge(vm.mem, src) ? null : yield* getNew(src);
  };
}

test("a huge folio for which there is no huge page is split, and its pages move one by one", () => {
  const caller = new Caller(8192);
  const { mem } = caller.vm;
  const before = mem.listsInUse;
  caller.isolate(9);
  caller.isolate();
  giveSinglesOnly(caller);
  assert.deepEqual(caller.migrate(), { notMoved: 0, error: null, succeededPages: 513 });
  assert.deepEqual(caller.counted, {
    pgmigrate_success: 513,
    thp_migration_fail: 1,
    thp_migration_split: 1,
  });
  assert.deepEqual([caller.left, caller.isolated, mem.listsInUse], [[], 0, before]);
  for (let offset = 0; offset < 513; offset++) {
    const folio = caller.mapping.folios.load(offset);
    assert.ok(folio !== null);
    assert.equal(folioTestLarge(mem, folio), false);
    assert.equal(mem.frames.readWord(folio, 0), offset % 512 === 0 ? offset + 1 : 0);
  }
});

test("pages of a split folio get one try, and those that stay count as pages alone", () => {
  const caller = new Caller(8192);
  const { mem } = caller.vm;
  const huge = caller.isolate(2);
  giveSinglesOnly(caller);
  const { target } = caller;
  const getNew = target.getNew.bind(target);
  target.getNew = (src) => {
    // The split is over: somebody takes hold of the page that is tried.
    if (src === huge + 2) folioGet(mem, src);
    return getNew(src);
  };
  assert.deepEqual(caller.migrate(), { notMoved: 1, error: null, succeededPages: 3 });
  assert.deepEqual(caller.left, [huge + 2]);
  assert.equal(target.given.length, 4);
  assert.deepEqual(caller.counted, { pgmigrate_success: 3, pgmigrate_fail: 1 });
});

test("a large folio that cannot be split, or is a hinting fault's, ends the call without memory", () => {
  for (const [isHeld, reason] of [
    [true, "compaction"],
    [false, "numa_misplaced"],
  ] as const) {
    const caller = new Caller(8192);
    const large = caller.isolate(2);
    const behind = caller.isolate();
    if (isHeld) folioGet(caller.vm.mem, large);
    giveSinglesOnly(caller);
    assert.equal(caller.migrate("sync", reason).error, "ENOMEM");
    assert.deepEqual(caller.left, [large, behind]);
    assert.equal(folioTestLarge(caller.vm.mem, large), true);
    assert.equal(caller.vm.mem.flags[large] & PG.locked, 0);
    assert.deepEqual(caller.counted, { pgmigrate_fail: 4 });
  }
});

test("start and end are told in the kernel's words, with mode and reason", () => {
  for (const [mode, spelled, reason] of [
    ["async", "MIGRATE_ASYNC", "compaction"],
    ["sync-light", "MIGRATE_SYNC_LIGHT", "numa_misplaced"],
    ["sync", "MIGRATE_SYNC", "memory_hotplug"],
    ["sync-no-copy", "0x3", "contig_range"],
  ] as const) {
    const caller = new Caller();
    const lines = new TraceLines();
    caller.isolate();
    folioGet(caller.vm.mem, caller.isolate());
    caller.vm.mem.events.trace = lines;
    caller.migrate(mode, reason);
    assert.deepEqual(lines.lines, [
      `mm_migrate_pages_start: mode=${spelled} reason=${reason}`,
      "mm_migrate_pages: nr_succeeded=1 nr_failed=1 nr_thp_succeeded=0 nr_thp_failed=0 " +
        `nr_thp_split=0 mode=${spelled} reason=${reason}`,
    ]);
  }
});

test("an empty list is a call all the same", () => {
  const caller = new Caller();
  assert.deepEqual(caller.migrate(), { notMoved: 0, error: null, succeededPages: 0 });
  assert.deepEqual(caller.counted, {});
});

test("memory failure keeps the last reference of what it moved away, so that it is never reused", () => {
  const caller = new Caller();
  const src = caller.isolate();
  caller.migrate("sync", "memory_failure");
  assert.equal(caller.vm.mem.refcount[src], 1);
  assert.equal(caller.isolated, 0);
  assert.equal(caller.mapping.folios.load(0), caller.target.given[0]);
});

test("demotion leaves the count of isolated pages to reclaim", () => {
  const caller = new Caller();
  const src = caller.isolate();
  caller.migrate("async", "demotion");
  assert.equal(caller.isolated, 1);
  assert.equal(caller.vm.mem.refcount[src], 0);
});

test("a target that takes nothing back has its folio put", () => {
  const caller = new Caller();
  const { mem } = caller.vm;
  folioGet(mem, caller.isolate());
  const free = mem.zones[0].freePages;
  const getNew = caller.target.getNew.bind(caller.target);
  runToEnd(migratePages(caller.vm, caller.list, { getNew }, "async", "compaction"));
  assert.equal(caller.target.given.length, 10);
  assert.equal(mem.zones[0].freePages, free);
});

test("no list is left over, however the call ends", () => {
  const caller = new Caller();
  const before = caller.vm.mem.listsInUse;
  caller.isolate();
  folioTryPin(caller.vm.mem, caller.isolate());
  caller.migrate();
  caller.target.limit = 0;
  caller.migrate();
  assert.equal(caller.vm.mem.listsInUse, before);
});

test("what stayed goes back to the LRU with its reference, and whoever waited is let on", () => {
  const caller = new Caller();
  const { mem } = caller.vm;
  const { folio: anon } = anonymousPage(caller.vm, 1);
  assert.ok(isolateForMigration(mem, anon, caller.list));
  const file = caller.isolate();
  const large = caller.isolate(2);
  assert.deepEqual([...mem.nodes[0].isolatedPages], [1, 5]);
  runToEnd(putbackMovablePages(caller.vm, caller.list));
  assert.ok(listEmpty(mem, caller.list));
  assert.deepEqual([...mem.nodes[0].isolatedPages], [0, 0]);
  lruAddDrain(mem);
  for (const folio of [anon, file, large]) assert.ok((mem.flags[folio] & PG.lru) !== 0);
  assert.deepEqual(
    [anon, file, large].map((folio) => mem.refcount[folio]),
    [1, 1, 4],
  );
});
