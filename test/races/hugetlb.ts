/** Moves of huge pages out of the pool against who uses, maps, unmaps and truncates them. */
import assert from "node:assert/strict";
import type { Folio } from "../../src/memory/memmap.ts";
import { hugetlbfsMigrateFolio, unmapAndMoveHugePage } from "../../src/migrate/hugetlb.ts";
import { MigrateRun } from "../../src/migrate/migrate-run.ts";
import { putbackMovablePages } from "../../src/migrate/putback.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { createHugetlbFile, truncateHugetlbFile } from "../../src/vm/hugetlb/file.ts";
import { HPG, testHugetlbBit } from "../../src/vm/hugetlb/folio-state.ts";
import type { Hstate } from "../../src/vm/hugetlb/hstate.ts";
import { folioIsolateHugetlb } from "../../src/vm/hugetlb/isolate.ts";
import {
  hugetlbShape,
  mapHuge,
  mapHugeFile,
  smallPool,
  touchHuge,
} from "../../src/vm/hugetlb/small-hugetlb.ts";
import type { Mm, Vma } from "../../src/vm/mm.ts";
import { exitMm } from "../../src/vm/zap.ts";
import type { Race, RaceRun } from "./race.ts";
import { World } from "./world.ts";

/** A pool of two huge pages, and a process that maps one of them. */
class Scene extends World {
  readonly hstate: Hstate = smallPool(this.vm, [2]);
  readonly mm: Mm = this.vm.createMm("a process");
  /** Whose page it is; the huge pages are always had in the same order. */
  readonly first: Folio = this.peek();

  constructor() {
    super(hugetlbShape(1, 3));
  }

  run(check: () => void = () => {}): RaceRun {
    const checkAll = (): void => {
      check();
      this.finish();
    };
    return { tasks: this.tasks, check: checkAll, outcome: () => this.outcome() };
  }

  read(vma: Vma): unknown {
    return runToEnd(readUser(this.vm, vma.mm, vma.startVpn, 0));
  }

  /** The free page that will be had next. */
  private peek(): Folio {
    const { mem, hstate } = this;
    return mem.next[hstate.freeLists[0]] as Folio;
  }
}

/** Isolates the huge page if it may, tries once to move it, and puts back what stays. */
function* moveHuge(scene: Scene, folio: Folio): Blocking<string> {
  const { vm, mem, hstate } = scene;
  const list = mem.takeList();
  yield "mover-begins";
  let did: string = folioIsolateHugetlb(vm, folio, list);
  yield "mover-isolated";
  if (did === "isolated") {
    assert.ok(!testHugetlbBit(mem, folio, HPG.migratable), "it can be isolated twice");
    const target = {
      *getNew(): Blocking<Folio | null> {
        yield "target-get-new";
        return hstate.dequeueFrom(0);
      },
    };
    const run = new MigrateRun(vm, target, "sync", "syscall_or_cpuset");
    did = yield* unmapAndMoveHugePage(run, folio, "tries");
    yield* putbackMovablePages(vm, list);
    yield* putbackMovablePages(vm, run.refused);
    mem.releaseList(run.refused);
  }
  mem.releaseList(list);
  return did;
}

function* write(scene: Scene, vma: Vma, value: number): Blocking<string> {
  const written = yield* writeUser(scene.vm, vma.mm, vma.startVpn, 0, value);
  return written === "done" ? "wrote" : written;
}

function* exit(scene: Scene, mm: Mm): Blocking<string> {
  yield "process-ends";
  yield* exitMm(scene.vm, mm);
  return "exited";
}

function fileOf(scene: Scene): ReturnType<typeof createHugetlbFile> {
  const { vm, hstate } = scene;
  return createHugetlbFile(vm, hstate, "a file", { migrateFolio: hugetlbfsMigrateFolio });
}

function moverAndWriter(): RaceRun {
  const scene = new Scene();
  const vma = mapHuge(scene.vm, scene.mm, 1);
  touchHuge(scene.vm, vma, 0, 7);
  scene.addTask("mover", moveHuge(scene, scene.first));
  scene.addTask("writer", write(scene, vma, 8));
  return scene.run(() => assert.equal(scene.read(vma), 8, "a write is lost"));
}

function moverAndFirstFault(): RaceRun {
  const scene = new Scene();
  const vma = mapHuge(scene.vm, scene.mm, 1);
  scene.addTask("mover", moveHuge(scene, scene.first));
  scene.addTask("writer", write(scene, vma, 8));
  return scene.run(() => assert.equal(scene.read(vma), 8, "a write is lost"));
}

function moverAndSharer(): RaceRun {
  const scene = new Scene();
  const { vm } = scene;
  const file = fileOf(scene);
  touchHuge(vm, mapHugeFile(vm, scene.mm, file, 1), 0, 7);
  const other = mapHugeFile(vm, vm.createMm("another"), file, 1);
  scene.addTask("mover", moveHuge(scene, scene.first));
  scene.addTask("sharer", write(scene, other, 8));
  return scene.run(() => assert.equal(scene.read(scene.mm.vmas[0]), 8, "a write is lost"));
}

