/** The move of a folio that one entry maps whole, against everything that takes entries apart. */
import assert from "node:assert/strict";
import { folioUnpin } from "../../src/memory/folio-ref.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { forkMm } from "../../src/vm/fork.ts";
import { pinUserPage } from "../../src/vm/gup.ts";
import { splitDeferredFolios } from "../../src/vm/huge/shrinkers.ts";
import type { Mm } from "../../src/vm/mm.ts";
import { hugePage, type UserPage } from "../../src/vm/small-vm.ts";
import { unmapRange } from "../../src/vm/zap.ts";
import type { Race, RaceRun } from "./race.ts";
import { moveOnce, World, writeAndRead } from "./world.ts";

/** A page of the upper half, other than the first. */
const INNER = 300;

/** Room for the huge page, its new place and 512 single pages. */
function newWorld(): World {
  return new World({ pageCount: 2048 });
}

function read(world: World, mm: Mm, vpn: number): unknown {
  return runToEnd(readUser(world.vm, mm, vpn, 0));
}

/** The page's first word is 7, that of its inner page 8. */
function newPage(world: World): UserPage {
  const page = hugePage(world.vm, 7);
  assert.equal(runToEnd(writeUser(world.vm, page.mm, page.vpn + INNER, 0, 8)), "done");
  return page;
}

function raceOf(world: World, check: () => void): RaceRun {
  return {
    tasks: world.tasks,
    check() {
      check();
      world.finish();
    },
    outcome: () => world.outcome(),
  };
}

function moveAndWrite(): RaceRun {
  const world = newWorld();
  const page = newPage(world);
  const inner = { ...page, vpn: page.vpn + INNER };
  world.addTask("mover", moveOnce(world, page.folio));
  world.addTask("writer", writeAndRead(world, inner, 9));
  return raceOf(world, () => {
    assert.equal(read(world, page.mm, inner.vpn), 9, "the write is lost");
    assert.equal(read(world, page.mm, page.vpn), 7, "the contents are lost");
  });
}

function moveAndUnmapHalf(): RaceRun {
  const world = newWorld();
  const { vm } = world;
  const page = newPage(world);
  const middle = page.vpn + 256;
  function* unmapHalf(): Blocking<string> {
    yield* unmapRange(vm, page.mm, middle, page.vpn + 512);
    return "left half";
  }
  world.addTask("mover", moveOnce(world, page.folio));
  world.addTask("leaver", unmapHalf());
  return raceOf(world, () => {
    assert.equal(read(world, page.mm, page.vpn), 7, "the contents are lost");
    assert.equal(read(world, page.mm, middle), "SIGSEGV");
    assert.equal(page.mm.rssPages, 256);
  });
}

function moveAndFork(): RaceRun {
  const world = newWorld();
  const { vm } = world;
  const page = newPage(world);
  function* forkAndWrite(): Blocking<string> {
    yield "forker-begins";
    const child = forkMm(vm, page.mm, "child");
    assert.ok(child !== null);
    return "forked";
  }
  world.addTask("mover", moveOnce(world, page.folio));
  world.addTask("forker", forkAndWrite());
  return raceOf(world, () => {
    const child = vm.mms.at(-1);
    assert.ok(child !== undefined);
    // In the end: the copy takes the child's entry apart, which makes for long walks.
    assert.equal(runToEnd(writeUser(vm, child, page.vpn + INNER, 0, 9)), "done");
    assert.equal(read(world, page.mm, page.vpn + INNER), 8, "the child writes to the parent");
    assert.equal(read(world, child, page.vpn + INNER), 9);
    assert.equal(read(world, child, page.vpn), 7, "the child's contents are lost");
  });
}

