/**
 * A process uses a huge page.
 *
 * Order of steps of a fault: the fault mutex; the entry, looked at again; a folio, the cache's or a
 * new one, zeroed; for a file its entry into the cache and the folio's lock; the page table entry;
 * and only then the mark that lets it be isolated, as a folio that is moved before it is mapped is
 * lost to its fault. Linux: `hugetlb_fault()`, `hugetlb_no_page()`, mm/hugetlb.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { folioLock, folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { mappingWord } from "../../memory/mapping-word.ts";
import { type Folio, type Pfn, setFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { migrationEntryWait } from "../migration-entry.ts";
import { VM, type Vma } from "../mm.ts";
import { NO_ENTRY } from "../page-tables.ts";
import { hugeNode } from "../policy/policy-node.ts";
import { PTE, PTE_MIGRATION, PTE_NONE } from "../pte.ts";
import { addRmapHuge } from "../rmap.ts";
import type { Vm } from "../vm.ts";
import { allocHugetlbForVma } from "./alloc-for-vma.ts";
import { hugetlbWriteFault, mapNewPrivate } from "./copy-on-write.ts";
import { hstateOf } from "./enable.ts";
import { type HugetlbFile, hugetlbAddToCache } from "./file.ts";
import { HPG, setHugetlbBit } from "./folio-state.ts";
import { HUGETLB_PAGES } from "./hstate.ts";
import { hugetlbFileOf } from "./map.ts";
import { commitReservation, hugeIndex, needsReservation } from "./reserve.ts";

/**
 * The page behind `vpn` of a hugetlb VMA that allows the use, if it is there; "again" after a
 * fault, when the use starts over. Valid until the caller is next preempted.
 */
export function* hugetlbUserPage(
  vm: Vm,
  vma: Vma,
  vpn: number,
  access: "read" | "write",
): Blocking<Pfn | "again" | "SIGBUS"> {
  const { tables } = vm;
  const wanted = access === "write" ? PTE.present | PTE.write : PTE.present;
  const entry = vma.mm.directory.findHuge(vpn);
  const bits = entry === NO_ENTRY ? PTE_NONE : tables.bits(entry);
  if ((bits & wanted) === wanted) {
    const touched = access === "write" ? PTE.young | PTE.dirty | PTE.softDirty : PTE.young;
    tables.set(entry, tables.pfn(entry), bits | touched);
    return vm.mem.pfn(tables.pfn(entry) + (vpn % HUGETLB_PAGES));
  }
  if ((bits & PTE_MIGRATION) !== 0) {
    yield* migrationEntryWait(vm, entry);
    return "again";
  }
  const { faultMutex } = hstateOf(vm);
  yield* faultMutex.lock();
  const outcome = yield* fault(vm, vma, vpn - (vpn % HUGETLB_PAGES));
  faultMutex.unlock();
  return outcome;
}

function* fault(vm: Vm, vma: Vma, vpn: number): Blocking<"again" | "SIGBUS"> {
  // The VMA may have gone while the mutex was waited for.
  if (vma.mm.vmaAt(vpn) !== vma) return "again";
  const entry = vma.mm.directory.findHuge(vpn);
  const bits = entry === NO_ENTRY ? PTE_NONE : vm.tables.bits(entry);
  if (bits === PTE_NONE) {
    const file = hugetlbFileOf(vm, vma);
    return file === null ? yield* privateFault(vm, vma, vpn) : yield* fileFault(vm, vma, vpn, file);
  }
  if ((bits & PTE.present) === 0 || (bits & PTE.write) !== 0) return "again";
  if (vma.mapping === null) return yield* hugetlbWriteFault(vm, vma, vpn, entry);
  if ((vma.flags & VM.write) !== 0) {
    vm.tables.set(entry, vm.tables.pfn(entry), bits | PTE.write);
  }
  return "again";
}

