/**
 * Owners for the pages of a snapshot: processes and files from which each can be taken.
 *
 * Where a pagemap was kept, its pages belong to the very process and address. All others are
 * grouped by what the snapshot does tell (anonymous, file or shmem; how often mapped; locked by
 * mlock; memory cgroup), and each group gets one anon_vma or one file and as many processes as its
 * pages are mapped times. So every page has page table entries, a reverse map and a place in a
 * file like those that it had, if not at the same addresses. A folio of 2 MiB that processes map
 * whole has a huge entry in each: whether it had 512 single ones a snapshot does not say. Anonymous
 * pages that are mapped nowhere are left to `machine-swap.ts`.
 *
 * Called once, on a machine whose flags are set and whose counts are not.
 */
import type { Machine } from "../machine/machine.ts";
import { folioNrPages } from "../memory/folio.ts";
import type { Folio, Memmap, Pfn } from "../memory/memmap.ts";
import { PG } from "../memory/page-flags.ts";
import { filemapMigrateFolio, migrateFolio } from "../migrate/callbacks.ts";
import type { AddressSpace, AddressSpaceOperations } from "../pagecache/address-space.ts";
import { markDirtyInIndex } from "../pagecache/dirty-account.ts";
import { filemapDirtyFolio, noopDirtyFolio } from "../pagecache/mark-dirty.ts";
import { filemapAddFolio } from "../pagecache/page-cache.ts";
import { type Mm, VM, type Vma, type VmaRange } from "../vm/mm.ts";
import { HUGE_PAGES } from "../vm/page-tables.ts";
import { PTE } from "../vm/pte.ts";
import { countHugeMapping, setAnonOwner } from "../vm/rmap.ts";
import { PAGE_KIND } from "./page-kinds.ts";
import type { Snapshot, SnapshotPagemap } from "./snapshot.ts";

/** Storage is swap: being dirty means nothing to the file. */
const SHMEM_OPERATIONS: AddressSpaceOperations = { migrateFolio, dirtyFolio: noopDirtyFolio };

/** Private state of a kind that is not known moves as it is. */
const FILE_OPERATIONS: AddressSpaceOperations = {
  migrateFolio: filemapMigrateFolio,
  dirtyFolio: filemapDirtyFolio,
};

type OwnerClass = "anonymous" | "file" | "shmem";

/** Pages alike in all that the snapshot tells. */
interface Group {
  readonly owner: OwnerClass;
  readonly mapcount: number;
  readonly locked: boolean;
  readonly cgroup: number;
  /** How many pages its place needs. */
  used: number;
  /** Where the next page goes; set when all are counted. */
  place: Place | null;
}

/** The VMAs and the file of a group, and how much of them is taken. */
interface Place {
  readonly vmas: readonly Vma[];
  readonly mapping: AddressSpace | null;
  used: number;
}

export class SnapshotOwners {
  private readonly machine: Machine;
  private readonly snapshot: Snapshot;
  private readonly groups: Map<number, Group> = new Map();
  /** By cgroup: its processes, as many as its most shared page needs. */
  private readonly processes: Map<number, Mm[]> = new Map();

  constructor(machine: Machine, snapshot: Snapshot) {
    this.machine = machine;
    this.snapshot = snapshot;
  }

  place(): void {
    for (const pagemap of this.snapshot.pagemaps) this.placeRegion(pagemap);
    const { mem } = this.machine;
    for (let pfn = 0; pfn < mem.pageCount; pfn++) {
      const owner = this.ownerOf(pfn as Pfn);
      if (owner !== null) takePages(this.groupOf(pfn as Folio, owner), mem, pfn as Folio);
    }
    for (const group of this.groups.values()) group.place = this.makePlace(group);
    for (let pfn = 0; pfn < mem.pageCount; pfn++) {
      const owner = this.ownerOf(pfn as Pfn);
      if (owner !== null) this.placeFolio(pfn as Folio, this.groupOf(pfn as Folio, owner));
    }
  }

  /** What kind of owner a page needs; null if it needs none or has one. */
  private ownerOf(pfn: Pfn): OwnerClass | null {
    const { mem } = this.machine;
    const flags = mem.flags[pfn];
    if ((flags & (PG.tail | PG.buddy | PG.hole | PG.reserved | PG.hwpoison)) !== 0) return null;
    if (mem.mapping[pfn] !== 0) return null;
    const kind = this.snapshot.kind[pfn];
    switch (kind) {
      case PAGE_KIND.anonymous:
      case PAGE_KIND.anonymousHuge:
      case PAGE_KIND.swapCache:
      case PAGE_KIND.ksm:
        return this.mapcountOf(pfn as Folio) > 0 ? "anonymous" : null;
      case PAGE_KIND.file:
      case PAGE_KIND.fileHuge:
        return (flags & PG.swapbacked) !== 0 ? "shmem" : "file";
      case PAGE_KIND.shmem:
        return "shmem";
      default:
        return null;
    }
  }