function moveAndPin(): RaceRun {
  const world = newWorld();
  const { vm, mem } = world;
  const page = newPage(world);
  function* useByDevice(): Blocking<string> {
    const folio = yield* pinUserPage(vm, page.mm, page.vpn + INNER);
    assert.ok(typeof folio === "number", "the page is there");
    yield "device-at-work";
    mem.frames.writeWord(mem.pfn(folio + INNER), 0, 99);
    folioUnpin(mem, folio as Folio);
    return "wrote";
  }
  world.addTask("mover", moveOnce(world, page.folio));
  world.addTask("device", useByDevice());
  return raceOf(world, () => {
    assert.equal(read(world, page.mm, page.vpn + INNER), 99, "the device's write is lost");
  });
}

/** Half of the page was unmapped long ago, and reclaim splits what is left while it is moved. */
function moveAndSplit(): RaceRun {
  const world = newWorld();
  const { vm } = world;
  const page = newPage(world);
  const kept = page.vpn + 511;
  runToEnd(unmapRange(vm, page.mm, page.vpn, kept));
  function* splitIt(): Blocking<string> {
    const split = yield* splitDeferredFolios(vm, 0, 1);
    return split === 1 ? "split" : "not split";
  }
  runToEnd(writeUser(vm, page.mm, kept, 0, 8));
  world.addTask("splitter", splitIt());
  world.addTask("mover", moveOnce(world, page.folio));
  return raceOf(world, () => {
    assert.equal(read(world, page.mm, kept), 8, "the contents are lost");
  });
}

export const moveHugeRaces: readonly Race[] = [
  {
    name: "a page inside a huge one is written to while that moves, and the write is not lost",
    start: moveAndWrite,
    schedules: 43,
    outcomes: ["moved, wrote"],
    mutants: [
      {
        what: "a huge entry stays usable while its folio moves",
        file: "src/vm/huge/migration-pmd.ts",
        text: "const kept = migrationBits(bits, isExclusive);",
        replacement: "const kept = migrationBits(bits, isExclusive) | bits;",
        says: /the write is lost|free of a page|a page in use|huge mapping/,
      },
    ],
  },
  {
    name: "where half of a huge page is unmapped while it moves, the other half is mapped again",
    start: moveAndUnmapHalf,
    schedules: 21,
    outcomes: ["moved, left half"],
    mutants: [
      {
        what: "the split of an entry that is moving leaves nothing",
        file: "src/vm/huge/split-pmd.ts",
        text: "fillLeaf(vm, vma, vpn, first, bits & ~PTE.huge);",
        replacement: "vma.mm.directory.splitHuge(vpn);",
        says: /the contents are lost/,
      },
    ],
  },
  {
    name: "a child that is forked while a huge page moves shares it, and writes to its own copy",
    start: moveAndFork,
    schedules: 21,
    outcomes: ["moved, forked"],
    mutants: [
      {
        what: "a fork leaves a huge entry that is moving as writable as it was",
        file: "src/vm/huge/fork.ts",
        text: "kept = (bits & ~PTE_MIGRATION) | PTE.migrationRead;",
        replacement: "kept = bits;",
        says: /the child writes to the parent/,
      },
    ],
  },
  {
    name: "a page inside a huge one is pinned before that moves, or where it has moved to",
    start: moveAndPin,
    schedules: 89,
    outcomes: ["EAGAIN, wrote", "moved, wrote"],
    mutants: [
      {
        what: "the fast pin does not look at a huge entry again",
        file: "src/vm/gup.ts",
        text: "if (unchanged && entryPfn(tables, entry, vpn) === (page as number)) return page;",
        replacement: "return page;",
        says: /the device's write is lost/,
      },
    ],
  },
  {
    name: "a folio that is mapped in part is moved or split, one after the other",
    start: moveAndSplit,
    schedules: 25,
    outcomes: ["not split, EAGAIN", "not split, moved", "split, EAGAIN", "split, not isolated"],
    mutants: [
      {
        what: "reclaim splits a folio that another has taken off the LRU",
        file: "src/vm/huge/shrinkers.ts",
        text: "if (!isOurs || !folioIsolateLru(mem, folio)) {",
        replacement:
          "if (!isOurs || (!folioIsolateLru(mem, folio) && mem.refcount[folio]++ < 0)) {",
        says: /is on the LRU already|is on a list already/,
      },
    ],
  },
];
