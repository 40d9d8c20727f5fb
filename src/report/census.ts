/**
 * A snapshot counted: pages by kind and state, pageblocks by what keeps them from being free.
 *
 * One pass over the pages; all numbers that `look` and the report show come from here.
 */
import { PAGEBLOCK_NR_PAGES } from "../memory/constants.ts";
import { PG } from "../memory/page-flags.ts";
import {
  isDirtyOrWriteback,
  isKernelKind,
  isMlocked,
  isMovableKind,
  isUnevictable,
  PAGE_KIND,
  PAGE_KINDS,
} from "../snapshot/page-kinds.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";

/** Pages of one kind. All are page counts but `blocks`. */
export interface KindCensus {
  pages: number;
  /** Mapped by one page table entry, and by more. */
  mappedOnce: number;
  mappedMore: number;
  mlocked: number;
  unevictable: number;
  /** Dirty or under writeback. */
  dirty: number;
  /** In compound folios of order 1 or more. */
  inLargeFolios: number;
  /** Pageblocks with at least one such page. */
  blocks: number;
}

/** Pageblocks, each counted once: by the worst that is in it. */
export interface BlockCensus {
  free: number;
  /** Free pages and pages that migration may move. */
  movable: number;
  /** Also pages that are the kernel's or on a processor's own list: which, no file tells. */
  unknown: number;
  /** Also pages that the kernel or a driver holds. */
  kernel: number;
  /** Also reserved, offline, poisoned or hugetlb pages, or holes. */
  fixed: number;
}

export interface Census {
  /** By `PAGE_KIND`. */
  readonly kinds: readonly KindCensus[];
  readonly blocks: BlockCensus;
}

const NOTHING_THERE = (1 << PAGE_KIND.hole) | (1 << PAGE_KIND.late);

export function takeCensus(snapshot: Snapshot): Census {
  const kinds = PAGE_KINDS.map(emptyKind);
  const blocks: BlockCensus = { free: 0, movable: 0, unknown: 0, kernel: 0, fixed: 0 };
  const { pageCount } = snapshot;
  const counter = new PageCounter(snapshot, kinds);
  for (let start = 0; start < pageCount; start += PAGEBLOCK_NR_PAGES) {
    const end = Math.min(pageCount, start + PAGEBLOCK_NR_PAGES);
    const seen = counter.countBlock(start, end);
    for (let kind = 0; kind < kinds.length; kind++) kinds[kind].blocks += (seen >>> kind) & 1;
    const worst = worstOf(seen);
    if (worst !== null) blocks[worst]++;
  }
  return { kinds, blocks };
}

/** Counts pages in order; the state of a compound folio is its head's. */
class PageCounter {
  private readonly snapshot: Snapshot;
  private readonly kinds: readonly KindCensus[];
  private state = 0;
  /** One past the last page that `state` holds for. */
  private stateEnd = 0;

  constructor(snapshot: Snapshot, kinds: readonly KindCensus[]) {
    this.snapshot = snapshot;
    this.kinds = kinds;
  }

  /** Returns the kinds that it saw, a bit each. */
  countBlock(start: number, end: number): number {
    const { kind, flags, order, mapcount } = this.snapshot;
    let seen = 0;
    for (let pfn = start; pfn < end; pfn++) {
      const entry = this.kinds[kind[pfn]];
      seen |= 1 << kind[pfn];
      entry.pages++;
      if (kind[pfn] === PAGE_KIND.free) continue;
      if (mapcount[pfn] === 1) entry.mappedOnce++;
      else if (mapcount[pfn] > 1) entry.mappedMore++;
      if (pfn >= this.stateEnd) {
        this.state = flags[pfn];
        this.stateEnd = pfn + ((flags[pfn] & PG.head) !== 0 ? 2 ** order[pfn] : 1);
      }
      if (isMlocked(this.state)) entry.mlocked++;
      if (isUnevictable(this.state)) entry.unevictable++;
      if (isDirtyOrWriteback(this.state)) entry.dirty++;
      if ((this.state & PG.head) !== 0) entry.inLargeFolios++;
    }
    return seen;
  }
}

/** Null for a block in which the kernel has no memory, or none yet. */
function worstOf(seen: number): keyof BlockCensus | null {
  let worst: keyof BlockCensus | null = null;
  const ranked: (keyof BlockCensus)[] = ["free", "movable", "unknown", "kernel", "fixed"];
  for (const { kind } of PAGE_KINDS) {
    if (((seen >>> kind) & 1) === 0) continue;
    const own = classOf(kind);
    if (worst === null || ranked.indexOf(own) > ranked.indexOf(worst)) worst = own;
  }
  return (seen & ~NOTHING_THERE) === 0 ? null : worst;
}

function classOf(kind: number): keyof BlockCensus {
  if (kind === PAGE_KIND.free) return "free";
  if (isMovableKind(kind)) return "movable";
  if (kind === PAGE_KIND.unknown) return "unknown";
  return isKernelKind(kind) || kind === PAGE_KIND.driver ? "kernel" : "fixed";
}

function emptyKind(): KindCensus {
  return {
    pages: 0,
    mappedOnce: 0,
    mappedMore: 0,
    mlocked: 0,
    unevictable: 0,
    dirty: 0,
    inLargeFolios: 0,
    blocks: 0,
  };
}
