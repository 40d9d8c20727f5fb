/** Machines of snapshots that are made up: huge entries and the swap cache are as they were. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { compactMemory } from "../callers/compaction/compact-zone.ts";
import { fillContents, verifyContents } from "../machine/contents.ts";
import { checkInvariants } from "../machine/invariants.ts";
import type { Machine } from "../machine/machine.ts";
import { teardown } from "../machine/teardown.ts";
import { MIGRATE } from "../memory/constants.ts";
import { folioEntireMapcount, folioMapcount, pageFolio } from "../memory/folio.ts";
import { type Folio, type Pfn, testFlag } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { migratePages } from "../migrate/migrate-pages.ts";
import { putbackMovablePages } from "../migrate/putback.ts";
import { AllocTarget, isolateForMigration } from "../migrate/small-migration.ts";
import { runToEnd } from "../sched/run.ts";
import { madvise } from "../vm/madvise/madvise.ts";
import { folioTestSwapcache } from "../vm/swap/swap-cache.ts";
import { RamSwap } from "../vm/swap/swap-device.ts";
import { machineFromSnapshot } from "./machine-from-snapshot.ts";
import { kindsOfMachine } from "./machine-kinds.ts";
import { PAGE_KIND } from "./page-kinds.ts";
import { readSnapshotPair } from "./read-snapshot.ts";
import type { Snapshot } from "./snapshot.ts";
import { countStayed } from "./stay-reasons.ts";
import { ENTRY, entriesOf, filesOf } from "./synthetic.ts";

const BLOCK = 512;
const BLOCKS = 16;
const SEED = 3;

/** High words of kpageflags. */
const MLOCKED = 0x2;
/** Low words: kept by mlock, on the list that nobody scans. */
const UNEVICTABLE = 0x40000;

/** Everything free from the second pageblock on, but for what `fill` puts in. */
class Made {
  readonly entries: Uint32Array = new Uint32Array(BLOCKS * BLOCK).fill(ENTRY.free);
  readonly high: Map<number, number> = new Map();
  readonly mapcount: Uint32Array = new Uint32Array(BLOCKS * BLOCK);
  meminfo = "";

  /** A folio of `pages`, each mapped so many times. */
  folio(pfn: number, pages: number, mapcount: number, head: number, tail: number): void {
    this.entries.fill(tail, pfn, pfn + pages);
    this.entries[pfn] = head;
    this.mapcount.fill(mapcount, pfn, pfn + pages);
  }

  async read(): Promise<Snapshot> {
    this.entries.fill(0, 0, BLOCK);
    const types = new Uint8Array(BLOCKS).fill(MIGRATE.movable);
    const files = filesOf({ entries: this.entries, startPfn: BLOCK, types }, "every page");
    const words = new Uint32Array((files.get("kpageflags.u64") ?? new Uint8Array()).buffer);
    for (const [pfn, word] of this.high) words[2 * pfn + 1] = word;
    const counts = new Uint32Array(2 * this.mapcount.length);
    for (const [pfn, count] of this.mapcount.entries()) counts[2 * pfn] = count;
    files.set("kpagecount.u64", new Uint8Array(counts.buffer));
    if (this.meminfo !== "") files.set("meminfo", new TextEncoder().encode(this.meminfo));
    const { snapshot } = await readSnapshotPair(entriesOf(files, ""), { name: "made up" });
    return snapshot;
  }
}

/** Moves one folio to new memory; where its first page is afterwards. */
function move(machine: Machine, folio: Folio): void {
  const { mem, vm } = machine;
  const list = mem.takeList();
  assert.ok(isolateForMigration(mem, folio, list));
  const call = migratePages(vm, list, new AllocTarget(mem), "sync", "syscall_or_cpuset");
  assert.equal(runToEnd(call).notMoved, 0);
  runToEnd(putbackMovablePages(vm, list));
  mem.releaseList(list);
}

test("what processes map whole has a huge entry in each, what they map in part has not", async () => {
  const made = new Made();
  const [shared, torn, file] = [2 * BLOCK, 3 * BLOCK, 4 * BLOCK] as Folio[];
  made.folio(shared, BLOCK, 2, ENTRY.anonymousHead, ENTRY.anonymousTail);
  made.folio(torn, BLOCK, 1, ENTRY.anonymousHead, ENTRY.anonymousTail);
  made.mapcount.fill(0, torn + 1, torn + 100);
  made.mapcount.fill(2, torn + 200, torn + 300);
  made.folio(file, BLOCK, 1, ENTRY.shmem | 0x8000, ENTRY.shmem | 0x10000);
  made.mapcount[file + 7] = 2;
  const machine = machineFromSnapshot(await made.read(), { contents: "bytes" });
  const { mem, vm } = machine;
  assert.equal(vm.tables.hugeInUse, 3);
  const whole = [shared, torn, file].map((folio) => folioEntireMapcount(mem, folio));
  assert.deepEqual(whole, [2, 0, 1]);
  assert.deepEqual(
    [shared, torn, file].map((folio) => folioMapcount(mem, folio)),
    [2, 512 - 99 + 100, 2],
  );
  assert.deepEqual([mem.refcount[shared], mem.refcount[torn]], [2, 513]);
  checkInvariants(machine);

  const filled = fillContents(machine, SEED);
  assert.equal(filled, 3 * BLOCK - 99);
  move(machine, shared);
  move(machine, file);
  assert.deepEqual([vm.tables.hugeInUse, folioEntireMapcount(mem, torn)], [3, 0]);
  checkInvariants(machine);
  assert.deepEqual(verifyContents(machine, SEED, filled), { pages: filled, mismatched: 0 });
  teardown(machine);
});

