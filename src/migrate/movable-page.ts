/**
 * What makes a page movable, and what ends it.
 *
 * All but `folioTestMovable` (memory/mapping-word.ts) need the page lock: it keeps the word, and
 * the driver behind it, from changing. On a machine without compaction, of which these are a part,
 * drivers mark their pages in vain: none is ever movable. Linux: `__SetPageMovable()`,
 * `__ClearPageMovable()`, `PageMovable()`, mm/compaction.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import {
  folioTestMovable,
  MAPPING_MOVABLE,
  mappingId,
  mappingWord,
} from "../memory/mapping-word.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { MovableOperations } from "../pagecache/movable-operations.ts";
import type { PageCache } from "../pagecache/page-cache.ts";

/** The driver of `ops` offers the page to the VM. Linux: `__SetPageMovable()`. */
export function setPageMovable(cache: PageCache, page: Folio, ops: MovableOperations): void {
  const { mem } = cache;
  assertLocked(mem, page);
  assert(mem.mapping[page] === 0, "a page has an owner already:", page);
  assert((mem.flags[page] & (PG.lru | PG.head)) === 0, "not a single page off the LRU:", page);
  if (!mem.compacts) return;
  mem.mapping[page] = mappingWord(cache.movableOpsId(ops), MAPPING_MOVABLE);
}

/**
 * The driver lets go of the page. The word still says that it was movable, so that who has isolated
 * it puts it back as such. Linux: `__ClearPageMovable()`.
 */
export function clearPageMovable(mem: Memory, page: Folio): void {
  if (!mem.compacts) return;
  assert(pageMovable(mem, page), "not a movable page:", page);
  mem.mapping[page] = MAPPING_MOVABLE;
}

/** A driver's page, for as long as the lock is held. Linux: `PageMovable()`. */
export function pageMovable(mem: Memory, page: Folio): boolean {
  assertLocked(mem, page);
  return folioTestMovable(mem, page) && mappingId(mem.mapping[page]) !== -1;
}

/** The operations of a page that is movable. Linux: `page_movable_ops()`. */
export function pageMovableOps({ mem, movableOps }: PageCache, page: Folio): MovableOperations {
  assert(pageMovable(mem, page), "not a movable page:", page);
  const ops = movableOps[mappingId(mem.mapping[page])];
  assert(ops !== undefined, "a page names no driver of this machine:", page);
  return ops;
}

function assertLocked(mem: Memory, page: Folio): void {
  assert(testFlag(mem, page, PG.locked), "the lock of a movable page is not held:", page);
}
