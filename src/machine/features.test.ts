/** Machines whose kernels were built without migration, or without compaction, and with both. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL_FEATURES, type Features } from "../base/features.ts";
import { InputError } from "../base/input-error.ts";
import { PROFILES } from "../base/profile.ts";
import { type MovePagesResult, MPOL_MF, movePages } from "../callers/move-pages/move-pages.ts";
import { userInput, userOutput } from "../callers/move-pages/user-array.ts";
import { byteFrames } from "../memory/byte-frames.ts";
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { GFP, GFP_KERNEL, GFP_TRANSHUGE, type GfpRequest, gfpRequest } from "../memory/gfp.ts";
import type { Folio } from "../memory/memmap.ts";
import { folioAllocGfp } from "../memory/page-alloc.ts";
import { listAddTail } from "../memory/page-list.ts";
import type { SmallMemoryShape } from "../memory/small-memory.ts";
import { filemapMigrateFolio } from "../migrate/callbacks.ts";
import { isolateMovablePage } from "../migrate/isolate-movable.ts";
import { type MigrateResult, migratePages } from "../migrate/migrate-pages.ts";
import { pageMovable } from "../migrate/movable-page.ts";
import { putbackMovablePages } from "../migrate/putback.ts";
import { SmallDriver } from "../migrate/small-driver.ts";
import { AllocTarget, isolateForMigration } from "../migrate/small-migration.ts";
import type { Blocking } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { readUser, writeUser } from "../vm/fault.ts";
import { madvise } from "../vm/madvise/madvise.ts";
import { HUGE_PAGES } from "../vm/page-tables.ts";
import { credentialsOf } from "../vm/process.ts";
import { anonymousPage, cachedFolio, hugePage, touchPage } from "../vm/small-vm.ts";
import { RamSwap } from "../vm/swap/swap-device.ts";
import { exitMm } from "../vm/zap.ts";
import { fillContents, verifyContents } from "./contents.ts";
import { checkInvariants } from "./invariants.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";
import { teardown } from "./teardown.ts";

const NO_COMPACTION: Features = { migration: true, compaction: false };
const NEITHER: Features = { migration: false, compaction: false };
const BUILDS: readonly Features[] = [ALL_FEATURES, NO_COMPACTION, NEITHER];

const PAGES = 512;
const MARKS = { watermarkMin: 8, watermarkLow: 12, watermarkHigh: 16 };
const TWO_NODES: SmallMemoryShape = {
  pageCount: PAGES,
  zones: [
    { startPfn: 0, spanned: PAGES / 2, ...MARKS },
    { startPfn: PAGES / 2, spanned: PAGES / 2, node: 1, ...MARKS },
  ],
  distances: [
    [10, 20],
    [20, 10],
  ],
};

function nameOf({ migration, compaction }: Features): string {
  if (compaction) return "both";
  return migration ? "migration alone" : "neither";
}

function withSwap(machine: Machine, slots: number): Machine {
  const device = new RamSwap(machine.mem, slots);
  machine.swapOn({ name: "a swap area", slots, priority: 0, device });
  return machine;
}

/** Counters of compaction and migration that are not zero. */
function moves(machine: Machine): string[] {
  const counted = Object.entries(machine.mem.events.vmstat.snapshot());
  return counted.filter(([name, n]) => /migrat|compact/.test(name) && n > 0).map(([name]) => name);
}

/** Asks for the page of a new process to move to node 1, by move_pages(2). */
function sendToNode1(machine: Machine): MovePagesResult {
  const { vm, processes } = machine;
  const { mm, vma, vpn } = anonymousPage(vm, 77);
  const caller = processes.create("a process", mm, credentialsOf(0));
  const call = {
    caller,
    pid: 0,
    nrPages: 1,
    pages: userInput([vpn]),
    nodes: userInput([1]),
    flags: MPOL_MF.move,
    status: userOutput(new Int32Array(1)),
  };
  const result = runToEnd(movePages(vm, processes, call));
  assert.equal(runToEnd(readUser(vm, mm, vma.startVpn, 0)), 77);
  return result;
}

