/**
 * In which order free memory was freed: what the free lists' order follows from, and no snapshot
 * holds.
 *
 * A recorded owner faulted its pages in ascending order, which mostly gave it consecutive frames,
 * and then gave some back in ascending order, one madvise() for each stretch between two that
 * stayed. So a free frame that lies a little above a page that stayed went when that page's turn
 * came; those of one stretch went last first, as `release_pages()` collects them on a list by its
 * head. What lies near no page that stayed was free before.
 */
import { PG } from "../memory/page-flags.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";

/** Frames between a page that stayed and one that went, at most. */
const REACH = 16;

/** First frames of the free blocks that the owner of `pages` gave back, first freed first. */
export function freedOrder(snapshot: Snapshot, pages: Int32Array): Int32Array {
  const pageAt = new Map<number, number>();
  for (const [page, pfn] of pages.entries()) if (pfn !== 0) pageAt.set(pfn, page);
  const freed: { readonly pfn: number; readonly page: number }[] = [];
  for (let pfn = 0; pfn < snapshot.pageCount; pfn++) {
    if ((snapshot.flags[pfn] & PG.buddy) === 0) continue;
    const page = pageNear(pageAt, pfn);
    if (page !== null) freed.push({ pfn, page });
    pfn += (1 << snapshot.order[pfn]) - 1;
  }
  freed.sort((a, b) => a.page - b.page || b.pfn - a.pfn);
  return Int32Array.from(freed, ({ pfn }) => pfn);
}

/** The owner's page that stayed and lies next below the frame, or near above it; or null. */
function pageNear(pageAt: ReadonlyMap<number, number>, pfn: number): number | null {
  for (let away = 1; away < REACH; away++) {
    const below = pageAt.get(pfn - away);
    if (below !== undefined) return below;
  }
  for (let away = 1; away < REACH; away++) {
    const above = pageAt.get(pfn + away);
    if (above !== undefined) return above - 1;
  }
  return null;
}
