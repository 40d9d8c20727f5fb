/**
 * One entry of /proc/kpageflags: from the kernel's published bits to a flag word and a kind.
 *
 * The 64 bits come as two words of 32, low and high. Bits are tested one by one and in a fixed
 * order, since a word may hold stale ones beside the bit that counts (a free page keeps UPTODATE,
 * a slab page shows ANON where it reuses the word). Compound folios are put right afterwards, once
 * heads and tails are known: see compound.ts. Linux: `stable_page_flags()`, kernel-page-flags.h.
 */
import { PG } from "../memory/page-flags.ts";
import { isMovableKind, PAGE_KIND, type PageKind } from "./page-kinds.ts";

/** Bits 0-31. */
const KPF = {
  locked: 0x00000001,
  error: 0x00000002,
  referenced: 0x00000004,
  uptodate: 0x00000008,
  dirty: 0x00000010,
  lru: 0x00000020,
  active: 0x00000040,
  slab: 0x00000080,
  writeback: 0x00000100,
  reclaim: 0x00000200,
  buddy: 0x00000400,
  mmap: 0x00000800,
  anon: 0x00001000,
  swapcache: 0x00002000,
  swapbacked: 0x00004000,
  compoundHead: 0x00008000,
  compoundTail: 0x00010000,
  huge: 0x00020000,
  unevictable: 0x00040000,
  hwpoison: 0x00080000,
  nopage: 0x00100000,
  ksm: 0x00200000,
  thp: 0x00400000,
  offline: 0x00800000,
  zeroPage: 0x01000000,
  idle: 0x02000000,
  pgtable: 0x04000000,
} as const;

/** Bits 32-63, shifted down by 32. */
const KPF_HIGH = {
  reserved: 0x01,
  mlocked: 0x02,
  /** Was MAPPEDTODISK; for an anonymous page, that one process owns it. */
  owner2: 0x04,
  private: 0x08,
  private2: 0x10,
  ownerPrivate: 0x20,
} as const;

/** Which published bit becomes which flag; kinds that have their own flag follow from the kind. */
const LOW_FLAGS: readonly (readonly [number, number])[] = [
  [KPF.locked, PG.locked],
  [KPF.error, PG.error],
  [KPF.referenced, PG.referenced],
  [KPF.uptodate, PG.uptodate],
  [KPF.dirty, PG.dirty],
  [KPF.lru, PG.lru],
  [KPF.active, PG.active],
  [KPF.writeback, PG.writeback],
  [KPF.reclaim, PG.reclaim],
  [KPF.swapcache, PG.swapcache],
  [KPF.swapbacked, PG.swapbacked],
  [KPF.unevictable, PG.unevictable],
  [KPF.idle, PG.idle],
];

const HIGH_FLAGS: readonly (readonly [number, number])[] = [
  [KPF_HIGH.mlocked, PG.mlocked],
  [KPF_HIGH.owner2, PG.mappedToDisk],
  [KPF_HIGH.private, PG.private],
  [KPF_HIGH.private2, PG.private2],
  [KPF_HIGH.ownerPrivate, PG.ownerPriv1],
];

/** The flag that a kind brings with it; 0 where the state flags say it all. */
const KIND_FLAGS: Readonly<Record<PageKind, number>> = {
  [PAGE_KIND.hole]: PG.hole,
  // Set on the first page of the free block alone, once blocks are known.
  [PAGE_KIND.free]: 0,
  [PAGE_KIND.anonymous]: 0,
  [PAGE_KIND.anonymousHuge]: 0,
  [PAGE_KIND.swapCache]: 0,
  [PAGE_KIND.ksm]: 0,
  [PAGE_KIND.file]: 0,
  [PAGE_KIND.fileHuge]: 0,
  [PAGE_KIND.shmem]: 0,
  [PAGE_KIND.hugetlb]: PG.hugetlb,
  [PAGE_KIND.slab]: PG.slab,
  [PAGE_KIND.pageTable]: PG.table,
  [PAGE_KIND.kernel]: PG.kernel,
  [PAGE_KIND.unknown]: PG.kernel,
  [PAGE_KIND.reserved]: PG.reserved,
  [PAGE_KIND.zero]: PG.reserved,
  [PAGE_KIND.offline]: PG.offline,
  [PAGE_KIND.poisoned]: PG.hwpoison,
  [PAGE_KIND.driver]: PG.kernel,
  [PAGE_KIND.late]: PG.reserved,
};

const CONTENT_BITS = KPF.uptodate | KPF.dirty | KPF.writeback;

/** What the page is, by its own entry alone. */
export function pageKindOf(low: number, high: number): PageKind {
  if ((low & KPF.nopage) !== 0) return PAGE_KIND.hole;
  if ((low & KPF.hwpoison) !== 0) return PAGE_KIND.poisoned;
  if ((low & KPF.buddy) !== 0) return PAGE_KIND.free;
  if ((low & KPF.slab) !== 0) return PAGE_KIND.slab;
  if ((low & KPF.huge) !== 0) return PAGE_KIND.hugetlb;
  if ((low & KPF.offline) !== 0) return PAGE_KIND.offline;
  if ((low & KPF.pgtable) !== 0) return PAGE_KIND.pageTable;
  if ((low & KPF.zeroPage) !== 0) return PAGE_KIND.zero;
  if ((high & KPF_HIGH.reserved) !== 0) return PAGE_KIND.reserved;
  return ownedKindOf(low, high);
}

/** The flag word of a page of that kind. Buddy, head and tail are left to whoever knows blocks. */
export function pageFlagsOf(low: number, high: number, kind: PageKind): number {
  let flags = KIND_FLAGS[kind];
  // Elsewhere the state bits are reused or stale.
  if (isMovableKind(kind) || kind === PAGE_KIND.hugetlb) {
    for (const [bit, flag] of LOW_FLAGS) if ((low & bit) !== 0) flags |= flag;
    for (const [bit, flag] of HIGH_FLAGS) if ((high & bit) !== 0) flags |= flag;
  }
  if (kind === PAGE_KIND.free || kind === PAGE_KIND.hole) return flags;
  if ((low & KPF.compoundHead) !== 0) flags |= PG.head;
  if ((low & KPF.compoundTail) !== 0) flags |= PG.tail;
  return flags;
}

/** Pages that a process, a file or the kernel holds. */
function ownedKindOf(low: number, high: number): PageKind {
  if ((low & KPF.ksm) !== 0) return PAGE_KIND.ksm;
  if ((low & KPF.swapcache) !== 0) return PAGE_KIND.swapCache;
  if ((low & KPF.anon) !== 0) return PAGE_KIND.anonymous;
  if ((low & KPF.swapbacked) !== 0) return PAGE_KIND.shmem;
  if ((low & KPF.lru) !== 0) return PAGE_KIND.file;
  // The kernel infers MMAP from a word that drivers use for something else.
  if ((low & KPF.mmap) !== 0) return PAGE_KIND.driver;
  // In a per-CPU batch on its way to the LRU, or isolated: it has contents all the same.
  if ((low & CONTENT_BITS) !== 0) return PAGE_KIND.file;
  return (low | high) === 0 ? PAGE_KIND.unknown : PAGE_KIND.kernel;
}
