/**
 * What decides whether a pageblock can be a huge page: one kind for each pageblock of 2 MiB.
 *
 * A block is as free as its hardest page. So this is not what fills a block but what keeps it: a
 * single page of slab outweighs five hundred of a process, since those can move and it cannot. The
 * order among kinds that cannot move is that of `STAY_REASONS`.
 */
import { PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import { isMovableKind, PAGE_KIND, PAGE_KINDS, type PageKind } from "../snapshot/page-kinds.ts";

/** Kinds that no compaction moves, hardest first. */
const FIXED_KINDS: readonly PageKind[] = [
  PAGE_KIND.reserved,
  PAGE_KIND.zero,
  PAGE_KIND.poisoned,
  PAGE_KIND.slab,
  PAGE_KIND.pageTable,
  PAGE_KIND.hugetlb,
  PAGE_KIND.offline,
  PAGE_KIND.kernel,
  PAGE_KIND.driver,
  PAGE_KIND.unknown,
];

/** Folios of 2 MiB stay as they are under the rules of 6.1, and are huge pages already. */
const HUGE_KINDS: readonly PageKind[] = [PAGE_KIND.anonymousHuge, PAGE_KIND.fileHuge];

/** Who holds the blocks, in the three ways that matter to somebody who wants huge pages. */
export interface BlockShares {
  /** Whole and free: each can be a huge page. */
  readonly free: number;
  /** Held by pages of processes and files alone. */
  readonly movable: number;
  /** Held by pages that nobody can move: the kernel's, drivers', reserved ones. */
  readonly fixed: number;
}

/**
 * By pageblock, the `PAGE_KIND` that decides: `free` for a block that is free as a whole, `hole`
 * for one where no huge page fits because memory is missing and nothing else is in the way.
 * `kinds` is by pfn.
 */
export function decidingKinds(kinds: Uint8Array): Uint8Array {
  const deciding = new Uint8Array(Math.ceil(kinds.length / PAGEBLOCK_NR_PAGES));
  const counts = new Uint16Array(PAGE_KINDS.length);
  for (let block = 0; block < deciding.length; block++) {
    const start = block * PAGEBLOCK_NR_PAGES;
    counts.fill(0);
    for (const kind of kinds.subarray(start, start + PAGEBLOCK_NR_PAGES)) counts[kind]++;
    deciding[block] = decidingKind(counts);
  }
  return deciding;
}

/** How many pageblocks each kind decides, by `PAGE_KIND`. */
export function countKinds(deciding: Uint8Array): Uint32Array {
  const counts = new Uint32Array(PAGE_KINDS.length);
  for (const kind of deciding) counts[kind]++;
  return counts;
}

export function blockShares(counts: Uint32Array): BlockShares {
  const sum = (isWanted: (kind: number) => boolean): number =>
    counts.reduce((total, count, kind) => total + (isWanted(kind) ? count : 0), 0);
  return {
    free: counts[PAGE_KIND.free],
    movable: sum(isMovableKind),
    fixed: sum((kind) => FIXED_KINDS.includes(kind as PageKind)),
  };
}

function decidingKind(counts: Uint16Array): PageKind {
  const fixed = FIXED_KINDS.find((kind) => counts[kind] > 0);
  if (fixed !== undefined) return fixed;
  const huge = HUGE_KINDS.find((kind) => counts[kind] > 0);
  if (huge !== undefined) return huge;
  let best: PageKind | null = null;
  for (const { kind } of PAGE_KINDS) {
    if (!isMovableKind(kind) || counts[kind] === 0) continue;
    if (best === null || counts[kind] > counts[best]) best = kind;
  }
  if (best !== null) return best;
  return counts[PAGE_KIND.free] === PAGEBLOCK_NR_PAGES ? PAGE_KIND.free : PAGE_KIND.hole;
}
