/** A driver's page is isolated, moved and put back, against its driver, who knows nothing of it. */
import assert from "node:assert/strict";
import { COMPACT_MEMORY, CompactControl } from "../../src/callers/compaction/control.ts";
import { isolateMigratepages } from "../../src/callers/compaction/isolate-migratepages.ts";
import { folioPut } from "../../src/memory/folio-ref.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import { folioAlloc, movableRequest } from "../../src/memory/page-alloc.ts";
import { PG } from "../../src/memory/page-flags.ts";
import { listAddTail, listLength } from "../../src/memory/page-list.ts";
import { isolateMovablePage } from "../../src/migrate/isolate-movable.ts";
import { MigrateRun } from "../../src/migrate/migrate-run.ts";
import { migrateFolioMove } from "../../src/migrate/move.ts";
import { putbackMovablePages } from "../../src/migrate/putback.ts";
import { SmallDriver } from "../../src/migrate/small-driver.ts";
import { AllocTarget } from "../../src/migrate/small-migration.ts";
import { migrateFolioUnmap } from "../../src/migrate/unmap.ts";
import { ISOLATE } from "../../src/pagecache/movable-operations.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import type { Race, RaceRun } from "./race.ts";
import { World } from "./world.ts";

/** A driver with one page that holds 7. */
class Scene extends World {
  readonly driver: SmallDriver = new SmallDriver(this.vm.cache);
  readonly handle: number = this.driver.add(7);
  readonly page: Folio = this.driver.pageOf(this.handle);

  /** `expected` is what the driver's user must find, if the page is still there. */
  run(expected: number | null = null): RaceRun {
    const check = (): void => {
      if (expected !== null) assert.equal(this.driver.read(this.handle), expected);
      this.driver.close();
      this.finish();
    };
    return { tasks: this.tasks, check, outcome: () => this.outcome() };
  }
}

/** Isolates the page that was the driver's at first, and does `then` with it. */
function* isolateAnd(scene: Scene, then: "move" | "put back"): Blocking<string> {
  const { vm, mem, page } = scene;
  const isolated = yield* isolateMovablePage(vm.cache, page, ISOLATE.unevictable);
  if (isolated !== "isolated") return "not isolated";
  const list = mem.takeList();
  listAddTail(mem, list, page);
  yield "isolator-holds";
  let did = "put back";
  if (then === "move") {
    const run = new MigrateRun(vm, new AllocTarget(mem), "sync", "syscall_or_cpuset");
    const unmapped = yield* migrateFolioUnmap(run, page, "tries");
    did = unmapped === "unmapped" ? yield* migrateFolioMove(run, page) : unmapped;
    mem.releaseList(run.refused);
  }
  yield* putbackMovablePages(vm, list);
  mem.releaseList(list);
  return did;
}

/** Goes through all of a zone of 64 frames, and puts back what it took. */
function* scan(world: World): Blocking<string> {
  const { vm, mem } = world;
  const [zone] = mem.zones;
  const cc = new CompactControl(vm, zone, COMPACT_MEMORY, world.machine.sysctl);
  cc.migratePfn = zone.startPfn;
  cc.freePfn = zone.endPfn;
  yield* isolateMigratepages(cc);
  const taken = listLength(mem, cc.migratepages);
  yield* putbackMovablePages(vm, cc.migratepages);
  cc.release();
  return `took ${taken}`;
}

/** Frees the page; who has it next is careless, and reads its flags and writes them back. */
function* freeForReuse({ driver, handle, mem, page }: Scene): Blocking<string> {
  yield* driver.free(handle);
  const reused = folioAlloc(mem, movableRequest(0));
  if (reused === null) return "held";
  assert.equal(reused, page, "there is no other free page");
  const flags = mem.flags[reused];
  yield "new-owner-has-the-flags";
  mem.flags[reused] = flags | PG.slab;
  yield "new-owner-at-work";
  mem.flags[reused] &= ~PG.slab;
  folioPut(mem, reused);
  return "reused";
}

function isolatorAndFree(): RaceRun {
  const scene = new Scene();
  scene.addTask("isolator", isolateAnd(scene, "put back"));
  scene.addTask("driver", scene.driver.free(scene.handle));
  return scene.run();
}

function moverAndFree(): RaceRun {
  const scene = new Scene();
  scene.addTask("mover", isolateAnd(scene, "move"));
  scene.addTask("driver", scene.driver.free(scene.handle));
  return scene.run();
}

function twoIsolators(): RaceRun {
  const scene = new Scene();
  scene.addTask("one", isolateAnd(scene, "put back"));
  scene.addTask("other", isolateAnd(scene, "put back"));
  return scene.run(7);
}

