/**
 * Moves a list of isolated folios, as many times as it takes and no more.
 *
 * Hugetlb folios come first (`hugetlb-pass.ts`); then the call works on batches of at most 512
 * pages. In a batch up to ten passes go over what is left: "EAGAIN" leaves a folio for the next
 * pass, any other error gives it up, and no memory for a new folio ends the call. From the fourth
 * pass on a synchronous call waits for locks. Kernels from 6.3 on go through a batch in another way
 * (`migrate-batched.ts`).
 *
 * A machine without migration moves nothing: "ENOSYS", with every folio still on `from`.
 *
 * Folios that did not move are on `from` afterwards, and the caller must put them back
 * (`putbackMovablePages`). Callers isolate first and count in `isolatedPages`; a moved folio is
 * uncounted here. Linux: `migrate_pages()`, `migrate_pages_batch()`, mm/migrate.c, 6.1.
 */

import type { Errno } from "../base/errno.ts";
import { VM_EVENT } from "../events/vmstat.ts";
import { PAGEBLOCK_ORDER } from "../memory/constants.ts";
import { folioNrPages, folioOrder } from "../memory/folio.ts";
import type { Folio, PageList, Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import {
  listAddTail,
  listDel,
  listEmpty,
  listFirst,
  listIsEnd,
  listSplice,
  listSpliceTail,
} from "../memory/page-list.ts";
import type { MigrateMode } from "../pagecache/address-space.ts";
import type { Blocking } from "../sched/blocking.ts";
import type { Vm } from "../vm/vm.ts";
import { migrateHugetlbs } from "./hugetlb-pass.ts";
import { migrateInBatches } from "./migrate-batched.ts";
import { MigrateRun, type MigrationTarget, NR_MAX_MIGRATE_PAGES_RETRY } from "./migrate-run.ts";
import { migrateFolioMove } from "./move.ts";
import { type MigrateReason, MODE_TRACE_NAMES } from "./reason.ts";
import { splitInstead } from "./split-instead.ts";
import { migrateFolioUnmap, type Patience } from "./unmap.ts";

/** Base pages of one batch. Linux: `NR_MAX_BATCHED_MIGRATION`. */
const BATCH_PAGES_MAX = 512;

export interface MigrateResult {
  /** Folios given up; 0 when `from` is empty. After "ENOMEM" it also holds those not reached. */
  readonly notMoved: number;
  /** Set when the call ended early, or could not begin. */
  readonly error: "ENOMEM" | "ENOSYS" | null;
  /** Base pages. */
  readonly succeededPages: number;
}

export function* migratePages(
  vm: Vm,
  from: PageList,
  target: MigrationTarget,
  mode: MigrateMode,
  reason: MigrateReason,
): Blocking<MigrateResult> {
  const { mem } = vm;
  if (!mem.features.migration) return notBuilt(mem, from);
  traceStart(mem, mode, reason);
  const run = new MigrateRun(vm, target, mode, reason);
  const batch = mem.takeList();
  let error = vm.hstate === null ? null : yield* migrateHugetlbs(run, from);
  while (error === null && !listEmpty(mem, from)) {
    detachBatch(mem, from, batch);
    error = mem.profile.batchesMigration
      ? yield* migrateInBatches(run, batch)
      : yield* migrateBatch(run, batch);
    listSpliceTail(mem, batch, run.refused);
  }
  mem.releaseList(batch);
  listSplice(mem, run.refused, from);
  mem.releaseList(run.refused);
  for (const node of mem.nodes) node.throttled.wakeAll();
  countRun(run);
  const notMoved = listEmpty(mem, from) ? 0 : run.failedFolios;
  return { notMoved, error, succeededPages: run.succeededPages };
}

/** Every folio stays. Linux: `migrate_pages()`, !CONFIG_MIGRATION. */
function notBuilt(mem: Memory, from: PageList): MigrateResult {
  let notMoved = 0;
  for (let at = listFirst(mem, from); !listIsEnd(from, at); at = mem.next[at] as Pfn) notMoved++;
  return { notMoved, error: "ENOSYS", succeededPages: 0 };
}

/**
 * Ten passes over one batch, then one over the pages of the folios that had to be split.
 *
 * What it leaves behind stayed.
 */
function* migrateBatch(run: MigrateRun, batch: PageList): Blocking<"ENOMEM" | null> {
  const { mem } = run.vm;
  const pieces = mem.takeList();
  let error = yield* migratePasses(run, batch, pieces, "folios");
  if (error === null && !listEmpty(mem, pieces)) {
    listSpliceTail(mem, batch, run.refused);
    listSplice(mem, pieces, batch);
    error = yield* migratePasses(run, batch, pieces, "pieces");
  }
  listSpliceTail(mem, pieces, run.refused);
  mem.releaseList(pieces);
  return error;
}

/** Pieces get one pass, and count as pages only: their folio has counted as failed already. */
type Round = "folios" | "pieces";

function* migratePasses(
  run: MigrateRun,
  batch: PageList,
  pieces: PageList,
  round: Round,
): Blocking<"ENOMEM" | null> {
  const { mem } = run.vm;
  const retry = { folios: 1, pages: 0, thps: 0 };
  for (let pass = 0; pass < NR_MAX_MIGRATE_PAGES_RETRY && retry.folios > 0; pass++) {
    retry.folios = 0;
    retry.pages = 0;
    retry.thps = 0;
    const patience = pass > 2 ? "waits" : "tries";
    let next = listFirst(mem, batch);
    while (!listIsEnd(batch, next)) {
      const src = next as Folio;
      next = mem.next[src] as Pfn;
      // Read before the move: afterwards the folio is free and may be anything.
      const pages = folioNrPages(mem, src);
      const thps = folioOrder(mem, src) === PAGEBLOCK_ORDER ? 1 : 0;
      yield "migrate-pages-next";
      const outcome = yield* migrateOne(run, src, patience);
      if (outcome === "done") {
        run.succeededPages += pages;
        run.thpSucceeded += thps;
      } else if (outcome === "EAGAIN") {
        if (round === "folios") retry.folios++;
        retry.pages += pages;
        retry.thps += thps;
      } else {
        const split = outcome === "ENOMEM" ? yield* splitInstead(run, src, pieces) : "no";
        if (split === "retry") {
          retry.folios++;
          retry.pages += pages;
          retry.thps += thps;
          continue;
        }
        if (round === "folios") run.failedFolios++;
        run.thpFailed += thps;
        if (split === "split") {
          run.thpSplit += thps;
          continue;
        }
        run.failedPages += pages;
        if (outcome === "ENOMEM") {
          // Those of this pass that were to be tried again count; those never reached do not.
          run.failedPages += retry.pages;
          return "ENOMEM";
        }
      }
    }
  }
  run.failedFolios += retry.folios;
  run.failedPages += retry.pages;
  run.thpFailed += retry.thps;
  return null;
}

/** One attempt on one folio, both halves. */
function* migrateOne(run: MigrateRun, src: Folio, patience: Patience): Blocking<"done" | Errno> {
  const unmapped = yield* migrateFolioUnmap(run, src, patience);
  if (unmapped !== "unmapped") return unmapped;
  const moved = yield* migrateFolioMove(run, src);
  return moved === "moved" ? "done" : moved;
}

/** Moves the first folios of `from`, at most 512 pages of them, to the empty `batch`. */
function detachBatch(mem: Memory, from: PageList, batch: PageList): void {
  let pages = 0;
  let next = listFirst(mem, from);
  while (!listIsEnd(from, next)) {
    pages += folioNrPages(mem, next as Folio);
    if (pages > BATCH_PAGES_MAX) break;
    next = mem.next[next] as Pfn;
  }
  if (listIsEnd(from, next)) {
    listSplice(mem, from, batch);
    return;
  }
  let at = listFirst(mem, from);
  // One folio larger than a batch is a batch by itself.
  if (at === next) next = mem.next[next] as Pfn;
  while (at !== next) {
    const folio = at;
    at = mem.next[at] as Pfn;
    listDel(mem, folio);
    listAddTail(mem, batch, folio);
  }
}

function countRun(run: MigrateRun): void {
  const { events, profile } = run.vm.mem;
  events.count(VM_EVENT.pgmigrate_success, run.succeededPages);
  events.count(VM_EVENT.pgmigrate_fail, run.failedPages);
  events.count(VM_EVENT.thp_migration_success, run.thpSucceeded);
  events.count(VM_EVENT.thp_migration_fail, run.thpFailed);
  events.count(VM_EVENT.thp_migration_split, run.thpSplit);
  if (events.trace === null) return;
  const splits = profile.tracesSplits ? `nr_split=${run.splitFolios} ` : "";
  events.trace.event(
    "mm_migrate_pages",
    `nr_succeeded=${run.succeededPages} nr_failed=${run.failedPages} ` +
      `nr_thp_succeeded=${run.thpSucceeded} nr_thp_failed=${run.thpFailed} ` +
      `nr_thp_split=${run.thpSplit} ${splits}mode=${MODE_TRACE_NAMES[run.mode]} reason=${run.reason}`,
  );
}

function traceStart(mem: Memory, mode: MigrateMode, reason: MigrateReason): void {
  const text = `mode=${MODE_TRACE_NAMES[mode]} reason=${reason}`;
  mem.events.trace?.event("mm_migrate_pages_start", text);
}
