/**
 * Moves for scenarios: what a caller of migration does with folios, from their isolation on.
 *
 * `moveFolio` is a whole call, with its passes; `moveFolioOnce` is one of its tries, which is all
 * that most races need and far fewer schedules. Each isolates as its first step, moves to new
 * folios of the same node, and puts back what stays.
 */
import type { Errno } from "../base/errno.ts";
import type { Machine } from "../machine/machine.ts";
import type { Folio, PageList } from "../memory/memmap.ts";
import { listAddTail } from "../memory/page-list.ts";
import { isolateMovablePage } from "../migrate/isolate-movable.ts";
import { migratePages } from "../migrate/migrate-pages.ts";
import { MigrateRun } from "../migrate/migrate-run.ts";
import { migrateFolioMove } from "../migrate/move.ts";
import { putbackMovablePages } from "../migrate/putback.ts";
import { AllocTarget, isolateForMigration } from "../migrate/small-migration.ts";
import { migrateFolioUnmap } from "../migrate/unmap.ts";
import type { MigrateMode } from "../pagecache/address-space.ts";
import type { Blocking } from "../sched/blocking.ts";

/** Moves the folio by a call of its own. "not isolated": it is not on the LRU. */
export function* moveFolio(
  machine: Machine,
  folio: Folio,
  mode: MigrateMode = "sync",
): Blocking<"moved" | "stayed" | "not isolated"> {
  const { isolated, moved } = yield* moveFolios(machine, [folio], mode);
  if (isolated === 0) return "not isolated";
  return moved === 1 ? "moved" : "stayed";
}

/** Moves those folios that are on the LRU by one call. How many were, and how many moved. */
export function* moveFolios(
  machine: Machine,
  folios: readonly Folio[],
  mode: MigrateMode = "sync",
): Blocking<{ isolated: number; moved: number }> {
  const { mem } = machine;
  const list = mem.takeList();
  const isolated = folios.filter((folio) => isolateForMigration(mem, folio, list)).length;
  const stayed = isolated === 0 ? 0 : yield* migrateList(machine, list, mode);
  mem.releaseList(list);
  return { isolated, moved: isolated - stayed };
}

/** As `moveFolio`, for a driver's page, by the second door: its driver may keep it. */
export function* movePage(
  machine: Machine,
  page: Folio,
  mode: MigrateMode = "sync",
): Blocking<"moved" | "stayed" | "not isolated"> {
  const { vm, mem } = machine;
  if ((yield* isolateMovablePage(vm.cache, page, 0)) !== "isolated") return "not isolated";
  const list = mem.takeList();
  listAddTail(mem, list, page);
  const stayed = yield* migrateList(machine, list, mode);
  mem.releaseList(list);
  return stayed === 0 ? "moved" : "stayed";
}

/** Moves what is on the list, and puts back what stays. How many that are. */
function* migrateList({ vm, mem }: Machine, list: PageList, mode: MigrateMode): Blocking<number> {
  const target = new AllocTarget(mem);
  const { notMoved } = yield* migratePages(vm, list, target, mode, "syscall_or_cpuset");
  yield* putbackMovablePages(vm, list);
  return notMoved;
}

/**
 * The first try of such a call, which waits for no lock of a folio; what it is told goes to the
 * caller. "done": the owner had freed the folio.
 */
export function* moveFolioOnce(
  { vm, mem }: Machine,
  folio: Folio,
  mode: MigrateMode = "sync",
): Blocking<"moved" | "done" | Errno | "not isolated"> {
  const list = mem.takeList();
  const run = new MigrateRun(vm, new AllocTarget(mem), mode, "syscall_or_cpuset");
  let outcome: "moved" | "done" | Errno | "not isolated" = "not isolated";
  if (isolateForMigration(mem, folio, list)) {
    const unmapped = yield* migrateFolioUnmap(run, folio, "tries");
    outcome = unmapped === "unmapped" ? yield* migrateFolioMove(run, folio) : unmapped;
    yield* putbackMovablePages(vm, list);
    yield* putbackMovablePages(vm, run.refused);
  }
  mem.releaseList(run.refused);
  mem.releaseList(list);
  return outcome;
}
