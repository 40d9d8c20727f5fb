/**
 * Filling a machine's pages, and the proof that every byte is where its user expects it.
 *
 * The contents of a page follow from who uses it (an anonymous page's anon_vma and offset, a
 * cached one's file and offset), never from where it lies. Verification goes the users' way: from
 * page table entries and from the files' indexes to frames. So it does not trust the columns that
 * a broken move could have broken along with the bytes.
 */
import { mix32 } from "../base/random.ts";
import type { Pfn } from "../memory/memmap.ts";
import type { Vma } from "../vm/mm.ts";
import { NO_ENTRY } from "../vm/page-tables.ts";
import { PTE } from "../vm/pte.ts";
import type { Vm } from "../vm/vm.ts";
import type { Machine } from "./machine.ts";

export interface Verification {
  /** Pages that were filled and have been compared. */
  readonly pages: number;
  /** Pages whose contents differ, or that a user no longer reaches. */
  readonly mismatched: number;
}

const ANONYMOUS = 0x1000_0000;
const OFFSET_STEP = 0x9e3779b1;

/** Fills every page that a process or a file can reach. Returns how many. */
export function fillContents(machine: Machine, seed: number): number {
  const { frames } = machine.mem;
  let pages = 0;
  forEachPage(machine.vm, seed, (pfn, key) => {
    frames.fill(pfn, key);
    pages++;
  });
  return pages;
}

/** Compares every byte with what `fillContents` wrote for the same seed and machine. */
export function verifyContents(machine: Machine, seed: number, filled: number): Verification {
  const { frames } = machine.mem;
  let pages = 0;
  let wrong = 0;
  forEachPage(machine.vm, seed, (pfn, key) => {
    pages++;
    if (!frames.holds(pfn, key)) wrong++;
  });
  return {
    pages: filled,
    mismatched: wrong + Math.abs(filled - pages) + countSplitShares(machine),
  };
}

/** Calls `visit` once for each page, by one of its users. */
function forEachPage(vm: Vm, seed: number, visit: (pfn: Pfn, key: number) => void): void {
  for (const anonVma of vm.anonVmas) {
    if (anonVma === undefined) continue;
    const owner = mix32(seed ^ (ANONYMOUS + anonVma.id));
    forEachMapped(vm, anonVma.vmas[0], (pfn, offset) => {
      visit(pfn, (owner + Math.imul(offset, OFFSET_STEP)) | 0);
    });
  }
  for (const mapping of vm.cache.mappings) {
    const owner = mix32(seed ^ mapping.id);
    mapping.folios.forEach((offset, folio) => {
      const page = (folio + (offset - vm.mem.index[folio])) as Pfn;
      visit(page, (owner + Math.imul(offset, OFFSET_STEP)) | 0);
    });
  }
}

function forEachMapped(vm: Vm, vma: Vma, visit: (pfn: Pfn, offset: number) => void): void {
  for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
    const entry = vma.mm.directory.find(vpn);
    if (entry === NO_ENTRY || (vm.tables.bits(entry) & PTE.present) === 0) continue;
    visit(vm.tables.pfn(entry) as Pfn, vma.pgoff + (vpn - vma.startVpn));
  }
}

/** Pages that two processes share and map, and that are no longer the same page for both. */
function countSplitShares({ vm }: Machine): number {
  let split = 0;
  for (const anonVma of vm.anonVmas) {
    if (anonVma === undefined || anonVma.vmas.length < 2) continue;
    const [first, ...others] = anonVma.vmas;
    for (const other of others) {
      for (let at = 0; first.startVpn + at < first.endVpn; at++) {
        const frame = frameAt(vm, other, at);
        if (frame !== -1 && frame !== frameAt(vm, first, at)) split++;
      }
    }
  }
  return split;
}

function frameAt(vm: Vm, vma: Vma, at: number): number {
  const entry = vma.mm.directory.find(vma.startVpn + at);
  if (entry === NO_ENTRY || (vm.tables.bits(entry) & PTE.present) === 0) return -1;
  return vm.tables.pfn(entry);
}
