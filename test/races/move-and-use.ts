/** A move against the process that uses the page. */
import assert from "node:assert/strict";
import { folioLock, folioUnlock } from "../../src/memory/folio-lock.ts";
import { folioPut } from "../../src/memory/folio-ref.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import { folioAlloc, movableRequest } from "../../src/memory/page-alloc.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { WaitQueue } from "../../src/sched/wait-queue.ts";
import { readUser, writeUser } from "../../src/vm/fault.ts";
import { anonymousPage, cachedFolio, mapFilePage, sharePage } from "../../src/vm/small-vm.ts";
import type { Mutant, Race, RaceRun } from "./race.ts";
import { move, World, whereIs, writeAndRead } from "./world.ts";

const LEFT_PRESENT: Mutant = {
  what: "an entry stays usable while its page moves",
  file: "src/vm/migration-entry.ts",
  text: "const kept = migrationBits(bits, isExclusive);",
  replacement: "const kept = migrationBits(bits, isExclusive) | bits;",
  says: /the write is lost|free of a page|a page in use|mapping is removed/,
};

/** The flag is taken away and given back by hand: the unlock itself stays where it is. */
const UNLOCKED_EARLY: Mutant = {
  what: "the source is unlocked before the last migration entry is gone",
  file: "src/migrate/move.ts",
  text: "if (wasMapped) yield* removeMigrationPtes(vm, src, dst);\n",
  replacement:
    "mem.flags[src] &= ~1;\n" +
    "  if (wasMapped) yield* removeMigrationPtes(vm, src, dst);\n" +
    "  mem.flags[src] |= 1;\n",
  says: /a migration entry of an unlocked folio/,
};

function moveAndWrite(): RaceRun {
  const world = new World();
  const page = anonymousPage(world.vm, 1);
  world.addTask(
    "mover",
    move(world, () => page.folio),
  );
  world.addTask("writer", writeAndRead(world, page, 2));
  const check = (): void => {
    assert.equal(runToEnd(readUser(world.vm, page.mm, page.vpn, 0)), 2, "the write is lost");
    world.log.push(whereIs(world, page));
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

/** Two processes read and write a file's page, and both see the last write. */
function moveAndShare(): RaceRun {
  const world = new World();
  const { vm } = world;
  const mapping = vm.cache.createMapping("a file", { migrateFolio });
  const folio = cachedFolio(vm, mapping, 0, 1);
  const [one, other] = [mapFilePage(vm, mapping, folio), mapFilePage(vm, mapping, folio)];
  world.addTask(
    "mover",
    move(world, () => folio),
  );
  function* write(): Blocking<string> {
    return yield* writeUser(vm, one.mm, one.vpn, 0, 2);
  }
  function* read(): Blocking<string> {
    return `read ${yield* readUser(vm, other.mm, other.vpn, 0)}`;
  }
  world.addTask("writer", write());
  world.addTask("reader", read());
  const check = (): void => {
    for (const { mm, vpn } of [one, other]) {
      assert.equal(runToEnd(readUser(vm, mm, vpn, 0)), 2, "the write is lost");
    }
    assert.equal(whereIs(world, one), whereIs(world, other));
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

/** The frame is taken and locked by somebody else as soon as the move has given it up. */
function moveAndReuse(): RaceRun {
  const world = new World();
  const { vm, mem } = world;
  const page = anonymousPage(vm, 1);
  const other = sharePage(vm, page);
  const over = new WaitQueue("the reader's end");
  world.addTask(
    "mover",
    move(world, () => page.folio),
  );
  let isRead = false;
  function* read(): Blocking<string> {
    assert.equal(yield* readUser(vm, other.mm, other.vpn, 0), 1);
    isRead = true;
    over.wakeAll();
    return "read";
  }
  function* reuse(): Blocking<string> {
    yield "taker-begins";
    const taken = folioAlloc(mem, movableRequest(0)) as Folio;
    yield* folioLock(mem, taken);
    while (!isRead) yield over;
    folioUnlock(mem, taken);
    folioPut(mem, taken);
    return taken === page.folio ? "took the old frame" : "took another frame";
  }
  world.addTask("reader", read());
  world.addTask("taker", reuse());
  const check = (): void => world.finish();
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

export const moveAndUseRaces: readonly Race[] = [
  {
    name: "a write that meets a move is never lost, wherever the page ends",
    start: moveAndWrite,
    schedules: 100,
    outcomes: ["moved, wrote, new frame"],
    mutants: [LEFT_PRESENT, UNLOCKED_EARLY],
  },
  {
    name: "two processes see one page of a file before, during and after its move",
    start: moveAndShare,
    schedules: 9000,
    outcomes: ["moved, done, read 1", "moved, done, read 2"],
    mutants: [
      {
        what: "the file shows the new page before its bytes are there",
        file: "src/migrate/move.ts",
        text: "if (wasMapped) yield* removeMigrationPtes(vm, src, dst);",
        replacement:
          "if (wasMapped) { mem.frames.clear(dst); " +
          "yield* removeMigrationPtes(vm, src, dst); mem.frames.copy(dst, src); }",
        says: /the write is lost/,
      },
    ],
  },
  {
    name: "who waits for a move does not wait for what the frame is used for next",
    start: moveAndReuse,
    schedules: 6000,
    outcomes: ["moved, read, took another frame", "moved, read, took the old frame"],
    mutants: [
      {
        what: "the one who waits looks at the folio again, which may be another by then",
        file: "src/vm/migration-entry.ts",
        text: "yield* folioWaitUnlock(mem, folio);",
        replacement: "while (testFlag(mem, folio, PG.locked)) yield* folioWaitUnlock(mem, folio);",
        says: /deadlock: reader waits for folio/,
      },
    ],
  },
];
