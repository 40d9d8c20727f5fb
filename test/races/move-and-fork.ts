/** A move against a process that forks while its page moves, and against one that leaves before. */
import assert from "node:assert/strict";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { forkMm } from "../../src/vm/fork.ts";
import { anonymousPage, sharePage } from "../../src/vm/small-vm.ts";
import { exitMm } from "../../src/vm/zap.ts";
import type { Race, RaceRun } from "./race.ts";
import { move, moveOnce, World } from "./world.ts";

/** One of two processes that share the page ends, then the other forks. */
function leaveForkAndMove(): RaceRun {
  const world = new World();
  const { vm } = world;
  const page = anonymousPage(vm, 7);
  const leaver = sharePage(vm, page);
  const readers = [page.mm];
  world.addTask(
    "mover",
    move(world, () => page.folio),
  );
  function* leaveAndFork(): Blocking<string> {
    yield "leaver-begins";
    yield* exitMm(vm, leaver.mm);
    yield "forker-begins";
    const child = forkMm(vm, page.mm, "child");
    assert.ok(child !== null, "there is memory for a fork");
    readers.push(child);
    return "forked";
  }
  world.addTask("forker", leaveAndFork());
  const check = (): void => {
    for (const mm of readers) assert.equal(runToEnd(readUser(vm, mm, page.vpn, 0)), 7);
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

/** The parent writes as soon as it has a child, whose page stays as it was at the fork. */
function forkWriteAndMove(): RaceRun {
  const world = new World();
  const { vm } = world;
  const { mm, vpn, folio } = anonymousPage(vm, 7);
  world.addTask("mover", moveOnce(world, folio));
  function* forkAndWrite(): Blocking<string> {
    yield "parent-begins";
    assert.ok(forkMm(vm, mm, "child") !== null, "there is memory for a fork");
    return yield* writeUser(vm, mm, vpn, 0, 8);
  }
  world.addTask("parent", forkAndWrite());
  const check = (): void => {
    const child = vm.mms.find((each) => each?.name === "child");
    assert.ok(child !== undefined);
    assert.equal(runToEnd(readUser(vm, child, vpn, 0)), 7, "the parent's write is in the child");
    assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 8, "the write is lost");
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

export const moveAndForkRaces: readonly Race[] = [
  {
    name: "a child that is forked while a page moves gets the page back as its parent does",
    start: leaveForkAndMove,
    schedules: 150,
    outcomes: ["moved, forked"],
    mutants: [
      {
        what: "a walk meets those alone who were there when it began",
        file: "src/vm/migration-entry.ts",
        text: "for (const vma of rmapVmas(vm, dst)) {",
        replacement: "for (const vma of [...rmapVmas(vm, dst)]) {",
        says: /a migration entry of an unlocked folio/,
      },
    ],
  },
  {
    name: "a page that moves while its process forks is shared afterwards, and not to be written to",
    start: forkWriteAndMove,
    schedules: 140,
    outcomes: ["moved, done"],
    mutants: [
      {
        what: "a fork leaves an entry that is moving as writable as it was",
        file: "src/vm/fork.ts",
        text: "const shared = (bits & ~PTE_MIGRATION) | PTE.migrationRead;",
        replacement: "const shared = bits;",
        says: /the parent's write is in the child/,
      },
    ],
  },
];
