/**
 * No free block is as large as the folio: its pages may still find room one by one.
 *
 * Linux: `try_split_folio()`, mm/migrate.c.
 */
import { folioTestLarge } from "../memory/folio.ts";
import { folioLock, folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import type { Folio, PageList } from "../memory/memmap.ts";
import { listAddTail, listDel } from "../memory/page-list.ts";
import type { Blocking } from "../sched/blocking.ts";
import { splitFolioToList } from "../vm/split-folio.ts";
import type { MigrateRun } from "./migrate-run.ts";

/**
 * "split": all of it lies on `pieces`. "retry": someone held it for a moment, and who asks wants
 * it badly enough to try it again. "no": it stays as it is.
 */
export type SplitInstead = "split" | "retry" | "no";

/** Takes the folio's lock, and waits for it unless the call is asynchronous. */
export function* splitInstead(
  run: MigrateRun,
  src: Folio,
  pieces: PageList,
): Blocking<SplitInstead> {
  const { mem } = run.vm;
  if (!folioTestLarge(mem, src) || run.reason === "numa_misplaced") return "no";
  if (!folioTrylock(mem, src)) {
    if (run.mode === "async") return "no";
    yield* folioLock(mem, src);
  }
  const outcome = yield* splitFolioToList(run.vm, src, pieces);
  folioUnlock(mem, src);
  if (outcome === "EAGAIN" && run.reason === "longterm_pin") return "retry";
  if (outcome !== "split") return "no";
  listDel(mem, src);
  listAddTail(mem, pieces, src);
  return "split";
}
