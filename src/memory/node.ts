/**
 * A node: memory that is equally far from everywhere, its zones and its LRU lists.
 *
 * Protection: `lruvec->lru_lock` covers the lists and their sizes. Linux: `pg_data_t` and its
 * `struct lruvec` (one here: memory cgroups share it).
 */
import { WaitQueue } from "../sched/wait-queue.ts";
import type { Memmap, PageList } from "./memmap.ts";
import { WritebackThrottle } from "./writeback-throttle.ts";
import type { Zone } from "./zone.ts";

/** Linux: `enum lru_list`. */
export const LRU = {
  inactiveAnon: 0,
  activeAnon: 1,
  inactiveFile: 2,
  activeFile: 3,
  /** Counted but not linked, as in Linux: the links hold the number of mlocks. */
  unevictable: 4,
} as const;

export type LruList = (typeof LRU)[keyof typeof LRU];

/** As /proc/zoneinfo spells them, by `LRU`. */
export const LRU_NAMES = [
  "inactive_anon",
  "active_anon",
  "inactive_file",
  "active_file",
  "unevictable",
] as const;

export class Node {
  readonly id: number;
  /** From low to high, those with memory only. */
  readonly zones: Zone[] = [];
  /** By node id; 10 is here, the smallest there is. */
  readonly distances: readonly number[];
  readonly lruLists: readonly PageList[];
  /** Pages on each list. Linux: NR_LRU_BASE + list. */
  readonly lruPages: Int32Array = new Int32Array(LRU_NAMES.length);
  /** Pages off the LRU in somebody's hands: [0] anonymous, shmem; [1] file. Linux: NR_ISOLATED_* */
  readonly isolatedPages: Int32Array = new Int32Array(2);
  /** Who must not isolate more while so much is isolated. Linux: VMSCAN_THROTTLE_ISOLATED. */
  readonly throttled: WaitQueue = new WaitQueue("too many isolated pages");
  /**
   * Pages that have left the inactive lists so far, upwards or out: the clock by which it is
   * told how long ago a page was evicted. Linux: `lruvec->nonresident_age`.
   */
  nonresidentAge = 0;
  readonly writebackThrottle: WritebackThrottle = new WritebackThrottle();
  /** Pages in the page cache and the swap cache, shmem included. Linux: NR_FILE_PAGES. */
  filePages = 0;
  /** Of those, in the swap cache. Linux: NR_SWAPCACHE. */
  swapcachePages = 0;
  /** Of those, swapbacked. Linux: NR_SHMEM. */
  shmemPages = 0;
  /** Pages of files to be written back. Linux: NR_FILE_DIRTY. */
  dirtyPages = 0;
  /** Pages on their way to storage. Linux: NR_WRITEBACK. */
  writebackPages = 0;
  /** Pages kept by mlock. Linux: NR_MLOCK (a zone counter there). */
  mlockedPages = 0;

  /** Large folios that are mapped in part, each by its second tail (`deferred-split.ts`). */
  readonly deferredSplit: PageList;
  /** Folios on `deferredSplit`. Linux: `split_queue_len`. */
  deferredSplitCount = 0;

  constructor(mem: Memmap, id: number, distances: readonly number[]) {
    this.id = id;
    this.distances = distances;
    this.lruLists = LRU_NAMES.map(() => mem.takeList());
    this.deferredSplit = mem.takeList();
  }
}
