/** A batch, which holds many locks at once, against who locks two folios the other way round. */
import { PROFILES } from "../../src/base/profile.ts";
import { folioLock, folioUnlock } from "../../src/memory/folio-lock.ts";
import { folioGet, folioPut } from "../../src/memory/folio-ref.ts";
import { filemapMigrateFolio } from "../../src/migrate/callbacks.ts";
import { migratePages } from "../../src/migrate/migrate-pages.ts";
import { putbackMovablePages } from "../../src/migrate/putback.ts";
import { AllocTarget, isolateForMigration } from "../../src/migrate/small-migration.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { cachedFolio } from "../../src/vm/small-vm.ts";
import type { Race, RaceRun } from "./race.ts";
import { World } from "./world.ts";

function batchAndLocker(): RaceRun {
  const world = new World();
  const { vm, mem } = world;
  mem.profile = PROFILES["6.3"];
  const mapping = vm.cache.createMapping("a file", { migrateFolio: filemapMigrateFolio });
  const folios = [0, 1].map((offset) => cachedFolio(vm, mapping, offset, 7));
  for (const folio of folios) folioGet(mem, folio);
  const list = mem.takeList();
  for (const folio of folios) isolateForMigration(mem, folio, list);
  function* moveBoth(): Blocking<string> {
    const target = new AllocTarget(mem);
    const { notMoved } = yield* migratePages(vm, list, target, "sync", "syscall_or_cpuset");
    yield* putbackMovablePages(vm, list);
    mem.releaseList(list);
    return `${notMoved} stayed`;
  }
  /** The second folio, then the first: as a device over a file does whose blocks lie so. */
  function* lockBoth(): Blocking<string> {
    const [first, second] = folios;
    yield* folioLock(mem, second);
    yield "locker-has-one";
    yield* folioLock(mem, first);
    folioUnlock(mem, first);
    folioUnlock(mem, second);
    for (const folio of folios) folioPut(mem, folio);
    return "locked both";
  }
  world.addTask("mover", moveBoth());
  world.addTask("locker", lockBoth());
  return { tasks: world.tasks, check: () => world.finish(), outcome: () => world.outcome() };
}

export const moveInBatchesRaces: readonly Race[] = [
  {
    name: "a batch that holds one lock never waits for another",
    start: batchAndLocker,
    schedules: 1000,
    outcomes: ["0 stayed, locked both", "1 stayed, locked both", "2 stayed, locked both"],
    mutants: [
      {
        what: "a synchronous call waits while its whole batch is locked",
        file: "src/migrate/migrate-batched.ts",
        text: 'const first = new MigrateRun(vm, target, "async", reason);',
        replacement: "const first = new MigrateRun(vm, target, run.mode, reason);",
        says: /deadlock/,
      },
    ],
  },
];
