/** Merged pages on their way out to swap and in again, against those who use and merge them. */
import assert from "node:assert/strict";
import { lruAddDrain } from "../../src/memory/lru.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { ksmScan } from "../../src/vm/ksm/scan.ts";
import { folioAt, ksmPass, mergedPages } from "../../src/vm/ksm/small-ksm.ts";
import { PTE } from "../../src/vm/pte.ts";
import type { UserPage } from "../../src/vm/small-vm.ts";
import { pageOut, smallSwap } from "../../src/vm/swap/small-swap.ts";
import { exitMm, zapRange } from "../../src/vm/zap.ts";
import type { Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

/** Two processes whose pages are one that holds 5, on a machine with swap. */
class Scene extends World {
  readonly pages: readonly UserPage[];

  constructor() {
    super();
    smallSwap(this.vm, migrateFolio, { slots: 9 });
    this.pages = mergedPages(this.vm, 5, 2);
    lruAddDrain(this.mem);
  }

  *goesOut(): Blocking<string> {
    yield "reclaimer-begins";
    return yield* pageOut(this.vm, this.pages[0].folio);
  }

  takeOut(): void {
    assert.equal(runToEnd(this.goesOut()), "freed");
  }

  *read({ mm, vpn }: UserPage): Blocking<string> {
    return `read ${yield* readUser(this.vm, mm, vpn, 0)}`;
  }

  *write({ mm, vpn }: UserPage, value: number): Blocking<string> {
    return `${yield* writeUser(this.vm, mm, vpn, 0, value)}`;
  }

  /** What the processes have at the end, as they find it. */
  finishWith(values: readonly number[], settle = (): void => {}): RaceRun {
    return {
      tasks: this.tasks,
      outcome: () => this.outcome(),
      check: () => {
        lruAddDrain(this.mem);
        for (const [at, value] of values.entries()) {
          assert.equal(runToEnd(this.read(this.pages[at])), `read ${value}`, "a write is lost");
        }
        settle();
        // Each is found by way of its folio: it can go out once more.
        lruAddDrain(this.mem);
        for (const { vma, vpn, entry } of this.pages.slice(0, values.length)) {
          const bits = this.vm.tables.bits(entry);
          if ((bits & (PTE.present | PTE.special)) !== PTE.present) continue;
          assert.notEqual(runToEnd(pageOut(this.vm, folioAt(this.vm, vma, vpn))), "kept");
        }
        this.finish();
      },
    };
  }
}

function outAndWrite(): RaceRun {
  const scene = new Scene();
  scene.addTask("reclaimer", scene.goesOut());
  scene.addTask("writer", scene.write(scene.pages[0], 6));
  return scene.finishWith([6, 5]);
}

/** Both come for the slot of what was one page. */
function bothComeBack(): RaceRun {
  const scene = new Scene();
  scene.takeOut();
  scene.addTask("reader", scene.read(scene.pages[0]));
  scene.addTask("writer", scene.write(scene.pages[1], 6));
  return scene.finishWith([5, 6]);
}

/** One has the folio of the slot; of two threads of the other one wants a copy, one nothing. */
function copyAndDiscard(): RaceRun {
  const scene = new Scene();
  const { vm, pages } = scene;
  scene.takeOut();
  assert.equal(runToEnd(scene.read(pages[1])), "read 5");
  const [{ vma, vpn }] = pages;
  function* discard(): Blocking<string> {
    yield "discarder-begins";
    yield* zapRange(vm, vma, vpn, vpn + 1);
    return "discarded";
  }
  scene.addTask("reader", scene.read(pages[0]));
  scene.addTask("discarder", discard());
  return scene.finishWith([0, 5]);
}

function outAndMove(): RaceRun {
  const scene = new Scene();
  scene.addTask("reclaimer", scene.goesOut());
  scene.addTask("mover", moveOnce(scene, scene.pages[0].folio));
  return scene.finishWith([5, 5]);
}

function outAndScan(): RaceRun {
  const scene = new Scene();
  const { vm } = scene;
  function* scan(): Blocking<string> {
    yield* ksmScan(vm, Number.POSITIVE_INFINITY);
    return "scanned";
  }
  scene.addTask("reclaimer", scene.goesOut());
  scene.addTask("ksmd", scan());
  // What ksmd forgot while it was out, it learns again when it comes by.
  return scene.finishWith([5, 5], () => ksmPass(vm));
}

function outAndLeave(): RaceRun {
  const scene = new Scene();
  const { vm, pages } = scene;
  function* leave(): Blocking<string> {
    yield "leaver-begins";
    yield* exitMm(vm, pages[1].mm);
    return "left";
  }
  scene.addTask("reclaimer", scene.goesOut());
  scene.addTask("leaver", leave());
  return scene.finishWith([5]);
}

export const ksmAndSwapRaces: readonly Race[] = [
  {
    name: "a merged page that a process writes to while it goes out is the others' as it was",
    start: outAndWrite,
    schedules: 50,
    outcomes: ["cached, done", "freed, done"],
    mutants: [],
  },
  {
    name: "two processes that call a merged page's slot back have a page each",
    start: bothComeBack,
    schedules: 100,
    outcomes: ["read 5, done"],
    mutants: [],
  },
  {
    name: "a copy of what was a merged page is not mapped where the memory was discarded",
    start: copyAndDiscard,
    schedules: 50,
    outcomes: ["read 0, discarded", "read 5, discarded"],
    mutants: [
      {
        what: "a copy is mapped without a look whether its entry is still the same",
        file: "src/vm/swap/swap-in.ts",
        text: "  const isStill = isCurrent(fault);",
        replacement: "  const isStill = swap !== null;",
        says: /that no entry names|a write is lost/,
      },
    ],
  },
  {
    name: "a merged page moves or goes out, or one after the other, and is all its processes'",
    start: outAndMove,
    schedules: 20,
    outcomes: ["freed, not isolated", "kept, moved"],
    mutants: [],
  },
  {
    name: "a merged page that ksmd comes to while it goes out is known to KSM or out",
    start: outAndScan,
    schedules: 40,
    outcomes: ["cached, scanned", "freed, scanned"],
    mutants: [],
  },
  {
    name: "a merged page that goes out while one of its processes ends is the other's",
    start: outAndLeave,
    schedules: 30,
    outcomes: ["cached, left", "freed, left"],
    mutants: [],
  },
];
