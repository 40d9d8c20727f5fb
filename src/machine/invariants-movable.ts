/**
 * What must hold of drivers' movable pages at rest; their references are told with all others.
 */
import { folioTestMovable, mappingId } from "../memory/mapping-word.ts";
import type { Pfn } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import type { Machine } from "./machine.ts";

/** A movable page is a single page of a known driver, in no page table, on no list of the VM. */
export function checkMovable({ mem, vm }: Machine): string | null {
  for (let pfn = 0 as Pfn; pfn < mem.pageCount; pfn = (pfn + 1) as Pfn) {
    // The word of a tail is something else.
    if (!folioTestMovable(mem, pfn) || (mem.flags[pfn] & PG.tail) !== 0) continue;
    const id = mappingId(mem.mapping[pfn]);
    const flags = mem.flags[pfn];
    if (id >= vm.cache.movableOps.length) return `movable page ${pfn}: no driver has id ${id}`;
    if ((flags & PG.lru) !== 0) return `movable page ${pfn} is on the LRU`;
    if ((flags & PG.head) !== 0) return `movable page ${pfn} is not a single page`;
    if ((flags & PG.isolated) !== 0) return `movable page ${pfn} is left isolated`;
    if (mem.mapcount[pfn] !== 0) return `movable page ${pfn} is mapped`;
  }
  return null;
}

/** References that a driver has to this page: its own, until it lets go. */
export function driverReferences({ mem }: Machine, page: Pfn): number {
  return folioTestMovable(mem, page) && mappingId(mem.mapping[page]) !== -1 ? 1 : 0;
}
