/**
 * Moving page table entries from one stretch of a process's addresses to another.
 *
 * Whatever an entry says goes along: a page, a page that is moving, a page on swap. Nothing is
 * counted anew, as the process maps the same pages; all arrive soft-dirty, for nobody has seen them
 * at the new address. Within a page table the move is one step, under both locks.
 *
 * A huge entry moves as one where both places are aligned, else it is split first.
 *
 * A walk of the reverse map may pass between two steps. It finds every entry if it looks at the
 * new place after the old one: callers see to that, or keep walks out. Callers hold the mmap_lock.
 * Linux: `move_page_tables()`, `move_ptes()`, mm/mremap.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import type { Steps } from "../sched/blocking.ts";
import { splitHugePmd } from "./huge/split-pmd.ts";
import type { Mm } from "./mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { HUGE_PAGES, NO_ENTRY } from "./page-tables.ts";
import { PTE, PTE_NONE } from "./pte.ts";
import { flushTlbPage, flushTlbRange } from "./tlb.ts";
import type { Vm } from "./vm.ts";

/** Moves the entries of `pages` virtual pages; the stretches may overlap if it goes downwards. */
export function* movePageTables(
  vm: Vm,
  mm: Mm,
  fromVpn: number,
  toVpn: number,
  pages: number,
): Steps<void> {
  assert(toVpn < fromVpn || toVpn >= fromVpn + pages, "page tables moved upwards over themselves");
  invalidateRangeStart(mm, fromVpn, fromVpn + pages);
  for (let at = 0; at < pages; ) {
    yield "move-page-tables";
    if (mm.directory.findHuge(fromVpn + at) !== NO_ENTRY) {
      if (moveHugeEntry(vm, mm, fromVpn + at, toVpn + at, pages - at)) {
        at += HUGE_PAGES;
        continue;
      }
      splitHugeEntry(vm, mm, fromVpn + at);
    }
    const untilTable = Math.min(leftInTable(fromVpn + at), leftInTable(toVpn + at));
    const end = Math.min(pages, at + untilTable);
    for (; at < end; at++) moveEntry(vm, mm, fromVpn + at, toVpn + at);
  }
  invalidateRangeEnd(mm, fromVpn, fromVpn + pages);
}

function leftInTable(vpn: number): number {
  return HUGE_PAGES - (vpn % HUGE_PAGES);
}

/** Only as a whole, and to where no page table is. Linux: `move_huge_pmd()`. */
function moveHugeEntry(vm: Vm, mm: Mm, fromVpn: number, toVpn: number, pages: number): boolean {
  const { tables } = vm;
  const { directory } = mm;
  const isAligned = fromVpn % HUGE_PAGES === 0 && toVpn % HUGE_PAGES === 0;
  if (!isAligned || pages < HUGE_PAGES || !directory.isVacant(toVpn)) return false;
  const from = directory.findHuge(fromVpn);
  const pfn = tables.pfn(from);
  const bits = tables.bits(from);
  directory.clearHuge(fromVpn);
  flushTlbRange(vm, mm, fromVpn, fromVpn + HUGE_PAGES);
  tables.set(directory.makeHuge(toVpn), pfn, bits | PTE.softDirty);
  return true;
}

function splitHugeEntry(vm: Vm, mm: Mm, vpn: number): void {
  const vma = mm.vmaAt(vpn);
  assert(vma !== null, "a huge entry in no VMA at", vpn);
  splitHugePmd(vm, vma, vpn);
}

function moveEntry(vm: Vm, mm: Mm, fromVpn: number, toVpn: number): void {
  const { tables } = vm;
  const { directory } = mm;
  const from = directory.find(fromVpn);
  if (from === NO_ENTRY || tables.bits(from) === PTE_NONE) return;
  const to = directory.make(toVpn);
  assert(tables.bits(to) === PTE_NONE, "a page is moved to where one is already:", toVpn);
  const pfn = tables.pfn(from);
  const bits = tables.bits(from);
  tables.set(from, 0, PTE_NONE);
  flushTlbPage(vm, mm, fromVpn);
  tables.set(to, pfn, bits | PTE.softDirty);
}
