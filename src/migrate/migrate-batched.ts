/**
 * The batched form of 6.3 and later: unmap many folios, then move them all.
 *
 * One flush of the TLBs serves a whole batch in Linux. The price is that many folios are locked at
 * once, and whoever holds locks must not wait for another: so a batch always keeps to the rules of
 * an asynchronous call. A synchronous call takes what is left after three passes one folio at a
 * time, and may wait from the first of its seven tries.
 *
 * A folio whose owner is busy stays unmapped and locked for the next pass; what is left after the
 * last is put back as it was. Without memory for a new folio those that are unmapped still move.
 *
 * Linux: `migrate_pages_batch()`, `migrate_pages_sync()`, mm/migrate.c, 6.3.
 */
import { PAGEBLOCK_ORDER } from "../memory/constants.ts";
import { folioMapped, folioNrPages, folioOrder } from "../memory/folio.ts";
import type { Folio, PageList, Pfn } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import {
  listAddTail,
  listDel,
  listEmpty,
  listFirst,
  listIsEnd,
  listLength,
  listSpliceTail,
} from "../memory/page-list.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import { MigrateRun } from "./migrate-run.ts";
import { tryToMoveUnmapped, undoUnmap } from "./move.ts";
import { splitInstead } from "./split-instead.ts";
import { migrateFolioUnmap } from "./unmap.ts";

/** Linux: `NR_MAX_MIGRATE_PAGES_RETRY`, `_ASYNC_RETRY`, `_SYNC_RETRY`. */
const ASYNC_PASSES = 10;
const FIRST_ASYNC_PASSES = 3;
const SYNC_PASSES = 7;

/** Moves one batch; what it leaves on `batch` or in `run.refused` stayed. */
export function* migrateInBatches(run: MigrateRun, batch: PageList): Blocking<"ENOMEM" | null> {
  const { mem } = run.vm;
  const pieces = mem.takeList();
  let error =
    run.mode === "async"
      ? yield* migrateTogether(run, batch, pieces, ASYNC_PASSES)
      : yield* migrateSync(run, batch, pieces);
  if (error === null && !listEmpty(mem, pieces)) {
    listSpliceTail(mem, batch, run.refused);
    // Their folio has counted as failed: now only pages are.
    error = yield* migratePieces(run, pieces);
  }
  listSpliceTail(mem, pieces, run.refused);
  mem.releaseList(pieces);
  return error;
}

/** The whole batch as if asynchronous, then each folio that is left by itself. */
function* migrateSync(
  run: MigrateRun,
  batch: PageList,
  pieces: PageList,
): Blocking<"ENOMEM" | null> {
  const { vm, target, reason } = run;
  const { mem } = vm;
  const first = new MigrateRun(vm, target, "async", reason);
  let error = yield* migrateTogether(first, batch, pieces, FIRST_ASYNC_PASSES);
  run.addSuccesses(first);
  listSpliceTail(mem, batch, first.refused);
  if (error === null) {
    // Those that were split are not tried again as what they were; all others are.
    run.failedFolios += first.splitFolios;
    run.thpFailed += first.thpSplit;
    const alone = mem.takeList();
    while (error === null && !listEmpty(mem, first.refused)) {
      const src = listFirst(mem, first.refused);
      listDel(mem, src);
      listAddTail(mem, alone, src);
      error = yield* migrateTogether(run, alone, pieces, SYNC_PASSES);
      listSpliceTail(mem, alone, run.refused);
    }
    mem.releaseList(alone);
  } else {
    run.failedFolios += first.failedFolios;
    run.failedPages += first.failedPages;
    run.thpFailed += first.thpFailed;
  }
  listSpliceTail(mem, first.refused, run.refused);
  mem.releaseList(first.refused);
  return error;
}

/** One asynchronous try for each page of folios that were split. */
function* migratePieces(run: MigrateRun, pieces: PageList): Blocking<"ENOMEM" | null> {
  const { mem } = run.vm;
  const once = new MigrateRun(run.vm, run.target, "async", run.reason);
  const error = yield* migrateTogether(once, pieces, null, 1);
  run.addSuccesses(once);
  run.failedPages += once.failedPages;
  listSpliceTail(mem, once.refused, run.refused);
  mem.releaseList(once.refused);
  return error;
}

/** Up to `passes` over the folios to unmap them, then up to `passes` to move what is unmapped. */
function* migrateTogether(
  run: MigrateRun,
  batch: PageList,
  pieces: PageList | null,
  passes: number,
): Blocking<"ENOMEM" | null> {
  const { mem } = run.vm;
  const unmapped = mem.takeList();
  const targets = mem.takeList();
  const error = yield* unmapPasses(run, batch, pieces, passes, unmapped, targets);
  yield* movePasses(run, passes, unmapped, targets);
  yield* undoAll(run, unmapped, targets);
  mem.releaseList(targets);
  mem.releaseList(unmapped);
  return error;
}

