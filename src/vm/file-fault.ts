/**
 * Faults on mapped files: reads, private copies, shared writes.
 *
 * The page is found, or read, with its folio locked; then the entry is looked at again, as another
 * fault may have been faster, and set before the lock is given up: truncate and migration, which
 * take that lock, find it. A shared mapping of a file that is written back gets its write bit by
 * a fault of its own, which makes the folio dirty: a clean entry is never writable. A private one
 * maps the file's page read-only and copies it for the first write. Linux: `do_fault()`,
 * `wp_page_shared()`, `do_fault_around()`, mm/memory.c, 6.1.
 */
import { pageFolio } from "../memory/folio.ts";
import { folioLock, folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut, folioTryGet } from "../memory/folio-ref.ts";
import { GFP_HIGHUSER_MOVABLE } from "../memory/gfp.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { filemapFault } from "../pagecache/fault.ts";
import { folioMarkDirty } from "../pagecache/mark-dirty.ts";
import { pageOffset } from "../pagecache/new-folio.ts";
import { isInFile } from "../pagecache/read.ts";
import type { Blocking } from "../sched/blocking.ts";
import { mapNewAnonymous } from "./copy-on-write.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { NO_ENTRY } from "./page-tables.ts";
import { allocVmaFolio, withTaskPolicy } from "./policy/policy-node.ts";
import { PTE, PTE_NONE } from "./pte.ts";
import { addRmap } from "./rmap.ts";
import type { Vm } from "./vm.ts";

/** "again": the use looks at the entry anew, which is right now or needs another fault. */
export type FileFaultOutcome = "again" | "SIGBUS";

/** Pages that a read fault maps along, if they are there: 64 KiB. Linux: `fault_around_bytes`. */
const FAULT_AROUND_PAGES = 16;

/** A use of an empty entry of a file's VMA. Linux: `do_fault()`. */
export function* fileFault(
  vm: Vm,
  vma: Vma,
  mapping: AddressSpace,
  vpn: number,
  access: "read" | "write",
): Blocking<FileFaultOutcome> {
  if (access === "read") {
    if (faultAround(vm, vma, mapping, vpn)) return "again";
    return yield* readFault(vm, vma, mapping, vpn);
  }
  const isShared = (vma.flags & VM.shared) !== 0;
  return isShared
    ? yield* sharedFault(vm, vma, mapping, vpn)
    : yield* cowFault(vm, vma, mapping, vpn);
}

/** The folio with the page at `offset`, from the owner. Linux: `__do_fault()`. */
export function* faultFolio(
  mem: Memory,
  mm: Mm,
  mapping: AddressSpace,
  offset: number,
): Blocking<Folio | "SIGBUS"> {
  const { fault = filemapFault } = mapping.ops;
  if (mm.policy === null) return yield* fault(mem, mapping, offset);
  return yield* withTaskPolicy(mem, mm, () => fault(mem, mapping, offset));
}

/** Linux: `do_read_fault()`. */
function* readFault(
  vm: Vm,
  vma: Vma,
  mapping: AddressSpace,
  vpn: number,
): Blocking<FileFaultOutcome> {
  const { mem } = vm;
  const offset = offsetOf(vma, vpn);
  const folio = yield* faultFolio(mem, vma.mm, mapping, offset);
  if (folio === "SIGBUS") return folio;
  const page = pageAt(vm, folio, offset);
  const entry = emptyEntry(vm, vma, vpn);
  if (entry !== NO_ENTRY) setFileEntry(vm, vma, entry, page, "read");
  folioUnlock(mem, folio);
  folioPut(mem, folio);
  return "again";
}

/** Linux: `do_shared_fault()`. */
function* sharedFault(
  vm: Vm,
  vma: Vma,
  mapping: AddressSpace,
  vpn: number,
): Blocking<FileFaultOutcome> {
  const { mem } = vm;
  const { pageMkwrite } = mapping.ops;
  const offset = offsetOf(vma, vpn);
  const folio = yield* faultFolio(mem, vma.mm, mapping, offset);
  if (folio === "SIGBUS") return folio;
  if (pageMkwrite !== undefined) {
    folioUnlock(mem, folio);
    const ready = yield* pageMkwrite(mem, mapping, folio);
    if (ready !== "locked") {
      folioPut(mem, folio);
      return ready === "EIO" ? "SIGBUS" : "again";
    }
  }
  const entry = emptyEntry(vm, vma, vpn);
  if (entry !== NO_ENTRY) {
    setFileEntry(vm, vma, entry, pageAt(vm, folio, offset), "write");
    yield* folioMarkDirty(mem, mapping, folio);
  }
  folioUnlock(mem, folio);
  folioPut(mem, folio);
  return "again";
}

/** A private copy of a page that was not mapped yet. Linux: `do_cow_fault()`. */
function* cowFault(
  vm: Vm,
  vma: Vma,
  mapping: AddressSpace,
  vpn: number,
): Blocking<FileFaultOutcome> {
  const { mem } = vm;
  const offset = offsetOf(vma, vpn);
  const copy = yield* allocVmaFolio(mem, vma, vpn, 0, GFP_HIGHUSER_MOVABLE);
  if (copy === null) return "SIGBUS";
  const folio = yield* faultFolio(mem, vma.mm, mapping, offset);
  if (folio === "SIGBUS") {
    folioPut(mem, copy);
    return folio;
  }
  mem.frames.copy(copy, pageAt(vm, folio, offset));
  yield "cow-fault-copied";
  const entry = emptyEntry(vm, vma, vpn);
  if (entry === NO_ENTRY) folioPut(mem, copy);
  else {
    vm.prepareAnonVma(vma);
    mapNewAnonymous(vm, vma, vpn, entry, copy);
    vma.mm.rssPages++;
  }
  folioUnlock(mem, folio);
  folioPut(mem, folio);
  return "again";
}

