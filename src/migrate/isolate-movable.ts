/**
 * Taking a driver's page for a move.
 *
 * Order of steps: a reference; the look at the word; the lock, tried; the look under the lock; the
 * driver's own word. The first look must come before the lock is touched: the page may be fresh
 * from the allocator by now, and its new owner sets flags without thought for others. Nothing here
 * sleeps, so that the scanners may call it. Where none can be marked
 * (`movable-page.ts`) every page is refused.
 *
 * Linux: `isolate_movable_page()`, mm/migrate.c, 6.1.
 */
import { folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioPut, folioTryGet } from "../memory/folio-ref.ts";
import { folioTestMovable } from "../memory/mapping-word.ts";
import { type Folio, setFlag, testFlag } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import type { PageCache } from "../pagecache/page-cache.ts";
import type { Steps } from "../sched/blocking.ts";
import { pageMovable, pageMovableOps } from "./movable-page.ts";

/**
 * After "isolated" the caller has a reference and links the page where it likes; it is not counted
 * in `isolatedPages`. Whatever the page was, "EBUSY" leaves it so. `mode` is bits of `ISOLATE`.
 */
export function* isolateMovablePage(
  cache: PageCache,
  page: Folio,
  mode: number,
): Steps<"isolated" | "EBUSY"> {
  const { mem } = cache;
  const { refusals } = mem.events;
  yield "isolate-movable-found";
  // Who wins this against the last put of the driver frees the page with its own put.
  if (!folioTryGet(mem, page)) return "EBUSY";
  yield "isolate-movable-held";
  if (!folioTestMovable(mem, page)) {
    folioPut(mem, page);
    return "EBUSY";
  }
  yield "isolate-movable-tested";
  if (!folioTrylock(mem, page)) {
    refusals.refuse("locked", 1, 0);
    folioPut(mem, page);
    return "EBUSY";
  }
  yield "isolate-movable-locked";
  const isolated = yield* askDriver(cache, page, mode);
  folioUnlock(mem, page);
  if (isolated) return "isolated";
  folioPut(mem, page);
  return "EBUSY";
}

/** The page is locked: it is what it is until the lock goes. */
function* askDriver(cache: PageCache, page: Folio, mode: number): Steps<boolean> {
  const { mem } = cache;
  if (!pageMovable(mem, page) || testFlag(mem, page, PG.isolated)) return false;
  const { isolatePage } = pageMovableOps(cache, page);
  if (!(yield* isolatePage(mem, page, mode))) {
    mem.events.refusals.refuse("driver_keeps", 1, 0);
    return false;
  }
  setFlag(mem, page, PG.isolated);
  return true;
}
