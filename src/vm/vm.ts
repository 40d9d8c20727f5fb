/**
 * The virtual memory of one machine: its processes, their tables, and who shares what.
 *
 * The reverse map starts here: `anonVmas` by the id in an anonymous mapping word, `fileVmas` by the
 * address space's. Functions of this room and of those above take a `Vm` first.
 */
import { assert } from "../base/assert.ts";
import { PAGE_SIZE } from "../memory/constants.ts";
import type { Folio, PageList, Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { PageCache } from "../pagecache/page-cache.ts";
import type { Blocking } from "../sched/blocking.ts";
import { FileMappers } from "./file-map.ts";
import type { LongtermPin } from "./gup.ts";
import { hugePageShrinkers } from "./huge/shrinkers.ts";
import { splitHugePmdAtBoundary } from "./huge/split-pmd.ts";
import type { Hstate } from "./hugetlb/hstate.ts";
import { Ksm } from "./ksm/ksm.ts";
import { AnonVma, type DriverMapping, Mm, VM, Vma, type VmaRange } from "./mm.ts";
import { HUGE_PAGES, PageTables } from "./page-tables.ts";
import type { SharedPolicy } from "./policy/shared-policy.ts";
import type { SharedMemory } from "./shared-memory.ts";
import type { Swap } from "./swap/swap.ts";

/** Linux: /sys/kernel/mm/transparent_hugepage. */
export interface TransparentHugepage {
  /** "madvise": only where MADV_HUGEPAGE asks for them. */
  enabled: "always" | "madvise" | "never";
  /** Whether a read maps the huge zero page, and not a folio of its own. */
  useZeroPage: boolean;
}

import type { Tlbs } from "./tlb.ts";

export class Vm {
  readonly mem: Memory;
  readonly cache: PageCache;
  readonly tables: PageTables = new PageTables();
  /** By id; undefined once the process has exited. */
  readonly mms: (Mm | undefined)[] = [];
  /** By id; undefined once nobody shares it any more. */
  readonly anonVmas: (AnonVma | undefined)[] = [];
  /** By address space id: the VMAs that map the file. Linux: `i_mmap`. */
  readonly fileVmas: Set<Vma>[] = [];

  /** Null on a machine that has never had a swap area. */
  swap: Swap | null = null;
  /** By the shared memory object; those without have none. */
  readonly sharedPolicies: Map<AddressSpace, SharedPolicy> = new Map();
  /** Whose files shared anonymous memory is; supplied from above. */
  shmem: SharedMemory | null = null;

  /** Moves what may not be pinned for long out of the way; null where everything may. */
  longtermPin: LongtermPin | null = null;
  /** Null where every use of memory looks at the page tables. */
  tlbs: Tlbs | null = null;
  readonly ksm: Ksm = new Ksm();
  /**
   * Frees what can be freed of a list of isolated folios, whatever their age; the others stay on
   * it. Supplied by reclaim; without it none is freed. Linux: `reclaim_pages()`.
   */
  reclaimPages: ((list: PageList) => Blocking<void>) | null = null;

  /** Null on a machine that has never had a pool of huge pages. */
  hstate: Hstate | null = null;

  /** Made when it is first read from. */
  zeroPage: Pfn | null = null;

  /** Whether and when faults map huge pages. */
  readonly thp: TransparentHugepage = { enabled: "madvise", useZeroPage: true };
  /** The huge zero page, and how many processes hold it. */
  readonly hugeZero: { folio: Folio | null; processes: number } = { folio: null, processes: 0 };

  constructor(mem: Memory) {
    this.mem = mem;
    this.cache = new PageCache(mem);
    this.cache.mappers = new FileMappers(this);
    mem.shrinkers.push(...hugePageShrinkers(this));
  }

  createMm(name: string): Mm {
    const mm = new Mm(this.mms.length, name, this.tables);
    this.mms.push(mm);
    return mm;
  }

  /** Maps anonymous memory, private to the process. Linux: `mmap(MAP_PRIVATE | MAP_ANONYMOUS)`. */
  mapAnonymous(mm: Mm, range: VmaRange, flags: number = VM.read | VM.write): Vma {
    const vma = new Vma(mm, range, flags, null);
    insertVma(mm, vma);
    this.joinAnonVma(vma, this.createAnonVma());
    return vma;
  }

  /**
   * Maps anonymous memory that forks share: a file without a name, which goes with its last VMA.
   *
   * Linux: `mmap(MAP_SHARED | MAP_ANONYMOUS)`, `shmem_zero_setup()`.
   */
  mapSharedAnonymous(mm: Mm, range: VmaRange, flags: number = VM.read | VM.write): Vma {
    assert(this.shmem !== null, "shared memory on a machine without shmem:", range.startVpn);
    const pages = range.endVpn - range.startVpn;
    const mapping = this.shmem.createFile("/dev/zero", pages * PAGE_SIZE);
    mapping.isUnlinked = true;
    return this.mapFile(mm, { ...range, pgoff: 0 }, mapping, flags);
  }

  /** Maps a file, shared. */
  mapFile(mm: Mm, range: VmaRange, mapping: AddressSpace, flags: number = VM.read | VM.write): Vma {
    return this.mapFilePrivate(mm, range, mapping, flags | VM.shared);
  }

  /** Maps a file; what the process writes is its own. Linux: `mmap(MAP_PRIVATE)`. */
  mapFilePrivate(
    mm: Mm,
    range: VmaRange,
    mapping: AddressSpace,
    flags: number = VM.read | VM.write,
  ): Vma {
    const vma = new Vma(mm, range, flags, mapping);
    insertVma(mm, vma);
    this.fileVmas[mapping.id] ??= new Set();
    this.fileVmas[mapping.id].add(vma);
    return vma;
  }

  /** Maps a driver's memory; the driver inserts the pages. */
  mapDriver(mm: Mm, range: VmaRange, driver: DriverMapping, flags: number = VM.read): Vma {
    const vma = new Vma(mm, range, flags | VM.shared, null);
    vma.driver = driver;
    insertVma(mm, vma);
    return vma;
  }

  /** Maps anonymous memory that another process shares: what fork leaves behind. */
  mapAnonymousAlong(mm: Mm, range: VmaRange, anonVma: AnonVma, flags: number): Vma {
    const vma = new Vma(mm, range, flags, null);
    insertVma(mm, vma);
    this.joinAnonVma(vma, anonVma);
    return vma;
  }

  /**
   * Cuts a VMA in two at `vpn`, inside it; of the page tables only a huge entry across `vpn`
   * changes. Returns the upper part.
   *
   * Linux: `split_vma()`.
   */
  splitVma(vma: Vma, vpn: number): Vma {
    const { mm, endVpn, flags, mapping, anonVma } = vma;
    const upper = { startVpn: vpn, endVpn, pgoff: vma.pgoff + (vpn - vma.startVpn) };
    splitHugePmdAtBoundary(this, vma, vpn);
    assert((flags & VM.hugetlb) === 0 || vpn % HUGE_PAGES === 0, "a huge page is split at", vpn);
    vma.endVpn = vpn;
    const part = new Vma(mm, upper, flags, mapping);
    part.driver = vma.driver;
    part.resvMap = vma.resvMap;
    part.policy = vma.policy;
    part.userfaultfd = vma.userfaultfd;
    part.isSoftDirty = vma.isSoftDirty;
    insertVma(mm, part);
    if (mapping !== null) this.fileVmas[mapping.id].add(part);
    if (anonVma !== null) this.joinAnonVma(part, anonVma);
    return part;
  }

  /**
   * The VMAs of a stretch of virtual pages, split so that none reaches beyond it.
   *
   * Holes are passed over. Linux: what madvise and mprotect do at both ends.
   */
  isolateVmas(mm: Mm, startVpn: number, endVpn: number): Vma[] {
    const found: Vma[] = [];
    for (const vma of [...mm.vmas]) {
      if (vma.endVpn <= startVpn || vma.startVpn >= endVpn || startVpn >= endVpn) continue;
      const middle = vma.startVpn < startVpn ? this.splitVma(vma, startVpn) : vma;
      if (middle.endVpn > endVpn) this.splitVma(middle, endVpn);
      found.push(middle);
    }
    return found;
  }

  /** A second VMA for pages of `vma`, behind it in the reverse map's order. Linux: `copy_vma()`. */
  copyVma(vma: Vma, range: VmaRange): Vma {
    // A userfaultfd is told of addresses, and knows nothing of the new ones.
    const flags = vma.flags & ~(VM.uffdMissing | VM.uffdWp);
    const copy = new Vma(vma.mm, range, flags, vma.mapping);
    copy.driver = vma.driver;
    copy.policy = vma.policy;
    insertVma(vma.mm, copy);
    if (vma.mapping !== null) this.fileVmas[vma.mapping.id].add(copy);
    if (vma.anonVma !== null) this.joinAnonVma(copy, vma.anonVma);
    return copy;
  }

  /** Takes a VMA without pages out of every list. */
  dropVma(vma: Vma): void {
    const { mm, mapping, anonVma } = vma;
    const at = mm.vmas.indexOf(vma);
    assert(at !== -1, "a VMA that its process does not have:", vma.startVpn);
    mm.vmas.splice(at, 1);
    if (mapping !== null) this.fileVmas[mapping.id].delete(vma);
    if (anonVma !== null) {
      anonVma.vmas.delete(vma);
      this.reapAnonVma(anonVma);
    }
  }

  /** Before a private mapping of a file gets a page of its own. Linux: `anon_vma_prepare()`. */
  prepareAnonVma(vma: Vma): void {
    if (vma.anonVma === null) this.joinAnonVma(vma, this.createAnonVma());
  }

  /** Forgets an anon_vma without VMAs and without references. Linux: `put_anon_vma()`. */
  reapAnonVma(anonVma: AnonVma): void {
    if (anonVma.vmas.size === 0 && anonVma.refcount === 0) {
      this.anonVmas[anonVma.id] = undefined;
    }
  }

  private createAnonVma(): AnonVma {
    const anonVma = new AnonVma(this.anonVmas.length);
    this.anonVmas.push(anonVma);
    return anonVma;
  }

  joinAnonVma(vma: Vma, anonVma: AnonVma): void {
    vma.anonVma = anonVma;
    anonVma.vmas.add(vma);
  }
}

function insertVma(mm: Mm, vma: Vma): void {
  const at = mm.vmas.findIndex((other) => other.startVpn >= vma.endVpn);
  const place = at === -1 ? mm.vmas.length : at;
  const before = mm.vmas[place - 1];
  assert(before === undefined || before.endVpn <= vma.startVpn, "VMAs overlap at", vma.startVpn);
  mm.vmas.splice(place, 0, vma);
}
