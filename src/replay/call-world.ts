/**
 * The world of call records: a machine of the recorded shape, its processes, and what they map.
 *
 * Regions are mapped in the order in which they are named, pages are touched in ascending order.
 * A world may serve several records: `begin` says which one is next. What a record says of it is
 * in `sentences/`. Process 1 is init, 2 a kernel thread, 3 the one that records are about.
 */
import { assert } from "../base/assert.ts";
import { InputError } from "../base/input-error.ts";
import type { Machine } from "../machine/machine.ts";
import { pageFolio } from "../memory/folio.ts";
import { folioTryPin } from "../memory/folio-ref.ts";
import type { Folio } from "../memory/memmap.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { runToEnd } from "../sched/run.ts";
import { anonymousFault, userPage } from "../vm/fault.ts";
import { forkMm } from "../vm/fork.ts";
import type { Mm, Vma, VmaRange } from "../vm/mm.ts";
import { credentialsOf, type Process } from "../vm/process.ts";
import { exitMm, unmapRange } from "../vm/zap.ts";
import { machineN4 } from "./machine-n4.ts";
import { type ToldArguments, UNTOLD } from "./told-arguments.ts";
import { createTmpfsFile, usePages, writeFile } from "./world-files.ts";

/** Something that no line made, in this record or in those whose world it continues. */
export class NotMade extends InputError {}

export class CallWorld {
  readonly machine: Machine = machineN4();
  /** The process that records are about. */
  readonly process: Process;
  /** Processes by the names that records give them. */
  readonly processes: Map<string, Process> = new Map();
  readonly regions: Map<string, Region> = new Map();
  /** By name of a region: the highest page that the call names, plus one. */
  sizes: ReadonlyMap<string, number> = new Map();
  /** The region that clauses without a name go on about. */
  current: Region | null = null;
  /** Who calls, of this record. */
  caller: Process;
  /** What setup and description tell of the call's arguments, of this record. */
  args: ToldArguments = { ...UNTOLD };
  /** The file that clauses without a name go on about. */
  file: WorldFile | null = null;
  private nextVpn = 0;
  private readonly held: Map<string, { readonly folio: Folio; readonly count: number }[]> =
    new Map();
  /** Whether how much of a node is free decides what is left of the outcome. */
  memoryIsShort = false;

  constructor() {
    const { vm, processes } = this.machine;
    const root = credentialsOf(0);
    this.processes.set("init", processes.create("init", vm.createMm("init"), root));
    this.processes.set("kthreadd", processes.create("kthreadd", null, root));
    this.process = processes.create("self", vm.createMm("self"), root);
    for (const name of ["self", "root process"]) this.processes.set(name, this.process);
    this.caller = this.process;
  }

  /** The next record: what the last one told of its call is forgotten, what it made stays. */
  begin(sizes: ReadonlyMap<string, number>): void {
    this.sizes = sizes;
    this.caller = this.process;
    this.args = { ...UNTOLD };
  }

  /** The memory of the process that records are about. */
  get self(): Mm {
    return this.memoryOf(this.process);
  }

  /** Of a process that still has some. */
  memoryOf({ mm, name }: Process): Mm {
    assert(mm !== null, "a process without memory:", name);
    return mm;
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
    const vma = this.machine.vm.mapAnonymous(mm, this.freeRange(pages, mm), flags);
    return this.nameRegion(name, { mm, startVpn: vma.startVpn, pages });
  }

  /** Where the next region may go: no address is used twice, as none is told of an unmapped one. */
  freeRange(pages: number, mm: Mm = this.self): VmaRange {
    const startVpn = Math.max(this.nextVpn, mm.freeRange(pages).startVpn);
    // A gap of one leaf, so that no two regions share a page table.
    this.nextVpn = (startVpn + pages + 0x3ff) & -0x200;
    return { startVpn, endVpn: startVpn + pages, pgoff: startVpn };
  }

