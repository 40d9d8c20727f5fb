/**
 * The swap cache of a snapshot: which pages have a slot is told, which slot is not.
 *
 * So they get slots of one area, in ascending order of frames, as large as meminfo says that swap
 * is, or as they need. What processes map stays mapped. A page that nobody maps is reached by way
 * of its slot, as after it was unmapped on its way out or read ahead on its way in: it gets one
 * entry in a process made for such pages. What a snapshot cannot tell: pages that are in swap and
 * nowhere else, whose slots count as free here; and pages of shmem on their way out, which are
 * taken for anonymous ones. Reads from swap that were on have ended.
 *
 * Called once, when processes and files have their pages. A machine whose snapshot shows no such
 * page gets no swap. Linux: `add_to_swap()`, mm/swap_state.c.
 */
import { assert } from "../base/assert.ts";
import type { Machine } from "../machine/machine.ts";
import { folioNrPages } from "../memory/folio.ts";
import { MAPPING_ANON } from "../memory/mapping-word.ts";
import type { Folio } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { PTE } from "../vm/pte.ts";
import type { Swap } from "../vm/swap/swap.ts";
import { addToSwapCache, folioTestSwapcache } from "../vm/swap/swap-cache.ts";
import { RamSwap } from "../vm/swap/swap-device.ts";
import type { SwapEntry } from "../vm/swap/swap-entry.ts";
import type { Snapshot } from "./snapshot.ts";

/** A page in KiB, the unit of meminfo. */
const PAGE_KIB = 4;

/** What Linux gives an area for which no priority is asked, the first one. */
const PRIORITY = -2;

/** Gives every page that the snapshot shows in the swap cache its slot. */
export function placeSwapCache(machine: Machine, { meminfo }: Snapshot): void {
  const folios = cachedFolios(machine);
  if (folios.length === 0) return;
  const { mem, vm } = machine;
  // Room for the runs of large folios too, which are aligned.
  const pages = folios.reduce((sum, folio) => sum + 2 * folioNrPages(mem, folio), 0);
  const told = Math.floor((meminfo.get("SwapTotal") ?? 0) / PAGE_KIB);
  const slots = 1 + Math.max(told, pages);
  machine.swapOn({ name: "swap", slots, priority: PRIORITY, device: new RamSwap(mem, slots) });
  const { swap } = vm;
  assert(swap !== null, "a machine that was given swap has none");
  const unmapped = folios.filter((folio) => mem.mapping[folio] === 0);
  for (const folio of folios) enter(swap, folio);
  if (unmapped.length > 0) nameSlots(machine, swap, unmapped);
}

/** Largest first, so that their runs of slots are found; their flag is taken for now. */
function cachedFolios({ mem }: Machine): Folio[] {
  const folios: Folio[] = [];
  for (let pfn = 0; pfn < mem.pageCount; pfn++) {
    const folio = pfn as Folio;
    if ((mem.flags[folio] & (PG.tail | PG.buddy)) !== 0 || !folioTestSwapcache(mem, folio))
      continue;
    mem.flags[folio] &= ~PG.swapcache;
    // A file's bit of that number is its own affair, and shmem is in its file already.
    const word = mem.mapping[folio];
    if (word === 0 || (word & MAPPING_ANON) !== 0) folios.push(folio);
  }
  return folios.sort((a, b) => folioNrPages(mem, b) - folioNrPages(mem, a) || a - b);
}

function enter(swap: Swap, folio: Folio): void {
  const { mem } = swap;
  const entry = swap.allocate(folioNrPages(mem, folio));
  assert(entry !== null, "no slot for a page of the swap cache:", folio);
  addToSwapCache(swap, folio, entry);
  mem.flags[folio] |= PG.uptodate;
}

/** One entry for each page of `folios`, which no process maps. */
function nameSlots({ mem, vm }: Machine, swap: Swap, folios: readonly Folio[]): void {
  const mm = vm.createMm("those whose pages are in the swap cache alone");
  const pages = folios.reduce((sum, folio) => sum + folioNrPages(mem, folio), 0);
  let { startVpn: vpn } = vm.mapAnonymous(mm, mm.freeRange(pages));
  for (const folio of folios) {
    const end = mem.private[folio] + folioNrPages(mem, folio);
    for (let slot = mem.private[folio]; slot < end; slot++) {
      swap.duplicate(slot as SwapEntry);
      vm.tables.set(mm.directory.make(vpn++), slot, PTE.swap);
      mm.swapEntries++;
    }
  }
}
