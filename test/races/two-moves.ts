/** Two callers that want the same folio, or the one that came of it. */
import assert from "node:assert/strict";
import type { Folio } from "../../src/memory/memmap.ts";
import { LRU } from "../../src/memory/node.ts";
import { listFirst, listIsEnd } from "../../src/memory/page-list.ts";
import { migrateFolio } from "../../src/migrate/callbacks.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser } from "../../src/vm/fault.ts";
import { anonymousPage, cachedFolio, mapFilePage } from "../../src/vm/small-vm.ts";
import type { Race, RaceRun } from "./race.ts";
import { move, moveOnce, privateCopy, World } from "./world.ts";

/** The first folio on the LRU, as reclaim and move_pages find it: perhaps a new one. */
function onLru({ mem }: World): Folio | null {
  const list = mem.nodes[0].lruLists[LRU.inactiveAnon];
  const first = listFirst(mem, list);
  return listIsEnd(list, first) ? null : (first as Folio);
}

function start(): RaceRun {
  const world = new World();
  const page = anonymousPage(world.vm, 7);
  for (const name of ["one", "other"]) {
    world.addTask(
      name,
      move(world, () => onLru(world)),
    );
  }
  const check = (): void => {
    assert.equal(runToEnd(readUser(world.vm, page.mm, page.vpn, 0)), 7, "the contents are lost");
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

/** A private copy and the file's own page, which another process maps: one offset, one VMA. */
function copyAndOriginal(): RaceRun {
  const world = new World();
  const { vm } = world;
  const file = vm.cache.createMapping("a file", { migrateFolio });
  const original = cachedFolio(vm, file, 0, 7);
  const shared = mapFilePage(vm, file, original);
  const copy = privateCopy(vm, file);
  world.addTask("one", moveOnce(world, copy.folio));
  world.addTask("other", moveOnce(world, original));
  const check = (): void => {
    assert.equal(runToEnd(readUser(vm, copy.mm, copy.vpn, 0)), 0, "the copy is lost");
    assert.equal(runToEnd(readUser(vm, shared.mm, shared.vpn, 0)), 7, "the contents are lost");
    world.finish();
  };
  return { tasks: world.tasks, check, outcome: () => world.outcome() };
}

export const twoMovesRaces: readonly Race[] = [
  {
    name: "of two moves of one folio either is first, and the other finds it moved or gone",
    start,
    schedules: 150,
    outcomes: ["found nothing, moved", "moved, found nothing", "moved, moved"],
    mutants: [
      {
        what: "a mover goes on without the lock that it did not get",
        file: "src/migrate/unmap.ts",
        text: `    if (patience === "tries" || mode === "async" || mem.memalloc) return "EAGAIN";
    if (mode === "sync-light" && isBeingRead(mem, src)) return "EAGAIN";
    yield* folioLock(mem, src);`,
        replacement: "",
        says: /unlock of a folio that is not locked/,
      },
    ],
  },
  {
    name: "a private copy and the page of the file move at once, and each comes back to its own",
    start: copyAndOriginal,
    schedules: 50,
    outcomes: ["moved, moved"],
    mutants: [
      {
        what: "a move fills a migration entry that is another's",
        file: "src/vm/migration-entry.ts",
        text: "if ((old & PTE_MIGRATION) === 0 || tables.pfn(entry) !== (src as number)) return;",
        replacement: "if ((old & PTE_MIGRATION) === 0) return;",
        says: /the copy is lost/,
      },
    ],
  },
];
