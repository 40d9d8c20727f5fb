/**
 * The LRU lists themselves: which list a folio belongs on, and linking it there.
 *
 * PG_lru says that the folio is on a list. Whoever clears it (`testAndClearFlag`) has the sole
 * right to unlink the folio; whoever links it sets the flag last. A list holds no reference.
 * Protection: `lruvec->lru_lock`. Linux: include/linux/mm_inline.h, 6.1.
 */
import { assert } from "../base/assert.ts";
import { folioNrPages } from "./folio.ts";
import { type Folio, NOT_LINKED } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { LRU, type LruList } from "./node.ts";
import { PG } from "./page-flags.ts";
import { listAdd, listAddTail, listDel } from "./page-list.ts";

/** Linux: `folio_lru_list()`. */
export function folioLruList(mem: Memory, folio: Folio): LruList {
  const flags = mem.flags[folio];
  if ((flags & PG.unevictable) !== 0) return LRU.unevictable;
  const isActive = (flags & PG.active) !== 0;
  if ((flags & PG.swapbacked) !== 0) return isActive ? LRU.activeAnon : LRU.inactiveAnon;
  return isActive ? LRU.activeFile : LRU.inactiveFile;
}

/** Index into `Node.isolatedPages`: 0 swap-backed, 1 of a file. Linux: `folio_is_file_lru()`. */
export function isolatedClass(mem: Memory, folio: Folio): 0 | 1 {
  return (mem.flags[folio] & PG.swapbacked) !== 0 ? 0 : 1;
}

/**
 * Whether reclaim may ever take the folio: not if mlock keeps it, nor if its file is one that has
 * no other place for its pages. Linux: `folio_evictable()`.
 */
export function folioEvictable(mem: Memory, folio: Folio): boolean {
  if ((mem.flags[folio] & PG.mlocked) !== 0) return false;
  return mem.unevictableMappings.size === 0 || !mem.unevictableMappings.has(mem.mapping[folio]);
}

/** Puts the folio on its list, the first place or the last, and says so in PG_lru. */
export function lruLink(mem: Memory, folio: Folio, end: "head" | "tail"): void {
  const zone = mem.zoneOf(folio);
  const node = zone.pgdat;
  const lru = folioLruList(mem, folio);
  assert((mem.flags[folio] & PG.lru) === 0, "a folio is on an LRU list already:", folio);
  if (lru === LRU.unevictable) {
    // Not linked: `prev` holds the number of mlocks instead.
    mem.prev[folio] = 0;
  } else if (end === "head") {
    listAdd(mem, node.lruLists[lru], folio);
  } else {
    listAddTail(mem, node.lruLists[lru], folio);
  }
  const pages = folioNrPages(mem, folio);
  node.lruPages[lru] += pages;
  zone.lruPages[lru] += pages;
  mem.flags[folio] |= PG.lru;
}

/** Takes the folio off its list. The caller has cleared PG_lru. Linux: `lruvec_del_folio()`. */
export function lruUnlink(mem: Memory, folio: Folio): void {
  const lru = folioLruList(mem, folio);
  if (lru === LRU.unevictable) mem.prev[folio] = NOT_LINKED;
  else listDel(mem, folio);
  const zone = mem.zoneOf(folio);
  const pages = folioNrPages(mem, folio);
  zone.pgdat.lruPages[lru] -= pages;
  zone.lruPages[lru] -= pages;
}