for (const features of BUILDS) {
  const { migration, compaction } = features;

  test(`faults, files, reclaim and swap go on with ${nameOf(features)}`, () => {
    const shape = { ...TWO_NODES, frames: byteFrames(PAGES) };
    const machine = withSwap(smallMachine(shape, features), 4 * PAGES);
    const { vm } = machine;
    const file = vm.cache.createMapping("a file", { migrateFolio: filemapMigrateFolio });
    for (let at = 0; at < 100; at++) cachedFolio(vm, file, at, at);
    const mm = vm.createMm("a process");
    const vma = vm.mapAnonymous(mm, mm.freeRange(2 * PAGES));
    for (let round = 0; round < 2; round++) {
      for (let at = 0; at < 2 * PAGES; at++) {
        assert.equal(runToEnd(writeUser(vm, mm, vma.startVpn + at, 0, 9 * at + round)), "done");
      }
      checkInvariants(machine);
    }
    for (let at = 0; at < 2 * PAGES; at++) {
      assert.equal(runToEnd(readUser(vm, mm, vma.startVpn + at, 0)), 9 * at + 1, `page ${at}`);
    }
    runToEnd(exitMm(vm, mm));
    const sent = sendToNode1(machine);
    assert.deepEqual(sent.errno, migration ? null : "ENOSYS");
    assert.deepEqual(moves(machine), migration ? ["pgmigrate_success"] : []);
    checkInvariants(machine);
    teardown(machine);
  });

  test(`what is not built has no members, with ${nameOf(features)}`, () => {
    const machine = withSwap(smallMachine(TWO_NODES, features), 64);
    const { vm, reclaim, kcompactds } = machine;
    const file = vm.cache.createMapping("a file", { migrateFolio: filemapMigrateFolio });
    const swapOps = vm.swap?.mapping.ops;
    assert.deepEqual(
      [file.ops.migrateFolio !== undefined, swapOps?.migrateFolio !== undefined],
      [migration, migration],
    );
    assert.equal(typeof swapOps?.writepage, "function", "what else an owner can do it still can");
    assert.deepEqual(
      [kcompactds !== undefined, reclaim.wakeKcompactd !== null],
      [compaction, compaction],
    );
    teardown(machine);
  });

  test(`migratePages of a list says what it can do with ${nameOf(features)}`, () => {
    const machine = smallMachine(TWO_NODES, features);
    const { vm, mem } = machine;
    const pages = [anonymousPage(vm, 1), anonymousPage(vm, 2)];
    const list = mem.takeList();
    for (const { folio } of pages) assert.ok(isolateForMigration(mem, folio, list));
    const target = new AllocTarget(mem);
    const result = runToEnd(migratePages(vm, list, target, "sync", "syscall_or_cpuset"));
    const all: MigrateResult = { notMoved: 0, error: null, succeededPages: 2 };
    const none: MigrateResult = { notMoved: 2, error: "ENOSYS", succeededPages: 0 };
    assert.deepEqual(result, migration ? all : none);
    runToEnd(putbackMovablePages(vm, list));
    mem.releaseList(list);
    for (const [at, { mm, vpn }] of pages.entries()) {
      assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), at + 1);
    }
    checkInvariants(machine);
    teardown(machine);
  });

  test(`a driver marks its pages, and lives on whether or not they can move: ${nameOf(features)}`, () => {
    const machine = smallMachine(TWO_NODES, features);
    const { vm, mem } = machine;
    const driver = new SmallDriver(vm.cache);
    const handle = driver.add(5);
    const page = driver.pageOf(handle);
    assert.ok(folioTrylock(mem, page));
    assert.equal(pageMovable(mem, page), compaction);
    folioUnlock(mem, page);
    // Its reference is nobody's that the machine knows, unless the page says whose.
    if (!compaction) machine.recordHold(page, 1);
    checkInvariants(machine);
    const isolated = runToEnd(isolateMovablePage(vm.cache, page, 0));
    assert.equal(isolated, compaction ? "isolated" : "EBUSY");
    if (isolated === "isolated") {
      const list = mem.takeList();
      listAddTail(mem, list, page);
      runToEnd(putbackMovablePages(vm, list));
      mem.releaseList(list);
    }
    assert.equal(driver.read(handle), 5);
    checkInvariants(machine);
    machine.holds.clear();
    assert.equal(runToEnd(driver.free(handle)), "freed");
    driver.close();
    teardown(machine);
  });

  test(`a large block is made by moving pages, or not at all: ${nameOf(features)}`, () => {
    const machine = fragmented(features);
    const { mem } = machine;
    const huge = runToEnd(folioAllocGfp(mem, gfpRequest(GFP_TRANSHUGE, 9, 0)));
    assert.equal(huge !== null, compaction);
    const counted = mem.events.vmstat.snapshot();
    assert.equal(counted.compact_stall > 0, compaction);
    if (!compaction) assert.deepEqual(moves(machine), []);
    if (huge !== null) folioPut(mem, huge);
    checkInvariants(machine);
    teardown(machine);
  });
}

