/**
 * Filling a machine's pages, and the proof that every byte is where its users expect it.
 *
 * The contents of a page follow from who uses it (a process and its virtual page, a file and its
 * offset), never from where it lies. Verification goes the users' way: from the files' indexes and
 * from page table entries to frames. So it does not trust the columns that a broken move could
 * have broken along with the bytes.
 *
 * A page that several processes share has the contents of the first of them. Both passes visit
 * users in the same order, so that two who no longer share find the second one's page wrong.
 */
import { mix32 } from "../base/random.ts";
import { pageFolio } from "../memory/folio.ts";
import type { Frames } from "../memory/frames.ts";
import type { Pfn } from "../memory/memmap.ts";
import { VM, type Vma } from "../vm/mm.ts";
import { entryPfn, NO_ENTRY } from "../vm/page-tables.ts";
import { PTE } from "../vm/pte.ts";
import { folioSwapEntry, folioTestSwapcache } from "../vm/swap/swap-cache.ts";
import { type SwapEntry, swapSlotOf } from "../vm/swap/swap-entry.ts";
import type { Vm } from "../vm/vm.ts";
import type { Machine } from "./machine.ts";

export interface Verification {
  /** Pages that were filled and have been compared. */
  readonly pages: number;
  /** Pages whose contents differ, or that a user no longer reaches. */
  readonly mismatched: number;
}

const PROCESSES = 0x1000_0000;
const OFFSET_STEP = 0x9e3779b1;

/** A page of the machine, or a block of a swap device. */
interface Place {
  readonly frames: Frames;
  readonly at: Pfn;
}

/** Fills every page that a process or a file can reach. Returns how many. */
export function fillContents(machine: Machine, seed: number): number {
  const { mem, vm } = machine;
  let pages = 0;
  visitPages(vm, seed, (place, key) => {
    place.frames.fill(place.at, key);
    // What is clean in the swap cache is in its slot too, and may be read from there later.
    if (place.frames === mem.frames) fillSlot(vm, place.at, key);
    pages++;
  });
  return pages;
}

/** Compares every byte with what `fillContents` wrote for the same seed and machine. */
export function verifyContents(machine: Machine, seed: number, filled: number): Verification {
  let pages = 0;
  let wrong = 0;
  const strays = visitPages(machine.vm, seed, ({ frames, at }, key) => {
    pages++;
    if (!frames.holds(at, key)) wrong++;
  });
  // A page too many is wrong already: nothing was written for it.
  const lost = Math.max(0, filled - pages);
  return { pages: filled, mismatched: wrong + lost + strays };
}

/**
 * Calls `visit` once for each page, with the contents' key of the first user that is found.
 *
 * Returns how many page table entries map another page than the file has at their offset.
 */
function visitPages(vm: Vm, seed: number, visit: (place: Place, key: number) => void): number {
  const { frames } = vm.mem;
  const seen = new Uint8Array((vm.mem.pageCount >>> 3) + 1);
  const seenSlots = new Set<SwapEntry>();
  const keyOf = (owner: number, offset: number): number =>
    (owner + Math.imul(offset, OFFSET_STEP)) | 0;
  const visitOnce = (pfn: Pfn, owner: number, offset: number): void => {
    if ((seen[pfn >>> 3] & (1 << (pfn & 7))) !== 0) return;
    seen[pfn >>> 3] |= 1 << (pfn & 7);
    visit({ frames, at: pfn }, keyOf(owner, offset));
  };
  const visitSlot = (slot: SwapEntry, owner: number, offset: number): void => {
    const page = cachedPage(vm, slot);
    if (page !== null) visitOnce(page, owner, offset);
    else if (!seenSlots.has(slot)) {
      seenSlots.add(slot);
      const place = slotPlace(vm, slot);
      if (place !== null) visit(place, keyOf(owner, offset));
    }
  };
  for (const mapping of vm.cache.mappings) {
    const owner = mix32(seed ^ mapping.id);
    mapping.folios.forEach((offset, folio) => {
      visitOnce((folio + (offset - vm.mem.index[folio])) as Pfn, owner, offset);
    });
    for (const [offset, slot] of mapping.swapped ?? []) {
      visitSlot(slot as SwapEntry, owner, offset);
    }
  }
  let strays = 0;
  for (const mm of vm.mms) {
    if (mm === undefined) continue;
    const owner = mix32(seed ^ (PROCESSES + mm.id));
    for (const vma of mm.vmas) {
      // What a driver has there is the driver's affair, and never moves.
      if (vma.driver !== null) continue;
      forEachMapped(vm, vma, (pfn, vpn) => {
        // A private mapping of a file has copies of its own beside the file's pages.
        if ((vma.flags & VM.shared) === 0) visitOnce(pfn, owner, vpn);
        else if (isStray(vm, vma, pfn, vpn)) strays++;
      });
      if (mm.swapEntries > 0) {
        forEachSwappedOut(vm, vma, (slot, vpn) => visitSlot(slot, owner, vpn));
      }
    }
  }
  return strays;
}

/** The slot of a page in the swap cache gets the same contents. */
function fillSlot(vm: Vm, page: Pfn, key: number): void {
  const folio = pageFolio(vm.mem, page);
  if (vm.swap === null || !folioTestSwapcache(vm.mem, folio)) return;
  const place = slotPlace(vm, (folioSwapEntry(vm.mem, folio) + (page - folio)) as SwapEntry);
  place?.frames.fill(place.at, key);
}

/** The page that stands for a slot, or null. */
function cachedPage(vm: Vm, slot: SwapEntry): Pfn | null {
  const folio = vm.swap?.mapping.folios.load(slot) ?? null;
  return folio === null ? null : ((folio + (slot - folioSwapEntry(vm.mem, folio))) as Pfn);
}

/** Where the bytes of a slot are; null if its device does not say. */
function slotPlace(vm: Vm, slot: SwapEntry): Place | null {
  const frames = vm.swap?.area(slot).device.frames ?? null;
  return frames === null ? null : { frames, at: swapSlotOf(slot) as Pfn };
}

/** Whether the file has another page there than its shared mapping. */
function isStray(vm: Vm, vma: Vma, pfn: Pfn, vpn: number): boolean {
  const offset = vma.pgoff + (vpn - vma.startVpn);
  const folio = vma.mapping?.folios.load(offset) ?? null;
  return folio === null || folio + (offset - vm.mem.index[folio]) !== (pfn as number);
}

/** Entries that name a slot in swap. */
function forEachSwappedOut(vm: Vm, vma: Vma, visit: (slot: SwapEntry, vpn: number) => void): void {
  for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
    const entry = vma.mm.directory.find(vpn);
    if (entry === NO_ENTRY || (vm.tables.bits(entry) & PTE.swap) === 0) continue;
    visit(vm.tables.pfn(entry) as SwapEntry, vpn);
  }
}

/** Present entries, those of the zero page left out. */
function forEachMapped(vm: Vm, vma: Vma, visit: (pfn: Pfn, vpn: number) => void): void {
  for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
    const entry = vma.mm.directory.lookUp(vpn);
    if (entry === NO_ENTRY) continue;
    const bits = vm.tables.bits(entry);
    if ((bits & (PTE.present | PTE.special)) === PTE.present) {
      visit(entryPfn(vm.tables, entry, vpn) as Pfn, vpn);
    }
  }
}
