/**
 * The world of a call record: a machine of the recorded shape, its processes, and what they map.
 *
 * Regions are mapped in the order in which they are named, pages are touched in ascending order.
 * What a record says of them is in `sentences/`.
 */
import { assert } from "../base/assert.ts";
import { InputError } from "../base/input-error.ts";
import { Machine } from "../machine/machine.ts";
import { placeFreeBlock } from "../memory/buddy.ts";
import { MIGRATE } from "../memory/constants.ts";
import { pageFolio } from "../memory/folio.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { TokenFrames } from "../memory/frames.ts";
import { folioAddLru } from "../memory/lru.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import type { MemoryShape } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { migrateFolio } from "../migrate/callbacks.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { filemapAddFolio } from "../pagecache/page-cache.ts";
import { runToEnd } from "../sched/run.ts";
import { anonymousFault, userPage } from "../vm/fault.ts";
import type { Mm, Vma } from "../vm/mm.ts";
import { PTE } from "../vm/pte.ts";
import { addRmap } from "../vm/rmap.ts";

/** Nodes 0, 1 and 3 with memory, node 2 without; processors on 0, 1 and 2 (machine n4). */
const NODE_MIB = [768, 768, 0, 256];
const PAGES_PER_MIB = 256;
const DISTANCES = [0, 1, 2, 3].map((from) => [0, 1, 2, 3].map((to) => (from === to ? 10 : 20)));

/** Processes and regions by their names in the record. */
export class CallWorld {
  readonly machine: Machine = new Machine(shapeN4(), new TokenFrames(pageCountN4()));
  /** The process that calls. */
  readonly self: Mm;
  /** The process that a fork made, or one with memory of its own. */
  child: Mm | null = null;
  readonly regions: Map<string, Region> = new Map();
  /** By name of a region: the highest page that the call names, plus one. */
  readonly sizes: ReadonlyMap<string, number>;
  /** The region that clauses without a name go on about. */
  current: Region | null = null;

  constructor(sizes: ReadonlyMap<string, number>) {
    this.sizes = sizes;
    freeAll(this.machine);
    this.self = this.machine.vm.createMm("self");
  }

  /** The virtual page of an address as recorded; null if it names a region that nobody made. */
  pageOf(address: string): number | null {
    const match = /^(\w+)\[(\d+)\](?:\+\d+)?$/.exec(address);
    if (match === null) return address === "(nil)" ? 0 : Number(BigInt(address) >> 12n);
    const region = this.regions.get(match[1]);
    return region === undefined ? null : region.startVpn + Number(match[2]);
  }

  /** A region of private anonymous memory of the caller, or of `mm`, with nothing in it yet. */
  map(name: string, count: string | undefined, mm: Mm = this.self, flags?: number): Region {
    const pages = Number(count ?? this.sizes.get(name) ?? 1);
    const vma = this.machine.vm.mapAnonymous(mm, mm.freeRange(pages), flags);
    const region = { mm, startVpn: vma.startVpn, pages };
    this.regions.set(name, region);
    this.current = region;
    return region;
  }

  /** Writes pages of a region for the first time, each on that node. */
  touch(
    { mm, startVpn, pages }: Region,
    node: number,
    which: readonly number[] = all(pages),
  ): void {
    for (const page of which) {
      const vpn = startVpn + page;
      const vma = vmaOf(mm, vpn);
      runToEnd(anonymousFault(this.machine.vm, vma, vpn, node));
    }
  }

  /** Shared memory: pages of a file of tmpfs, each mapped and written on that node. */
  mapShmem(name: string, count: string | undefined, node: number): AddressSpace {
    const { vm } = this.machine;
    const { mem } = vm;
    const mapping = vm.cache.createMapping(`shmem ${name}`, { migrateFolio });
    const pages = Number(count ?? this.sizes.get(name) ?? 1);
    for (let offset = 0; offset < pages; offset++) {
      const folio = folioAlloc(mem, movableRequest(node));
      if (folio === null) return mapping;
      mem.flags[folio] |= PG.swapbacked | PG.uptodate | PG.dirty;
      filemapAddFolio(mem, mapping, folio, offset);
      folioAddLru(mem, folio);
      folioPut(mem, folio);
    }
    this.mapFile(name, mapping, pages);
    return mapping;
  }

