/** A move against a device that pins the page, writes to it by its frame, and lets go. */
import assert from "node:assert/strict";
import { folioPut, folioTryGet, folioUnpin } from "../../src/memory/folio-ref.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser } from "../../src/vm/fault.ts";
import { pinUserPage } from "../../src/vm/gup.ts";
import { PTE } from "../../src/vm/pte.ts";
import { anonymousPage, cachedFolio, mapFilePage, type UserPage } from "../../src/vm/small-vm.ts";
import type { Mutant, Race, RaceRun } from "./race.ts";
import { moveOnce, World, whereIs } from "./world.ts";

const NO_SECOND_LOOK: Mutant = {
  what: "the fast pin does not look at the entry again",
  file: "src/vm/gup.ts",
  text: "if (unchanged && entryPfn(tables, entry, vpn) === (page as number)) return page;",
  replacement: "return page;",
  says: /the device's write is lost/,
};

/** What the device wrote must be what the process reads, whether the page has moved or not. */
function pinAndMove(world: World, page: UserPage): RaceRun {
  const { vm, mem } = world;
  function* useByDevice(): Blocking<string> {
    const pinned = yield* pinUserPage(vm, page.mm, page.vpn);
    assert.ok(typeof pinned === "number", "the page is there");
    yield "device-at-work";
    mem.frames.writeWord(pinned, 0, 99);
    folioUnpin(mem, pinned);
    return pinned === page.folio ? "pinned old" : "pinned new";
  }
  world.addTask("mover", moveOnce(world, page.folio));
  world.addTask("device", useByDevice());
  const check = (): void => {
    const value = runToEnd(readUser(vm, page.mm, page.vpn, 0));
    assert.equal(value, 99, "the device's write is lost");
    world.log.push(whereIs(world, page));
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

/** A plain reference, taken by the page tables like a pin. Linux: `FOLL_GET`, as in 6.1's pipes. */
function* getUserPage({ vm, mem }: World, { entry, folio }: UserPage): Blocking<boolean> {
  yield "get-entry-read";
  if (!folioTryGet(mem, folio)) return false;
  yield "get-held";
  const isThere = (vm.tables.bits(entry) & PTE.present) !== 0;
  if (isThere && vm.tables.pfn(entry) === (folio as number)) return true;
  folioPut(mem, folio);
  return false;
}

function getAndMove(): RaceRun {
  const world = new World();
  const { vm, mem } = world;
  const page = anonymousPage(vm, 1);
  let written = 1;
  function* usePipe(): Blocking<string> {
    if (!(yield* getUserPage(world, page))) return "came too late";
    yield "pipe-at-work";
    mem.frames.writeWord(page.folio, 0, 99);
    written = 99;
    folioPut(mem, page.folio);
    return "got old";
  }
  world.addTask("mover", moveOnce(world, page.folio));
  world.addTask("pipe", usePipe());
  const check = (): void => {
    const value = runToEnd(readUser(vm, page.mm, page.vpn, 0));
    assert.equal(value, written, "a write by reference is lost");
    world.log.push(whereIs(world, page));
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

function startAnonymous(): RaceRun {
  const world = new World();
  return pinAndMove(world, anonymousPage(world.vm, 1));
}

function startFile(): RaceRun {
  const world = new World();
  const { vm } = world;
  const mapping = vm.cache.createMapping("a file", { migrateFolio });
  return pinAndMove(world, mapFilePage(vm, mapping, cachedFolio(vm, mapping, 0, 1)));
}

/** A pin that ends before the try, or begins after it, is in nobody's way. */
const OUTCOMES = [
  "EAGAIN, pinned old, old frame",
  "moved, pinned new, new frame",
  "moved, pinned old, new frame",
];

export const moveAndPinRaces: readonly Race[] = [
  {
    name: "a pin of a process's own page keeps it where it is, or is of where it has moved to",
    start: startAnonymous,
    schedules: 80,
    outcomes: OUTCOMES,
    mutants: [NO_SECOND_LOOK],
  },
  {
    name: "a plain reference to an anonymous page is seen by its count, however it was mapped",
    start: getAndMove,
    schedules: 50,
    outcomes: [
      "EAGAIN, came too late, old frame",
      "EAGAIN, got old, old frame",
      "moved, came too late, new frame",
      "moved, got old, new frame",
    ],
    mutants: [
      {
        what: "an anonymous folio is taken for unused without its count",
        file: "src/migrate/folio-mapping.ts",
        text: "if (mem.refcount[src] !== expected) return refuseCount(mem, src, expected);\n    take",
        replacement: "take",
        says: /a write by reference is lost/,
      },
    ],
  },
  {
    name: "a pin of a file's page is seen by the freeze, which takes no other count",
    start: startFile,
    schedules: 80,
    outcomes: OUTCOMES,
    mutants: [
      NO_SECOND_LOOK,
      {
        what: "the freeze stores without comparing",
        file: "src/memory/folio-ref.ts",
        text: "if (mem.refcount[folio] !== count) return false;",
        replacement: "",
        says: /the device's write is lost|more references put than there are/,
      },
    ],
  },
];
