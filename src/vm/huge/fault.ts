/**
 * Faults that a huge entry can serve, and faults on huge entries.
 *
 * Memory that wants huge pages gets one at its first touch, if the 2 MiB around it lie in the VMA
 * and no page table is there yet: the huge zero page for a read, a zeroed folio for a write. What
 * cannot be had falls back to single pages, without a word but a count.
 *
 * A write to a shared folio reuses it if the last reference is its mapping; otherwise the entry is
 * split, and the one page copied. Linux: `do_huge_pmd_anonymous_page()`, `do_huge_pmd_wp_page()`,
 * mm/huge_memory.c, 6.1.
 */
import { VM_EVENT } from "../../events/vmstat.ts";
import { pageFolio } from "../../memory/folio.ts";
import { folioWaitUnlock } from "../../memory/folio-lock.ts";
import { folioGet, folioPut } from "../../memory/folio-ref.ts";
import { GFP_TRANSHUGE, GFP_TRANSHUGE_LIGHT, gfpRequest } from "../../memory/gfp.ts";
import { folioAddLru } from "../../memory/lru.ts";
import { type Folio, type Pfn, setFlag, testFlag } from "../../memory/memmap.ts";
import { folioAllocGfp } from "../../memory/page-alloc.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Blocking } from "../../sched/blocking.ts";
import { VM, type Vma, vmaIsAnonymous } from "../mm.ts";
import { HUGE_PAGES, hugeStart, NO_ENTRY } from "../page-tables.ts";
import { allocVmaFolio } from "../policy/policy-node.ts";
import { PTE } from "../pte.ts";
import { addRmapHuge, setAnonOwner } from "../rmap.ts";
import type { Vm } from "../vm.ts";
import { splitHugePmd } from "./split-pmd.ts";
import { HUGE_ORDER, mmGetHugeZeroPage } from "./zero-page.ts";

/** Whether a fault there may map a huge page. Linux: `hugepage_vma_check()` and what follows. */
export function mayFaultHuge(vm: Vm, vma: Vma, vpn: number): boolean {
  const { enabled } = vm.thp;
  if (enabled === "never" || !vmaIsAnonymous(vma)) return false;
  if ((vma.flags & (VM.nohugepage | VM.io | VM.incompleteStack)) !== 0) return false;
  if (enabled === "madvise" && (vma.flags & VM.hugepage) === 0) return false;
  const start = hugeStart(vpn);
  if (start < vma.startVpn || start + HUGE_PAGES > vma.endVpn) return false;
  return vma.mm.directory.isVacant(vpn);
}

/**
 * Serves a fault where `mayFaultHuge` by a huge entry or, failing that, an empty page table: the
 * use that faulted then starts over. The folio comes from `node` outwards; from the processor's own
 * if none is named.
 */
export function* hugeAnonymousFault(
  vm: Vm,
  vma: Vma,
  vpn: number,
  access: "read" | "write",
  node?: number,
): Blocking<void> {
  const { mem } = vm;
  if (access === "read" && vm.thp.useZeroPage) {
    if (!mapHugeZeroPage(vm, vma, vpn)) fallBack(vm, vma, vpn);
    return;
  }
  const gfp = (vma.flags & VM.hugepage) !== 0 ? GFP_TRANSHUGE : GFP_TRANSHUGE_LIGHT;
  const folio =
    node === undefined
      ? yield* allocVmaFolio(mem, vma, vpn, HUGE_ORDER, gfp)
      : yield* folioAllocGfp(mem, gfpRequest(gfp, HUGE_ORDER, node));
  // The allocator may have slept: another thread may have served the fault, or unmapped the VMA.
  const isSame = vma.mm.vmaAt(vpn) === vma && mayFaultHuge(vm, vma, vpn);
  if (folio === null) {
    if (isSame) fallBack(vm, vma, vpn);
  } else if (isSame) {
    for (let at = 0; at < HUGE_PAGES; at++) mem.frames.clear((folio + at) as Pfn);
    mapHugeAnonymous(vm, vma, vpn, folio);
    mem.events.count(VM_EVENT.thp_fault_alloc, 1);
  } else {
    folioPut(mem, folio);
  }
}

function fallBack(vm: Vm, vma: Vma, vpn: number): void {
  vm.mem.events.count(VM_EVENT.thp_fault_fallback, 1);
  vma.mm.directory.make(vpn);
}

/** Makes a zeroed folio with its one reference the process's own, mapped by a huge entry. */
function mapHugeAnonymous(vm: Vm, vma: Vma, vpn: number, folio: Folio): void {
  const { mem } = vm;
  setFlag(mem, folio, PG.uptodate);
  setAnonOwner(mem, folio, vma, hugeStart(vpn));
  setFlag(mem, folio, PG.anonExclusive);
  addRmapHuge(mem, folio, vma);
  let bits = PTE.present | PTE.huge | PTE.young | PTE.dirty | PTE.softDirty;
  if ((vma.flags & VM.write) !== 0) bits |= PTE.write;
  vm.tables.set(vma.mm.directory.makeHuge(vpn), folio, bits);
  vma.mm.rssPages += HUGE_PAGES;
  folioAddLru(mem, folio);
}

function mapHugeZeroPage(vm: Vm, vma: Vma, vpn: number): boolean {
  const folio = mmGetHugeZeroPage(vm, vma.mm);
  if (folio === null) return false;
  const entry = vma.mm.directory.makeHuge(vpn);
  vm.tables.set(entry, folio, PTE.present | PTE.huge | PTE.young | PTE.special);
  return true;
}

/** A write to a huge entry without the write bit. The caller looks anew afterwards. */
export function* hugeWriteFault(vm: Vm, vma: Vma, vpn: number): Blocking<void> {
  const { mem, tables } = vm;
  const entry = vma.mm.directory.findHuge(vpn);
  if (entry === NO_ENTRY) return;
  const bits = tables.bits(entry);
  if ((bits & PTE.special) !== 0 || vma.mapping !== null) {
    // A file's pages are faulted in again, each for itself.
    splitHugePmd(vm, vma, vpn);
    return;
  }
  const folio = pageFolio(mem, mem.pfn(tables.pfn(entry)));
  if (!testFlag(mem, folio, PG.anonExclusive)) {
    if (testFlag(mem, folio, PG.locked)) {
      folioGet(mem, folio);
      yield* folioWaitUnlock(mem, folio);
      folioPut(mem, folio);
      return;
    }
    if (mem.refcount[folio] > 1) {
      splitHugePmd(vm, vma, vpn);
      return;
    }
    setFlag(mem, folio, PG.anonExclusive);
  }
  tables.set(entry, folio, bits | PTE.write | PTE.dirty | PTE.young);
}
