/**
 * MADV_COLD and MADV_PAGEOUT: pages that will not be used soon, and those that may go now.
 *
 * Both make the entries old, so that no walk of the reverse map takes the past for a use. Cold
 * pages go to the inactive list; the others are taken off the LRU and handed to reclaim, a page
 * table's worth at a time. A page that others map too is left to them, and one that is not on the
 * LRU to whoever has it. Linux: `madvise_cold_or_pageout_pte_range()`, mm/madvise.c, 6.1; there a
 * large folio that the stretch covers in part is split first, here it is left alone as where a
 * split fails.
 */
import { folioTestLarge, pageFolio, pageMapcount } from "../../memory/folio.ts";
import { folioIsolateLru, folioPutbackLru } from "../../memory/lru.ts";
import { folioDeactivate } from "../../memory/lru-moves.ts";
import { clearFlag, type Folio, type PageList, setFlag, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";
import { listAddTail, listDel, listEmpty, listFirst } from "../../memory/page-list.ts";
import type { Blocking, Steps } from "../../sched/blocking.ts";
import type { Vma } from "../mm.ts";
import { HUGE_PAGES, hugeStart, NO_ENTRY } from "../page-tables.ts";
import { PTE } from "../pte.ts";
import { flushTlbRange } from "../tlb.ts";
import type { Vm } from "../vm.ts";

/** Linux: `madvise_cold_page_range()`. */
export function* coldRange(vm: Vm, vma: Vma, from: number, to: number): Steps<void> {
  const { mem } = vm;
  for (let vpn = from; vpn < to; ) {
    yield "madvise-cold-next";
    const { folio, pages } = agedFolio(vm, vma, vpn, to);
    if (folio !== null) folioDeactivate(mem, folio);
    vpn += pages;
  }
}

/** Linux: `madvise_pageout_page_range()`. */
export function* pageoutRange(vm: Vm, vma: Vma, from: number, to: number): Blocking<void> {
  const { mem } = vm;
  const list = mem.takeList();
  for (let vpn = from; vpn < to; ) {
    const end = Math.min(to, hugeStart(vpn) + HUGE_PAGES);
    while (vpn < end) {
      yield "madvise-pageout-next";
      const { folio, pages } = agedFolio(vm, vma, vpn, to);
      if (folio !== null) isolate(vm, folio, list);
      vpn += pages;
    }
    if (vm.reclaimPages !== null) yield* vm.reclaimPages(list);
    putBack(vm, list);
  }
  mem.releaseList(list);
}

function isolate(vm: Vm, folio: Folio, list: PageList): void {
  const { mem } = vm;
  if (!folioIsolateLru(mem, folio)) return;
  if (testFlag(mem, folio, PG.unevictable)) folioPutbackLru(mem, folio);
  else listAddTail(mem, list, folio);
}

function putBack(vm: Vm, list: PageList): void {
  const { mem } = vm;
  while (!listEmpty(mem, list)) {
    const folio = listFirst(mem, list) as Folio;
    listDel(mem, folio);
    folioPutbackLru(mem, folio);
  }
}

/** The folio at `vpn` if the advice is for it, aged; and how many pages further to go on. */
function agedFolio(
  vm: Vm,
  vma: Vma,
  vpn: number,
  to: number,
): { folio: Folio | null; pages: number } {
  const { mem, tables } = vm;
  const { directory } = vma.mm;
  if (vma.mm.vmaAt(vpn) !== vma) return { folio: null, pages: 1 };
  const huge = directory.findHuge(vpn);
  const pages = huge === NO_ENTRY ? 1 : hugeStart(vpn) + HUGE_PAGES - vpn;
  const nothing = { folio: null, pages };
  const entry = huge === NO_ENTRY ? directory.find(vpn) : huge;
  const bits = entry === NO_ENTRY ? 0 : tables.bits(entry);
  if ((bits & (PTE.present | PTE.special)) !== PTE.present) return nothing;
  const page = mem.pfn(tables.pfn(entry));
  const folio = pageFolio(mem, page);
  const isWhole = huge !== NO_ENTRY && pages === HUGE_PAGES && vpn + pages <= to;
  if (folioTestLarge(mem, folio) && !isWhole) return nothing;
  if (!testFlag(mem, folio, PG.lru) || pageMapcount(mem, page) !== 1) return nothing;
  tables.set(entry, page, bits & ~PTE.young);
  flushTlbRange(vm, vma.mm, vpn, vpn + pages);
  clearFlag(mem, folio, PG.referenced);
  clearFlag(mem, folio, PG.young);
  if (testFlag(mem, folio, PG.active)) setFlag(mem, folio, PG.workingset);
  return { folio, pages };
}