function moverAndExit(): RaceRun {
  const scene = new Scene();
  touchHuge(scene.vm, mapHuge(scene.vm, scene.mm, 1), 0, 7);
  scene.addTask("mover", moveHuge(scene, scene.first));
  scene.addTask("process", exit(scene, scene.mm));
  return scene.run(() => assert.equal(scene.hstate.freeHugePages, 2, "a huge page is lost"));
}

function moverAndTruncate(): RaceRun {
  const scene = new Scene();
  const { vm, hstate } = scene;
  const file = fileOf(scene);
  touchHuge(vm, mapHugeFile(vm, scene.mm, file, 1), 0, 7);
  function* truncate(): Blocking<string> {
    yield* truncateHugetlbFile(vm, hstate, file, 0);
    return "truncated";
  }
  scene.addTask("mover", moveHuge(scene, scene.first));
  scene.addTask("truncate", truncate());
  return scene.run(() => assert.equal(hstate.freeHugePages, 2, "a huge page is lost"));
}

function twoMovers(): RaceRun {
  const scene = new Scene();
  const vma = mapHuge(scene.vm, scene.mm, 1);
  touchHuge(scene.vm, vma, 0, 7);
  scene.addTask("one", moveHuge(scene, scene.first));
  scene.addTask("other", moveHuge(scene, scene.first));
  return scene.run(() => assert.equal(scene.read(vma), 7, "the contents are lost"));
}

export const hugetlbRaces: readonly Race[] = [
  {
    name: "a process that writes to a huge page waits for its move, or is seen by it",
    start: moverAndWriter,
    schedules: 30,
    outcomes: ["done, wrote"],
    mutants: [
      {
        what: "a huge entry stays usable while its folio moves",
        file: "src/vm/hugetlb/migration-entry.ts",
        text: "const kept = migrationBits(bits, isExclusive);",
        replacement: "const kept = migrationBits(bits, isExclusive) | bits;",
        says: /a write is lost/,
      },
    ],
  },
  {
    name: "a huge page in its first fault is not moved",
    start: moverAndFirstFault,
    schedules: 60,
    outcomes: ["EBUSY, wrote", "done, wrote"],
    mutants: [
      {
        what: "a huge page may be isolated before its fault has mapped it",
        file: "src/vm/hugetlb/fault.ts",
        text: 'clearPages(mem, folio);\n  yield "hugetlb-fault-cleared";',
        replacement:
          "clearPages(mem, folio);\n  setHugetlbBit(mem, folio, HPG.migratable);\n" +
          '  yield "hugetlb-fault-cleared";',
        says: /it can be isolated twice/,
      },
    ],
  },
  {
    name: "who maps a file's huge page during its move maps the one that the file has then",
    start: moverAndSharer,
    schedules: 90,
    outcomes: ["EAGAIN, wrote", "done, wrote"],
    mutants: [
      {
        what: "a file shows another huge page though somebody is about to map the old one",
        file: "src/migrate/hugetlb.ts",
        text: "if (!folioRefFreeze(mem, src, expected)) {",
        replacement: "if (!folioRefFreeze(mem, src, mem.refcount[src])) {",
        says: /a huge page left its file/,
      },
      {
        what: "a mover goes on without the lock that it did not get",
        file: "src/migrate/hugetlb.ts",
        text:
          'if (patience === "tries" || mode === "async" || mode === "sync-light") return "EAGAIN";\n' +
          "    yield* folioLock(mem, src);",
        replacement: "",
        says: /unlock of a folio that is not locked/,
      },
    ],
  },
  {
    name: "a huge page whose process exits during its move is freed once",
    start: moverAndExit,
    schedules: 30,
    outcomes: ["EBUSY, exited", "done, exited"],
    mutants: [
      {
        what: "an anon_vma goes with its last VMA, whoever relies on it",
        file: "src/vm/vm.ts",
        text: "if (anonVma.vmas.size === 0 && anonVma.refcount === 0) {",
        replacement: "if (anonVma.vmas.size === 0) {",
        says: /an anon_vma went under its holder/,
      },
    ],
  },
  {
    name: "a file's huge page that is truncated during its move is freed once, wherever it is",
    start: moverAndTruncate,
    schedules: 15,
    outcomes: ["EAGAIN, truncated", "EBUSY, truncated", "done, truncated"],
    mutants: [
      {
        what: "a move takes the lock of a file's mappings from who has it",
        file: "src/sched/rw-semaphore.ts",
        text: "if (this.held || this.readers > 0) return false;",
        replacement: "",
        says: /unlock of a semaphore that nobody holds: i_mmap_rwsem/,
      },
    ],
  },
  {
    name: "of two movers of a huge page one has it at a time",
    start: twoMovers,
    schedules: 150,
    outcomes: ["EBUSY, done", "done, EBUSY"],
    mutants: [
      {
        what: "a huge page is isolated without a look whether somebody has it",
        file: "src/vm/hugetlb/isolate.ts",
        text: "if (!folioTestHugetlb(mem, folio) || !testHugetlbBit(mem, folio, HPG.migratable))",
        replacement: "if (!folioTestHugetlb(mem, folio))",
        says: /it can be isolated twice/,
      },
    ],
  },
];
