/**
 * A process's memory: its VMAs and its page tables.
 *
 * A VMA maps a stretch of virtual pages; `pgoff` is the offset in its file of the first, or for
 * anonymous memory the page number that it had when first mapped, so that a page's `index` finds
 * its address in every VMA that shares it. Locks: the kernel's `mmap_lock` for the VMAs.
 * Linux: `struct mm_struct`, `struct vm_area_struct`, `struct anon_vma`.
 */
import { assert } from "../base/assert.ts";
import type { Pfn } from "../memory/memmap.ts";
import type { AddressSpace } from "../pagecache/address-space.ts";
import { RwSemaphore } from "../sched/rw-semaphore.ts";
import { SpinLock } from "../sched/spin-lock.ts";
import type { MmuNotifierOps } from "./mmu-notifier.ts";
import { PageDirectory, type PageTables, TASK_SIZE_PAGES } from "./page-tables.ts";
import type { Mempolicy } from "./policy/mempolicy.ts";
import type { Userfaultfd } from "./userfaultfd.ts";

/** Linux: VM_*. */
export const VM = {
  read: 0x1,
  write: 0x2,
  exec: 0x4,
  shared: 0x8,
  locked: 0x2000,
  /** Bare frames, which the kernel does not count uses of: never moved. */
  pfnmap: 0x400,
  /** Device memory: never moved. */
  io: 0x4000,
  /** Without a promise that there will be memory. Linux: VM_NORESERVE. */
  noReserve: 0x20_0000,
  /** Of huge pages out of the pool. */
  hugetlb: 0x40_0000,
  /** Huge pages are wanted, are not wanted. Linux: MADV_HUGEPAGE, MADV_NOHUGEPAGE. */
  hugepage: 0x2000_0000,
  nohugepage: 0x4000_0000,
  /** An argument stack that exec is still moving: its pages are left alone. */
  incompleteStack: 0x8000,
  /** Read in sequence: a use says nothing of the next. Linux: MADV_SEQUENTIAL. */
  seqRead: 0x10000,
  /** Uses of empty entries are told to a userfaultfd; writes to entries marked for it. */
  uffdMissing: 0x200,
  uffdWp: 0x1000,
  /** KSM may merge its pages. */
  mergeable: 0x100_0000,
} as const;

/** Who may dump and trace a process's memory: nobody, its user, or the superuser alone. */
export const SUID_DUMP = { disable: 0, user: 1, root: 2 } as const;

/** What a set of VMAs that may share anonymous pages has in common. */
export class AnonVma {
  /** Index in `Vm.anonVmas`; what the mapping word carries. Never used again. */
  readonly id: number;
  /** A walk meets those that join while it is on, and passes over those that leave. */
  readonly vmas: Set<Vma> = new Set();
  /** Migrations that rely on it; with its VMAs, what keeps it alive. */
  refcount = 0;

  constructor(id: number) {
    this.id = id;
  }
}

export class Vma {
  readonly mm: Mm;
  /** Changes only while exec moves a stack. */
  startVpn: number;
  /** One past the last virtual page; smaller after a split. */
  endVpn: number;
  readonly pgoff: number;
  /** VM bits. */
  flags: number;
  /** Who is told of faults in it. */
  userfaultfd: Userfaultfd | null = null;
  /** All of it counts as written to: it is new. Linux: VM_SOFTDIRTY. */
  isSoftDirty = true;
  /** Where its pages come from; null for the process's policy. */
  policy: Mempolicy | null = null;
  /** Of a private mapping, from its first anonymous page on. */
  anonVma: AnonVma | null = null;
  /**
   * Of a private hugetlb mapping that was promised its pages: numbers of those that it has had.
   * Parts of one mapping share it; a child's mapping has none.
   */
  resvMap: Set<number> | null = null;
  /** The mapped file, or null for anonymous memory. */
  readonly mapping: AddressSpace | null;
  /** Whose memory it maps, if it is neither a file's nor anonymous. */
  driver: DriverMapping | null = null;

