/**
 * A real machine's physical memory as read from its /proc files: one column a fact, one row a page.
 *
 * Nothing here is guessed in silence: what the files do not say and was inferred, or what is
 * missing, stands in `findings` with how sure it is. Whoever reads a snapshot must not write to it.
 */
import type { ZoneShape } from "../memory/zone.ts";
import type { PagetypeinfoZone } from "./parse/pagetypeinfo.ts";

/** Of a pair: which side of the kernel's own compaction. */
export type Side = "before" | "after";

/** `blockType` of a pageblock without memory, or where the kernel has not set any up yet. */
export const NO_BLOCK = 255;

/** How sure a finding is, from "read off" to "not there". */
export type Certainty = "exact" | "likely" | "guess" | "missing";

/** Something that was inferred, that does not add up, or that is missing, in plain words. */
export interface Finding {
  readonly topic: string;
  readonly text: string;
  readonly certainty: Certainty;
}

/** One processor's free pages of a zone, in pages. */
export interface SnapshotPcp {
  readonly count: number;
  readonly high: number;
  readonly batch: number;
}

/** A zone that has memory. Page counts throughout. */
export interface SnapshotZone extends ZoneShape {
  readonly watermarkBoost: number;
  /** On the buddy lists when zoneinfo was read. */
  readonly free: number;
  readonly pcp: readonly SnapshotPcp[];
}

/** Free blocks of one zone by order, 0 to 10. */
export type FreeBlocks = readonly number[];

/** The frames behind a stretch of a process's addresses. */
export interface SnapshotPagemap {
  readonly name: string;
  /** First virtual page number. */
  readonly baseVpn: number;
  /** By virtual page from `baseVpn`; 0 where no page is mapped. */
  readonly pfns: Int32Array;
}

export interface Snapshot {
  readonly name: string;
  readonly side: Side;
  /** As `uname` prints it; null if the snapshot does not say. */
  readonly kernel: string | null;
  /** Entries of kpageflags: frames from 0, holes included. */
  readonly pageCount: number;
  /**
   * By pfn, `PG` of memory/page-flags.ts. Free: `buddy` on the first page of a block, else 0.
   * Tails have `tail` and what kind of page it is; their state is the head's.
   */
  readonly flags: Int32Array;
  /** By pfn, `PAGE_KIND`; tails have their head's. */
  readonly kind: Uint8Array;
  /** By pfn, how many page table entries map the page; all 0 if kpagecount is missing. */
  readonly mapcount: Int32Array;
  /** By pfn, index in `cgroups`; null if kpagecgroup is missing. */
  readonly cgroup: Uint16Array | null;
  /** Inode numbers of memory cgroups; 0 stands for none. */
  readonly cgroups: readonly number[];
  /** By pfn, of the free block or compound folio that starts here; 0 elsewhere. */
  readonly order: Uint8Array;
  /** By start. */
  readonly zones: readonly SnapshotZone[];
  /** By pageblock, a `Migratetype` or NO_BLOCK. */
  readonly blockType: Uint8Array;
  /** By zone, counted from the pages. */
  readonly freeBlocks: readonly FreeBlocks[];
  /** By zone, as the kernel counted; null if missing. `end` is from after the scan. */
  readonly buddyinfo: readonly FreeBlocks[] | null;
  readonly buddyinfoEnd: readonly FreeBlocks[] | null;
  /** By zone, as the kernel counted; null if missing. */
  readonly pagetypeinfo: readonly (PagetypeinfoZone | null)[] | null;
  readonly meminfo: ReadonlyMap<string, number>;
  readonly vmstat: ReadonlyMap<string, number>;
  readonly pagemaps: readonly SnapshotPagemap[];
  /** Frames known to be pinned, ascending; null if the archive does not tell. */
  readonly pins: Int32Array | null;
  readonly findings: readonly Finding[];
}

/** What is kept of the other side of a pair. */
export interface SnapshotSummary {
  readonly side: Side;
  readonly zones: readonly SnapshotZone[];
  /** By zone, counted from the pages. */
  readonly freeBlocks: readonly FreeBlocks[];
  readonly buddyinfo: readonly FreeBlocks[] | null;
  /** Pages on the buddy lists, all zones together, by zoneinfo. */
  readonly nrFree: number;
  readonly vmstat: ReadonlyMap<string, number>;
}

export interface SnapshotPair {
  readonly snapshot: Snapshot;
  /** Null if the input holds one side only. */
  readonly other: SnapshotSummary | null;
}

/** Free 2 MiB blocks; an order-10 block counts two. */
export function freeHugePages(freeBlocks: readonly FreeBlocks[]): number {
  return freeBlocks.reduce((sum, byOrder) => sum + byOrder[9] + 2 * byOrder[10], 0);
}

/** Pages in free blocks of all orders. */
export function freePages(freeBlocks: FreeBlocks): number {
  return freeBlocks.reduce((sum, count, order) => sum + count * 2 ** order, 0);
}
