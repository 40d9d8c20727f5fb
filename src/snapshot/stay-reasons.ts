/**
 * Why pages are still where they were: one reason for each page in use after a compaction.
 *
 * The order is that of hardness: what no compaction could ever move comes first, what would move
 * next time comes last. A pageblock that is not free is counted once, under the hardest reason in
 * it: that is what keeps it from being a huge page.
 */
import type { Machine } from "../machine/machine.ts";
import { buddyOrder, pageBuddy } from "../memory/buddy.ts";
import { PAGEBLOCK_ORDER } from "../memory/constants.ts";
import {
  folioMapcount,
  folioNrPages,
  folioOrder,
  folioTestLarge,
  pageFolio,
} from "../memory/folio.ts";
import { MAPPING_ANON, MAPPING_FLAGS } from "../memory/mapping-word.ts";
import type { Folio, Pfn } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import { folioTestSwapcache } from "../vm/swap/swap-cache.ts";

/** Every reason, hardest first, and what it means for the one who wants the memory. */
export const STAY_REASONS = {
  reserved: "reserved at boot: the kernel's image, firmware",
  hwpoison: "taken out of use after a memory error",
  slab: "the kernel's small objects",
  page_table: "page tables of processes",
  hugetlb: "huge pages of a pool, already whole",
  offline: "given to a balloon or a memory device",
  kernel: "the kernel's, in ways no flag tells, or free on a processor's own list",
  pinned: "pinned: a device or the kernel may use the bytes where they lie",
  unevictable: "kept by mlock, and vm.compact_unevictable_allowed is 0",
  refused: "tried and refused to the end",
  unmapped: "anonymous, and mapped by nobody when it was counted: in motion during the scan",
  off_lru: "in a batch or isolated at the moment of the snapshot",
  compound: "part of a large folio, which compaction leaves alone",
  per_cpu_free: "freed by this run, still on a processor's own list",
  packed: "movable: moved to the zone's end, or beyond where the scanners met",
} as const;

export type StayReason = keyof typeof STAY_REASONS;

const REASONS = Object.keys(STAY_REASONS) as StayReason[];
const RANK = Object.fromEntries(REASONS.map((reason, rank) => [reason, rank])) as Record<
  StayReason,
  number
>;

export interface Stayed {
  readonly reason: StayReason;
  readonly pages: number;
  /** Pageblocks that are not free, with this as the hardest reason in them. */
  readonly pageblocks: number;
}

/** The reasons that occur, hardest first. */
export function countStayed(machine: Machine): Stayed[] {
  const { mem } = machine;
  const pages = new Float64Array(REASONS.length);
  const blocks = new Float64Array(REASONS.length);
  const hardest = new Uint8Array(mem.pageblockFlags.length).fill(REASONS.length);
  for (let at = 0; at < mem.pageCount; at++) {
    const pfn = at as Pfn;
    if (pageBuddy(mem, pfn)) {
      at += (1 << buddyOrder(mem, pfn)) - 1;
      continue;
    }
    if ((mem.flags[pfn] & PG.hole) !== 0) continue;
    const rank = RANK[stayReason(machine, pfn)];
    const block = at >>> PAGEBLOCK_ORDER;
    pages[rank]++;
    if (rank < hardest[block]) hardest[block] = rank;
  }
  for (const rank of hardest) if (rank < REASONS.length) blocks[rank]++;
  return REASONS.map((reason, rank) => ({
    reason,
    pages: pages[rank],
    pageblocks: blocks[rank],
  })).filter((stayed) => stayed.pages > 0);
}

/** The one reason of a page that is in use. */
function stayReason(machine: Machine, pfn: Pfn): StayReason {
  const { mem, sysctl } = machine;
  const folio = pageFolio(mem, pfn);
  const flags = mem.flags[folio];
  if ((flags & PG.reserved) !== 0) return "reserved";
  if ((flags & PG.hwpoison) !== 0) return "hwpoison";
  if ((flags & PG.slab) !== 0) return "slab";
  if ((flags & PG.table) !== 0) return "page_table";
  if ((flags & PG.hugetlb) !== 0) return "hugetlb";
  if ((flags & PG.offline) !== 0) return "offline";
  if (mem.refcount[folio] === 0) return "per_cpu_free";
  if (mem.mapping[folio] === 0 && !folioTestSwapcache(mem, folio)) {
    return (flags & PG.lru) !== 0 ? "unmapped" : "kernel";
  }
  if ((flags & PG.lru) === 0) return "off_lru";
  if (isLeftAlone(mem, folio)) return "compound";
  if (isPinned(mem, folio)) return "pinned";
  const isForbidden = sysctl["vm.compact_unevictable_allowed"] === 0;
  if ((flags & PG.unevictable) !== 0 && isForbidden) return "unevictable";
  if (mem.events.refusals.standing.has(folio)) return "refused";
  return "packed";
}

/** 6.1 compacts single pages; 6.18 all that is smaller than a pageblock. */
function isLeftAlone(mem: Memory, folio: Folio): boolean {
  if (!folioTestLarge(mem, folio)) return false;
  return !mem.profile.compactsLargeFolios || folioOrder(mem, folio) >= PAGEBLOCK_ORDER;
}

/** More references than its owner, or the swap cache, and its mappings hold. */
function isPinned(mem: Memory, folio: Folio): boolean {
  const isAnon = (mem.mapping[folio] & MAPPING_FLAGS & MAPPING_ANON) !== 0;
  const attached = (mem.flags[folio] & PG.private) !== 0 ? 1 : 0;
  const isCached = !isAnon || folioTestSwapcache(mem, folio);
  const owner = isCached ? folioNrPages(mem, folio) + attached : 0;
  return mem.refcount[folio] > folioMapcount(mem, folio) + owner;
}
