/**
 * Getting a process's pages, for those who use them by their frames: devices, direct I/O, pipes.
 *
 * FOLL_GET takes a plain reference, FOLL_PIN one that says that a device may write. The fast way
 * holds no lock: it reads the entry, takes the reference, and reads the entry again; if the page
 * was moved or unmapped in between it lets go. The slow way faults the page in and takes it under
 * the page table lock. A page that is to be pinned and that processes share is copied first, for
 * reading too, so that what the device sees stays what the process sees.
 * Linux: mm/gup.c, 6.1: `internal_get_user_pages_fast()`, `__get_user_pages()`.
 */
import { assert } from "../base/assert.ts";
import type { Errno } from "../base/errno.ts";
import { pageFolio } from "../memory/folio.ts";
import { folioPut, folioTryGet, folioTryPin, folioUnpin } from "../memory/folio-ref.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import { type Folio, type Pfn, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import { writeFault } from "./copy-on-write.ts";
import { type FaultError, faultInPage } from "./fault.ts";
import { hugeWriteFault } from "./huge/fault.ts";
import { type Mm, VM } from "./mm.ts";
import { entryPfn, NO_ENTRY } from "./page-tables.ts";
import { PTE } from "./pte.ts";
import type { Vm } from "./vm.ts";

/** Linux: FOLL_*. */
export const FOLL = {
  write: 0x1,
  get: 0x4,
  longterm: 0x10000,
  pin: 0x40000,
} as const;

/**
 * What happens to pages that were pinned for long: "pinnable" if they may be. Otherwise all have
 * been unpinned, and "again" says that those in the way have moved. Callers of migration supply it.
 * Linux: `check_and_migrate_movable_pages()`.
 */
export type LongtermPin = (vm: Vm, pages: readonly Pfn[]) => Blocking<"pinnable" | "again" | Errno>;

/**
 * Gets `count` pages from `vpn` on, or as many as come before the first that fails; an errno if
 * that is the first of all. Give them back with `putUserPages` or `unpinUserPages`.
 */
export function* getUserPages(
  vm: Vm,
  mm: Mm,
  vpn: number,
  count: number,
  flags: number,
): Blocking<readonly Pfn[] | Errno> {
  const isPin = (flags & FOLL.pin) !== 0;
  const isLongterm = (flags & FOLL.longterm) !== 0;
  if (isPin === ((flags & FOLL.get) !== 0) || (isLongterm && !isPin)) return "EINVAL";
  for (;;) {
    const pages = yield* getPages(vm, mm, vpn, count, flags);
    if (!isLongterm || typeof pages === "string" || vm.longtermPin === null) return pages;
    const outcome = yield* vm.longtermPin(vm, pages);
    if (outcome === "pinnable") return pages;
    if (outcome !== "again") return outcome;
  }
}

/** Linux: `put_page()` for each. */
export function putUserPages(mem: Memory, pages: readonly Pfn[]): void {
  for (const page of pages) folioPut(mem, pageFolio(mem, page));
}

/** Linux: `unpin_user_pages()`. */
export function unpinUserPages(mem: Memory, pages: readonly Pfn[]): void {
  for (const page of pages) folioUnpin(mem, pageFolio(mem, page));
}

/** Pins one page for a device that may write to it, and tells its folio. */
export function* pinUserPage(vm: Vm, mm: Mm, vpn: number): Blocking<Folio | FaultError> {
  const page = yield* getPage(vm, mm, vpn, FOLL.pin | FOLL.write);
  return typeof page === "string" ? page : pageFolio(vm.mem, page);
}

function* getPages(
  vm: Vm,
  mm: Mm,
  vpn: number,
  count: number,
  flags: number,
): Blocking<readonly Pfn[] | Errno> {
  const pages: Pfn[] = [];
  for (let at = 0; at < count; at++) {
    const page = yield* getPage(vm, mm, vpn + at, flags);
    if (typeof page === "number") pages.push(page);
    else if (at === 0) return page === "SIGBUS" && hasMemory(mm, vpn) ? "ENOMEM" : "EFAULT";
    else break;
  }
  return pages;
}

/** Whether what failed was an allocation: a file's page beyond its end is a bad address. */
function hasMemory(mm: Mm, vpn: number): boolean {
  return mm.vmaAt(vpn)?.mapping === null;
}

