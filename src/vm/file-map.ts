/**
 * What the page cache asks of those who map files: see `pagecache/mappers.ts`.
 *
 * Both walks go over the VMAs that map the file and look at one entry after another, each under the
 * page table lock. A huge entry is one of them.
 *
 * Linux: `unmap_mapping_range()` (mm/memory.c), `folio_mkclean()` (mm/rmap.c), 6.1.
 */
import { folioMapped, folioNrPages, pageFolio } from "../memory/folio.ts";
import { folioTestAnon } from "../memory/mapping-word.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import type { Mappers, UnmapKind } from "../pagecache/mappers.ts";
import type { Steps } from "../sched/blocking.ts";
import { VM, type Vma } from "./mm.ts";
import { invalidateRangeEnd, invalidateRangeStart } from "./mmu-notifier.ts";
import { HUGE_PAGES, hugeStart, NO_ENTRY } from "./page-tables.ts";
import { PTE, PTE_MIGRATION } from "./pte.ts";
import { rmapEntry, rmapHugeEntry, rmapVmas } from "./rmap.ts";
import { splitHeldFolio } from "./split-held.ts";
import { flushTlbRange } from "./tlb.ts";
import type { Vm } from "./vm.ts";
import { zapRange } from "./zap.ts";

export class FileMappers implements Mappers {
  private readonly vm: Vm;

  constructor(vm: Vm) {
    this.vm = vm;
  }

  *unmapMappingRange(
    mapping: AddressSpace,
    first: number,
    last: number,
    kind: UnmapKind,
  ): Steps<void> {
    for (const vma of this.vm.fileVmas[mapping.id] ?? []) {
      const from = Math.max(vma.startVpn, vma.startVpn + (first - vma.pgoff));
      const to = Math.min(vma.endVpn, vma.startVpn + (last + 1 - vma.pgoff));
      for (let vpn = from; vpn < to; vpn++) {
        const entry = vma.mm.directory.lookUp(vpn);
        if (entry === NO_ENTRY) continue;
        const isHuge = (this.vm.tables.bits(entry) & PTE.huge) !== 0;
        const end = isHuge ? Math.min(to, hugeStart(vpn) + HUGE_PAGES) : vpn + 1;
        yield "unmap-mapping-entry";
        if (kind === "all" || this.mapsCached(vma, vpn)) yield* zapRange(this.vm, vma, vpn, end);
        // One that has been split meanwhile is looked at page by page.
        if (vma.mm.directory.findHuge(vpn) === NO_ENTRY && isHuge) vpn = end - 1;
      }
    }
  }

  *folioMkclean(_mapping: AddressSpace, folio: Folio): Steps<boolean> {
    const { vm } = this;
    const { mem } = vm;
    if (!folioMapped(mem, folio)) return false;
    const pages = folioNrPages(mem, folio);
    const offset = mem.index[folio];
    let wasDirty = false;
    for (const vma of rmapVmas(vm, folio)) {
      if ((vma.flags & VM.shared) === 0) continue;
      const startVpn = vma.startVpn + (offset - vma.pgoff);
      const from = Math.max(vma.startVpn, startVpn);
      const to = Math.min(vma.endVpn, startVpn + pages);
      if (from >= to) continue;
      invalidateRangeStart(vma.mm, from, to);
      for (let vpn = from; vpn < to; vpn++) {
        yield "mkclean-entry";
        if (this.cleanEntry(vma, vpn, (folio + (vpn - startVpn)) as Pfn)) wasDirty = true;
      }
      invalidateRangeEnd(vma.mm, from, to);
    }
    return wasDirty;
  }

  /** The next write faults, and says so. True if there was something to take away. */
  splitFolio(folio: Folio): Steps<boolean> {
    return splitHeldFolio(this.vm, folio);
  }

  private cleanEntry(vma: Vma, vpn: number, page: Pfn): boolean {
    const { vm } = this;
    const { tables } = vm;
    const offset = vma.pgoff + (vpn - vma.startVpn);
    const isWhole = folioNrPages(vm.mem, page as Folio) === HUGE_PAGES;
    const huge = isWhole ? rmapHugeEntry(vma, offset) : NO_ENTRY;
    const entry = huge === NO_ENTRY ? rmapEntry(vma, offset) : huge;
    if (entry === NO_ENTRY) return false;
    const bits = tables.bits(entry);
    if ((bits & PTE.present) === 0 || tables.pfn(entry) !== (page as number)) return false;
    if ((bits & (PTE.dirty | PTE.write)) === 0) return false;
    tables.set(entry, page, bits & ~(PTE.dirty | PTE.write));
    flushTlbRange(vm, vma.mm, vpn, vpn + (huge === NO_ENTRY ? 1 : HUGE_PAGES));
    return true;
  }

  /** Whether the entry maps a page of the file itself, or stands for one that is being moved. */
  private mapsCached(vma: Vma, vpn: number): boolean {
    const { mem, tables } = this.vm;
    const entry = vma.mm.directory.lookUp(vpn);
    if (entry === NO_ENTRY || (tables.bits(entry) & (PTE.present | PTE_MIGRATION)) === 0) {
      return false;
    }
    return !folioTestAnon(mem, pageFolio(mem, mem.pfn(tables.pfn(entry))));
  }
}
