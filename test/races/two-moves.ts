/** Two callers that want the same folio, or the one that came of it. */
import assert from "node:assert/strict";
import type { Folio } from "../../src/memory/memmap.ts";
import { LRU } from "../../src/memory/node.ts";
import { listFirst, listIsEnd } from "../../src/memory/page-list.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { readUser } from "../../src/vm/fault.ts";
import { anonymousPage } from "../../src/vm/small-vm.ts";
import type { Race, RaceRun } from "./race.ts";
import { move, World } from "./world.ts";

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
        text: 'if (patience === "tries" || mode === "async" || mem.memalloc) return "EAGAIN";',
        replacement: "if (false)",
        says: /unlock of a folio that is not locked/,
      },
    ],
  },
];
