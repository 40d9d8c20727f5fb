/** Shared memory on its way out to swap and in again, against those who use it, cut it, move it. */
import assert from "node:assert/strict";
import { shmemFileRead } from "../../src/fs/shmem/get-folio.ts";
import { PAGE_SIZE } from "../../src/memory/constants.ts";
import { folioGet, folioPut } from "../../src/memory/folio-ref.ts";
import { lruAddDrain } from "../../src/memory/lru.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import type { AddressSpace } from "../../src/pagecache/address-space.ts";
import { truncateFile } from "../../src/pagecache/truncate.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import type { Vma } from "../../src/vm/mm.ts";
import { pageOut, smallSwap } from "../../src/vm/swap/small-swap.ts";
import { unmapVma } from "../../src/vm/zap.ts";
import type { Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

/** A file of one page, which two processes map, on a machine with swap. */
class Scene extends World {
  readonly file: AddressSpace;
  readonly users: readonly [Vma, Vma];

  constructor() {
    super();
    const { vm } = this;
    assert.ok(vm.shmem !== null);
    smallSwap(vm, migrateFolio, { slots: 9 });
    this.file = vm.shmem.createFile("shm", PAGE_SIZE);
    this.users = [this.mapInto("one"), this.mapInto("other")];
  }

  private mapInto(name: string): Vma {
    const mm = this.vm.createMm(name);
    return this.vm.mapFile(mm, { ...mm.freeRange(1), pgoff: 0 }, this.file);
  }

  /** The page holds `value`, and lies in the cache, unmapped but for the first process. */
  fill(value: number): Folio {
    assert.equal(runToEnd(this.write(0, value)), "done");
    lruAddDrain(this.mem);
    const folio = this.file.folios.load(0);
    assert.ok(folio !== null);
    return folio;
  }

  /** The page holds `value` and is in swap; with somebody who holds its folio, in the cache too. */
  takeOut(value: number, to: "slot" | "cache"): Folio {
    const { mem } = this;
    const folio = this.fill(value);
    const submit = this.area.device.submit.bind(this.area.device);
    if (to === "cache") {
      this.area.device.submit = (request) => {
        folioGet(mem, folio);
        submit(request);
      };
    }
    assert.equal(runToEnd(pageOut(this.vm, folio)), to === "slot" ? "freed" : "cached");
    this.area.device.submit = submit;
    if (to === "cache") folioPut(mem, folio);
    lruAddDrain(mem);
    return folio;
  }

  get area(): { device: { submit: (request: never) => void }; slotsInUse: number } {
    const area = this.vm.swap?.areas[0];
    assert.ok(area != null);
    return area as never;
  }

  *write(user: 0 | 1, value: number): Blocking<string> {
    const { mm, startVpn } = this.users[user];
    return `${yield* writeUser(this.vm, mm, startVpn, 0, value)}`;
  }

  *read(user: 0 | 1): Blocking<string> {
    const { mm, startVpn } = this.users[user];
    return `read ${yield* readUser(this.vm, mm, startVpn, 0)}`;
  }

  *goesOut(): Blocking<string> {
    yield "reclaimer-begins";
    const folio = this.file.folios.load(0);
    return folio === null ? "found nothing" : yield* pageOut(this.vm, folio);
  }

  /** What the file holds, by read(2). */
  get contents(): number {
    const words = new Int32Array(1);
    assert.equal(runToEnd(shmemFileRead(this.vm, this.file, 0, words)), 1);
    return words[0];
  }

  run(check: () => void): RaceRun {
    const checkAll = (): void => {
      lruAddDrain(this.mem);
      check();
      this.finish();
    };
    return { tasks: this.tasks, check: checkAll, outcome: () => this.outcome() };
  }
}

function outAndWrite(): RaceRun {
  const scene = new Scene();
  scene.fill(1);
  scene.addTask("reclaimer", scene.goesOut());
  scene.addTask("writer", scene.write(1, 2));
  return scene.run(() => assert.equal(scene.contents, 2, "the write is lost"));
}

/** Both find the page in swap, and each of them wants it in the file. */
function twoUsers(): RaceRun {
  const scene = new Scene();
  scene.takeOut(1, "slot");
  scene.addTask("reader", scene.read(0));
  scene.addTask("writer", scene.write(1, 2));
  return scene.run(() => {
    assert.equal(scene.contents, 2, "the write is lost");
    assert.equal(scene.area.slotsInUse, 0);
  });
}

function* cut(scene: Scene): Blocking<string> {
  yield "cutter-begins";
  return `cut ${yield* truncateFile(scene.mem, scene.file, 0)}`;
}

function isEmpty({ file }: Scene): void {
  assert.equal(file.folios.pageCount + (file.swapped?.size ?? 0), 0, "a page behind the end");
}

function outAndCut(): RaceRun {
  const scene = new Scene();
  scene.fill(1);
  scene.addTask("reclaimer", scene.goesOut());
  scene.addTask("cutter", cut(scene));
  return scene.run(() => isEmpty(scene));
}

function inAndCut(): RaceRun {
  const scene = new Scene();
  scene.takeOut(1, "slot");
  scene.addTask("reader", scene.read(0));
  scene.addTask("cutter", cut(scene));
  return scene.run(() => isEmpty(scene));
}

/** The last look at a folio in the swap cache before it goes, and the process that calls for it. */
function dropAndRead(): RaceRun {
  const scene = new Scene();
  const folio = scene.takeOut(1, "cache");
  scene.addTask("reclaimer", pageOut(scene.vm, folio));
  scene.addTask("reader", scene.read(0));
  return scene.run(() => assert.equal(scene.contents, 1, "the bytes are lost"));
}

function newAndCut(): RaceRun {
  const scene = new Scene();
  scene.addTask("writer", scene.write(0, 1));
  scene.addTask("cutter", cut(scene));
  return scene.run(() => isEmpty(scene));
}

/** The one fills the hole and has it taken out while the other has found a hole. */
function fillTwice(): RaceRun {
  const scene = new Scene();
  function* fillAndTakeOut(): Blocking<string> {
    const written = yield* scene.write(0, 1);
    lruAddDrain(scene.mem);
    return `${written} and ${yield* scene.goesOut()}`;
  }
  scene.addTask("first", fillAndTakeOut());
  scene.addTask("second", scene.read(1));
  return scene.run(() => assert.equal(scene.contents, 1, "the write is lost"));
}

function outAndMove(): RaceRun {
  const scene = new Scene();
  const folio = scene.fill(1);
  scene.addTask("reclaimer", scene.goesOut());
  scene.addTask("mover", moveOnce(scene, folio));
  return scene.run(() => assert.equal(scene.contents, 1, "the bytes are lost"));
}

/** The folio is in the swap cache, nobody's, and moves as its file calls it back. */
function inAndMove(): RaceRun {
  const scene = new Scene();
  const folio = scene.takeOut(1, "cache");
  scene.addTask("mover", moveOnce(scene, folio));
  scene.addTask("writer", scene.write(1, 2));
  return scene.run(() => assert.equal(scene.contents, 2, "the write is lost"));
}

/** Memory without a name goes with the last who maps it: its folio may be on its way. */
function lastUnmapAndMove(): RaceRun {
  const scene = new Scene();
  const { vm } = scene;
  const folio = scene.fill(1);
  scene.file.isUnlinked = true;
  function* unmap(vma: Vma): Blocking<string> {
    yield* unmapVma(vm, vma);
    return "unmapped";
  }
  runToEnd(unmap(scene.users[1]));
  scene.addTask("mover", moveOnce(scene, folio));
  scene.addTask("user", unmap(scene.users[0]));
  return scene.run(() => isEmpty(scene));
}

export const shmemRaces: readonly Race[] = [
  {
    name: "shared memory that goes out to swap has what its processes write meanwhile",
    start: outAndWrite,
    schedules: 100,
    outcomes: ["cached, done", "freed, done", "kept, done"],
    mutants: [
      {
        what: "a page of shmem leaves its file before its slot stands for it",
        file: "src/fs/shmem/writepage.ts",
        text: "  replaceBySlot(swap, mapping, folio, slot);\n",
        replacement:
          "  const offset = mem.index[folio];\n  swap.duplicate(slot);\n" +
          '  filemapRemoveFolio(mem, mapping, folio);\n  yield "in-neither";\n' +
          "  (mapping.swapped ??= new Map()).set(offset, slot);\n",
        says: /is lost|cached and in swap/,
      },
    ],
  },
  {
    name: "two processes that call the same page of shmem back have one page",
    start: twoUsers,
    schedules: 100,
    outcomes: ["read 1, done", "read 2, done"],
    mutants: [
      {
        what: "a page of shmem is taken in though its file has it by now",
        file: "src/fs/shmem/swap-in.ts",
        text:
          '  if (!isOfSlot || !isSwapped(mapping, offset, slot)) return "EEXIST";\n' +
          '  if (!testFlag(mem, folio, PG.uptodate)) return "EIO";\n' +
          "  yield* folioWaitWriteback(mem, folio);\n" +
          '  if (!isSwapped(mapping, offset, slot)) return "EEXIST";\n',
        replacement: "",
        says: /has an owner already/,
      },
    ],
  },
  {
    name: "a file of shmem that is cut while its page goes out has none, and no slot",
    start: outAndCut,
    schedules: 50,
    outcomes: ["cached, cut done", "found nothing, cut done", "freed, cut done", "kept, cut done"],
    mutants: [
      {
        what: "a cut looks for pages in swap and in the cache once",
        file: "src/fs/shmem/truncate.ts",
        text: "  while (hasPages(vm.mem, mapping, first, last)) {",
        replacement: "  if (hasPages(vm.mem, mapping, first, last)) {",
        says: /a page behind the end/,
      },
    ],
  },
  {
    name: "a file of shmem that is cut while its page comes back has none, and no slot",
    start: inAndCut,
    schedules: 100,
    outcomes: ["read 1, cut done", "read SIGBUS, cut done"],
    mutants: [],
  },
  {
    name: "a page of shmem that leaves the swap cache is read again by who comes too late",
    start: dropAndRead,
    schedules: 10,
    outcomes: ["cached, read 1", "freed, read 1", "kept, read 1"],
    mutants: [
      {
        what: "the folio is taken from the swap cache without a look whether it is still alive",
        file: "src/fs/shmem/swap-in.ts",
        text: "let folio = yield* filemapGetFolio(mem, swap.mapping, slot);",
        replacement:
          'let folio = swap.mapping.folios.load(slot);\n  yield "loaded";\n' +
          "  if (folio !== null) mem.refcount[folio]++;",
        says: /free of a page|free block|flags|lost/,
      },
    ],
  },
  {
    name: "a page of shmem that is made while its file is cut does not stay behind the end",
    start: newAndCut,
    schedules: 50,
    outcomes: ["SIGBUS, cut done", "done, cut done"],
    mutants: [
      {
        what: "the size is not looked at again once the folio is in the file",
        file: "src/fs/shmem/get-folio.ts",
        text: '    if (use !== "write" && isBehindEnd(mapping, offset)) {',
        replacement: '    if (use === "read" && isBehindEnd(mapping, offset)) {',
        says: /a page behind the end/,
      },
    ],
  },
  {
    name: "a hole of shmem is filled once, though who fills it has it taken out at once",
    start: fillTwice,
    schedules: 100,
    outcomes: [
      "done and cached, read 1",
      "done and freed, read 0",
      "done and freed, read 1",
      "done and kept, read 1",
    ],
    mutants: [
      {
        what: "a new folio is entered where a page is in swap",
        file: "src/pagecache/new-folio.ts",
        text: "if (first === last) return !swapped.has(first);",
        replacement: "if (first === last) return true;",
        says: /is lost|cached and in swap/,
      },
    ],
  },
  {
    name: "shared memory is moved or goes out, or one after the other, and has its bytes",
    start: outAndMove,
    schedules: 20,
    outcomes: ["freed, moved", "freed, not isolated", "kept, moved"],
    mutants: [],
  },
  {
    name: "a page of shmem that is called back from the swap cache as it moves is there, and one",
    start: inAndMove,
    schedules: 30,
    outcomes: ["EAGAIN, done", "moved, done"],
    mutants: [],
  },
  {
    name: "shared memory that its last process unmaps while it moves is gone",
    start: lastUnmapAndMove,
    schedules: 30,
    outcomes: ["EAGAIN, unmapped", "moved, unmapped", "not isolated, unmapped"],
    mutants: [],
  },
];
