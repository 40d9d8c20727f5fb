/**
 * What it takes to get back the memory that a compaction could not free, reason by reason.
 *
 * `STAY_REASONS` says why a page stayed; this says what its reader can do, and in which of three
 * piles it belongs. Nothing here promises more than Linux does.
 */
import type { StayReason } from "../snapshot/stay-reasons.ts";

/**
 * fixed: no compaction will ever move it. held: movable in kind, but somebody or something keeps
 * it for now. settled: where it is because pages in use have to be somewhere.
 */
export type StayPile = "fixed" | "held" | "settled";

export interface StayAdvice {
  readonly pile: StayPile;
  /** What such pages are, as a plural noun. */
  readonly what: string;
  /** What would free them, as a sentence. */
  readonly remedy: string;
}

export const STAY_ADVICE: Readonly<Record<StayReason, StayAdvice>> = {
  reserved: {
    pile: "fixed",
    what: "pages reserved at boot",
    remedy: "Nothing: it was taken before there was an allocator.",
  },
  hwpoison: {
    pile: "fixed",
    what: "faulty pages",
    remedy: "Nothing: the hardware is faulty there.",
  },
  slab: {
    pile: "fixed",
    what: "the kernel's small objects",
    remedy:
      "`echo 2 > /proc/sys/vm/drop_caches` drops file names and inodes that nobody uses, but a " +
      "block comes free only with its last object; huge pages that must be had are best " +
      "reserved at boot.",
  },
  page_table: {
    pile: "fixed",
    what: "page tables",
    remedy: "They go as their processes unmap memory or end.",
  },
  hugetlb: {
    pile: "fixed",
    what: "huge pages of a pool",
    remedy: "They are huge pages already: a lower vm.nr_hugepages releases some.",
  },
  offline: {
    pile: "fixed",
    what: "pages given to a balloon",
    remedy: "The hypervisor has to give the memory back to this machine.",
  },
  kernel: {
    pile: "fixed",
    what: "other pages of the kernel",
    remedy:
      "What is free on a processor's own list comes back by itself; drivers' buffers, " +
      "stacks and tables go when their users free them.",
  },
  pinned: {
    pile: "held",
    what: "pinned pages",
    remedy: "End what pins them: RDMA, VFIO or GPU mappings, registered io_uring buffers.",
  },
  unevictable: {
    pile: "held",
    what: "pages kept by mlock",
    remedy: "Set vm.compact_unevictable_allowed to 1.",
  },
  refused: {
    pile: "held",
    what: "pages that refused to move",
    remedy: "Compact again: most refusals are of a moment.",
  },
  unmapped: {
    pile: "held",
    what: "pages nobody mapped",
    remedy: "Take the snapshot again: they came or went while it was taken.",
  },
  off_lru: {
    pile: "held",
    what: "pages in motion",
    remedy: "Compact again: they were in motion for a moment.",
  },
  compound: {
    pile: "held",
    what: "large folios",
    remedy:
      "Kernels from 6.9 on compact large folios too (--kernel 6.18), but for those of 2 MiB, " +
      "which are huge pages already.",
  },
  per_cpu_free: {
    pile: "settled",
    what: "pages on processors' own lists",
    remedy: "Nothing: they are free and come back in batches.",
  },
  packed: {
    pile: "settled",
    what: "pages of processes and files",
    remedy: "Nothing: they are in use, and have to be somewhere.",
  },
};
