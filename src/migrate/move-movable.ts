/**
 * The move of a driver's page, and its way back to the driver.
 *
 * The driver may have freed the page while it was isolated: the word says so under the lock. Then
 * nothing is to be moved or put back, and the VM's reference is the last.
 *
 * Linux: the movable half of `move_to_new_folio()` and of `putback_movable_pages()`, 6.1.
 */
import { assert } from "../base/assert.ts";
import { folioLock, folioUnlock } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { clearFlag, type Folio, testFlag } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import type { MigrateMode, MigrateOutcome } from "../pagecache/address-space.ts";
import type { PageCache } from "../pagecache/page-cache.ts";
import type { Blocking } from "../sched/blocking.ts";
import { withoutSleep } from "../sched/run.ts";
import { pageMovable, pageMovableOps } from "./movable-page.ts";

/** Has the driver move a page. Both are locked; `dst` is left alone if `src` is gone already. */
export function* moveMovablePage(
  cache: PageCache,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
): Blocking<MigrateOutcome> {
  const { mem } = cache;
  assert(testFlag(mem, src, PG.isolated), "a movable page is moved without isolation:", src);
  if (pageMovable(mem, src)) {
    const ops = pageMovableOps(cache, src);
    const outcome =
      mode === "async"
        ? yield* withoutSleep(() => ops.migratePage(mem, dst, src, mode), ops.name)
        : yield* ops.migratePage(mem, dst, src, mode);
    assert(testFlag(mem, src, PG.isolated), "a driver ended an isolation:", ops.name, src);
    if (outcome !== "moved") {
      const name = outcome === "EAGAIN" ? "driver_busy" : "driver_refuses";
      mem.events.refusals.refuse(name, 1, 0);
      return outcome;
    }
    assert(!pageMovable(mem, src), "a driver moved a page and kept the old:", ops.name, src);
    assert(pageMovable(mem, dst), "a driver moved a page and has not the new:", ops.name, dst);
  }
  clearFlag(mem, src, PG.isolated);
  return "moved";
}

/** Gives an unlinked page back to its driver, or frees it if the driver has let go of it. */
export function* putbackMovablePage(cache: PageCache, page: Folio): Blocking<void> {
  const { mem } = cache;
  assert(testFlag(mem, page, PG.isolated), "a movable page is put back without isolation:", page);
  yield* folioLock(mem, page);
  if (pageMovable(mem, page)) yield* pageMovableOps(cache, page).putbackPage(mem, page);
  clearFlag(mem, page, PG.isolated);
  folioUnlock(mem, page);
  folioPut(mem, page);
}