  /** Gives a region its name; what had it before is unmapped. */
  nameRegion(name: string, region: Region): Region {
    const old = this.regions.get(name);
    if (old !== undefined && this.machine.vm.mms[old.mm.id] === old.mm) {
      const { mm, startVpn, pages } = old;
      runToEnd(unmapRange(this.machine.vm, mm, startVpn, startVpn + pages));
    }
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

  /** Shared memory: a file of tmpfs, mapped shared, each page written on that node. */
  mapShmem(name: string, count: string | undefined, node: number): AddressSpace {
    const pages = Number(count ?? this.sizes.get(name) ?? 1);
    const { mapping } = this.createFile(pages);
    writeFile(this.machine.vm, mapping, pages, node);
    const { mm, startVpn } = this.mapFile(name, mapping, pages);
    usePages(this.machine.vm, mm, startVpn, pages, "write");
    return mapping;
  }

  /** A file of tmpfs without pages; sentences without a name go on about it. */
  createFile(pages: number): WorldFile {
    this.file = { mapping: createTmpfsFile(this.machine.vm, pages), pages };
    return this.file;
  }

  /** Maps all of a file, shared unless it is said otherwise; no page is used yet. */
  mapFile(name: string, mapping: AddressSpace, pages: number, flags?: number): Region {
    const range = { ...this.freeRange(pages), pgoff: 0 };
    const vma = this.machine.vm.mapFile(this.self, range, mapping, flags);
    return this.nameRegion(name, { mm: this.self, startVpn: vma.startVpn, pages });
  }

  /** The region that a sentence does not name: the only one of the call. */
  get onlyName(): string {
    return [...this.sizes.keys()][0] ?? "";
  }

  /** Throws `NotMade` for a name that no line gave. */
  region(name: string | undefined): Region {
    const region = this.regions.get(name ?? "");
    if (region !== undefined) return region;
    throw new NotMade("setup", `a sentence about ${name}`, "one that an earlier line made");
  }

  /** The page in use at an index of a region, faulted in for reading. */
  folioAt(name: string | undefined, index: number): Folio {
    const { mm, startVpn } = this.region(name);
    const page = runToEnd(userPage(this.machine.vm, mm, startVpn + index, "read"));
    assert(typeof page === "number", "no page at", name, index);
    return pageFolio(this.machine.mem, page);
  }

  /** References from outside, by the name of who has them: a pipe, a ring. */
  hold(holder: string, folio: Folio, count: number): void {
    this.machine.mem.refcount[folio] += count;
    this.machine.recordHold(folio, count);
    const held = this.held.get(holder) ?? [];
    this.held.set(holder, [...held, { folio, count }]);
  }

  /** Gives back what a holder took first, or all. Throws `NotMade` if it has nothing. */
  release(holder: string, most: number = Number.POSITIVE_INFINITY): void {
    const held = this.held.get(holder) ?? [];
    if (held.length === 0) {
      throw new NotMade("setup", `${holder} without pages`, "one that an earlier line gave some");
    }
    for (const { folio, count } of held.slice(0, most)) this.machine.releaseHold(folio, count);
    this.held.set(holder, held.slice(most));
  }

  /** A device's pin on a page, until the end of the world. */
  pin(folio: Folio): void {
    assert(folioTryPin(this.machine.mem, folio), "a pin of a folio that is not in use:", folio);
    this.machine.recordPin(folio);
  }

  /** The device is closed. Throws `NotMade` if it has pinned nothing. */
  unpin(): void {
    if (this.machine.pins.size === 0) {
      throw new NotMade("setup", "a device without pins", "one that an earlier line gave some");
    }
    this.machine.dropPins();
  }

  /** A process of that name with memory of its own; one that had the name exits. */
  createProcess(name: string): Process {
    const { vm, processes } = this.machine;
    return this.nameProcess(name, processes.create(name, vm.createMm(name), credentialsOf(0)));
  }

  /** A child of the process that records are about. */
  fork(name: string): Process {
    const { vm, processes } = this.machine;
    const mm = forkMm(vm, this.self, name);
    assert(mm !== null, "no memory for a fork:", name);
    const child = processes.create(name, mm, this.process.credentials);
    child.cpusetMems = this.process.cpusetMems;
    return this.nameProcess(name, child);
  }

  /** Its memory goes; it stays as a zombie until it is reaped. */
  exit(process: Process): void {
    runToEnd(exitMm(this.machine.vm, this.memoryOf(process)));
    process.mm = null;
  }

  private nameProcess(name: string, process: Process): Process {
    const old = this.processes.get(name);
    if (old?.mm != null) this.exit(old);
    this.processes.set(name, process);
    return process;
  }
}

export interface WorldFile {
  readonly mapping: AddressSpace;
  readonly pages: number;
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
