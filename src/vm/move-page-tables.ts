/**
 * Moving page table entries from one stretch of a process's addresses to another.
 *
 * Whatever an entry says goes along: a page, a page that is moving, a page on swap. Nothing is
 * counted anew, as the process maps the same pages; all arrive soft-dirty, for nobody has seen them
 * at the new address. Within a page table the move is one step, under both locks.
 *
 * A walk of the reverse map may pass between two steps. It finds every entry if it looks at the
 * new place after the old one: callers see to that, or keep walks out. Callers hold the mmap_lock.
 * Linux: `move_page_tables()`, `move_ptes()`, mm/mremap.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import type { Steps } from "../sched/blocking.ts";
import type { Mm } from "./mm.ts";
import { NO_ENTRY } from "./page-tables.ts";
import { PTE, PTE_NONE } from "./pte.ts";
import type { Vm } from "./vm.ts";

/** Entries of one page table. */
const EXTENT = 512;

/** Moves the entries of `pages` virtual pages; the stretches may overlap if it goes downwards. */
export function* movePageTables(
  vm: Vm,
  mm: Mm,
  fromVpn: number,
  toVpn: number,
  pages: number,
): Steps<void> {
  assert(toVpn < fromVpn || toVpn >= fromVpn + pages, "page tables moved upwards over themselves");
  for (let at = 0; at < pages; ) {
    yield "move-page-tables";
    const untilTable = Math.min(leftInTable(fromVpn + at), leftInTable(toVpn + at));
    const end = Math.min(pages, at + untilTable);
    for (; at < end; at++) moveEntry(vm, mm, fromVpn + at, toVpn + at);
  }
}

function leftInTable(vpn: number): number {
  return EXTENT - (vpn % EXTENT);
}

function moveEntry({ tables }: Vm, { directory }: Mm, fromVpn: number, toVpn: number): void {
  const from = directory.find(fromVpn);
  if (from === NO_ENTRY || tables.bits(from) === PTE_NONE) return;
  const to = directory.make(toVpn);
  assert(tables.bits(to) === PTE_NONE, "a page is moved to where one is already:", toVpn);
  const pfn = tables.pfn(from);
  const bits = tables.bits(from);
  tables.set(from, 0, PTE_NONE);
  tables.set(to, pfn, bits | PTE.softDirty);
}
