/** Pages on their way out to swap and in again, against moves, against one another. */
import assert from "node:assert/strict";
import { PROFILES } from "../../src/base/profile.ts";
import { folioGet, folioPut } from "../../src/memory/folio-ref.ts";
import type { Frames } from "../../src/memory/frames.ts";
import { lruAddDrain } from "../../src/memory/lru.ts";
import type { Memory } from "../../src/memory/memory.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import type { BlockRequest } from "../../src/pagecache/device/block-device.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { WaitQueue } from "../../src/sched/wait-queue.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { madvise } from "../../src/vm/madvise/madvise.ts";
import { PTE } from "../../src/vm/pte.ts";
import { anonymousPage, sharePage, type UserPage } from "../../src/vm/small-vm.ts";
import { pageOut, smallSwap } from "../../src/vm/swap/small-swap.ts";
import type { SwapAreaOptions } from "../../src/vm/swap/swap-area.ts";
import { RamSwap, type SwapDevice } from "../../src/vm/swap/swap-device.ts";
import { swapEntry } from "../../src/vm/swap/swap-entry.ts";
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

/** A device of which the first write ends when a task of its own says so. */
class HeldDevice implements SwapDevice {
  readonly frames: Frames;
  private readonly inner: RamSwap;
  private readonly begun: WaitQueue = new WaitQueue("a write to swap");
  private held: BlockRequest | null = null;
  private isOver = false;

  constructor(mem: Memory) {
    this.inner = new RamSwap(mem, SLOTS);
    this.frames = this.inner.frames;
  }

  submit(request: BlockRequest): void {
    if (request.kind === "read" || this.isOver || this.held !== null) {
      this.inner.submit(request);
      return;
    }
    this.held = request;
    this.begun.wakeAll();
  }

  freeBlock(block: number): void {
    this.inner.freeBlock(block);
  }

  /** Ends the write. */
  *end(): Blocking<string> {
    while (this.held === null && !this.isOver) yield this.begun;
    yield "device-writes";
    this.isOver = true;
    if (this.held !== null) this.inner.submit(this.held);
    return this.held === null ? "idle" : "written";
  }

  /** No write will come: the device need not wait. */
  giveUp(): void {
    this.isOver = true;
    this.begun.wakeAll();
  }
}

/** The folio is written to its slot while somebody moves it. */
function moveAndPageOut(): RaceRun {
  const scene = new Scene();
  const { vm, page } = scene;
  const device = new HeldDevice(scene.mem);
  const area = smallSwap(vm, migrateFolio, { slots: SLOTS, device, priority: 1 });
  function* reclaim(): Blocking<string> {
    const outcome = yield* pageOut(vm, page.folio);
    if (outcome === "kept") device.giveUp();
    return outcome;
  }
  scene.addTask("reclaim", reclaim());
  scene.addTask("device", device.end());
  function* moveDrained(): Blocking<string> {
    yield "mover-begins";
    lruAddDrain(scene.mem);
    return yield* moveOnce(scene, page.folio);
  }
  scene.addTask("mover", moveDrained());
  return scene.run(() => {
    assert.equal(scene.read(), 1, "the bytes are lost");
    const slot = vm.tables.pfn(page.entry);
    assert.ok(slot > 0 && area.slotsInUse <= 1);
  });
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
    mutants: [],
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
          '  if (!testFlag(mem, folio, PG.uptodate)) return "SIGBUS";\n  const page',
        replacement: '  if (!testFlag(mem, folio, PG.uptodate)) return "SIGBUS";\n  const page',
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
    start: moveAndPageOut,
    schedules: 300,
    outcomes: [
      "cached, written, EAGAIN",
      "cached, written, moved",
      "cached, written, not isolated",
      "kept, idle, moved",
    ],
    mutants: [],
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
    mutants: [],
  },
];
