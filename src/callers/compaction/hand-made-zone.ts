/**
 * A zone of a few pageblocks laid out frame by frame, for tests of the scanners.
 *
 * Frames that nothing is said of are the kernel's. The zone begins with the second pageblock, as
 * frame 0 and what lies around it is special everywhere.
 */
import { TraceLines } from "../../events/events.ts";
import { freeOneBlock } from "../../memory/buddy.ts";
import { PAGEBLOCK_NR_PAGES } from "../../memory/constants.ts";
import { folioNrPages, prepCompound } from "../../memory/folio.ts";
import { lruLink } from "../../memory/lru-list.ts";
import type { Folio, Pfn } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import { pageblockMigratetype, setPageblockMigratetype } from "../../memory/pageblock.ts";
import type { SmallZone } from "../../memory/small-memory.ts";
import type { Zone } from "../../memory/zone.ts";
import { SmallDriver } from "../../migrate/small-driver.ts";
import type { AddressSpace, AddressSpaceOperations } from "../../pagecache/address-space.ts";
import type { MovableOperations } from "../../pagecache/movable-operations.ts";
import { filemapAddFolio } from "../../pagecache/page-cache.ts";
import type { Mm, Vma } from "../../vm/mm.ts";
import { PTE } from "../../vm/pte.ts";
import { addRmap, setAnonOwner } from "../../vm/rmap.ts";
import { smallVm } from "../../vm/small-vm.ts";
import type { Vm } from "../../vm/vm.ts";

export class HandMadeZone {
  readonly vm: Vm;
  readonly mem: Memory;
  readonly zone: Zone;
  readonly trace: TraceLines = new TraceLines();
  private readonly mm: Mm;
  /** Has a virtual page for each frame: the page of a frame is at the frame's own number. */
  private readonly vma: Vma;
  private files = 0;

  constructor(blocks: number, zone: Partial<SmallZone> = {}) {
    const spanned = blocks * PAGEBLOCK_NR_PAGES;
    const pageCount = PAGEBLOCK_NR_PAGES + spanned;
    const place = { startPfn: PAGEBLOCK_NR_PAGES, spanned, ...zone };
    this.vm = smallVm({ pageCount, zones: [place], free: "none" });
    this.mem = this.vm.mem;
    this.zone = this.mem.zones[0];
    this.mem.events.trace = this.trace;
    this.mm = this.vm.createMm("the process");
    const range = { startVpn: 0, endVpn: pageCount, pgoff: 0 };
    this.vma = this.vm.mapAnonymous(this.mm, range);
    for (let pfn = this.zone.startPfn; pfn < this.zone.endPfn; pfn++) this.toKernel(pfn);
  }

  /** First frame of the zone's block `index`, counted from 0. */
  block(index: number): number {
    return this.zone.startPfn + index * PAGEBLOCK_NR_PAGES;
  }

  setType(index: number, migratetype: number): void {
    setPageblockMigratetype(this.mem, this.block(index) as Pfn, migratetype);
  }

  /** A free block of 2^order frames, merged with its buddies. */
  free(pfn: number, order = 0): void {
    for (let at = pfn; at < pfn + (1 << order); at++) this.fromKernel(at);
    const page = pfn as Pfn;
    freeOneBlock(this.mem, this.zone, page, order, pageblockMigratetype(this.mem, page));
  }

  /** An anonymous page of the process, mapped once, with its frame's number as contents. */
  anonymous(pfn: number): Folio {
    const { mem, vm, vma } = this;
    const folio = this.newFolio(pfn, 0);
    setAnonOwner(mem, folio, vma, pfn);
    mem.flags[folio] |= PG.anonExclusive;
    addRmap(mem, folio, vma);
    this.mm.rssPages++;
    vm.tables.set(this.mm.directory.make(pfn), folio, PTE.present | PTE.write | PTE.young);
    lruLink(mem, folio, "head");
    return folio;
  }

  /** A folio of a file of its own, not mapped. */
  cached(pfn: number, ops: AddressSpaceOperations, order = 0): Folio {
    const { mem, vm } = this;
    const folio = this.newFolio(pfn, order);
    const file: AddressSpace = vm.cache.createMapping(`file ${this.files++}`, ops);
    filemapAddFolio(mem, file, folio, 0);
    mem.refcount[folio] -= 1;
    lruLink(mem, folio, "head");
    return folio;
  }

  /** A page of a driver of its own, which has nothing else; `ops` take the place of its own. */
  driverPage(pfn: number, ops?: Partial<MovableOperations>): SmallDriver {
    const driver = new SmallDriver(this.vm.cache, ops);
    const page = this.newFolio(pfn, 0);
    this.mem.flags[page] = 0;
    driver.adopt(page);
    return driver;
  }

  /** Where the anonymous page that was made at `pfn` lies now, and what it holds. */
  whereIs(pfn: number): { readonly frame: number; readonly value: number } {
    const frame = this.vm.tables.pfn(this.mm.directory.find(pfn));
    return { frame, value: this.mem.frames.readWord(frame as Pfn, 0) };
  }

  /** The trace so far, without the events of migration. */
  get compactionTrace(): string[] {
    return this.trace.lines.filter((line) => line.startsWith("mm_compaction"));
  }

  private newFolio(pfn: number, order: number): Folio {
    const { mem } = this;
    for (let at = pfn; at < pfn + (1 << order); at++) this.fromKernel(at);
    mem.refcount[pfn] = 1;
    const folio = order > 0 ? prepCompound(mem, pfn as Pfn, order) : (pfn as Folio);
    mem.flags[folio] |= PG.uptodate;
    const pages = folioNrPages(mem, folio);
    for (let at = 0; at < pages; at++) mem.frames.writeWord((pfn + at) as Pfn, 0, pfn + at);
    return folio;
  }

  private toKernel(pfn: number): void {
    this.mem.flags[pfn] = PG.kernel;
    this.mem.refcount[pfn] = 1;
  }

  private fromKernel(pfn: number): void {
    this.mem.flags[pfn] = 0;
    this.mem.refcount[pfn] = 0;
  }
}
