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
import type { Folio } from "../memory/memmap.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import type { Mappers, UnmapKind } from "../pagecache/mappers.ts";
import type { Steps } from "../sched/blocking.ts";
import { VM, type Vma } from "./mm.ts";
import { HUGE_PAGES, hugeStart, NO_ENTRY } from "./page-tables.ts";
import { PTE, PTE_MIGRATION } from "./pte.ts";
import { rmapEntry, rmapHugeEntry, rmapVmas } from "./rmap.ts";
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
      for (let at = 0; at < pages; at++) {
        yield "mkclean-entry";
        const isWhole = at === 0 && pages === HUGE_PAGES;
        const huge = isWhole ? rmapHugeEntry(vma, offset) : NO_ENTRY;
        const entry = huge === NO_ENTRY ? rmapEntry(vma, offset + at) : huge;
        if (entry !== NO_ENTRY && this.cleanEntry(entry, folio + at)) wasDirty = true;
      }
    }
    return wasDirty;
  }

  private cleanEntry(entry: number, page: number): boolean {
    const { tables } = this.vm;
    const bits = tables.bits(entry);
    if ((bits & PTE.present) === 0 || tables.pfn(entry) !== page) return false;
    if ((bits & (PTE.dirty | PTE.write)) === 0) return false;
    tables.set(entry, page, bits & ~(PTE.dirty | PTE.write));
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