  constructor(mm: Mm, range: VmaRange, flags: number, mapping: AddressSpace | null) {
    assert(range.startVpn < range.endVpn, "a VMA of no pages at", range.startVpn);
    assert(range.endVpn <= TASK_SIZE_PAGES, "a VMA beyond the address space:", range.endVpn);
    this.mm = mm;
    this.startVpn = range.startVpn;
    this.endVpn = range.endVpn;
    this.pgoff = range.pgoff;
    this.flags = flags;
    this.mapping = mapping;
  }
}

/** A driver's part in a mapping of its memory. Linux: `struct vm_operations_struct`. */
export interface DriverMapping {
  /** As /proc/PID/maps shows it. */
  readonly name: string;
  /** The page at an offset, when it is first used; missing where all are mapped from the start. */
  readonly fault?: (pgoff: number) => Pfn | null;
}

/** Linux: `vma_is_anonymous()`. */
export function vmaIsAnonymous({ mapping, driver }: Vma): boolean {
  return mapping === null && driver === null;
}

export interface VmaRange {
  readonly startVpn: number;
  readonly endVpn: number;
  readonly pgoff: number;
}

export class Mm {
  /** Index in `Vm.mms`. */
  readonly id: number;
  readonly name: string;
  /** Ascending, disjoint. */
  readonly vmas: Vma[] = [];
  readonly directory: PageDirectory;
  /** Held over changes of the VMAs that are made in steps; who uses the memory waits. */
  readonly mmapLock: RwSemaphore = new RwSemaphore("mmap_lock");
  /**
   * Of all its page tables, where Linux has one for each. A stretch without a point needs it not:
   * see `zap.ts` for the one that has. Linux: `pte_lockptr()`.
   */
  readonly pageTableLock: SpinLock = new SpinLock("page_table_lock");
  /** Whether it has ever mapped the huge zero page. Linux: MMF_HUGE_ZERO_PAGE. */
  usesHugeZeroPage = false;
  /** Who has page tables of its own for this memory; null if nobody has. */
  notifiers: readonly MmuNotifierOps[] | null = null;
  /** Where pages come from that no VMA's policy is for; null for the processor's node. */
  policy: Mempolicy | null = null;
  /** The node of the last page that was interleaved by count. Linux: `il_prev`. */
  interleavePrevious = 0;
  /** Nodes that the cpuset allows, ascending; null for all. Linux: `mems_allowed`. */
  allowedNodes: readonly number[] | null = null;
  /** Pages mapped, migration entries included. */
  rssPages = 0;
  /** Base pages mapped by hugetlb entries, migration entries included. Linux: `hugetlb_usage`. */
  hugetlbPages = 0;
  /** Who may look at it. Linux: `get_dumpable()`. */
  dumpable: (typeof SUID_DUMP)[keyof typeof SUID_DUMP] = SUID_DUMP.user;
  /** Page table entries that name a slot in swap. Linux: MM_SWAPENTS. */
  swapEntries = 0;

  /** Set when its memory begins to go: nothing new is found in it. Linux: `mm_users` is 0. */
  isExiting = false;

  constructor(id: number, name: string, tables: PageTables) {
    this.id = id;
    this.name = name;
    this.directory = new PageDirectory(tables);
  }

  /** The VMA that covers a virtual page, or null. Linux: `vma_lookup()`. */
  vmaAt(vpn: number): Vma | null {
    let low = 0;
    let high = this.vmas.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.vmas[middle].endVpn <= vpn) low = middle + 1;
      else high = middle;
    }
    const vma = this.vmas[low];
    return vma !== undefined && vma.startVpn <= vpn ? vma : null;
  }

  /** Where the next mapping of that many pages may go: behind the last one. */
  freeRange(pages: number): VmaRange {
    const last = this.vmas.at(-1);
    // A gap of one leaf, so that no two VMAs share a page table.
    const startVpn = last === undefined ? 0x200 : (last.endVpn + 0x3ff) & -0x200;
    return { startVpn, endVpn: startVpn + pages, pgoff: startVpn };
  }
}