function moverAndUser(): RaceRun {
  const scene = new Scene();
  const { driver, handle } = scene;
  function* use(): Blocking<string> {
    yield* driver.write(handle, 8);
    return "wrote";
  }
  scene.addTask("mover", isolateAnd(scene, "move"));
  scene.addTask("user", use());
  return scene.run(8);
}

function scannerAndReuse(): RaceRun {
  const scene = new Scene({ pageCount: 512, zones: [{ startPfn: 448, spanned: 64 }] });
  const { mem, machine } = scene;
  for (;;) {
    const folio = folioAlloc(mem, movableRequest(0));
    if (folio === null) break;
    machine.recordHold(folio, 1);
  }
  scene.addTask("scanner", scan(scene));
  scene.addTask("driver", freeForReuse(scene));
  return scene.run();
}

export const movableRaces: readonly Race[] = [
  {
    name: "a driver's page that is freed is not isolated, or is freed by who puts it back",
    start: isolatorAndFree,
    schedules: 40,
    outcomes: ["not isolated, freed", "put back, freed", "put back, freed while isolated"],
    mutants: [
      {
        what: "what has been looked at without the lock is not looked at again under it",
        file: "src/migrate/isolate-movable.ts",
        text: "if (!pageMovable(mem, page) || testFlag(mem, page, PG.isolated)) return false;",
        replacement: "if (testFlag(mem, page, PG.isolated)) return false;",
        says: /not a movable page/,
      },
      {
        what: "a page that its driver has let go of is given back to it",
        file: "src/migrate/move-movable.ts",
        text: "if (pageMovable(mem, page)) yield* pageMovableOps",
        replacement: "yield* pageMovableOps",
        says: /not a movable page/,
      },
    ],
  },
  {
    name: "of two isolators of a driver's page one has it, or both one after the other",
    start: twoIsolators,
    schedules: 150,
    outcomes: ["not isolated, put back", "put back, not isolated", "put back, put back"],
    mutants: [
      {
        what: "a page that is isolated already is isolated again",
        file: "src/migrate/isolate-movable.ts",
        text: "if (!pageMovable(mem, page) || testFlag(mem, page, PG.isolated)) return false;",
        replacement: "if (!pageMovable(mem, page)) return false;",
        says: /unlinking a page that is on no list/,
      },
    ],
  },
  {
    name: "a driver's page that is freed during a move is freed once, and its target with it",
    start: moverAndFree,
    schedules: 40,
    outcomes: [
      "EAGAIN, freed while isolated",
      "done, freed while isolated",
      "moved, freed",
      "moved, freed while isolated",
      "not isolated, freed",
    ],
    mutants: [
      {
        what: "a driver is asked to move what it has let go of",
        file: "src/migrate/move-movable.ts",
        text: "if (pageMovable(mem, src)) {",
        replacement: "{",
        says: /not a movable page/,
      },
      {
        what: "a driver waits for the lock of a page and does not look where its page is by then",
        file: "src/migrate/small-driver.ts",
        text: "if (this.pageOf(handle) === page) return page;",
        replacement: "return page;",
        says: /unlinking a page that is on no list/,
      },
    ],
  },
  {
    name: "what a driver's user writes during a move is in the page afterwards",
    start: moverAndUser,
    schedules: 20,
    outcomes: ["moved, wrote"],
    mutants: [
      {
        what: "a driver copies a page before it keeps its users out",
        file: "src/migrate/small-driver.ts",
        text: 'yield* this.lock.lock();\n    mem.frames.copy(dst, src);\n    yield "driver-copied";',
        replacement:
          'mem.frames.copy(dst, src);\n    yield "driver-copied";\n    yield* this.lock.lock();',
        says: /7 !== 8/,
      },
    ],
  },
  {
    name: "a scanner that comes too late does not touch the lock of a page's next owner",
    start: scannerAndReuse,
    schedules: 150,
    outcomes: ["took 0, held", "took 0, reused", "took 1, held", "took 1, reused"],
    mutants: [
      {
        what: "the lock is taken before the page is looked at",
        file: "src/migrate/isolate-movable.ts",
        text: "if (!folioTestMovable(mem, page)) {",
        replacement: "if (false) {",
        says: /the lock of a movable page is not held/,
      },
      {
        what: "the scanner takes hold of a page that nobody has any more",
        file: "src/migrate/isolate-movable.ts",
        text: 'if (!folioTryGet(mem, page)) return "EBUSY";',
        replacement: "mem.refcount[page]++;",
        says: /free of a page with flags/,
      },
    ],
  },
];
