/**
 * Large folios of which a page was unmapped while others stay mapped: candidates for splitting.
 *
 * Each node has one queue. A folio hangs on it by its second tail, whose links nothing else uses,
 * and leaves it when it is split or freed. Being on it promises nothing: a move that failed may
 * have mapped all of the folio again. Linux: `struct deferred_split`, mm/huge_memory.c, 6.1 (there
 * a queue is a memory cgroup's, if the folio is charged to one).
 *
 * Protection: `split_queue_lock`; each function here is atomic.
 */
import { VM_EVENT } from "../events/vmstat.ts";
import { folioOrder } from "./folio.ts";
import { type Folio, NOT_LINKED, type Pfn } from "./memmap.ts";
import type { Memory } from "./memory.ts";
import { PG } from "./page-flags.ts";
import { listAddTail, listDel } from "./page-list.ts";

/** From this order on a folio has the second tail that the queue needs. */
const SMALLEST_ORDER = 2;

/** Puts the folio at the end of its node's queue, once. Linux: `deferred_split_huge_page()`. */
export function deferredSplitFolio(mem: Memory, folio: Folio): void {
  if (folioOrder(mem, folio) < SMALLEST_ORDER || folioIsDeferredSplit(mem, folio)) return;
  // Reclaim has it in hand already, and splits it itself.
  const swapcache = PG.swapcache | PG.swapbacked;
  if ((mem.flags[folio] & swapcache) === swapcache) return;
  const node = mem.nodeOf(folio);
  mem.events.count(VM_EVENT.thp_deferred_split_page, 1);
  listAddTail(mem, node.deferredSplit, linkOf(folio));
  node.deferredSplitCount++;
}

/** Takes the folio off the queue if it is on it. Linux: a part of `free_transhuge_page()`. */
export function folioUnqueueDeferredSplit(mem: Memory, folio: Folio): void {
  if (!folioIsDeferredSplit(mem, folio)) return;
  listDel(mem, linkOf(folio));
  mem.nodeOf(folio).deferredSplitCount--;
}

/** Whether a large folio is on the queue. */
function folioIsDeferredSplit(mem: Memory, folio: Folio): boolean {
  return (
    folioOrder(mem, folio) >= SMALLEST_ORDER && mem.next[linkOf(folio)] !== (NOT_LINKED as number)
  );
}

/** The folio that hangs on a queue by this page. */
export function folioOfDeferredLink(link: Pfn): Folio {
  return (link - 2) as Folio;
}

function linkOf(folio: Folio): Pfn {
  return (folio + 2) as Pfn;
}
