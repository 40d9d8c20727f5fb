/** Pages on their way out to swap and in again, against moves, against one another. */
import assert from "node:assert/strict";
import { PROFILES } from "../../src/base/profile.ts";
import { folioGet, folioPut } from "../../src/memory/folio-ref.ts";
import { lruAddDrain } from "../../src/memory/lru.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import type { Patience } from "../../src/migrate/unmap.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { forkMm } from "../../src/vm/fork.ts";
import { madvise } from "../../src/vm/madvise/madvise.ts";
import { PTE } from "../../src/vm/pte.ts";
import { anonymousPage, sharePage, type UserPage } from "../../src/vm/small-vm.ts";
import { pageOut, smallSwap } from "../../src/vm/swap/small-swap.ts";
import type { SwapAreaOptions } from "../../src/vm/swap/swap-area.ts";
import { RamSwap } from "../../src/vm/swap/swap-device.ts";
import { swapEntry } from "../../src/vm/swap/swap-entry.ts";
import { exitMm } from "../../src/vm/zap.ts";
import { PolledSwap } from "./polled-device.ts";
import type { Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

const SLOTS = 8;

/** The first that is given. */
const SLOT = swapEntry(0, 1);

/** A machine with a page that holds 1, and swap. */
class Scene extends World {
  readonly page: UserPage;

  constructor(options: Partial<SwapAreaOptions> = {}) {
    super();
    smallSwap(this.vm, migrateFolio, { slots: SLOTS, ...options });
    this.page = anonymousPage(this.vm, 1);
  }

  /** Takes the page out; with somebody who holds it, it stays in the cache, unmapped. */
  takeOut(to: "slot" | "cache"): void {
    const { mem, vm, page } = this;
    if (to === "cache") folioGet(mem, page.folio);
    assert.equal(runToEnd(pageOut(vm, page.folio)), to === "cache" ? "cached" : "freed");
    if (to === "cache") folioPut(mem, page.folio);
    lruAddDrain(mem);
  }

  read(page: UserPage = this.page): unknown {
    return runToEnd(readUser(this.vm, page.mm, page.vpn, 0));
  }

  run(check: () => void): RaceRun {
    const checkAll = (): void => {
      check();
      this.finish();
    };
    return { tasks: this.tasks, check: checkAll, outcome: () => this.outcome() };
  }
}

function* readWord(scene: Scene, { mm, vpn }: UserPage): Blocking<string> {
  return `read ${yield* readUser(scene.vm, mm, vpn, 0)}`;
}

function* writeWord(scene: Scene, { mm, vpn }: UserPage, value: number): Blocking<string> {
  return `${yield* writeUser(scene.vm, mm, vpn, 0, value)}`;
}

/** The folio is in the cache and in no page table: the process asks for it as it moves. */
function moveAndSwapIn(): RaceRun {
  const scene = new Scene();
  scene.takeOut("cache");
  scene.addTask("mover", moveOnce(scene, scene.page.folio));
  scene.addTask("user", writeWord(scene, scene.page, 2));
  return scene.run(() => assert.equal(scene.read(), 2, "the write is lost"));
}

/** As in 2005: the move itself takes the page out of its process, by a slot. */
function moveBySwap(): RaceRun {
  const scene = new Scene();
  scene.mem.profile = PROFILES["2.6.15"];
  scene.addTask("mover", moveOnce(scene, scene.page.folio));
  scene.addTask("user", writeWord(scene, scene.page, 2));
  return scene.run(() => assert.equal(scene.read(), 2, "the write is lost"));
}

/** Two threads of one process use the page at once. */
function twoThreads(options: Partial<SwapAreaOptions>): RaceRun {
  const scene = new Scene(options);
  scene.takeOut("slot");
  scene.addTask("reader", readWord(scene, scene.page));
  scene.addTask("writer", writeWord(scene, scene.page, 2));
  return scene.run(() => {
    assert.equal(scene.read(), 2, "the write is lost");
    assert.equal(scene.page.mm.rssPages, 1);
  });
}

/** Two processes name one slot, and each uses its page. */
function twoProcesses(): RaceRun {
  const scene = new Scene();
  const { page } = scene;
  const other = sharePage(scene.vm, page);
  scene.takeOut("slot");
  scene.addTask("reader", readWord(scene, page));
  scene.addTask("writer", writeWord(scene, other, 2));
  return scene.run(() => {
    assert.deepEqual([scene.read(page), scene.read(other)], [1, 2]);
    assert.equal(scene.vm.swap?.area(SLOT).count(1), 0);
  });
}

/** The folio is written to its slot while somebody moves it. */
function moveAndPageOut(patience: Patience): () => RaceRun {
  return () => {
    const scene = new Scene();
    const { vm, mem, page } = scene;
    const device = new PolledSwap(new RamSwap(mem, SLOTS));
    const area = smallSwap(vm, migrateFolio, { slots: SLOTS, device, priority: 1 });
    function* reclaim(): Blocking<string> {
      const outcome = yield* pageOut(vm, page.folio);
      lruAddDrain(mem);
      yield "device-at-work";
      device.open();
      return outcome;
    }
    scene.addTask("reclaim", reclaim());
    scene.addTask("mover", moveOnce(scene, page.folio, patience));
    return scene.run(() => {
      assert.equal(scene.read(), 1, "the bytes are lost");
      const slot = vm.tables.pfn(page.entry);
      assert.ok(slot > 0 && area.slotsInUse <= 1);
    });
  };
}

/**
 * A thread finds the folio in the cache and is slow. Meanwhile another has a copy of its own, the
 * old folio leaves the cache, the copy goes out by the very same slot, and a fork makes its entry
 * what the first thread saw.
 */
function findAndPageOutAgain(): RaceRun {
  // The first slot is never given: there is one.
  const scene = new Scene({ slots: 2 });
  const { vm, mem, page } = scene;
  const { mm, vpn, entry } = page;
  const other = sharePage(vm, page);
  scene.takeOut("cache");
  function* writeAndGoOut(): Blocking<string> {
    yield "writer-begins";
    assert.equal(yield* writeUser(vm, mm, vpn, 0, 2), "done");
    yield* exitMm(vm, other.mm);
    lruAddDrain(mem);
    const outcome = yield* pageOut(vm, mem.pfn(vm.tables.pfn(entry)) as Folio);
    assert.ok(forkMm(vm, mm, "child") !== null, "there is memory");
    return outcome;
  }
  scene.addTask("reader", readWord(scene, page));
  scene.addTask("writer", writeAndGoOut());
  return scene.run(() => assert.equal(scene.read(), 2, "the write is lost"));
}

/** Reclaim drops what the process had given up, unless it writes to it after all. */
function freeAndWrite(): RaceRun {
  const scene = new Scene();
  const { vm, page } = scene;
  assert.equal(runToEnd(madvise(vm, page.mm, page.vpn, page.vpn + 1, "MADV_FREE")), "done");
  lruAddDrain(scene.mem);
  scene.addTask("reclaim", pageOut(vm, page.folio));
  scene.addTask("writer", writeWord(scene, page, 2));
  return scene.run(() => assert.equal(scene.read(), 2, "the write is lost"));
}

/** The last look at a folio in the cache before it goes, and the process that comes for it. */
function pageOutAndSwapIn(): RaceRun {
  const scene = new Scene();
  const { vm, page } = scene;
  scene.takeOut("cache");
  scene.addTask("reclaim", pageOut(vm, page.folio));
  scene.addTask("reader", readWord(scene, page));
  return scene.run(() => {
    assert.equal(scene.read(), 1, "the bytes are lost");
    assert.equal(vm.tables.bits(page.entry) & PTE.present, PTE.present);
  });
}

export const moveAndSwapRaces: readonly Race[] = [
  {
    name: "a page that its process calls back from the swap cache as it moves is there, and one",
    start: moveAndSwapIn,
    schedules: 35,
    outcomes: ["EAGAIN, done", "moved, done"],
    mutants: [
      {
        what: "the folio is taken from the cache without a look whether it is still alive",
        file: "src/vm/swap/swap-in.ts",
        text: "let folio = yield* filemapGetFolio(mem, swap.mapping, slot);",
        replacement:
          'let folio = swap.mapping.folios.load(slot);\n  yield "loaded";\n' +
          "  if (folio !== null) mem.refcount[folio]++;",
        says: /free of a page|free block|flags|lost/,
      },
    ],
  },
  {
    name: "a page that is moved by way of swap loses no write of its process",
    start: moveBySwap,
    schedules: 35,
    outcomes: ["EAGAIN, done", "moved, done"],
    mutants: [
      {
        what: "the count of references is not compared when the cache's slot changes hands",
        file: "src/migrate/folio-mapping.ts",
        text: "if (!folioRefFreeze(mem, src, expected)) return refuseCount(mem, src, expected);",
        replacement: "folioRefFreeze(mem, src, mem.refcount[src]);",
        says: /put of a folio that nobody holds/,
      },
    ],
  },
  {
    name: "two threads that bring the same page back map it once",
    start: () => twoThreads({}),
    schedules: 65,
    outcomes: ["read 1, done", "read 2, done"],
    mutants: [
      {
        what: "the entry is not looked at again once the folio is locked",
        file: "src/vm/swap/swap-in.ts",
        text:
          '  if (!isCurrent(fault)) return "again";\n' +
          '  if (!testFlag(mem, folio, PG.uptodate)) return "SIGBUS";\n  return null',
        replacement: '  if (!testFlag(mem, folio, PG.uptodate)) return "SIGBUS";\n  return null',
        says: /that no entry names/,
      },
    ],
  },
  {
    name: "two threads that bring the same page back past the cache map it once",
    start: () => twoThreads({ synchronous: true }),
    schedules: 160,
    outcomes: ["read 1, done", "read 2, done"],
    mutants: [
      {
        what: "a slot that another reads past the cache is read as well",
        file: "src/vm/swap/swap-in.ts",
        text: 'if (claim !== "claimed") {',
        replacement: 'if (claim === "ENOENT") {',
        says: /no folio of the swap cache has slot/,
      },
    ],
  },
  {
    name: "two processes that name one slot read it once, and each has its own after a write",
    start: twoProcesses,
    schedules: 150,
    outcomes: ["read 1, done"],
    mutants: [
      {
        what: "a slot is claimed though somebody has claimed it",
        file: "src/vm/swap/swap-area.ts",
        text: 'if (this.hasCache(slot)) return "EEXIST";',
        replacement: "",
        says: /page offset is cached already/,
      },
    ],
  },
  {
    name: "a folio that is being written to swap does not move until it is written",
    start: moveAndPageOut("tries"),
    schedules: 20,
    outcomes: ["cached, EAGAIN", "cached, moved", "cached, not isolated", "kept, moved"],
    mutants: [
      {
        what: "a move does not look whether the page is under writeback",
        file: "src/migrate/unmap.ts",
        text: "if ((mem.flags[src] & PG.writeback) !== 0) {",
        replacement: "if (mem.pageCount === 0) {",
        says: /migration of a folio under writeback/,
      },
    ],
  },
  {
    name: "who waits for a folio to be written to swap moves it once it is",
    start: moveAndPageOut("waits"),
    schedules: 20,
    outcomes: ["cached, moved", "cached, not isolated", "kept, moved"],
    mutants: [
      {
        what: "a move that may wait for writeback does not",
        file: "src/migrate/unmap.ts",
        text: "yield* folioWaitWriteback(mem, src);",
        replacement: "",
        says: /migration of a folio under writeback/,
      },
    ],
  },
  {
    name: "a thread that was slow to bring a page back does not bring back what it was before",
    start: findAndPageOutAgain,
    schedules: 2900,
    outcomes: ["read 1, freed", "read 2, cached", "read 2, freed"],
    mutants: [
      {
        what: "a folio that was found in the cache is taken to be in its slot still",
        file: "src/vm/swap/swap-in.ts",
        text: 'if (swap.mapping.folios.load(slot) !== folio) return "again";',
        replacement: "",
        says: /the write is lost/,
      },
    ],
  },
  {
    name: "what a process gave up and then wrote to is not dropped",
    start: freeAndWrite,
    schedules: 6,
    outcomes: ["freed, done", "kept, done"],
    mutants: [
      {
        what: "whether the entry is dirty is looked at before it is cleared",
        file: "src/vm/try-to-unmap.ts",
        text: "const isDirty = (tables.bits(entry) & PTE.dirty) !== 0;",
        replacement:
          'const isDirty = (tables.bits(entry) & PTE.dirty) !== 0;\n  yield "dirty-read";',
        says: /the write is lost/,
      },
    ],
  },
  {
    name: "a folio that leaves the swap cache is read again by who comes too late",
    start: pageOutAndSwapIn,
    schedules: 14,
    outcomes: ["cached, read 1", "freed, read 1"],
    mutants: [
      {
        what: "a lookup takes hold of a folio that nobody has any more",
        file: "src/pagecache/page-cache.ts",
        text: "if (!folioTryGet(mem, folio)) continue;",
        replacement: "mem.refcount[folio]++;",
        says: /free of a page with flags/,
      },
    ],
  },
];