  private groupOf(folio: Folio, owner: OwnerClass): Group {
    const { snapshot } = this;
    const mapcount = this.mapcountOf(folio);
    const locked = mapcount > 0 && (this.machine.mem.flags[folio] & PG.mlocked) !== 0;
    const cgroup = snapshot.cgroup?.[folio] ?? 0;
    const ownerKey = owner === "anonymous" ? 0 : owner === "file" ? 1 : 2;
    const key = ((mapcount * 2 + (locked ? 1 : 0)) * 3 + ownerKey) * 0x10000 + cgroup;
    let group = this.groups.get(key);
    if (group === undefined) {
      group = { owner, mapcount, locked, cgroup, used: 0, place: null };
      this.groups.set(key, group);
    }
    return group;
  }

  private makePlace(group: Group): Place {
    const { vm } = this.machine;
    const { owner, mapcount, used: pages, locked } = group;
    const flags = VM.read | VM.write | (locked ? VM.locked : 0);
    const mms = this.processesOf(group.cgroup, mapcount);
    if (owner === "anonymous") {
      const first = vm.mapAnonymous(mms[0], mms[0].freeRange(pages), flags);
      const { anonVma, pgoff } = first;
      const others = mms.slice(1).map((mm) => {
        const range = { ...mm.freeRange(pages), pgoff };
        return anonVma === null ? first : vm.mapAnonymousAlong(mm, range, anonVma, flags);
      });
      return { vmas: [first, ...others], mapping: null, used: 0 };
    }
    const mapping = this.createFile(owner, `${owner} of cgroup ${this.cgroupName(group.cgroup)}`);
    const vmas = mms.map((mm) => {
      const range: VmaRange = { ...mm.freeRange(pages), pgoff: 0 };
      return vm.mapFile(mm, range, mapping, flags);
    });
    return { vmas, mapping, used: 0 };
  }

  private placeFolio(folio: Folio, group: Group): void {
    const { place } = group;
    if (place === null) return;
    const { mem } = this.machine;
    const pages = folioNrPages(mem, folio);
    const offset = takePages(place, mem, folio);
    if (place.mapping !== null) this.addToFile(place.mapping, folio, offset);
    else setAnonOwner(mem, folio, place.vmas[0], place.vmas[0].startVpn + offset);
    const wholes = pages === HUGE_PAGES ? this.wholeMappings(folio) : 0;
    for (const [process, vma] of place.vmas.entries()) {
      const vpn = vma.startVpn + offset;
      if (process < wholes) this.mapHuge(vma, vpn, folio);
      else this.mapParts(vma, vpn, folio, process);
    }
  }

  /** How often the most mapped page of the folio is mapped: large ones may be mapped in part. */
  private mapcountOf(folio: Folio): number {
    const { mapcount } = this.snapshot;
    const end = folio + folioNrPages(this.machine.mem, folio);
    let most = 0;
    for (let page: number = folio; page < end; page++) most = Math.max(most, mapcount[page]);
    return most;
  }

  /** How often the least mapped page of a folio of 2 MiB is mapped. */
  private wholeMappings(folio: Folio): number {
    const { mapcount } = this.snapshot;
    let least = mapcount[folio];
    for (let at = 1; at < HUGE_PAGES; at++) least = Math.min(least, mapcount[folio + at]);
    return least;
  }

  /** Those pages of the folio that more than `process` processes map. */
  private mapParts(vma: Vma, vpn: number, folio: Folio, process: number): void {
    const pages = folioNrPages(this.machine.mem, folio);
    for (let at = 0; at < pages; at++) {
      const page = (folio + at) as Pfn;
      if (this.snapshot.mapcount[page] > process) this.mapPage(vma, vpn + at, page, folio);
    }
  }

