/** A move against a process that moves the page's address: mremap, and exec with its stack. */
import assert from "node:assert/strict";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { createArgStack, setupArgPages } from "../../src/vm/exec-stack.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { MREMAP, mremap } from "../../src/vm/mremap.ts";
import {
  anonymousPage,
  cachedFolio,
  mapFilePage,
  touchPage,
  type UserPage,
} from "../../src/vm/small-vm.ts";
import type { Mutant, Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

const PLACES = [0x800, 0xa00, 0xc00];

const JOINS_LATE: Mutant = {
  what: "the new place joins the reverse map once its pages have come",
  file: "src/vm/mremap.ts",
  text: `  vm.copyVma(vma, { startVpn: newVpn, endVpn: newVpn + newPages, pgoff });
  yield* movePageTables(vm, mm, vpn, newVpn, oldPages);`,
  replacement: `  yield* movePageTables(vm, mm, vpn, newVpn, oldPages);
  yield "the walk is here";
  vm.copyVma(vma, { startVpn: newVpn, endVpn: newVpn + newPages, pgoff });`,
  says: /a migration entry of an unlocked folio/,
};

const LEFT_BEHIND: Mutant = {
  what: "mremap leaves pages that are moving behind",
  file: "src/vm/move-page-tables.ts",
  text: "tables.bits(from) === PTE_NONE) return;",
  replacement: "(tables.bits(from) & PTE.present) === 0) return;",
  says: /the contents are lost/,
};

/** The new place is met before the old one, from which entries still come. */
const JOINS_IN_FRONT: Mutant = {
  what: "the new place stands in front of the old one in the reverse map",
  file: "src/vm/vm.ts",
  text: "if (vma.anonVma !== null) this.joinAnonVma(copy, vma.anonVma);\n    return copy;",
  replacement:
    "const others = [...(vma.anonVma?.vmas ?? [])];\n    vma.anonVma?.vmas.clear();\n" +
    "    if (vma.anonVma !== null) this.joinAnonVma(copy, vma.anonVma);\n" +
    "    for (const other of others) vma.anonVma?.vmas.add(other);\n    return copy;",
  says: /a migration entry of an unlocked folio/,
};

/** The process maps the page at each of `places` in turn. */
function remapAndMove(world: World, page: UserPage, places: readonly number[]): RaceRun {
  const { vm } = world;
  const { mm } = page;
  function* remap(): Blocking<string> {
    let { vpn } = page;
    for (const newVpn of places) {
      const flags = MREMAP.mayMove | MREMAP.fixed;
      vpn = Number(yield* mremap(vm, mm, { vpn, oldPages: 1, newPages: 1, flags, newVpn }));
    }
    return "remapped";
  }
  world.addTask("mover", moveOnce(world, page.folio));
  world.addTask("process", remap());
  const check = (): void => {
    const last = places[places.length - 1];
    assert.equal(runToEnd(readUser(vm, mm, last, 0)), 7, "the contents are lost");
    assert.equal(runToEnd(readUser(vm, mm, page.vpn, 0)), "SIGSEGV");
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

function anonymous(places: readonly number[]): () => RaceRun {
  return () => {
    const world = new World();
    return remapAndMove(world, anonymousPage(world.vm, 7), places);
  };
}

function ofFile(): RaceRun {
  const world = new World();
  const { vm } = world;
  const mapping = vm.cache.createMapping("a file", { migrateFolio });
  const page = mapFilePage(vm, mapping, cachedFolio(vm, mapping, 0, 7));
  return remapAndMove(world, page, PLACES.slice(0, 1));
}

function execStack(): RaceRun {
  const world = new World();
  const { vm } = world;
  const mm = vm.createMm("a new program");
  const stack = createArgStack(vm, mm, 0x603, 0x604);
  const { folio } = touchPage(vm, stack, 0x603, 7);
  function* exec(): Blocking<string> {
    yield* setupArgPages(vm, stack, 3);
    return `read ${yield* readUser(vm, mm, 0x600, 0)}`;
  }
  world.addTask("mover", moveOnce(world, folio));
  world.addTask("exec", exec());
  const check = (): void => {
    assert.equal(runToEnd(readUser(vm, mm, 0x600, 0)), 7, "the contents are lost");
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

/** Another thread writes to where the page is moving. */
function remapAndUse(): RaceRun {
  const world = new World();
  const { vm } = world;
  const { mm, vpn } = anonymousPage(vm, 7);
  const [newVpn] = PLACES;
  function* remap(): Blocking<string> {
    const flags = MREMAP.mayMove | MREMAP.fixed;
    yield* mremap(vm, mm, { vpn, oldPages: 1, newPages: 1, flags, newVpn });
    return "remapped";
  }
  function* write(): Blocking<string> {
    return yield* writeUser(vm, mm, newVpn, 0, 9);
  }
  world.addTask("process", remap());
  world.addTask("thread", write());
  const check = (): void => {
    const expected = world.log[1] === "done" ? 9 : 7;
    assert.equal(runToEnd(readUser(vm, mm, newVpn, 0)), expected, "the contents are lost");
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

export const moveAndRemapRaces: readonly Race[] = [
  {
    name: "a page whose address moves while it moves itself is found at the one place or the other",
    start: anonymous(PLACES.slice(0, 1)),
    schedules: 80,
    outcomes: ["moved, remapped"],
    mutants: [JOINS_LATE, LEFT_BEHIND],
  },
  {
    name: "a page whose address moves twice while it moves itself is found in the end",
    start: anonymous(PLACES.slice(0, 2)),
    schedules: 700,
    outcomes: ["moved, remapped"],
    mutants: [JOINS_IN_FRONT],
  },
  {
    name: "a file's page whose address moves while it moves itself is found at one of both places",
    start: ofFile,
    schedules: 80,
    outcomes: ["moved, remapped"],
    mutants: [
      {
        what: "the new place stands in front of the old one in the file's reverse map",
        file: "src/vm/vm.ts",
        text: "insertVma(vma.mm, copy);\n    if (vma.mapping !== null)",
        replacement:
          "insertVma(vma.mm, copy);\n    const all = this.fileVmas[vma.mapping?.id ?? 0];\n" +
          "    const others = [...all];\n    all.clear();\n    all.add(copy);\n" +
          "    for (const other of others) all.add(other);\n    if (vma.mapping !== null)",
        says: /a migration entry of an unlocked folio/,
      },
    ],
  },
  {
    name: "a stack that exec is moving is left alone, until it is where it stays",
    start: execStack,
    schedules: 26,
    outcomes: ["EAGAIN, read 7", "moved, read 7"],
    mutants: [
      {
        what: "migration takes the pages of a stack that exec is moving",
        file: "src/vm/migration-entry.ts",
        text: "if (skipsStacks && (vma.flags & VM.incompleteStack) !== 0) continue;",
        replacement: "",
        says: /a migration entry of an unlocked folio/,
      },
    ],
  },
  {
    name: "who uses memory that mremap is moving there waits until it is there",
    start: remapAndUse,
    schedules: 5,
    outcomes: ["remapped, SIGSEGV", "remapped, done"],
    mutants: [
      {
        what: "a fault does not wait for the mmap_lock",
        file: "src/vm/fault.ts",
        text: "if (mm.mmapLock.held) yield* mm.mmapLock.wait();",
        replacement: "",
        says: /a page is moved to where one is already/,
      },
    ],
  },
];
