/**
 * Fork: a second process with the same memory.
 *
 * Files stay shared; private pages are shared until one side writes. Entries lose their write bit
 * on both sides. A migration entry is copied as a read-only one on both: the mover finds both.
 * Nobody has a page that is in swap alone any more. mlock is not inherited.
 *
 * Linux: `dup_mmap()`, `copy_pte_range()`, 6.1.
 */
import { assert } from "../base/assert.ts";
import { pageFolio } from "../memory/folio.ts";
import { folioGet } from "../memory/folio-ref.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { runToEnd } from "../sched/run.ts";
import { mapNewAnonymous, tryShareAnonymous } from "./copy-on-write.ts";
import { forkHugeEntry } from "./huge/fork.ts";
import { forkHugetlbRange } from "./hugetlb/range.ts";
import { type Mm, VM, type Vma } from "./mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { HUGE_PAGES, NO_ENTRY } from "./page-tables.ts";
import { PTE, PTE_MIGRATION, PTE_NONE } from "./pte.ts";
import { addRmap } from "./rmap.ts";
import type { SwapEntry } from "./swap/swap-entry.ts";
import { flushTlbRange } from "./tlb.ts";
import type { Vm } from "./vm.ts";
import { exitMm } from "./zap.ts";

/**
 * Makes a child of `parent`; null, and no child, where a pinned page had to be copied and there was
 * no memory.
 */
export function forkMm(vm: Vm, parent: Mm, name: string): Mm | null {
  const child = vm.createMm(name);
  child.policy = parent.policy;
  child.interleavePrevious = parent.interleavePrevious;
  child.allowedNodes = parent.allowedNodes;
  if (copyMemory(vm, parent, child)) return child;
  // None of the child's entries is dirty for a file, so that this waits for no lock.
  runToEnd(exitMm(vm, child));
  return null;
}

/** False if memory ran out; the child has a part of it then. */
function copyMemory(vm: Vm, parent: Mm, child: Mm): boolean {
  for (const vma of parent.vmas) {
    const copy = forkVma(vm, child, vma);
    copy.policy = vma.policy;
    copy.isSoftDirty = vma.isSoftDirty;
    invalidateRangeStart(parent, vma.startVpn, vma.endVpn);
    const isHugetlb = (vma.flags & VM.hugetlb) !== 0;
    const isCopied = isHugetlb ? forkHugetlbRange(vm, vma, copy) : forkEntries(vm, vma, copy);
    invalidateRangeEnd(parent, vma.startVpn, vma.endVpn);
    // The parent's private pages are read-only from here on.
    flushTlbRange(vm, parent, vma.startVpn, vma.endVpn);
    if (!isCopied) return false;
  }
  return true;
}

function forkEntries(vm: Vm, vma: Vma, copy: Vma): boolean {
  for (let vpn = vma.startVpn; vpn < vma.endVpn; vpn++) {
    const isHuge = vma.mm.directory.findHuge(vpn) !== NO_ENTRY;
    if (isHuge && forkHugeEntry(vm, vma, copy, vpn) === "copied") {
      vpn += HUGE_PAGES - 1;
      continue;
    }
    if (!forkEntry(vm, vma, copy, vpn)) return false;
  }
  return true;
}

function forkVma(vm: Vm, child: Mm, vma: Vma): Vma {
  const flags = vma.flags & ~(VM.locked | VM.uffdMissing | VM.uffdWp);
  if (vma.mapping !== null) {
    const copy = vm.mapFilePrivate(child, vma, vma.mapping, flags);
    if (vma.anonVma !== null) vm.joinAnonVma(copy, vma.anonVma);
    return copy;
  }
  if (vma.driver !== null) return vm.mapDriver(child, vma, vma.driver, flags);
  assert(vma.anonVma !== null, "anonymous memory without anon_vma at", vma.startVpn);
  return vm.mapAnonymousAlong(child, vma, vma.anonVma, flags);
}

/** False only if memory ran out. */
function forkEntry(vm: Vm, vma: Vma, copy: Vma, vpn: number): boolean {
  const { mem, tables } = vm;
  const entry = vma.mm.directory.find(vpn);
  const bits = entry === NO_ENTRY ? PTE_NONE : tables.bits(entry);
  if (bits === PTE_NONE) return true;
  const target = copy.mm.directory.make(vpn);
  if ((bits & PTE.swap) !== 0) {
    forkSwapEntry(vm, copy.mm, entry, target);
    return true;
  }
  const page = mem.pfn(tables.pfn(entry));
  if ((bits & PTE.special) !== 0) {
    tables.set(target, page, bits);
    return true;
  }
  copy.mm.rssPages++;
  if ((bits & PTE_MIGRATION) !== 0) {
    const shared = (bits & ~PTE_MIGRATION) | PTE.migrationRead;
    const kept = (vma.flags & VM.shared) === 0 ? shared : bits;
    tables.set(entry, page, kept);
    tables.set(target, page, kept & ~PTE.uffdWp);
    return true;
  }
  const folio = pageFolio(mem, page);
  if (folioTestAnon(mem, folio) && !tryShareAnonymous(vm, page)) {
    const own = folioAlloc(mem, movableRequest(mem.nodeOfCpu[mem.cpu]));
    if (own === null) {
      copy.mm.rssPages--;
      return false;
    }
    mem.frames.copy(own, page);
    mapNewAnonymous(vm, copy, vpn, target, own);
    return true;
  }
  const isShared = (vma.flags & VM.shared) !== 0;
  const kept = isShared ? bits : bits & ~PTE.write;
  tables.set(entry, page, kept);
  folioGet(mem, pageFolio(mem, page));
  addRmap(mem, page, copy);
  // Who writes to a shared page says so by its own entry.
  const dropped = PTE.young | PTE.uffdWp | (isShared ? PTE.dirty : 0);
  tables.set(target, page, kept & ~dropped);
  return true;
}

/** Both sides name the slot, and neither alone. Linux: `copy_nonpresent_pte()`. */
function forkSwapEntry({ swap, tables }: Vm, child: Mm, entry: number, target: number): void {
  assert(swap !== null, "a swap entry on a machine without swap:", entry);
  const slot = tables.pfn(entry) as SwapEntry;
  const shared = tables.bits(entry) & ~PTE.swapExclusive;
  swap.duplicate(slot);
  tables.set(entry, slot, shared);
  tables.set(target, slot, shared);
  child.swapEntries++;
}
