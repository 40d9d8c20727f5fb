/**
 * Putting back what was isolated and did not move.
 *
 * Linux: `putback_movable_pages()`, mm/migrate.c.
 */
import { folioNrPages } from "../memory/folio.ts";
import { folioPutbackLru } from "../memory/lru.ts";
import { isolatedClass } from "../memory/lru-list.ts";
import type { Folio, PageList } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { listDel, listEmpty, listFirst } from "../memory/page-list.ts";

/** Empties the list: every folio goes back to the LRU and is no longer counted as isolated. */
export function putbackMovablePages(mem: Memory, list: PageList): void {
  while (!listEmpty(mem, list)) {
    const folio = listFirst(mem, list) as Folio;
    listDel(mem, folio);
    mem.nodeOf(folio).isolatedPages[isolatedClass(mem, folio)] -= folioNrPages(mem, folio);
    folioPutbackLru(mem, folio);
  }
  for (const node of mem.nodes) node.throttled.wakeAll();
}
