/** A large folio that is split as it moves, against who uses one of its pages. */
import assert from "node:assert/strict";
import { folioTestLarge } from "../../src/memory/folio.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import { migratePages } from "../../src/migrate/migrate-pages.ts";
import { putbackMovablePages } from "../../src/migrate/putback.ts";
import { AllocTarget, isolateForMigration } from "../../src/migrate/small-migration.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { splitDeferredFolios } from "../../src/vm/huge/shrinkers.ts";
import { cachedFolio, hugePage, mapFilePage } from "../../src/vm/small-vm.ts";
import { exitMm, unmapRange } from "../../src/vm/zap.ts";
import type { Race, RaceRun } from "./race.ts";
import { World } from "./world.ts";

/** There is no free block as large as the folio. */
class SmallTarget extends AllocTarget {
  override *getNew(src: Folio): Blocking<Folio | null> {
    if (folioTestLarge(this.mem, src)) return null;
    return yield* super.getNew(src);
  }
}

function splitAndWrite(): RaceRun {
  const world = new World();
  const { vm, mem } = world;
  const mapping = vm.cache.createMapping("a file", { migrateFolio });
  const folio = cachedFolio(vm, mapping, 0, 7, 1);
  const { mm, vpn } = mapFilePage(vm, mapping, folio);
  function* moveInPieces(): Blocking<string> {
    const list = mem.takeList();
    assert.ok(isolateForMigration(mem, folio, list));
    const target = new SmallTarget(mem);
    const result = yield* migratePages(vm, list, target, "sync", "syscall_or_cpuset");
    yield* putbackMovablePages(vm, list);
    mem.releaseList(list);
    return `${result.succeededPages} moved`;
  }
  function* write(): Blocking<string> {
    return yield* writeUser(vm, mm, vpn + 1, 0, 8);
  }
  world.addTask("mover", moveInPieces());
  world.addTask("writer", write());
  const check = (): void => {
    assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 7);
    assert.equal(runToEnd(readUser(vm, mm, vpn + 1, 0)), 8, "the write is lost");
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

/** Reclaim splits a folio of which one page is mapped still, and the process ends. */
function splitAndExit(): RaceRun {
  const world = new World({ pageCount: 2048 });
  const { vm } = world;
  const { mm, vpn } = hugePage(vm, 7);
  runToEnd(unmapRange(vm, mm, vpn, vpn + 511));
  function* split(): Blocking<string> {
    const pieces = yield* splitDeferredFolios(vm, 0, 1);
    return pieces === 1 ? "split" : "not split";
  }
  function* exit(): Blocking<string> {
    yield "process-ends";
    yield* exitMm(vm, mm);
    return "exited";
  }
  world.addTask("splitter", split());
  world.addTask("process", exit());
  return { tasks: world.tasks, check: () => world.finish(), outcome: () => world.outcome() };
}

export const moveAndSplitRaces: readonly Race[] = [
  {
    name: "who uses a page of a folio that is being split waits for that page",
    start: splitAndWrite,
    schedules: 30,
    outcomes: ["2 moved, done"],
    mutants: [
      {
        what: "pieces are unlocked before their entries are back",
        file: "src/vm/split-folio.ts",
        text: "if (wasMapped) yield* remapPages(vm, folio, isAlone ? pages : 1);\n",
        replacement:
          "mem.flags[folio + 1] &= ~1;\n" +
          "  if (wasMapped) yield* remapPages(vm, folio, isAlone ? pages : 1);\n" +
          "  if (isAlone) mem.flags[folio + 1] |= 1;\n",
        says: /a migration entry of an unlocked folio/,
      },
    ],
  },
  {
    name: "a process that ends while a folio of it is split leaves nothing behind",
    start: splitAndExit,
    schedules: 5,
    outcomes: ["not split, exited", "split, exited"],
    mutants: [
      {
        what: "a split does not hold the anon_vma by which it will map the pieces",
        file: "src/vm/split-folio.ts",
        text: "const anonVma = folioTestAnon(mem, folio) ? folioGetAnonVma(vm, folio) : null;",
        replacement: "const anonVma = null;",
        says: /from an anon_vma that is gone/,
      },
    ],
  },
];