  /** Maps all of a file and enters every page. */
  mapFile(name: string, mapping: AddressSpace, pages: number): void {
    const { vm } = this.machine;
    const vma = vm.mapFile(this.self, { ...this.self.freeRange(pages), pgoff: 0 }, mapping);
    this.regions.set(name, { mm: this.self, startVpn: vma.startVpn, pages });
    for (let offset = 0; offset < pages; offset++) {
      const folio = mapping.folios.load(offset);
      if (folio === null) continue;
      const entry = this.self.directory.make(vma.startVpn + offset);
      vm.tables.set(entry, folio, PTE.present | PTE.write | PTE.young | PTE.dirty);
      this.self.rssPages++;
      folioGet(vm.mem, folio);
      addRmap(vm.mem, folio, vma);
    }
  }

  /** The region that a sentence does not name: the only one of the call. */
  get onlyName(): string {
    return [...this.sizes.keys()][0] ?? "";
  }

  region(name: string | undefined): Region {
    const region = this.regions.get(name ?? "");
    if (region !== undefined) return region;
    throw new InputError("setup", `a sentence about ${name}`, "one that an earlier line made");
  }

  /** The page in use at an index of a region, faulted in for writing. */
  folioAt(name: string | undefined, index: number): Folio {
    const { mm, startVpn } = this.region(name);
    const page = runToEnd(userPage(this.machine.vm, mm, startVpn + index, "read"));
    assert(typeof page === "number", "no page at", name, index);
    return pageFolio(this.machine.mem, page);
  }

  /** References from outside: a pipe's, or a device's pin. */
  hold(folio: Folio, count: number): void {
    this.machine.mem.refcount[folio] += count;
    this.machine.recordHold(folio, count);
  }
}

/** Pages of a process from `startVpn` on; what is mapped there may change. */
export interface Region {
  readonly mm: Mm;
  readonly startVpn: number;
  readonly pages: number;
}

function all(pages: number): number[] {
  return Array.from({ length: pages }, (_, page) => page);
}

export function vmaOf(mm: Mm, vpn: number): Vma {
  const vma = mm.vmaAt(vpn);
  assert(vma !== null, "no memory is mapped at", vpn);
  return vma;
}

function pageCountN4(): number {
  return NODE_MIB.reduce((sum, mib) => sum + mib * PAGES_PER_MIB, 0);
}

function shapeN4(): MemoryShape {
  let startPfn = 0;
  const zones = NODE_MIB.flatMap((mib, node) => {
    const spanned = mib * PAGES_PER_MIB;
    if (spanned === 0) return [];
    const zone = {
      type: "Normal" as const,
      node,
      startPfn,
      spanned,
      present: spanned,
      managed: spanned,
      watermarkMin: 512,
      watermarkLow: 640,
      watermarkHigh: 768,
      lowmemReserve: [],
      pcp: [0, 1, 2].map(() => ({ high: 458, batch: 15 })),
    };
    startPfn += spanned;
    return [zone];
  });
  return { pageCount: pageCountN4(), nodeOfCpu: [0, 1, 2], distances: DISTANCES, zones };
}

/** Every frame free and movable, in blocks of the largest order. */
function freeAll({ mem }: Machine): void {
  mem.flags.fill(0);
  mem.pageblockFlags.fill(MIGRATE.movable);
  for (let pfn = mem.pageCount - 1024; pfn >= 0; pfn -= 1024) {
    placeFreeBlock(mem, mem.zoneOf(pfn as Pfn), pfn as Pfn, 10, MIGRATE.movable);
  }
}
