/**
 * The free scanner in one pageblock: takes the free blocks that it meets.
 *
 * Each free block leaves the lists whole, with its order in `private` and no reference, unless the
 * zone's watermark forbids. Linux: `isolate_freepages_block()`, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { buddyOrder, isolateFreeBlock, pageBuddy } from "../../memory/buddy.ts";
import { COMPACT_CLUSTER_MAX, MAX_ORDER } from "../../memory/constants.ts";
import type { PageList, Pfn } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { listAddTail } from "../../memory/page-list.ts";
import type { Steps } from "../../sched/blocking.ts";
import type { CompactControl } from "./control.ts";
import { traceIsolate } from "./trace.ts";

/** Takes free blocks from `start` on until it has `wanted` pages. Returns where it stopped. */
export function* isolateFreepagesBlock(
  cc: CompactControl,
  blocks: PageList,
  start: number,
  end: number,
  stride: number,
  wanted: number,
): Steps<number> {
  const { mem } = cc.vm;
  const { zone } = cc;
  let scanned = 0;
  let taken = 0;
  let pfn = start;
  for (; pfn < end; pfn += stride) {
    if (pfn % COMPACT_CLUSTER_MAX === 0) yield "isolate-freepages-cluster";
    scanned++;
    const page = pfn as Pfn;
    if ((mem.flags[page] & PG.head) !== 0) {
      const order = mem.index[pfn + 1];
      if (order < MAX_ORDER) pfn += (1 << order) - 1;
      continue;
    }
    if (!pageBuddy(mem, page)) continue;
    const order = buddyOrder(mem, page);
    const pages = isolateFreeBlock(mem, zone, page, order);
    if (pages === 0) break;
    mem.private[page] = order;
    listAddTail(mem, blocks, page);
    scanned += pages - 1;
    taken += pages;
    if (taken >= wanted) {
      pfn += pages;
      break;
    }
    pfn += pages - 1;
  }
  pfn = Math.min(pfn, end);
  const { trace } = mem.events;
  if (trace !== null) {
    traceIsolate(trace, "mm_compaction_isolate_freepages", start, pfn, scanned, taken);
  }
  cc.lastTaken = taken;
  cc.freeScanned += scanned;
  mem.events.count(VM_EVENT.compact_isolated, taken);
  return pfn;
}
