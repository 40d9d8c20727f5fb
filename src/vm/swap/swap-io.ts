/**
 * Pages of the swap cache, written to their slots and read from them.
 *
 * A write begins with the folio's lock and unlocks it at once; PG.writeback stays until the last
 * page is there. If a page could not be written the folio is dirty again, so that nobody drops it.
 * A read keeps the lock until it ends; what could not be read is not PG.uptodate then, and whoever
 * wants it is told. Linux: mm/page_io.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { VM_EVENT } from "../../events/vmstat.ts";
import { PAGE_SIZE } from "../../memory/constants.ts";
import { folioNrPages } from "../../memory/folio.ts";
import { folioUnlock } from "../../memory/folio-lock.ts";
import { clearFlag, type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import type { WritepageOutcome } from "../../pagecache/address-space.ts";
import type { BlockResult } from "../../pagecache/device/block-device.ts";
import { folioEndWriteback, folioStartWriteback } from "../../pagecache/writeback.ts";
import type { Steps } from "../../sched/blocking.ts";
import { HUGE_PAGES } from "../page-tables.ts";
import type { Swap } from "./swap.ts";
import { folioFreeSwap, folioSwapEntry } from "./swap-cache.ts";
import { type SwapEntry, swapSlotOf } from "./swap-entry.ts";

/** Writes a locked folio just marked clean, and unlocks it. Linux: `swap_writepage()`. */
export function* swapWritepage(swap: Swap, folio: Folio): Steps<WritepageOutcome> {
  const { mem } = swap;
  yield "swap-writepage";
  if (folioFreeSwap(swap, folio)) {
    folioUnlock(mem, folio);
    return "started";
  }
  folioStartWriteback(mem, swap.mapping, folio);
  folioUnlock(mem, folio);
  writePages(swap, folio, (result) => {
    if (result === "EIO") {
      setFlag(mem, folio, PG.error);
      setFlag(mem, folio, PG.dirty);
      clearFlag(mem, folio, PG.reclaim);
    }
    folioEndWriteback(mem, swap.mapping, folio);
  });
  return "started";
}

/** Reads a new, locked folio; it is unlocked at the end. Linux: `swap_readpage()`. */
export function swapReadFolio(swap: Swap, folio: Folio, entry: SwapEntry): void {
  const { mem } = swap;
  assert(testFlag(mem, folio, PG.locked), "a folio is read that is not locked:", folio);
  assert(!testFlag(mem, folio, PG.uptodate), "a folio is read that holds its bytes:", folio);
  mem.events.count(VM_EVENT.pswpin, 1);
  swap.area(entry).device.submit({
    kind: "read",
    block: swapSlotOf(entry),
    sizeBytes: PAGE_SIZE,
    folio,
    offsetBytes: 0,
    done: (result) => {
      setFlag(mem, folio, result === "done" ? PG.uptodate : PG.error);
      folioUnlock(mem, folio);
    },
  });
}

/** A request for each page; `done` is called once, with the first error if there was any. */
function writePages(swap: Swap, folio: Folio, done: (result: BlockResult) => void): void {
  const { mem } = swap;
  const entry = folioSwapEntry(mem, folio);
  const { device } = swap.area(entry);
  const pages = folioNrPages(mem, folio);
  mem.events.count(VM_EVENT.pswpout, pages);
  if (pages === HUGE_PAGES) mem.events.count(VM_EVENT.thp_swpout, 1);
  let left = pages;
  let worst: BlockResult = "done";
  for (let at = 0; at < pages; at++) {
    device.submit({
      kind: "write",
      block: swapSlotOf(entry) + at,
      sizeBytes: PAGE_SIZE,
      folio: (folio + at) as Folio,
      offsetBytes: 0,
      done: (result) => {
        if (result === "EIO") worst = "EIO";
        if (--left === 0) done(worst);
      },
    });
  }
}