function* privateFault(vm: Vm, vma: Vma, vpn: number): Blocking<"again" | "SIGBUS"> {
  const { mem } = vm;
  const index = hugeIndex(vma, vpn);
  const claim = needsReservation(null, vma, index) ? "unpromised" : "promised";
  const folio = yield* allocHugetlbForVma(hstateOf(vm), null, claim, hugeNode(mem, vma, vpn));
  if (folio === null) return "SIGBUS";
  clearPages(mem, folio);
  yield "hugetlb-fault-cleared";
  if (!isVacant(vm, vma, vpn)) {
    folioPut(mem, folio);
    return "again";
  }
  const write = (vma.flags & VM.write) !== 0 ? PTE.write : 0;
  mapNewPrivate(vm, vma, vpn, folio, write | PTE.young | PTE.softDirty);
  vma.mm.hugetlbPages += HUGETLB_PAGES;
  commitReservation(null, vma, index);
  yield "hugetlb-fault-mapped";
  setHugetlbBit(mem, folio, HPG.migratable);
  return "again";
}

function* fileFault(
  vm: Vm,
  vma: Vma,
  vpn: number,
  file: HugetlbFile,
): Blocking<"again" | "SIGBUS"> {
  const { mem } = vm;
  const offset = vma.pgoff + (vpn - vma.startVpn);
  const cached = file.mapping.folios.load(offset);
  if (cached !== null) {
    yield* mapCached(vm, vma, vpn, file, cached);
    return "again";
  }
  const index = hugeIndex(vma, vpn);
  const claim = needsReservation(file, vma, index) ? "unpromised" : "promised";
  const folio = yield* allocHugetlbForVma(hstateOf(vm), file, claim, hugeNode(mem, vma, vpn));
  if (folio === null) return "SIGBUS";
  clearPages(mem, folio);
  setFlag(mem, folio, PG.uptodate);
  folioTrylock(mem, folio);
  hugetlbAddToCache(mem, file, folio, offset);
  commitReservation(file, vma, index);
  yield "hugetlb-fault-cached";
  if (isVacant(vm, vma, vpn)) mapFile(vm, vma, vpn, folio);
  yield "hugetlb-fault-mapped";
  setHugetlbBit(mem, folio, HPG.migratable);
  folioUnlock(mem, folio);
  folioPut(mem, folio);
  return "again";
}

/**
 * Maps a folio that is in the cache, and stays there while its lock is waited for: the reference
 * keeps it from moving, the fault mutex from being truncated.
 */
function* mapCached(
  vm: Vm,
  vma: Vma,
  vpn: number,
  { mapping }: HugetlbFile,
  folio: Folio,
): Blocking<void> {
  const { mem } = vm;
  folioGet(mem, folio);
  yield* folioLock(mem, folio);
  yield "hugetlb-fault-locked";
  assert(mem.mapping[folio] === mappingWord(mapping.id, 0), "a huge page left its file:", folio);
  if (isVacant(vm, vma, vpn)) mapFile(vm, vma, vpn, folio);
  folioUnlock(mem, folio);
  folioPut(mem, folio);
}

/** One more entry for a locked folio of a file. */
function mapFile(vm: Vm, vma: Vma, vpn: number, folio: Folio): void {
  const { mem } = vm;
  folioGet(mem, folio);
  addRmapHuge(mem, folio, vma);
  const write = (vma.flags & VM.write) !== 0 ? PTE.write : 0;
  const bits = PTE.present | PTE.huge | PTE.young | PTE.softDirty | write;
  vm.tables.set(vma.mm.directory.makeHuge(vpn), folio, bits);
  vma.mm.hugetlbPages += HUGETLB_PAGES;
}

/** Whether the VMA is still there with nothing mapped at `vpn`. */
function isVacant(vm: Vm, vma: Vma, vpn: number): boolean {
  if (vma.mm.vmaAt(vpn) !== vma) return false;
  const entry = vma.mm.directory.findHuge(vpn);
  return entry === NO_ENTRY || vm.tables.bits(entry) === PTE_NONE;
}

function clearPages(mem: Memory, folio: Folio): void {
  for (let at = 0; at < HUGETLB_PAGES; at++) mem.frames.clear((folio + at) as Pfn);
}
