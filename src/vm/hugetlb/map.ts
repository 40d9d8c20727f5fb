/**
 * Mapping huge pages into a process, and ending that.
 *
 * What a mapping may use it is promised at once, unless it wants no promise. A private mapping is
 * of anonymous memory: a private mapping of a file that others fill is not built. Linux:
 * `hugetlbfs_file_mmap()`, `hugetlb_vm_op_close()`, 6.1.
 */
import { assert } from "../../base/assert.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { type Mm, VM, type Vma, type VmaRange } from "../mm.ts";
import type { Vm } from "../vm.ts";
import { hstateOf } from "./enable.ts";
import type { HugetlbFile } from "./file.ts";
import { HUGETLB_PAGES } from "./hstate.ts";
import { closeReservations, promiseFilePages, promisePages } from "./reserve.ts";

/** Maps private huge pages. `flags` are VM bits, `noReserve` for no promise. */
export function* mapHugetlb(
  vm: Vm,
  mm: Mm,
  range: VmaRange,
  flags: number = VM.read | VM.write,
): Blocking<Vma | "ENOMEM"> {
  assertAligned(range);
  const wantsPromise = (flags & VM.noReserve) === 0;
  const count = (range.endVpn - range.startVpn) / HUGETLB_PAGES;
  if (wantsPromise && !(yield* promisePages(hstateOf(vm), count))) return "ENOMEM";
  const vma = vm.mapAnonymous(mm, range, vmaFlags(flags));
  if (wantsPromise) vma.resvMap = new Set();
  return vma;
}

/** Maps a file's huge pages, shared. */
export function* mapHugetlbFile(
  vm: Vm,
  mm: Mm,
  range: VmaRange,
  file: HugetlbFile,
  flags: number = VM.read | VM.write,
): Blocking<Vma | "ENOMEM"> {
  assertAligned(range);
  if ((flags & VM.noReserve) === 0) {
    const from = range.pgoff / HUGETLB_PAGES;
    const to = from + (range.endVpn - range.startVpn) / HUGETLB_PAGES;
    if (!(yield* promiseFilePages(hstateOf(vm), file, from, to))) return "ENOMEM";
  }
  return vm.mapFile(mm, range, file.mapping, vmaFlags(flags));
}

/** A VMA without pages is about to go. */
export function closeHugetlbVma(vm: Vm, vma: Vma): void {
  closeReservations(hstateOf(vm), vma);
}

/** The file that a shared VMA maps, or null. */
export function hugetlbFileOf(vm: Vm, vma: Vma): HugetlbFile | null {
  if (vma.mapping === null) return null;
  const file = hstateOf(vm).files.get(vma.mapping.id);
  assert(file !== undefined, "a hugetlb VMA of a file that is none:", vma.mapping.name);
  return file;
}

/** They are never given up, so there is nothing for mlock to keep. */
function vmaFlags(flags: number): number {
  return (flags & ~VM.locked) | VM.hugetlb;
}

function assertAligned({ startVpn, endVpn, pgoff }: VmaRange): void {
  const isAligned = [startVpn, endVpn, pgoff].every((at) => at % HUGETLB_PAGES === 0);
  assert(isAligned, "a hugetlb mapping that is not of whole huge pages at", startVpn);
}
