/**
 * A process uses its memory: reads, writes, and the faults that they take.
 *
 * A use finds the entry present with the right permission, or faults and tries again. From the
 * moment that the entry is found until the word is read or written nothing else runs. On a machine
 * with TLBs a use that hits looks at no entry at all.
 *
 * A fault that needs a new page may sleep for it. It then looks at the VMA and the entry again, and
 * where either has changed it gives the page back and the use starts over.
 * Linux: mm/memory.c, 6.1.
 */

import { assert } from "../base/assert.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { GFP_HIGHUSER_MOVABLE, gfpRequest } from "../memory/gfp.ts";
import type { Pfn } from "../memory/memmap.ts";
import { folioAllocGfp } from "../memory/page-alloc.ts";
import type { Blocking } from "../sched/blocking.ts";
import { mapNewAnonymous, writeFault } from "./copy-on-write.ts";
import { driverFault } from "./driver-pages.ts";
import { fileFault, sharedWriteFault } from "./file-fault.ts";
import { hugeAnonymousFault, hugeWriteFault, mayFaultHuge } from "./huge/fault.ts";
import { hugeFileFault } from "./huge/map-file.ts";
import { hugetlbUserPage } from "./hugetlb/fault.ts";
import { migrationEntryWait } from "./migration-entry.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { entryPfn, NO_ENTRY } from "./page-tables.ts";
import { allocVmaFolio } from "./policy/policy-node.ts";
import { PTE, PTE_MIGRATION, PTE_NONE } from "./pte.ts";
import { swapFault } from "./swap/swap-in.ts";
import type { Tlbs } from "./tlb.ts";
import { waitForUserfault } from "./userfaultfd.ts";
import type { Vm } from "./vm.ts";
import { mapZeroPage } from "./zero-page.ts";

/**
 * Why a use of memory ended: SIGSEGV for no mapping or no permission, SIGBUS for no memory, or no
 * file there.
 */
export type FaultError = "SIGSEGV" | "SIGBUS";

/** Writes one 4-byte word of a page. */
export function* writeUser(
  vm: Vm,
  mm: Mm,
  vpn: number,
  word: number,
  value: number,
): Blocking<FaultError | "done"> {
  const page = yield* userPage(vm, mm, vpn, "write");
  if (typeof page === "string") return page;
  vm.mem.frames.writeWord(page, word, value);
  return "done";
}

/** Reads one 4-byte word of a page. */
export function* readUser(
  vm: Vm,
  mm: Mm,
  vpn: number,
  word: number,
): Blocking<FaultError | number> {
  const page = yield* userPage(vm, mm, vpn, "read");
  return typeof page === "string" ? page : vm.mem.frames.readWord(page, word);
}

/** The page behind a virtual page, faulted in. Valid until the caller is next preempted. */
export function* userPage(
  vm: Vm,
  mm: Mm,
  vpn: number,
  access: "read" | "write",
): Blocking<Pfn | FaultError> {
  return yield* lookUpPage(vm, mm, vpn, access, vm.tlbs);
}

/**
 * The same for the kernel, which looks at the page tables whatever a TLB says.
 *
 * Linux: `faultin_page()` and `follow_page_mask()`, mm/gup.c.
 */
export function* faultInPage(
  vm: Vm,
  mm: Mm,
  vpn: number,
  access: "read" | "write",
): Blocking<Pfn | FaultError> {
  return yield* lookUpPage(vm, mm, vpn, access, null);
}

