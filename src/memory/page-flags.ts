/**
 * The flag word of a page: one bit a state, one word enough for a scanner to pass over a page.
 *
 * Bits 0-23 are Linux's page flags in the order of 6.1's `enum pageflags`, those of one
 * architecture or of no use here left out. Bits 24-30 are what the kernel keeps elsewhere (tail in
 * `compound_head`, buddy, offline and table in `page_type`, hugetlb in the compound destructor),
 * taken into the word so that one load tells a scanner everything. Bit 31, the sign, is unused.
 *
 * Aliases share a bit and differ by the kind of page, as in Linux; they stand under the bit.
 * Values are literals because TypeScript types `0x04` as 4 but `1 << 2` as any number.
 */
export const PG = {
  /** Held by one task, which alone may truncate, move or start I/O on the folio. */
  locked: 0x00000001,
  referenced: 0x00000002,
  /** The bytes match what the owner would read. */
  uptodate: 0x00000004,
  /** The bytes are newer than the owner's copy. */
  dirty: 0x00000008,
  /** On an LRU list. Whoever clears it has isolated the folio. */
  lru: 0x00000010,
  active: 0x00000020,
  workingset: 0x00000040,
  /** Someone sleeps on this folio. Set and cleared with `Memmap.waiters`. */
  waiters: 0x00000080,
  error: 0x00000100,
  slab: 0x00000200,
  ownerPriv1: 0x00000400,
  /** Alias of ownerPriv1: for filesystems. */
  checked: 0x00000400,
  /** Alias of ownerPriv1: in the swap cache, if `swapbacked` is set too. */
  swapcache: 0x00000400,
  /** Never given to the allocator: firmware, the kernel's image. */
  reserved: 0x00000800,
  /** The `private` column belongs to the owner, which holds one reference for it. */
  private: 0x00001000,
  private2: 0x00002000,
  /** On its way to storage: the bytes must stay where they are until it ends. */
  writeback: 0x00004000,
  /** First page of a compound folio of order 1 or more. */
  head: 0x00008000,
  mappedToDisk: 0x00010000,
  /** Alias of mappedToDisk: the anonymous page belongs to one process alone. */
  anonExclusive: 0x00010000,
  reclaim: 0x00020000,
  /** Alias of reclaim: the page that starts the next readahead. */
  readahead: 0x00020000,
  /** Alias of reclaim: a movable page off the LRU that the VM has taken. */
  isolated: 0x00020000,
  /** Anonymous or shmem: its storage is swap. */
  swapbacked: 0x00040000,
  unevictable: 0x00080000,
  mlocked: 0x00100000,
  hwpoison: 0x00200000,
  young: 0x00400000,
  idle: 0x00800000,
  /** A later page of a compound folio; its state is the head's. */
  tail: 0x01000000,
  /** First page of a free block; `private` holds the order. */
  buddy: 0x02000000,
  /** Given away by a balloon or a memory device. */
  offline: 0x04000000,
  /** Holds page tables. */
  table: 0x08000000,
  hugetlb: 0x10000000,
  /** No memory behind this frame number. */
  hole: 0x20000000,
  /** In use by the kernel in a way that no flag tells. */
  kernel: 0x40000000,
} as const;

export type PageFlag = (typeof PG)[keyof typeof PG];

/**
 * Flags that must be gone when a page is freed; one that is left means a lost owner.
 * Linux: `PAGE_FLAGS_CHECK_AT_FREE`, with `mlocked` left to the freeing path, which clears it.
 */
export const PAGE_FLAGS_CHECK_AT_FREE: number =
  PG.lru |
  PG.locked |
  PG.private |
  PG.private2 |
  PG.writeback |
  PG.reserved |
  PG.slab |
  PG.active |
  PG.unevictable |
  PG.waiters |
  PG.buddy |
  PG.offline |
  PG.table |
  PG.hole;