function* getPage(vm: Vm, mm: Mm, vpn: number, flags: number): Blocking<Pfn | FaultError> {
  // What is pinned for long may have to be moved first, which the fast way leaves to the slow.
  const isFast = (flags & FOLL.longterm) === 0;
  const page = isFast ? yield* getPageFast(vm, mm, vpn, flags) : null;
  return page ?? (yield* getPageSlow(vm, mm, vpn, flags));
}

/** Null where the slow way has to see to it. Linux: `gup_pte_range()`. */
function* getPageFast(vm: Vm, mm: Mm, vpn: number, flags: number): Steps<Pfn | null> {
  const { mem, tables } = vm;
  const entry = mm.directory.lookUp(vpn);
  const bits = entry === NO_ENTRY ? 0 : tables.bits(entry);
  const wanted = (flags & FOLL.write) === 0 ? PTE.present : PTE.present | PTE.write;
  if ((bits & (wanted | PTE.special | PTE.protNone)) !== wanted) return null;
  const page = mem.pfn(entryPfn(tables, entry, vpn));
  const folio = pageFolio(mem, page);
  yield "gup-fast-entry-read";
  if (!tryGrab(mem, folio, flags)) return null;
  yield "gup-fast-pinned";
  const unchanged =
    mm.directory.lookUp(vpn) === entry &&
    tables.bits(entry) === bits &&
    !mustUnshare(mem, page, bits, flags);
  if (unchanged && entryPfn(tables, entry, vpn) === (page as number)) return page;
  release(mem, folio, flags);
  return null;
}

function tryGrab(mem: Memory, folio: Folio, flags: number): boolean {
  return (flags & FOLL.pin) === 0 ? folioTryGet(mem, folio) : folioTryPin(mem, folio);
}

function release(mem: Memory, folio: Folio, flags: number): void {
  if ((flags & FOLL.pin) === 0) folioPut(mem, folio);
  else folioUnpin(mem, folio);
}

/** Whether the process would get another page with its next write. Linux: `gup_must_unshare()`. */
function mustUnshare(mem: Memory, page: Pfn, bits: number, flags: number): boolean {
  if ((bits & PTE.write) !== 0 || (flags & FOLL.pin) === 0) return false;
  const isShared = !testFlag(mem, page, PG.anonExclusive);
  return isShared && folioTestAnon(mem, pageFolio(mem, page));
}

function* getPageSlow(vm: Vm, mm: Mm, vpn: number, flags: number): Blocking<Pfn | FaultError> {
  const { mem, tables } = vm;
  for (;;) {
    const vma = mm.vmaAt(vpn);
    if (vma === null || (vma.flags & (VM.io | VM.pfnmap)) !== 0) return "SIGSEGV";
    const access = (flags & FOLL.write) === 0 ? "read" : "write";
    const page = yield* faultInPage(vm, mm, vpn, access);
    if (typeof page === "string") return page;
    const entry = mm.directory.lookUp(vpn);
    const bits = tables.bits(entry);
    if (mustUnshare(mem, page, bits, flags)) {
      const outcome = yield* unshare(vm, mm, vpn, entry);
      if (outcome === "SIGBUS") return outcome;
      continue;
    }
    // The entry holds a reference, or it is the zero page, which nobody frees.
    assert(tryGrab(mem, pageFolio(mem, page), flags), "a mapped page that nobody holds:", page);
    return page;
  }
}

/** Gives the process a page of its own, to read as before. Linux: FAULT_FLAG_UNSHARE. */
function* unshare(vm: Vm, mm: Mm, vpn: number, entry: number): Blocking<"done" | "SIGBUS"> {
  const { tables } = vm;
  const vma = mm.vmaAt(vpn);
  if (vma === null) return "done";
  if ((tables.bits(entry) & PTE.huge) !== 0) {
    yield* hugeWriteFault(vm, vma, vpn);
    return "done";
  }
  const outcome = yield* writeFault(vm, vma, vpn, entry);
  if (outcome === "SIGBUS") return outcome;
  const now = mm.directory.find(vpn);
  if (outcome === "done" && now !== NO_ENTRY) {
    tables.set(now, tables.pfn(now), tables.bits(now) & ~PTE.write);
  }
  return "done";
}
