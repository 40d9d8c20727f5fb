/**
 * The world of a call record: a machine of the recorded shape, and processes made as `setup` says.
 *
 * One table of sentences makes everything; a line that none of them matches makes the record one
 * that cannot be replayed, and says which line it was. Regions are mapped in the order in which
 * they are named, pages are touched in ascending order.
 */
import { assert } from "../base/assert.ts";
import { Machine } from "../machine/machine.ts";
import { placeFreeBlock } from "../memory/buddy.ts";
import { GUP_PIN_COUNTING_BIAS, MIGRATE } from "../memory/constants.ts";
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
import { forkMm } from "../vm/fork.ts";
import { type Mm, VM, type Vma } from "../vm/mm.ts";
import { protectVma } from "../vm/protect.ts";
import { PTE } from "../vm/pte.ts";
import { addRmap } from "../vm/rmap.ts";
import { unmapRange, zapRange } from "../vm/zap.ts";

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

  constructor(sizes: ReadonlyMap<string, number>) {
    this.sizes = sizes;
    freeAll(this.machine);
    this.self = this.machine.vm.createMm("self");
  }

  /** Does what a line of `setup` says, whole or clause by clause; false if any is not known. */
  set(line: string): boolean {
    return this.say(line) || line.split("; ").every((clause) => this.say(clause));
  }

  private say(clause: string): boolean {
    for (const { sentence, make } of SENTENCES) {
      const match = sentence.exec(clause);
      if (match === null) continue;
      make(this, match.groups ?? {});
      return true;
    }
    return false;
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
      anonymousFault(this.machine.vm, vma, vpn, mm.directory.make(vpn), node);
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
    assert(region !== undefined, "a sentence about a region that nobody made:", name);
    return region;
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
interface Region {
  readonly mm: Mm;
  readonly startVpn: number;
  readonly pages: number;
}

function all(pages: number): number[] {
  return Array.from({ length: pages }, (_, page) => page);
}

function vmaOf(mm: Mm, vpn: number): Vma {
  const vma = mm.vmaAt(vpn);
  assert(vma !== null, "no memory is mapped at", vpn);
  return vma;
}

interface Sentence {
  readonly sentence: RegExp;
  readonly make: (world: CallWorld, groups: Named) => void;
}

/** An anonymous region, however the records put it. */
const ANONYMOUS = [
  "^NAME = mmap\\((?<count>\\d+) pages, MAP_PRIVATE\\|MAP_ANONYMOUS, RW\\), " +
    "MADV_NOHUGEPAGE, written on node (?<node>\\d) \\(MPOL_BIND while touching",
  "^NAME = (?<count>\\d+) anon pages on node (?<node>\\d)$",
  "^NAME (?:(?<count>\\d+) )?anon(?: pages)? node(?<node>\\d)(?: written by parent)?$",
  "^NAME (?<count>\\d+) pages written on node(?<node>\\d)$",
];

const SENTENCES: readonly Sentence[] = [
  sentence("^$", () => {}),
  sentence("^address \\w+\\+\\d+$", () => {}),
  ...ANONYMOUS.map((text) =>
    sentence(text, (world, { name, count, node }) => {
      world.touch(world.map(name, count), Number(node));
    }),
  ),
  sentence("^NAME anon node(?<node>\\d) then MADV_DONTNEED$", (world, { name, node }) => {
    const region = world.map(name, undefined);
    world.touch(region, Number(node));
    drop(world, region, 0, region.pages);
  }),
  sentence(
    "^NAME (?<count>\\d+) anon pages node(?<node>\\d), page (?<page>\\d+) dropped with MADV_DONTNEED$",
    (world, { name, count, node, page }) => {
      const region = world.map(name, count);
      world.touch(region, Number(node));
      drop(world, region, Number(page), Number(page) + 1);
    },
  ),
  sentence(
    "^NAME anon node(?<node>\\d), mprotect\\(PROT_(?<allowed>NONE|READ)\\)$",
    (world, { name, node, allowed }) => {
      const region = world.map(name, undefined);
      world.touch(region, Number(node));
      const vma = vmaOf(region.mm, region.startVpn);
      protectVma(world.machine.vm, vma, allowed === "READ" ? VM.read : 0);
    },
  ),
  sentence("^NAME PROT_NONE untouched$", (world, { name }) => {
    world.map(name, undefined, world.self, 0);
  }),
  sentence("^NAME anon node(?<node>\\d) mlock\\(\\)ed$", (world, { name, node }) => {
    const region = world.map(name, undefined, world.self, VM.read | VM.write | VM.locked);
    world.touch(region, Number(node));
  }),
  sentence(
    "^NAME anon(?:, only read| read-only faulted \\(shared zero page\\))$",
    (world, { name }) => {
      const { mm, startVpn } = world.map(name, undefined);
      runToEnd(userPage(world.machine.vm, mm, startVpn, "read"));
    },
  ),
  sentence(
    "^NAME (?:mapped\\+touched then munmapped|mapped, touched, munmapped)$",
    (world, { name }) => {
      const region = world.map(name, undefined);
      world.touch(region, 0);
      unmapRange(world.machine.vm, region.mm, region.startVpn, region.startVpn + region.pages);
    },
  ),
  sentence(
    "^NAME (?<count>\\d+) anon node(?<node>\\d), \\w+\\[(?<page>\\d+)\\] unmapped$",
    (world, { name, count, node, page }) => {
      const region = world.map(name, count);
      world.touch(region, Number(node));
      unmapPage(world, region, Number(page));
    },
  ),
  sentence("^munmap NAME\\[(?<page>\\d+)\\]$", (world, { name, page }) => {
    unmapPage(world, world.region(name), Number(page));
  }),
  sentence(
    "^child = fork\\(\\) after that; child reads every page; child stays alive during the call$",
    fork,
  ),
  sentence("^fork$", fork),
  sentence("^parent writes (?<list>[\\w\\[\\],]+)$", (world, { list }) => {
    for (const address of list.split(",")) {
      const vpn = world.pageOf(address) ?? 0;
      runToEnd(userPage(world.machine.vm, world.self, vpn, "write"));
    }
  }),
  sentence(
    "^child has NAME (?<count>\\d+) anon node(?<node>\\d)$",
    (world, { name, count, node }) => {
      world.child = world.machine.vm.createMm("child");
      world.touch(world.map(name, count, world.child), Number(node));
    },
  ),
  sentence(
    "^(?:(?:io_uring_register|pin|REGISTER_BUFFERS)[ (]+(?:REGISTER_BUFFERS, )?)" +
      "NAME\\[(?<page>\\d+)\\]\\)? ?(?:=0|= 0|\\(=0\\))(?: \\(io_uring fd \\d\\))?$",
    (world, { name, page }) => {
      world.hold(world.folioAt(name, Number(page)), GUP_PIN_COUNTING_BIAS);
    },
  ),
  sentence(
    "^vmsplice\\(NAME\\[(?<from>\\d+)\\.\\.(?<to>\\d+)\\]\\) = \\d+$",
    (world, { name, from, to }) => {
      for (let at = Number(from); at <= Number(to); at++) world.hold(world.folioAt(name, at), 1);
    },
  ),
  sentence(
    "^NAME (?<count>\\d+) pages MAP_SHARED\\|MAP_ANONYMOUS written on node(?<node>\\d)$",
    (world, { name, count, node }) => void world.mapShmem(name, count, Number(node)),
  ),
  sentence(
    "^/tmp \\(tmpfs\\) file of (?<count>\\d+) pages written on node(?<node>\\d) with pwrite$",
    (world, { count, node }) => void world.mapShmem(world.onlyName, count, Number(node)),
  ),
  sentence("^(?:mmap MAP_SHARED RW|each page read)$", () => {}),
  sentence("^memfd (?<count>\\d+) pages node(?<node>\\d) mapped$", (world, { count, node }) => {
    world.mapShmem(world.onlyName, count, Number(node));
  }),
  sentence("^splice\\((?<count>\\d+) pages to pipe\\) = \\d+$", (world, { count }) => {
    for (let at = 0; at < Number(count); at++) world.hold(world.folioAt(world.onlyName, at), 1);
  }),
  sentence(
    "^memfd (?<count>\\d+) pages on node(?<node>\\d) mapped at M1 and M2, both touched$",
    (world, { count, node }) => {
      const mapping = world.mapShmem("M1", count, Number(node));
      world.mapFile("M2", mapping, Number(count));
    },
  ),
];

type Named = Readonly<Record<string, string>>;

/** `text` as a regular expression, NAME standing for a region's name. */
function sentence(text: string, make: (world: CallWorld, groups: Named) => void): Sentence {
  return { sentence: new RegExp(text.replace("NAME", "(?<name>[A-Z]+\\d*)")), make };
}

function fork(world: CallWorld): void {
  world.child = forkMm(world.machine.vm, world.self, "child");
}

function drop(world: CallWorld, { mm, startVpn }: Region, from: number, to: number): void {
  zapRange(world.machine.vm, vmaOf(mm, startVpn), startVpn + from, startVpn + to);
}

function unmapPage(world: CallWorld, { mm, startVpn }: Region, page: number): void {
  unmapRange(world.machine.vm, mm, startVpn + page, startVpn + page + 1);
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
