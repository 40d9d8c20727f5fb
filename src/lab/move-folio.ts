/**
 * Moves for scenarios: what a caller of migration does with one folio, from its isolation on.
 *
 * `moveFolio` is a whole call, with its passes; `moveFolioOnce` is one of its tries, which is all
 * that most races need and far fewer schedules. Both isolate the folio as their first step, move it
 * to a new one of the same node, and put back what stays.
 */
import type { Errno } from "../base/errno.ts";
import type { Machine } from "../machine/machine.ts";
import type { Folio } from "../memory/memmap.ts";
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
  { vm, mem }: Machine,
  folio: Folio,
  mode: MigrateMode = "sync",
): Blocking<"moved" | "stayed" | "not isolated"> {
  const list = mem.takeList();
  let outcome: "moved" | "stayed" | "not isolated" = "not isolated";
  if (isolateForMigration(mem, folio, list)) {
    const target = new AllocTarget(mem);
    const { notMoved } = yield* migratePages(vm, list, target, mode, "syscall_or_cpuset");
    outcome = notMoved === 0 ? "moved" : "stayed";
    yield* putbackMovablePages(vm, list);
  }
  mem.releaseList(list);
  return outcome;
}

/** The same for a driver's page, by the second door. "not isolated": the driver keeps it now. */
export function* movePage(
  { vm, mem }: Machine,
  page: Folio,
  mode: MigrateMode = "sync",
): Blocking<"moved" | "stayed" | "not isolated"> {
  const list = mem.takeList();
  let outcome: "moved" | "stayed" | "not isolated" = "not isolated";
  if ((yield* isolateMovablePage(vm.cache, page, 0)) === "isolated") {
    listAddTail(mem, list, page);
    const target = new AllocTarget(mem);
    const { notMoved } = yield* migratePages(vm, list, target, mode, "syscall_or_cpuset");
    outcome = notMoved === 0 ? "moved" : "stayed";
    yield* putbackMovablePages(vm, list);
  }
  mem.releaseList(list);
  return outcome;
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