  /** A region whose pagemap was kept: as many of its pages as the snapshot confirms. */
  private placeRegion(region: SnapshotPagemap): void {
    const { vm, mem } = this.machine;
    const mm = vm.createMm(region.name);
    const range = mm.freeRange(region.pfns.length);
    const confirmed = region.pfns.filter((pfn) => this.isRegionPage(pfn));
    const locked = confirmed.filter((pfn) => (mem.flags[pfn] & PG.mlocked) !== 0).length;
    const flags = VM.read | VM.write | (locked * 2 > confirmed.length ? VM.locked : 0);
    const anonymous = confirmed.filter((pfn) => this.ownerOf(pfn as Pfn) === "anonymous").length;
    const isFile = anonymous * 2 < confirmed.length;
    const mapping = isFile ? this.createFile("shmem", `shmem of ${region.name}`) : null;
    const vma =
      mapping === null
        ? vm.mapAnonymous(mm, range, flags)
        : vm.mapFile(mm, { ...range, pgoff: 0 }, mapping, flags);
    for (const [offset, pfn] of region.pfns.entries()) {
      if (!this.isRegionPage(pfn)) continue;
      const folio = pfn as Folio;
      const owner = this.ownerOf(folio);
      if (owner === null || (owner !== "anonymous") !== isFile) continue;
      if (mapping !== null) this.addToFile(mapping, folio, offset);
      else setAnonOwner(mem, folio, vma, vma.startVpn + offset);
      this.mapPage(vma, vma.startVpn + offset, folio, folio);
    }
  }

  /** A page of its own, mapped once, as a region's pages are taken to be. */
  private isRegionPage(pfn: number): boolean {
    const { mem } = this.machine;
    if (pfn <= 0 || pfn >= mem.pageCount || this.snapshot.mapcount[pfn] !== 1) return false;
    return (mem.flags[pfn] & PG.head) === 0 && this.ownerOf(pfn as Pfn) !== null;
  }

  private addToFile(mapping: AddressSpace, folio: Folio, offset: number): void {
    const { mem } = this.machine;
    filemapAddFolio(mem, mapping, folio, offset);
    if (mapping.canWriteback && (mem.flags[folio] & PG.dirty) !== 0) {
      markDirtyInIndex(mem, mapping, folio);
    }
    if ((mem.flags[folio] & PG.private) !== 0) mem.refcount[folio]++;
  }

  private mapPage(vma: Vma, vpn: number, page: Pfn, folio: Folio): void {
    const { mem, vm } = this.machine;
    const entry = vma.mm.directory.make(vpn);
    vm.tables.set(entry, page, entryBits(mem, page, vma));
    vma.mm.rssPages++;
    mem.mapcount[page]++;
    mem.refcount[folio]++;
  }

  private mapHuge(vma: Vma, vpn: number, folio: Folio): void {
    const { mem, vm } = this.machine;
    const entry = vma.mm.directory.makeHuge(vpn);
    vm.tables.set(entry, folio, entryBits(mem, folio, vma) | PTE.huge);
    vma.mm.rssPages += HUGE_PAGES;
    countHugeMapping(mem, folio);
    mem.refcount[folio]++;
  }

  private createFile(owner: OwnerClass, name: string): AddressSpace {
    const { cache } = this.machine.vm;
    return owner === "shmem"
      ? cache.createMapping(name, SHMEM_OPERATIONS)
      : cache.createMapping(name, FILE_OPERATIONS, { canWriteback: true });
  }

  private processesOf(cgroup: number, count: number): readonly Mm[] {
    let mms = this.processes.get(cgroup);
    if (mms === undefined) {
      mms = [];
      this.processes.set(cgroup, mms);
    }
    while (mms.length < count) {
      mms.push(this.machine.vm.createMm(`${this.cgroupName(cgroup)}/${mms.length}`));
    }
    return mms.slice(0, count);
  }

  private cgroupName(cgroup: number): string {
    return `cgroup ${this.snapshot.cgroups[cgroup] ?? 0}`;
  }
}

/** Room for a folio, at a multiple of its size; returns where. */
function takePages(room: { used: number }, mem: Memmap, folio: Folio): number {
  const pages = folioNrPages(mem, folio);
  const offset = Math.ceil(room.used / pages) * pages;
  room.used = offset + pages;
  return offset;
}

/** Writable if the page is this process's alone, or a file's. */
function entryBits(mem: Memmap, page: Pfn, vma: Vma): number {
  const isAlone = (mem.flags[page] & PG.anonExclusive) !== 0;
  const mayWrite = vma.mapping !== null || isAlone;
  return PTE.present | PTE.young | PTE.softDirty | (mayWrite ? PTE.write | PTE.dirty : 0);
}