test("a huge page that two processes keep by mlock knows of both", async () => {
  const made = new Made();
  const folio = (2 * BLOCK) as Folio;
  const head = ENTRY.anonymousHead | UNEVICTABLE;
  made.folio(folio, BLOCK, 2, head, ENTRY.anonymousTail);
  made.high.set(folio, MLOCKED);
  const machine = machineFromSnapshot(await made.read(), { contents: "tokens" });
  const { mem } = machine;
  assert.deepEqual([mem.prev[folio], mem.nodes[0].mlockedPages], [2, BLOCK]);
  checkInvariants(machine);
  teardown(machine);
});

/** Pages of the swap cache: eight that processes map, eight that none does, one of 16 pages. */
async function swapping(meminfo = ""): Promise<Snapshot> {
  const made = new Made();
  const swapCache = ENTRY.anonymous | 0x2000;
  for (let at = 0; at < 16; at++) made.entries[2 * BLOCK + 8 * at] = swapCache;
  for (let at = 0; at < 16; at += 2) made.mapcount[2 * BLOCK + 8 * at] = 1 + (at & 2);
  made.folio(3 * BLOCK, 16, 1, ENTRY.anonymousHead | 0x2000, ENTRY.anonymousTail);
  // Room to move to: the even half of a pageblock, which no stride of the free scanner misses.
  for (let at = 1; at < BLOCK; at += 2) made.folio(12 * BLOCK + at, 1, 1, ENTRY.anonymous, 0);
  made.meminfo = meminfo;
  return made.read();
}

test("a page in the swap cache has a slot, and moves with it", async () => {
  const snapshot = await swapping();
  const machine = machineFromSnapshot(snapshot, { contents: "bytes" });
  const { mem, vm, sysctl } = machine;
  assert.ok(vm.swap !== null);
  const [area] = vm.swap.areas;
  assert.equal(area?.slotsInUse, 32);
  assert.equal(mem.nodes[0].swapcachePages, 32);
  const mapped = (2 * BLOCK) as Folio;
  const unmapped = (2 * BLOCK + 8) as Folio;
  assert.deepEqual([mem.refcount[mapped], mem.refcount[unmapped]], [2, 1]);
  assert.deepEqual(
    [vm.swap.count(slot(machine, mapped)), vm.swap.count(slot(machine, unmapped))],
    [0, 1],
  );
  checkInvariants(machine);

  const filled = fillContents(machine, SEED);
  assert.equal(filled, 8 + 8 + 16 + BLOCK / 2);
  const [before, beforeUnmapped] = [slot(machine, mapped), slot(machine, unmapped)];
  runToEnd(compactMemory(vm, sysctl));
  const after = vm.swap.mapping.folios.load(before);
  const afterUnmapped = vm.swap.mapping.folios.load(beforeUnmapped);
  assert.ok(after !== null && afterUnmapped !== null);
  assert.ok(after >= 12 * BLOCK && afterUnmapped > 12 * BLOCK, `${after} ${afterUnmapped}`);
  assert.ok(folioTestSwapcache(mem, after));
  const kinds = kindsOfMachine(machine, snapshot);
  const { swapCache } = PAGE_KIND;
  assert.deepEqual([kinds[after], kinds[afterUnmapped]], [swapCache, swapCache]);
  const reasons = countStayed(machine).map(({ reason }) => reason);
  assert.ok(!reasons.includes("pinned") && !reasons.includes("unmapped"), reasons.join(", "));
  checkInvariants(machine);
  assert.deepEqual(verifyContents(machine, SEED, filled), { pages: filled, mismatched: 0 });
  teardown(machine);
});

test("its swap is as large as meminfo says, and takes what is paged out", async () => {
  const machine = machineFromSnapshot(await swapping("SwapTotal: 8192 kB\n"), {
    contents: "bytes",
  });
  const { mem, vm } = machine;
  assert.equal(vm.swap?.freeSlots, 2048 - 32);
  const more = { name: "another", slots: 512, priority: 5, device: new RamSwap(mem, 512) };
  const area = machine.swapOn(more);
  const filled = fillContents(machine, SEED);
  const mm = vm.mms.find((mm) => mm?.directory !== undefined && mm.rssPages > BLOCK / 4);
  assert.ok(mm !== undefined);
  for (const { startVpn, endVpn } of [...mm.vmas]) {
    assert.equal(runToEnd(madvise(vm, mm, startVpn, endVpn, "MADV_PAGEOUT")), "done");
  }
  assert.ok(area.slotsInUse > 100, `${area.slotsInUse} slots`);
  checkInvariants(machine);
  assert.deepEqual(verifyContents(machine, SEED, filled), { pages: filled, mismatched: 0 });
  teardown(machine);
});

test("a machine whose snapshot shows no swap cache has no swap", async () => {
  const made = new Made();
  made.folio(2 * BLOCK, 1, 1, ENTRY.anonymous, 0);
  const machine = machineFromSnapshot(await made.read(), { contents: "tokens" });
  assert.equal(machine.vm.swap, null);
  assert.equal(
    testFlag(machine.mem, pageFolio(machine.mem, (2 * BLOCK) as Pfn), PG.swapcache),
    false,
  );
});

function slot({ mem }: Machine, folio: Folio): never {
  return mem.private[folio] as never;
}