/**
 * A write to a file's page that a shared mapping has read-only: the owner makes the page ready,
 * then the entry becomes writable and the folio dirty. Linux: `wp_page_shared()`.
 */
export function* sharedWriteFault(
  vm: Vm,
  vma: Vma,
  mapping: AddressSpace,
  vpn: number,
  entry: number,
): Blocking<FileFaultOutcome> {
  const { mem, tables } = vm;
  const page = mem.pfn(tables.pfn(entry));
  const folio = pageFolio(mem, page);
  const { pageMkwrite } = mapping.ops;
  folioGet(mem, folio);
  if (pageMkwrite === undefined) yield* folioLock(mem, folio);
  else {
    const ready = yield* pageMkwrite(mem, mapping, folio);
    if (ready !== "locked") {
      folioPut(mem, folio);
      return ready === "EIO" ? "SIGBUS" : "again";
    }
  }
  yield "shared-write-ready";
  const bits = vma.mm.directory.find(vpn) === entry ? tables.bits(entry) : PTE_NONE;
  if ((bits & PTE.present) !== 0 && tables.pfn(entry) === page && (vma.flags & VM.write) !== 0) {
    const made = PTE.write | PTE.dirty | PTE.young | PTE.softDirty;
    tables.set(entry, page, bits | made);
    yield* folioMarkDirty(mem, vm.cache.folioMapping(folio), folio);
  }
  folioUnlock(mem, folio);
  folioPut(mem, folio);
  return "again";
}

/**
 * Maps what is cached and uptodate around a page that is read; true if that page is among it.
 *
 * Never waits: a folio that is locked or about to be read is passed over. Linux:
 * `do_fault_around()`, `filemap_map_pages()`.
 */
function faultAround(vm: Vm, vma: Vma, mapping: AddressSpace, vpn: number): boolean {
  const from = Math.max(vpn - (vpn % FAULT_AROUND_PAGES), vma.startVpn);
  const to = Math.min(vpn - (vpn % FAULT_AROUND_PAGES) + FAULT_AROUND_PAGES, vma.endVpn);
  for (let at = from; at < to; at++) {
    const offset = offsetOf(vma, at);
    const folio = mapping.folios.load(offset);
    if (folio === null || !lockToMap(vm, mapping, folio, offset)) continue;
    const entry = emptyEntry(vm, vma, at);
    if (entry !== NO_ENTRY) setFileEntry(vm, vma, entry, pageAt(vm, folio, offset), "read");
    folioUnlock(vm.mem, folio);
    folioPut(vm.mem, folio);
  }
  const entry = vma.mm.directory.find(vpn);
  return entry !== NO_ENTRY && (vm.tables.bits(entry) & PTE.present) !== 0;
}

/** Locked and held, if it can be mapped without waiting. Linux: `next_uptodate_page()`. */
function lockToMap(vm: Vm, mapping: AddressSpace, folio: Folio, offset: number): boolean {
  const { mem } = vm;
  const flags = mem.flags[folio];
  if ((flags & (PG.locked | PG.readahead | PG.hwpoison)) !== 0) return false;
  if ((flags & PG.uptodate) === 0 || offset >= pageOffset(mapping.sizeBytes + 4095)) return false;
  if (!folioTryGet(mem, folio)) return false;
  if (folioTrylock(mem, folio)) {
    if (isInFile(mem, mapping, folio)) return true;
    folioUnlock(mem, folio);
  }
  folioPut(mem, folio);
  return false;
}

/** The entry maps the page from now on, with a reference. Linux: `do_set_pte()`. */
function setFileEntry(vm: Vm, vma: Vma, entry: number, page: Pfn, access: "read" | "write"): void {
  const { mem, tables } = vm;
  let bits = PTE.present | PTE.young;
  if (access === "write") bits |= PTE.write | PTE.dirty | PTE.softDirty;
  else if (mapsWritable(vma)) bits |= PTE.write;
  folioGet(mem, pageFolio(mem, page));
  addRmap(mem, page, vma);
  tables.set(entry, page, bits);
  vma.mm.rssPages++;
}

/**
 * Whether a page that is only read may be mapped writable at once: if nobody has to know when it is
 * written. Linux: `vma_wants_writenotify()`, the other way round.
 */
export function mapsWritable({ flags, mapping }: Vma): boolean {
  if ((flags & VM.shared) === 0 || (flags & VM.write) === 0 || mapping === null) return false;
  return !mapping.canWriteback && mapping.ops.pageMkwrite === undefined;
}

/** The entry of `vpn` if the VMA is still there and nothing is mapped, or NO_ENTRY. */
function emptyEntry(vm: Vm, vma: Vma, vpn: number): number {
  if (vma.mm.vmaAt(vpn) !== vma) return NO_ENTRY;
  const entry = vma.mm.directory.make(vpn);
  return vm.tables.bits(entry) === PTE_NONE ? entry : NO_ENTRY;
}

function offsetOf(vma: Vma, vpn: number): number {
  return vma.pgoff + (vpn - vma.startVpn);
}

function pageAt(vm: Vm, folio: Folio, offset: number): Pfn {
  return vm.mem.pfn(folio + (offset - vm.mem.index[folio]));
}
