/**
 * What must hold of swap at rest: of slots, of what names them (page tables, files of shmem), of
 * the cache.
 *
 * At rest nobody reads a page past the cache, so a slot is claimed by a folio or not at all.
 */
import { folioNrPages } from "../memory/folio.ts";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { NO_ENTRY } from "../vm/page-tables.ts";
import { PTE } from "../vm/pte.ts";
import type { Swap } from "../vm/swap/swap.ts";
import type { SwapArea } from "../vm/swap/swap-area.ts";
import { folioTestSwapcache } from "../vm/swap/swap-cache.ts";
import { swapEntry } from "../vm/swap/swap-entry.ts";
import type { Vm } from "../vm/vm.ts";
import type { Invariant } from "./invariants.ts";
import type { Machine } from "./machine.ts";

export const SWAP_INVARIANTS: readonly Invariant[] = [
  {
    name: "a slot counts the entries that name it, and is claimed by its folio",
    check: checkSlots,
  },
  { name: "a page of shmem is in its file or in swap", check: checkShmem },
  { name: "folios of the swap cache and their slots name each other", check: checkSwapCache },
];

function checkSlots({ vm }: Machine): string | null {
  const named = new Map<number, number>();
  const wrong = countEntries(vm, named);
  for (const { swapped } of vm.cache.mappings) {
    for (const slot of swapped?.values() ?? []) named.set(slot, (named.get(slot) ?? 0) + 1);
  }
  if (wrong !== null || vm.swap === null) return wrong;
  for (const area of vm.swap.areas) {
    if (area === null) continue;
    const fault = areaFault(vm.swap, area, named);
    if (fault !== null) return fault;
  }
  for (const entry of named.keys()) return `entry ${entry} names no slot`;
  return null;
}

/** Adds every entry to `named`; what is wrong with a process's count of its own, or null. */
function countEntries(vm: Vm, named: Map<number, number>): string | null {
  for (const mm of vm.mms) {
    if (mm === undefined) continue;
    let entries = 0;
    for (const vma of mm.vmas) {
      for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
        const entry = mm.directory.find(vpn);
        if (entry === NO_ENTRY || (vm.tables.bits(entry) & PTE.swap) === 0) continue;
        const slot = vm.tables.pfn(entry);
        named.set(slot, (named.get(slot) ?? 0) + 1);
        entries++;
      }
    }
    if (entries !== mm.swapEntries) {
      return `${mm.name}: ${entries} entries of swap, counted ${mm.swapEntries}`;
    }
  }
  return null;
}

/** Takes the entries that name the area's slots out of `named`. */
function areaFault(swap: Swap, area: SwapArea, named: Map<number, number>): string | null {
  let used = 0;
  for (let slot = 1; slot < area.slotCount; slot++) {
    if (!area.isFree(slot)) used++;
    const entry = swapEntry(area.id, slot);
    const found = named.get(entry) ?? 0;
    named.delete(entry);
    if (found !== area.count(slot)) {
      return `${area.name} slot ${slot}: ${found} entries, counted ${area.count(slot)}`;
    }
    const isCached = swap.mapping.folios.load(entry) !== null;
    if (isCached !== area.hasCache(slot)) {
      return `${area.name} slot ${slot}: ${isCached ? "cached and not" : "not cached and"} claimed`;
    }
  }
  if (used === area.slotsInUse) return null;
  return `${area.name}: ${used} slots in use, counted ${area.slotsInUse}`;
}

function checkShmem({ vm }: Machine): string | null {
  for (const { name, folios, swapped } of vm.cache.mappings) {
    for (const offset of swapped?.keys() ?? []) {
      if (folios.load(offset) !== null) return `${name} page ${offset} is cached and in swap`;
    }
  }
  return null;
}

function checkSwapCache({ mem, vm }: Machine): string | null {
  const counted = mem.nodes.map(() => 0);
  const { swap } = vm;
  if (swap !== null) {
    for (let pfn = 0; pfn < mem.pageCount; pfn++) {
      const folio = pfn as Folio;
      if ((mem.flags[folio] & (PG.tail | PG.buddy)) !== 0) continue;
      if (!folioTestSwapcache(mem, folio)) continue;
      const pages = folioNrPages(mem, folio);
      counted[mem.nodeOf(folio).id] += pages;
      for (let at = 0; at < pages; at++) {
        const found = swap.mapping.folios.load(mem.private[folio] + at);
        if (found !== folio) return `folio ${pfn} names a slot that has ${found ?? "no folio"}`;
      }
    }
    const cached = counted.reduce((sum, pages) => sum + pages, 0);
    const { pageCount } = swap.mapping.folios;
    if (cached !== pageCount) return `${cached} pages name a slot, ${pageCount} are cached`;
  }
  for (const { id, swapcachePages } of mem.nodes) {
    if (counted[id] !== swapcachePages) {
      return `node ${id}: ${counted[id]} pages in the swap cache, counted ${swapcachePages}`;
    }
  }
  return null;
}
