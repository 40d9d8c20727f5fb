/**
 * MADV_FREE: the process can do without the bytes, and says so before anybody needs the page.
 *
 * The entry becomes clean and old, the folio is no longer swap-backed once its batch is drained,
 * and reclaim then drops it without writing, unless the process writes to it before. What is in
 * swap is given up at once. A page that others share, that is locked, or whose slot another entry
 * names is left alone. Linux: `madvise_free_pte_range()`, mm/madvise.c, 6.1; there a large folio
 * that the stretch covers in part is split first, here it is left alone as where a split fails.
 */
import { folioTestLarge, pageFolio, pageMapcount } from "../../memory/folio.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioMarkLazyfree } from "../../memory/lru-moves.ts";
import { clearFlag, type Folio, testFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Steps } from "../../sched/blocking.ts";
import type { Vma } from "../mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "../mmu-notifier.ts";
import { HUGE_PAGES, hugeStart, NO_ENTRY } from "../page-tables.ts";
import { PTE } from "../pte.ts";
import type { Swap } from "../swap/swap.ts";
import { folioFreeSwap, folioTestSwapcache } from "../swap/swap-cache.ts";
import { flushTlbPage, flushTlbRange } from "../tlb.ts";
import type { Vm } from "../vm.ts";
import { zapSwapEntry } from "../zap.ts";

export function* freeRange(vm: Vm, vma: Vma, from: number, to: number): Steps<void> {
  const { mm } = vma;
  const { directory } = mm;
  invalidateRangeStart(mm, from, to);
  for (let vpn = from; vpn < to; vpn++) {
    yield "madvise-free-next";
    if (mm.vmaAt(vpn) !== vma) continue;
    const huge = directory.findHuge(vpn);
    if (huge !== NO_ENTRY) {
      if (vpn === hugeStart(vpn) && vpn + HUGE_PAGES <= to) freeEntry(vm, vma, huge);
      vpn = hugeStart(vpn) + HUGE_PAGES - 1;
      flushTlbRange(vm, mm, hugeStart(vpn), vpn + 1);
      continue;
    }
    const entry = directory.find(vpn);
    if (entry === NO_ENTRY) continue;
    freeEntry(vm, vma, entry);
    // A processor that knows the entry as dirty would not say so again when it writes.
    flushTlbPage(vm, mm, vpn);
  }
  invalidateRangeEnd(mm, from, to);
}

function freeEntry(vm: Vm, vma: Vma, entry: number): void {
  const { mem, swap, tables } = vm;
  const bits = tables.bits(entry);
  if ((bits & PTE.swap) !== 0) zapSwapEntry(vm, vma, entry);
  if ((bits & (PTE.present | PTE.special)) !== PTE.present) return;
  const page = mem.pfn(tables.pfn(entry));
  const folio = pageFolio(mem, page);
  if (folioTestLarge(mem, folio) && (bits & PTE.huge) === 0) return;
  const isShared = pageMapcount(mem, page) !== 1;
  if ((bits & PTE.huge) !== 0 && isShared) return;
  if (!tryToClean(mem, swap, folio, isShared ? "shared" : "alone")) return;
  tables.set(entry, page, bits & ~(PTE.young | PTE.dirty));
  folioMarkLazyfree(mem, folio);
}

/** Takes slot and dirty mark away, if they are this process's to take; true if there are none. */
function tryToClean(
  mem: Memory,
  swap: Swap | null,
  folio: Folio,
  use: "shared" | "alone",
): boolean {
  const isCached = folioTestSwapcache(mem, folio);
  if (!isCached && !testFlag(mem, folio, PG.dirty)) return true;
  if (!folioTrylock(mem, folio)) return false;
  const isFreed = !isCached || (swap !== null && folioFreeSwap(swap, folio));
  const isClean = use === "alone" && isFreed;
  if (isClean) clearFlag(mem, folio, PG.dirty);
  folioUnlock(mem, folio);
  return isClean;
}
