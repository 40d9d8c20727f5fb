/**
 * Back to the LRU in order, without a batch: what reclaim has looked at and not freed.
 *
 * A folio that mlock has caught meanwhile goes to the unevictable list. One of which only the
 * isolation's reference is left is freed here: its owner let go of it while it was away.
 * Linux: `move_folios_to_lru()`, mm/vmscan.c, 6.1.
 */
import { folioNrPages } from "../../memory/folio.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import { folioPutbackLru } from "../../memory/lru.ts";
import { folioEvictable, lruLink } from "../../memory/lru-list.ts";
import type { Folio, PageList } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import { listDel, listEmpty, listLast } from "../../memory/page-list.ts";

/** Empties the list, its last folio first. Returns the pages that went to a list. */
export function moveFoliosToLru(mem: Memory, list: PageList): number {
  let moved = 0;
  while (!listEmpty(mem, list)) {
    const folio = listLast(mem, list) as Folio;
    listDel(mem, folio);
    if (!folioEvictable(mem, folio)) {
      folioPutbackLru(mem, folio);
      continue;
    }
    if (mem.refcount[folio] === 1) {
      mem.flags[folio] &= ~PG.active;
      folioPut(mem, folio);
      continue;
    }
    lruLink(mem, folio, "head");
    const pages = folioNrPages(mem, folio);
    moved += pages;
    if ((mem.flags[folio] & PG.active) !== 0) mem.nodeOf(folio).nonresidentAge += pages;
    mem.refcount[folio]--;
  }
  return moved;
}
