/** A move against those who take the right to write away: mprotect, and a userfaultfd. */
import assert from "node:assert/strict";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { VM } from "../../src/vm/mm.ts";
import { protectRange } from "../../src/vm/protect.ts";
import { PTE } from "../../src/vm/pte.ts";
import { anonymousPage } from "../../src/vm/small-vm.ts";
import { Userfaultfd } from "../../src/vm/userfaultfd.ts";
import type { Race, RaceRun } from "./race.ts";
import { moveOnce, World } from "./world.ts";

function moveAndMprotect(): RaceRun {
  const world = new World();
  const { vm } = world;
  const { mm, vpn, folio, entry } = anonymousPage(vm, 7);
  function* protect(): Blocking<string> {
    yield "mprotect-begins";
    return yield* protectRange(vm, mm, vpn, vpn + 1, VM.read);
  }
  world.addTask("mover", moveOnce(world, folio));
  world.addTask("process", protect());
  const check = (): void => {
    assert.equal(vm.tables.bits(entry) & PTE.write, 0, "the page is still writable");
    assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 7, "the contents are lost");
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

/** A monitor protects the page, and lets the write go on that it is told of. */
function moveAndUserfault(): RaceRun {
  const world = new World();
  const { vm } = world;
  const { mm, vpn, folio } = anonymousPage(vm, 7);
  const uffd = new Userfaultfd(vm, mm);
  uffd.register(vpn, vpn + 1, VM.uffdWp);
  let told = 0;
  function* monitorAndWrite(): Blocking<string> {
    yield "monitor-begins";
    uffd.writeProtect(vpn, vpn + 1);
    return "protected";
  }
  world.addTask("mover", moveOnce(world, folio));
  world.addTask("monitor", monitorAndWrite());
  const check = (): void => {
    try {
      runToEnd(writeUser(vm, mm, vpn, 0, 9));
    } catch {
      told = runToEnd(uffd.read()).vpn;
    }
    assert.equal(told, vpn, "a write to a protected page that nobody was told of");
    assert.equal(uffd.allowWrites(vpn, vpn + 1), "done");
    assert.equal(runToEnd(writeUser(vm, mm, vpn, 0, 9)), "done");
    assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 9);
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

export const moveAndProtectRaces: readonly Race[] = [
  {
    name: "a page that mprotect takes the right to write from while it moves does not get it back",
    start: moveAndMprotect,
    schedules: 15,
    outcomes: ["moved, done"],
    mutants: [
      {
        what: "the right to write comes back as it was, whatever the VMA says by then",
        file: "src/vm/migration-bits.ts",
        text: "const mayWrite = (vma.flags & VM.write) !== 0;",
        replacement: "const mayWrite = true;",
        says: /the page is still writable/,
      },
    ],
  },
  {
    name: "a page that a userfaultfd protects while it moves is protected where it arrives",
    start: moveAndUserfault,
    schedules: 15,
    outcomes: ["moved, protected"],
    mutants: [
      {
        what: "a userfaultfd leaves moving pages as writable as they were",
        file: "src/vm/userfaultfd.ts",
        text: "if ((bits & PTE.migrationWrite) !== 0) {",
        replacement: "if (false) {",
        says: /a write to a protected page that nobody was told of/,
      },
    ],
  },
];