function* lookUpPage(
  vm: Vm,
  mm: Mm,
  vpn: number,
  access: "read" | "write",
  tlbs: Tlbs | null,
): Blocking<Pfn | FaultError> {
  const { tables } = vm;
  const wanted = access === "write" ? PTE.present | PTE.write : PTE.present;
  for (;;) {
    yield "user-access";
    if (tlbs !== null) {
      const cached = tlbs.lookUp(vm.mem.cpu, mm, vpn, access);
      if (cached !== null) return cached;
    }
    if (mm.mmapLock.held) yield* mm.mmapLock.wait();
    const vma = mm.vmaAt(vpn);
    if (vma === null) return "SIGSEGV";
    if ((vma.flags & (access === "write" ? VM.write : VM.read)) === 0) return "SIGSEGV";
    if ((vma.flags & VM.hugetlb) !== 0) {
      const page = yield* hugetlbUserPage(vm, vma, vpn, access);
      if (page === "again") continue;
      return page;
    }
    if (vma.userfaultfd !== null && (yield* waitForUserfault(vm, vma, vpn, access))) continue;
    let entry = mm.directory.lookUp(vpn);
    if (entry === NO_ENTRY) {
      if (mayFaultHuge(vm, vma, vpn)) {
        yield* hugeAnonymousFault(vm, vma, vpn, access);
        continue;
      }
      const { mapping } = vma;
      if (mapping !== null && (yield* hugeFileFault(vm, vma, mapping, vpn, access))) continue;
      entry = mm.directory.make(vpn);
    }
    const bits = tables.bits(entry);
    if ((bits & wanted) === wanted) {
      const touched = access === "write" ? PTE.young | PTE.dirty | PTE.softDirty : PTE.young;
      tables.set(entry, tables.pfn(entry), bits | touched);
      const page = vm.mem.pfn(entryPfn(tables, entry, vpn));
      if (tlbs !== null) tlbs.fill(vm.mem.cpu, mm, vpn, page, bits | touched);
      return page;
    }
    if ((bits & PTE_MIGRATION) !== 0) yield* migrationEntryWait(vm, entry);
    else if ((bits & PTE.huge) !== 0) yield* hugeWriteFault(vm, vma, vpn);
    else if ((bits & PTE.swap) !== 0) {
      assert(vm.swap !== null, "a swap entry on a machine without swap:", vpn);
      const outcome = yield* swapFault(vm, vm.swap, vma, vpn, access);
      if (outcome === "SIGBUS") return "SIGBUS";
    } else if ((bits & PTE.present) !== 0 && (bits & PTE.special) === 0) {
      if ((yield* presentFault(vm, vma, vpn, entry)) === "SIGBUS") return "SIGBUS";
    } else if (vma.driver !== null) {
      if (!driverFault(vm, vma, vpn)) return "SIGBUS";
    } else if (vma.mapping !== null) {
      const { mapping } = vma;
      if ((yield* fileFault(vm, vma, mapping, vpn, access)) === "SIGBUS") return "SIGBUS";
    } else if (access === "read") {
      if (!mapZeroPage(vm, entry)) return "SIGBUS";
    } else if ((yield* anonymousFault(vm, vma, vpn)) === "SIGBUS") return "SIGBUS";
  }
}

/** A write to a page that is mapped read-only. Linux: `do_wp_page()`. */
function* presentFault(
  vm: Vm,
  vma: Vma,
  vpn: number,
  entry: number,
): Blocking<"done" | "again" | "SIGBUS"> {
  const { mapping } = vma;
  return mapping !== null && (vma.flags & VM.shared) !== 0
    ? yield* sharedWriteFault(vm, vma, mapping, vpn, entry)
    : yield* writeFault(vm, vma, vpn, entry);
}

/**
 * A new zeroed page for an entry that is empty or special; "again" if it no longer is.
 *
 * From `node` outwards; by policy if none is named. Linux: `do_anonymous_page()`.
 */
export function* anonymousFault(
  vm: Vm,
  vma: Vma,
  vpn: number,
  node?: number,
): Blocking<"done" | "again" | "SIGBUS"> {
  const { mem } = vm;
  const folio =
    node === undefined
      ? yield* allocVmaFolio(mem, vma, vpn, 0, GFP_HIGHUSER_MOVABLE)
      : yield* folioAllocGfp(mem, gfpRequest(GFP_HIGHUSER_MOVABLE, 0, node));
  if (folio === null) return "SIGBUS";
  const { directory } = vma.mm;
  const isSame = vma.mm.vmaAt(vpn) === vma && directory.findHuge(vpn) === NO_ENTRY;
  const entry = isSame ? directory.make(vpn) : NO_ENTRY;
  if (entry === NO_ENTRY || !takesNewPage(vm.tables.bits(entry))) {
    folioPut(mem, folio);
    return "again";
  }
  mem.frames.clear(folio);
  mapNewAnonymous(vm, vma, vpn, entry, folio);
  vma.mm.rssPages++;
  return "done";
}

/** Nothing is mapped, or nothing but the zero page. */
function takesNewPage(bits: number): boolean {
  return bits === PTE_NONE || (bits & PTE.special) !== 0;
}
