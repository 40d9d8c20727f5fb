/**
 * The pool of huge pages: folios of 2 MiB that are kept for hugetlb alone, by node.
 *
 * All counts are of huge pages. `nrHugePages` are all of the pool, `surplusHugePages` those of
 * them that go back to the allocator when they are freed, `resvHugePages` those of the free ones
 * that somebody has been promised. A temporary folio counts among all and not as surplus.
 *
 * Folios go from the free list of their node to the active list and back. The lists link heads;
 * `folio-state.ts` tells the states. Protection: `hugetlb_lock`; each function is atomic.
 * Pages larger than a block of the allocator (gigantic) are not built.
 * Linux: `struct hstate`, mm/hugetlb.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { PAGEBLOCK_NR_PAGES, PAGEBLOCK_ORDER } from "../../memory/constants.ts";
import { unprepCompound } from "../../memory/folio.ts";
import { type Folio, NOT_LINKED, type PageList, testAndClearFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import { freePages } from "../../memory/page-free.ts";
import { listAdd, listAddTail, listDel, listFirst, listIsEnd } from "../../memory/page-list.ts";
import { RwSemaphore } from "../../sched/rw-semaphore.ts";
import type { HugetlbFile } from "./file.ts";
import { clearHugetlbBit, HPG, setHugetlbBit, testHugetlbBit } from "./folio-state.ts";
import { Subpool } from "./subpool.ts";

/** The order of a hugetlb folio: what one huge entry maps. Linux: HUGETLB_PAGE_ORDER. */
export const HUGETLB_ORDER: typeof PAGEBLOCK_ORDER = PAGEBLOCK_ORDER;
/** Base pages of one. */
export const HUGETLB_PAGES: typeof PAGEBLOCK_NR_PAGES = PAGEBLOCK_NR_PAGES;

export class Hstate {
  readonly mem: Memory;
  /** Whether the processor's page tables can hold migration entries of this size. */
  isMigratable = true;
  nrHugePages = 0;
  freeHugePages = 0;
  resvHugePages = 0;
  surplusHugePages = 0;
  /** So many surplus pages there may be: /proc/sys/vm/nr_overcommit_hugepages. */
  nrOvercommitHugePages = 0;
  readonly nrHugePagesNode: Int32Array;
  readonly freeHugePagesNode: Int32Array;
  readonly surplusHugePagesNode: Int32Array;
  readonly freeLists: readonly PageList[];
  readonly activeList: PageList;
  /** Files by the id of their address space. */
  readonly files: Map<number, HugetlbFile> = new Map();
  readonly subpools: Subpool[] = [];
  /** One fault at a time. Linux: a table of them by file and offset, one entry on one processor. */
  readonly faultMutex: RwSemaphore = new RwSemaphore("hugetlb_fault_mutex");

  constructor(mem: Memory) {
    this.mem = mem;
    const nodes = mem.nodes.length;
    this.nrHugePagesNode = new Int32Array(nodes);
    this.freeHugePagesNode = new Int32Array(nodes);
    this.surplusHugePagesNode = new Int32Array(nodes);
    this.freeLists = mem.nodes.map(() => mem.takeList());
    this.activeList = mem.takeList();
  }

  /** Free and promised to nobody. Linux: `available_huge_pages()`. */
  get availableHugePages(): number {
    return this.freeHugePages - this.resvHugePages;
  }

  /** Linux: `persistent_huge_pages()`. */
  get persistentHugePages(): number {
    return this.nrHugePages - this.surplusHugePages;
  }

  /** A new limit for the files of a mount. */
  addSubpool(maxHugePages: number): Subpool {
    const subpool = new Subpool(this.subpools.length, maxHugePages);
    this.subpools.push(subpool);
    return subpool;
  }

  /** Makes a new folio of the right order, which its maker holds, one of the pool's. */
  adopt(folio: Folio): void {
    const { mem } = this;
    const { id } = mem.nodeOf(folio);
    mem.flags[folio] |= PG.hugetlb;
    mem.private[folio] = 0;
    this.nrHugePages++;
    this.nrHugePagesNode[id]++;
  }

  /** Puts a folio that nobody holds on its node's free list. Linux: `enqueue_huge_page()`. */
  enqueue(folio: Folio): void {
    const { mem } = this;
    const { id } = mem.nodeOf(folio);
    assert(mem.refcount[folio] === 0, "a hugetlb folio in use on the free list:", folio);
    this.unlink(folio);
    listAdd(mem, this.freeLists[id], folio);
    this.freeHugePages++;
    this.freeHugePagesNode[id]++;
    setHugetlbBit(mem, folio, HPG.freed);
  }

  /** Takes a free folio of one node, with one reference; null if there is none. */
  dequeueFrom(node: number): Folio | null {
    const { mem } = this;
    const list = this.freeLists[node];
    let at = listFirst(mem, list);
    while (!listIsEnd(list, at) && (mem.flags[at] & PG.hwpoison) !== 0) at = mem.next[at] as Folio;
    if (listIsEnd(list, at)) return null;
    const folio = at as Folio;
    listDel(mem, folio);
    listAdd(mem, this.activeList, folio);
    mem.refcount[folio] = 1;
    clearHugetlbBit(mem, folio, HPG.freed);
    this.freeHugePages--;
    this.freeHugePagesNode[node]--;
    return folio;
  }

  /**
   * Takes a free folio from `near` outwards, of `nodes` if given.
   *
   * Linux: `dequeue_huge_page_nodemask()`.
   */
  dequeue(near: number, nodes?: readonly number[]): Folio | null {
    const { distances } = this.mem.nodes[near];
    const ids = [...(nodes ?? this.mem.nodes.keys())];
    ids.sort((a, b) => distances[a] - distances[b]);
    for (const id of ids) {
      const folio = this.dequeueFrom(id);
      if (folio !== null) return folio;
    }
    return null;
  }

  /** In use, behind all others. */
  activate(folio: Folio): void {
    this.unlink(folio);
    listAddTail(this.mem, this.activeList, folio);
  }

  /** Takes a folio that nobody holds out of the pool, and frees it to the allocator. */
  release(folio: Folio, kind: "persistent" | "surplus"): void {
    const { mem } = this;
    const { id } = mem.nodeOf(folio);
    this.unlink(folio);
    if (testHugetlbBit(mem, folio, HPG.freed)) {
      this.freeHugePages--;
      this.freeHugePagesNode[id]--;
    }
    if (kind === "surplus") {
      this.surplusHugePages--;
      this.surplusHugePagesNode[id]--;
    }
    this.nrHugePages--;
    this.nrHugePagesNode[id]--;
    mem.private[folio] = 0;
    assert(testAndClearFlag(mem, folio, PG.hugetlb), "no hugetlb folio:", folio);
    unprepCompound(mem, folio);
    freePages(mem, folio, HUGETLB_ORDER);
  }

  private unlink(folio: Folio): void {
    if (this.mem.next[folio] !== NOT_LINKED) listDel(this.mem, folio);
  }
}
