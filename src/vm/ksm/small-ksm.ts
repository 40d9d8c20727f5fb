/**
 * Pages that KSM may merge, or has merged, for tests and for scenarios that are run many times.
 */
import { assert } from "../../base/assert.ts";
import type { Folio } from "../../memory/memmap.ts";
import { runToEnd } from "../../sched/run.ts";
import { VM, type Vma } from "../mm.ts";
import { touchPage, type UserPage } from "../small-vm.ts";
import type { Vm } from "../vm.ts";
import { ksmScan } from "./scan.ts";

/** A new process whose pages, one for each of `values`, hold those and are KSM's to merge. */
export function mergeablePages(vm: Vm, values: readonly number[]): UserPage[] {
  const mm = vm.createMm(`process ${vm.mms.length}`);
  const vma = vm.mapAnonymous(mm, mm.freeRange(values.length), VM.read | VM.write | VM.mergeable);
  return values.map((value, at) => touchPage(vm, vma, vma.startVpn + at, value));
}

/** One pass over all that is mergeable. */
export function ksmPass(vm: Vm): void {
  runToEnd(ksmScan(vm, Number.POSITIVE_INFINITY));
}

/** Processes whose pages, equal and one each, are merged. */
export function mergedPages(vm: Vm, value: number, processes: number): UserPage[] {
  const pages = Array.from({ length: processes }, () => mergeablePages(vm, [value])[0]);
  ksmPass(vm);
  ksmPass(vm);
  const folio = folioAt(vm, pages[0].vma, pages[0].vpn);
  assert(vm.mem.mapcount[folio] === processes, "equal pages were not merged:", folio);
  return pages.map((page) => ({ ...page, folio }));
}

/** The folio that a page of the VMA lies in now. */
export function folioAt(vm: Vm, vma: Vma, vpn: number): Folio {
  return vm.mem.pfn(vm.tables.pfn(vma.mm.directory.find(vpn))) as Folio;
}
