/** Compaction's migrate scanner against all others who take folios off the LRU, or free them. */
import assert from "node:assert/strict";
import { COMPACT_MEMORY, CompactControl } from "../../src/callers/compaction/control.ts";
import { isolateMigratepages } from "../../src/callers/compaction/isolate-migratepages.ts";
import { folioPut } from "../../src/memory/folio-ref.ts";
import { folioAddLru, lruAddDrain } from "../../src/memory/lru.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import { folioAlloc, movableRequest } from "../../src/memory/page-alloc.ts";
import { listLength } from "../../src/memory/page-list.ts";
import { putbackMovablePages } from "../../src/migrate/putback.ts";
import { isolateForMigration } from "../../src/migrate/small-migration.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { anonymousPage, cachedFolio, type UserPage } from "../../src/vm/small-vm.ts";
import { exitMm } from "../../src/vm/zap.ts";
import type { Mutant, Race, RaceRun } from "./race.ts";
import { World } from "./world.ts";

/** The last 64 frames of a pageblock: what the scanner goes through in one call. */
const ZONE = { startPfn: 448, spanned: 64 };

function newWorld(): World {
  return new World({ pageCount: 512, zones: [ZONE] });
}

/** Scans the zone, holds what was isolated for a while, and puts it back. */
function* scan(world: World): Blocking<string> {
  const { vm, mem } = world;
  const [zone] = mem.zones;
  const cc = new CompactControl(vm, zone, COMPACT_MEMORY, world.machine.sysctl);
  cc.migratePfn = zone.startPfn;
  cc.freePfn = zone.endPfn;
  const outcome = yield* isolateMigratepages(cc);
  assert.notEqual(outcome, "abort");
  yield "scanner-holds";
  const taken = listLength(mem, cc.migratepages);
  assert.equal(taken > 0, outcome === "success", "a folio was taken out of the scanner's hands");
  yield* putbackMovablePages(vm, cc.migratepages);
  lruAddDrain(mem);
  cc.release();
  return `took ${taken}`;
}

/** Isolates one folio as reclaim and system calls do, and puts it back. */
function* isolateAndPutBack({ vm, mem }: World, folio: Folio): Blocking<string> {
  const list = mem.takeList();
  const isolated = isolateForMigration(mem, folio, list);
  yield "isolator-holds";
  yield* putbackMovablePages(vm, list);
  yield "isolator-batched";
  lruAddDrain(mem);
  mem.releaseList(list);
  return isolated ? "isolated" : "not isolated";
}

/** Frees the page and has its frame, and the next, come back as one large folio on the LRU. */
function* becomeLarge({ vm, mem }: World, page: UserPage): Blocking<string> {
  yield "owner-begins";
  yield* exitMm(vm, page.mm);
  if (mem.refcount[page.folio] > 0) return "held";
  yield "owner-freed";
  const large = folioAlloc(mem, { ...movableRequest(0), order: 5 });
  assert.ok(large !== null, "half of the zone is free");
  folioAddLru(mem, large);
  yield "large-on-the-lru";
  folioPut(mem, large);
  return large === page.folio ? "became large" : "freed";
}

function finished(world: World): RaceRun {
  const check = (): void => {
    lruAddDrain(world.mem);
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

/**
 * Folios of a file: what is said of them holds for an anonymous one too, but there the scanners see
 * each other's reference and give way.
 */
function fileFolios(world: World, count: number): Folio[] {
  const file = world.vm.cache.createMapping("a file", {});
  return Array.from({ length: count }, (_, at) => cachedFolio(world.vm, file, at, at));
}

function twoScanners(): RaceRun {
  const world = newWorld();
  fileFolios(world, 1);
  world.addTask("scanner", scan(world));
  world.addTask("other", scan(world));
  return finished(world);
}

function scannerAndIsolator(): RaceRun {
  const world = newWorld();
  // More than one, or the scanner would wait for the isolator to have less in its hands.
  const [folio] = fileFolios(world, 2);
  world.addTask("scanner", scan(world));
  world.addTask("isolator", isolateAndPutBack(world, folio));
  return finished(world);
}

function scannerAndOwner(): RaceRun {
  const world = newWorld();
  const page = pageBeforeFree(world);
  world.addTask("scanner", scan(world));
  world.addTask("owner", becomeLarge(world, page));
  return finished(world);
}

/** A page whose frame, once free, begins the only free block of 32 frames. */
function pageBeforeFree(world: World): UserPage {
  const { mem } = world;
  const used: Folio[] = [];
  for (let at = 0; at < 32; at++) {
    const folio = folioAlloc(mem, movableRequest(0));
    assert.ok(folio !== null);
    used.push(folio);
  }
  for (const folio of used) world.machine.recordHold(folio, 1);
  return anonymousPage(world.vm, 1);
}

const BOTH_TAKE: Mutant = {
  what: "the scanner does not look whether the folio is still on the LRU when it takes it",
  file: "src/callers/compaction/isolate-migratepages.ts",
  text: "if ((mem.flags[folio] & PG.lru) === 0 || folioNrPages(mem, folio) !== pages) {",
  replacement: "if (folioNrPages(mem, folio) !== pages) {",
  says: /taken out of the scanner's hands|pages inactive_file, counted/,
};

export const isolationRaces: readonly Race[] = [
  {
    name: "of two scanners one takes the folio, or both one after the other, and it comes back",
    start: twoScanners,
    schedules: 500,
    outcomes: ["took 0, took 1", "took 1, took 0", "took 1, took 1"],
    mutants: [BOTH_TAKE],
  },
  {
    name: "a folio that is isolated, or in a batch on its way back, is not taken by the scanner",
    start: scannerAndIsolator,
    schedules: 100,
    outcomes: ["took 1, isolated", "took 2, isolated", "took 2, not isolated"],
    mutants: [BOTH_TAKE],
  },
  {
    name: "a folio that was freed and is another by now is not taken for what it was",
    start: scannerAndOwner,
    schedules: 50,
    outcomes: ["took 0, became large", "took 1, became large", "took 1, held"],
    mutants: [
      {
        what: "the scanner does not look whether the folio has become a larger one",
        file: "src/callers/compaction/isolate-migratepages.ts",
        text: "if ((mem.flags[folio] & PG.lru) === 0 || folioNrPages(mem, folio) !== pages) {",
        replacement: "if ((mem.flags[folio] & PG.lru) === 0) {",
        says: /off the LRU, counted/,
      },
      {
        what: "the scanner takes hold of a page that nobody has",
        file: "src/callers/compaction/isolate-migratepages.ts",
        text: 'if (mem.refcount[folio] === 0) return "stays";',
        replacement: "",
        says: /free of a page with flags/,
      },
    ],
  },
];
