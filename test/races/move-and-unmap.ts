/** A move against a process that gives the page up: by zapping it, by unmapping, by its end. */
import assert from "node:assert/strict";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser } from "../../src/vm/fault.ts";
import { NO_ENTRY } from "../../src/vm/page-tables.ts";
import {
  anonymousPage,
  cachedFolio,
  mapFilePage,
  sharePage,
  type UserPage,
} from "../../src/vm/small-vm.ts";
import { exitMm, unmapVma, zapRange } from "../../src/vm/zap.ts";
import type { Mutant, Race, RaceRun } from "./race.ts";
import { move, World } from "./world.ts";

type Leave = (world: World, page: UserPage) => Blocking<void>;

const zap: Leave = ({ vm }, { vma, vpn }) => zapRange(vm, vma, vpn, vpn + 1);
const unmap: Leave = ({ vm }, { vma }) => unmapVma(vm, vma);
const exit: Leave = ({ vm }, { mm }) => exitMm(vm, mm);

/** The page's process leaves while the page moves; `others` keep it and read it. */
function leaveAndMove(
  world: World,
  leaver: UserPage,
  others: readonly UserPage[],
  leave: Leave,
): RaceRun {
  const { vm } = world;
  function* go(): Blocking<string> {
    yield* leave(world, leaver);
    return "left";
  }
  world.addTask(
    "mover",
    move(world, () => leaver.folio),
  );
  world.addTask("leaver", go());
  for (const { mm, vpn } of others) {
    world.addTask("reader", readInTheEnd(world, { mm, vpn }));
  }
  const check = (): void => {
    const entry = leaver.mm.directory.find(leaver.vpn);
    const bits = entry === NO_ENTRY ? 0 : vm.tables.bits(entry);
    assert.equal(bits, 0, "the page is back where it was given up");
    for (const { mm, vpn } of others) {
      assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 7, "the contents are lost");
    }
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

function* readInTheEnd({ vm }: World, { mm, vpn }: Pick<UserPage, "mm" | "vpn">): Blocking<string> {
  return `read ${yield* readUser(vm, mm, vpn, 0)}`;
}

function alone(leave: Leave): () => RaceRun {
  return () => {
    const world = new World();
    return leaveAndMove(world, anonymousPage(world.vm, 7), [], leave);
  };
}

/** The first, or the second, of two processes leaves the page to the other. */
function shared(which: 0 | 1): () => RaceRun {
  return () => {
    const world = new World();
    const first = anonymousPage(world.vm, 7);
    const pages = [first, sharePage(world.vm, first)];
    return leaveAndMove(world, pages[which], [pages[1 - which]], exit);
  };
}

function ofFile(): RaceRun {
  const world = new World();
  const { vm } = world;
  const mapping = vm.cache.createMapping("a file", { migrateFolio });
  const folio = cachedFolio(vm, mapping, 0, 7);
  const [first, second] = [mapFilePage(vm, mapping, folio), mapFilePage(vm, mapping, folio)];
  return leaveAndMove(world, first, [second], unmap);
}

const LEFT_BEHIND: Mutant = {
  what: "zapping leaves a migration entry where it is",
  file: "src/vm/zap.ts",
  text: "if (bits === PTE_NONE) return;\n  if ((bits & PTE.swap)",
  replacement: "if ((bits & PTE.present) === 0) return;\n  if ((bits & PTE.swap)",
  says: /the page is back where it was given up|release of a page table that maps a page/,
};

const TAKES_TWICE: Mutant = {
  what: "zapping takes a mapping away for a migration entry, which has none",
  file: "src/vm/zap.ts",
  text: "if ((bits & PTE.present) === 0) return;\n  const folio = pageFolio",
  replacement: "const folio = pageFolio",
  says: /a mapping is removed that was never added/,
};

export const moveAndUnmapRaces: readonly Race[] = [
  {
    name: "a page that is zapped while it moves is freed, wherever it is by then",
    start: alone(zap),
    schedules: 36,
    outcomes: ["moved, left", "not isolated, left"],
    mutants: [LEFT_BEHIND],
  },
  {
    name: "an anon_vma whose last VMA goes while a page of it moves lives to the end of the move",
    start: alone(exit),
    schedules: 36,
    outcomes: ["moved, left", "not isolated, left"],
    mutants: [
      {
        what: "an anon_vma goes with its last VMA, whoever relies on it",
        file: "src/vm/vm.ts",
        text: "if (anonVma.vmas.size === 0 && anonVma.refcount === 0) {",
        replacement: "if (anonVma.vmas.size === 0) {",
        says: /an anon_vma went away under a migration/,
      },
    ],
  },
  {
    name: "where the first of two processes ends while their page moves, the other keeps it",
    start: shared(0),
    schedules: 4000,
    outcomes: ["moved, left, read 7"],
    mutants: [LEFT_BEHIND],
  },
  {
    name: "where the second of two processes ends while their page moves, the other keeps it",
    start: shared(1),
    schedules: 4000,
    outcomes: ["moved, left, read 7"],
    mutants: [TAKES_TWICE],
  },
  {
    name: "where one of two processes unmaps a file's page while it moves, the other keeps it",
    start: ofFile,
    schedules: 4000,
    outcomes: ["moved, left, read 7"],
    mutants: [LEFT_BEHIND, TAKES_TWICE],
  },
];
