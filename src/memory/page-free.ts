/**
 * The end of a folio: off the LRU, checked, poisoned, and back to the free lists.
 *
 * What is checked here is what an owner can forget: a page table entry, a mapping, a flag that
 * stands for somebody's claim. A mapping word with a low bit (anonymous, movable) may stay until
 * now, as in Linux; a file's must have been cleared.
 * Linux: `__folio_put()`, `free_pages_prepare()`.
 */
import { assert } from "../base/assert.ts";
import { VM_EVENT } from "../events/vmstat.ts";
import { freeOneBlock } from "./buddy.ts";
import { folioUnqueueDeferredSplit } from "./deferred-split.ts";
import { folioOrder, unprepCompound } from "./folio.ts";
import { lruUnlink } from "./lru-list.ts";
import { MAPPING_FLAGS } from "./mapping-word.ts";
import { type Folio, NOT_LINKED, type PageList, type Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { forgetPageExt } from "./page-ext.ts";
import { PAGE_FLAGS_CHECK_AT_FREE, PG } from "./page-flags.ts";
import { listDel, listEmpty, listFirst } from "./page-list.ts";
import { pageblockMigratetype } from "./pageblock.ts";
import { freeToPcp, pcpAllowedOrder } from "./pcp.ts";

/** Frees a folio whose last reference is gone. Callers put it, or have frozen it. */
export function freeFolio(mem: Memory, folio: Folio): void {
  if ((mem.flags[folio] & PG.lru) !== 0) {
    mem.flags[folio] &= ~PG.lru;
    lruUnlink(mem, folio);
    mem.flags[folio] &= ~(PG.active | PG.unevictable);
  }
  const order = folioOrder(mem, folio);
  if ((mem.flags[folio] & PG.mlocked) !== 0) {
    // Its last locked mapping went without a word: the folio no longer counts as kept.
    mem.nodeOf(folio).mlockedPages -= 1 << order;
    mem.events.count(VM_EVENT.unevictable_pgs_cleared, 1 << order);
  }
  if (mem.pageExt !== null) forgetPageExt(mem, mem.pageExt, folio);
  if (order > 0) {
    if ((mem.flags[folio] & PG.hugetlb) !== 0 && mem.freeHugetlb !== null) {
      mem.freeHugetlb(folio);
      return;
    }
    folioUnqueueDeferredSplit(mem, folio);
    unprepCompound(mem, folio);
  }
  freePages(mem, folio, order);
}

/** Frees the folios of a list; their isolator froze them. Linux: `free_unref_page_list()`. */
export function freeFrozenFolios(mem: Memory, list: PageList): void {
  while (!listEmpty(mem, list)) {
    const folio = listFirst(mem, list) as Folio;
    listDel(mem, folio);
    freeFolio(mem, folio);
  }
}

/**
 * Frees 2^order pages that nobody holds and no compound ties together.
 *
 * Linux: `__free_pages_ok()`, `free_unref_page()`.
 */
export function freePages(mem: Memory, pfn: Pfn, order: number): void {
  const end = pfn + (1 << order);
  for (let page = pfn; page < end; page = (page + 1) as Pfn) prepareFree(mem, page);
  mem.events.count(VM_EVENT.pgfree, 1 << order);
  if (order === 0 && (mem.flags[pfn] & PG.hwpoison) !== 0) return;
  if (pcpAllowedOrder(order)) freeToPcp(mem, pfn, order);
  else freeOneBlock(mem, mem.zoneOf(pfn), pfn, order, pageblockMigratetype(mem, pfn));
}

/** Asserts that nobody has a claim on the page, and leaves its columns as new. */
function prepareFree(mem: Memory, page: Pfn): void {
  const flags = mem.flags[page];
  const mapping = mem.mapping[page];
  assert(mem.refcount[page] === 0, "free of a page with references:", page, mem.refcount[page]);
  assert(mem.mapcount[page] === 0, "free of a mapped page:", page, mem.mapcount[page]);
  assert(
    mapping === 0 || (mapping & MAPPING_FLAGS) !== 0,
    "free of a page that a file still owns:",
    page,
  );
  assert((flags & PAGE_FLAGS_CHECK_AT_FREE) === 0, "free of a page with flags:", page, flags);
  assert(mem.next[page] === NOT_LINKED, "free of a page that is on a list:", page);
  mem.flags[page] = flags & PG.hwpoison;
  mem.mapping[page] = 0;
  mem.index[page] = 0;
  mem.private[page] = 0;
  mem.frames.poison(page);
}