function* unmapPasses(
  run: MigrateRun,
  batch: PageList,
  pieces: PageList | null,
  passes: number,
  unmapped: PageList,
  targets: PageList,
): Blocking<"ENOMEM" | null> {
  const { mem } = run.vm;
  const patience = run.mode === "async" ? "tries" : "waits";
  const retry = new Retry();
  for (let pass = 0; pass < passes && retry.folios > 0; pass++) {
    retry.clear();
    let next = listFirst(mem, batch);
    while (!listIsEnd(batch, next)) {
      const src = next as Folio;
      next = mem.next[src] as Pfn;
      const pages = folioNrPages(mem, src);
      const thps = folioOrder(mem, src) === PAGEBLOCK_ORDER ? 1 : 0;
      yield "migrate-pages-next";
      const outcome = yield* migrateFolioUnmap(run, src, patience);
      if (outcome === "unmapped") {
        listDel(mem, src);
        listAddTail(mem, unmapped, src);
        listAddTail(mem, targets, run.dst);
      } else if (outcome === "done") run.succeed(pages, thps);
      else if (outcome === "EAGAIN") retry.add(pages, thps);
      else if (outcome !== "ENOMEM") run.fail(pages, thps);
      else {
        const split = pieces === null ? "no" : yield* splitInstead(run, src, pieces);
        if (split === "retry") {
          retry.add(pages, thps);
          continue;
        }
        if (split === "no") {
          // Those of this pass that were to be tried again count; those never reached do not.
          run.fail(pages + retry.pages, thps);
          return "ENOMEM";
        }
        run.fail(0, thps);
        run.thpSplit += thps;
        run.splitFolios++;
      }
    }
  }
  retry.giveUp(run);
  return null;
}

/** `targets` has for each folio of `unmapped`, in the same order, the one that takes its place. */
function* movePasses(
  run: MigrateRun,
  passes: number,
  unmapped: PageList,
  targets: PageList,
): Blocking<void> {
  const { mem } = run.vm;
  const retry = new Retry();
  let left = listLength(mem, unmapped);
  for (let pass = 0; pass < passes && retry.folios > 0; pass++) {
    retry.clear();
    for (; left > 0; left--) {
      yield "migrate-pages-move-next";
      const src = takePair(run, unmapped, targets);
      const { dst } = run;
      const pages = folioNrPages(mem, src);
      const thps = folioOrder(mem, src) === PAGEBLOCK_ORDER ? 1 : 0;
      const outcome = isBeingWritten(run, src) ? "EBUSY" : yield* tryToMoveUnmapped(run, src);
      if (outcome === "moved") run.succeed(pages, thps);
      else if (outcome === "EAGAIN") {
        listDel(mem, src);
        listAddTail(mem, unmapped, src);
        listAddTail(mem, targets, dst);
        retry.add(pages, thps);
      } else {
        run.fail(pages, thps);
        yield* undoUnmap(run, src, outcome);
      }
    }
    left = retry.folios;
  }
  retry.giveUp(run);
}

/**
 * Whether the last try had the owner write the folio, for which it went back into the page tables.
 * It cannot move then in this call; 6.3 does not look.
 */
function isBeingWritten({ vm }: MigrateRun, src: Folio): boolean {
  return (vm.mem.flags[src] & PG.writeback) !== 0 || folioMapped(vm.mem, src);
}

/** Those that were never moved go back into the page tables, and count as refused. */
function* undoAll(run: MigrateRun, unmapped: PageList, targets: PageList): Steps<void> {
  const { mem } = run.vm;
  while (!listEmpty(mem, unmapped)) {
    const src = takePair(run, unmapped, targets);
    yield* undoUnmap(run, src, "EAGAIN");
    listDel(mem, src);
    listAddTail(mem, run.refused, src);
  }
}

/** The first pair: `run.dst` is off its list, the folio that is returned still on its own. */
function takePair(run: MigrateRun, unmapped: PageList, targets: PageList): Folio {
  const { mem } = run.vm;
  run.dst = listFirst(mem, targets) as Folio;
  listDel(mem, run.dst);
  return listFirst(mem, unmapped) as Folio;
}

/** What one pass left for the next; before the first pass there is something to do. */
class Retry {
  folios = 1;
  pages = 0;
  thps = 0;

  clear(): void {
    this.folios = 0;
    this.pages = 0;
    this.thps = 0;
  }

  add(pages: number, thps: number): void {
    this.folios++;
    this.pages += pages;
    this.thps += thps;
  }

  /** After the last pass. */
  giveUp(run: MigrateRun): void {
    run.failedFolios += this.folios;
    run.failedPages += this.pages;
    run.thpFailed += this.thps;
  }
}