/** One process has every second page, and nobody the others. */
function fragmented(features: Features): Machine {
  const pageCount = 8 * 512;
  const zone = { startPfn: 0, spanned: pageCount, ...MARKS };
  const machine = smallMachine({ pageCount, zones: [zone] }, features);
  const { vm, mem } = machine;
  const [stays, goes] = ["stays", "goes"].map((name) => {
    const mm = vm.createMm(name);
    return vm.mapAnonymous(mm, mm.freeRange(pageCount));
  });
  for (let at = 0; mem.zones[0].freePages > 100; at++) {
    for (const vma of [stays, goes]) touchPage(vm, vma, vma.startVpn + at, at);
  }
  runToEnd(exitMm(vm, goes.mm));
  return machine;
}

/** All that is free in blocks of an order or more. */
function takeBlocks({ mem }: Machine, order: number): Folio[] {
  const request = gfpRequest(GFP_TRANSHUGE & ~GFP.directReclaim, order, 0);
  const taken: Folio[] = [];
  for (;;) {
    const block = runToEnd(folioAllocGfp(mem, request));
    if (block === null) return taken;
    taken.push(block);
  }
}

test("a huge page is split without migration too, by entries that are gone at its end", () => {
  const machine = withSwap(smallMachine({ pageCount: 4096 }, NEITHER), 101);
  const { mm, vma } = hugePage(machine.vm, 1);
  const filled = fillContents(machine, 9);
  const advice = madvise(machine.vm, mm, vma.startVpn, vma.endVpn, "MADV_PAGEOUT");
  assert.equal(runToEnd(advice), "done");
  assert.deepEqual([mm.rssPages, mm.swapEntries], [HUGE_PAGES - 100, 100]);
  assert.equal(machine.mem.events.vmstat.snapshot().thp_split_page, 1);
  checkInvariants(machine);
  assert.deepEqual(verifyContents(machine, 9, filled), { pages: filled, mismatched: 0 });
  teardown(machine);
});

test("without compaction a small block is waited for while pages are free, a large one is not", () => {
  for (const [order, rounds] of [
    [2, 21],
    [4, 1],
  ]) {
    const machine = fragmented(NO_COMPACTION);
    const { mem } = machine;
    let asked = 0;
    mem.allocHooks.directReclaim = function* (_request: GfpRequest): Blocking<number> {
      yield "reclaim";
      asked++;
      return asked <= 20 ? 1 : 0;
    };
    const taken = takeBlocks(machine, 2);
    assert.ok(mem.zones[0].freePages > 1000, "what is free is free page by page");
    const request = gfpRequest(GFP_KERNEL | GFP.retryMayfail, order, 0);
    assert.equal(runToEnd(folioAllocGfp(mem, request)), null);
    assert.equal(asked, rounds, `order ${order}`);
    for (const block of taken) folioPut(mem, block);
    teardown(machine);
  }
});

test("a kernel from before compaction makes no large block by moving either", () => {
  const machine = fragmented(ALL_FEATURES);
  const { mem } = machine;
  mem.profile = PROFILES["2.6.15"];
  assert.equal(runToEnd(folioAllocGfp(mem, gfpRequest(GFP_TRANSHUGE, 9, 0))), null);
  assert.deepEqual(moves(machine), []);
  mem.profile = PROFILES["6.1"];
  const huge = runToEnd(folioAllocGfp(mem, gfpRequest(GFP_TRANSHUGE, 9, 0)));
  assert.ok(huge !== null, "one of today does");
  folioPut(mem, huge);
  teardown(machine);
});

test("compaction without migration is nothing that a kernel can be built with", () => {
  assert.throws(
    () => smallMachine(TWO_NODES, { migration: false, compaction: true }),
    new InputError("features", "compaction without migration", "migration too, or neither"),
  );
});
