/** Three tasks and one folio lock. */
import assert from "node:assert/strict";
import { folioLock, folioUnlock } from "../../src/memory/folio-lock.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import type { Race, RaceRun } from "./race.ts";
import { World } from "./world.ts";

const FOLIO = 5 as Folio;

function start(): RaceRun {
  const world = new World();
  const { mem } = world;
  let inside = 0;
  let order = "";
  function* work(name: string): Blocking<string> {
    yield* folioLock(mem, FOLIO);
    inside++;
    assert.equal(inside, 1, "two tasks have the lock");
    yield "at work";
    inside--;
    order += name;
    folioUnlock(mem, FOLIO);
    return name;
  }
  for (const name of ["a", "b", "c"]) world.addTask(name, work(name));
  const check = (): void => world.finish();
  return { tasks: world.tasks, check, outcome: () => order };
}

export const folioLockRaces: readonly Race[] = [
  {
    name: "of three tasks one at a time has the lock, and none sleeps for ever",
    start,
    schedules: 60,
    outcomes: ["abc", "acb", "bac", "bca", "cab", "cba"],
    mutants: [
      {
        what: "who wakes up takes the lock for its own without trying again",
        file: "src/memory/folio-lock.ts",
        text: "while (!folioTrylock(mem, folio)) yield sleepersOn(mem, folio);",
        replacement: "if (!folioTrylock(mem, folio)) yield sleepersOn(mem, folio);",
        says: /two tasks have the lock|unlock of a folio that is not locked/,
      },
      {
        what: "an unlock wakes nobody",
        file: "src/memory/folio-lock.ts",
        text: "mem.flags[folio] &= ~PG.locked;\n  if ((mem.flags[folio] & PG.waiters) !== 0)",
        replacement: "mem.flags[folio] &= ~PG.locked;\n  if (false)",
        says: /deadlock: . waits for folio 5/,
      },
      {
        what: "a wake-up reaches the first sleeper alone",
        file: "src/sched/wait-queue.ts",
        text: "for (const task of woken) task.wake();",
        replacement: "woken[0].wake();",
        says: /deadlock: . waits for folio 5/,
      },
    ],
  },
];
