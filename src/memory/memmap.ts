/**
 * The memory map: the state of every page, stored by column.
 *
 * A page has no object of its own: its `Pfn` names it and eight 4-byte columns describe it, half
 * of what `struct page` takes. What a column means depends on what the page is:
 *
 * | page            | refcount | mapcount | mapping      | index       | private     | next, prev |
 * |-----------------|----------|----------|--------------|-------------|-------------|------------|
 * | free block head | 0        | 0        | 0            | 0           | order       | free list  |
 * | in a pcp list   | 0        | 0        | 0            | migratetype | order       | pcp list   |
 * | folio           | >= 1     | entries  | mapping word | page offset | the owner's | LRU, caller|
 * | 1st tail        | 0        | entries  | whole-folio  | order       | pfn of head | next: pins |
 * |                 |          |          | mappings     |             |             |            |
 * | 2nd tail        | 0        | entries  | 0            | 0           | pfn of head | queue of   |
 * |                 |          |          |              |             |             | split later|
 * | later tail      | 0        | entries  | 0            | 0           | pfn of head | unused     |
 *
 * `mapcount` counts page table entries from 0 (`_mapcount` counts from -1). Linux: `struct page`.
 */
import { assert } from "../base/assert.ts";
import type { Brand } from "../base/brand.ts";
import type { WaitQueue } from "../sched/wait-queue.ts";
import type { PageFlag } from "./page-flags.ts";

/** A page frame number: the index of one page of physical memory. */
export type Pfn = Brand<number, "Pfn">;

/** The head page of an allocation. Every folio is a page; a tail page is not a folio. */
export type Folio = Brand<Pfn, "Folio">;

/** A linked list of pages: the index of its head, behind the last page. */
export type PageList = Brand<number, "PageList">;

/** In `next`: on no list. Linux: `LIST_POISON1`. */
export const NOT_LINKED = -1;

export class Memmap {
  readonly pageCount: number;
  readonly flags: Int32Array;
  readonly refcount: Int32Array;
  readonly mapcount: Int32Array;
  readonly mapping: Int32Array;
  readonly index: Int32Array;
  readonly private: Int32Array;
  readonly next: Int32Array;
  readonly prev: Int32Array;

  /** Sleepers by folio. An entry exists exactly while `PG.waiters` is set. */
  readonly waiters: Map<Folio, WaitQueue> = new Map();

  private readonly idleLists: PageList[] = [];

  /** `listCount` list heads lie behind the pages: as many lists as can exist at one time. */
  constructor(pageCount: number, listCount: number) {
    assert(pageCount > 0 && pageCount <= 0x1000_0000, "a memory map holds 1 to 2^28 pages");
    this.pageCount = pageCount;
    this.flags = new Int32Array(pageCount);
    this.refcount = new Int32Array(pageCount);
    this.mapcount = new Int32Array(pageCount);
    this.mapping = new Int32Array(pageCount);
    this.index = new Int32Array(pageCount);
    this.private = new Int32Array(pageCount);
    this.next = new Int32Array(pageCount + listCount).fill(NOT_LINKED);
    this.prev = new Int32Array(pageCount + listCount).fill(NOT_LINKED);
    for (let list = pageCount + listCount - 1; list >= pageCount; list--) {
      this.idleLists.push(list as PageList);
    }
  }

  /** A new empty list. Give a list of passing use back with `releaseList`. */
  takeList(): PageList {
    const list = this.idleLists.pop();
    assert(list !== undefined, "more page lists than the memory map was made for");
    this.next[list] = list;
    this.prev[list] = list;
    return list;
  }

  /** Gives an empty list back. */
  releaseList(list: PageList): void {
    assert(this.next[list] === list, "release of a list with pages on it:", list);
    this.next[list] = NOT_LINKED;
    this.idleLists.push(list);
  }

  /** How many lists are in use; a caller that takes and releases leaves it as it was. */
  get listsInUse(): number {
    return this.next.length - this.pageCount - this.idleLists.length;
  }

  /** The page at `index`: where a number from outside becomes a handle. */
  pfn(index: number): Pfn {
    assert(index >= 0 && index < this.pageCount, "no such page frame:", index);
    return index as Pfn;
  }
}

export function testFlag(mem: Memmap, page: Pfn, flag: PageFlag): boolean {
  return (mem.flags[page] & flag) !== 0;
}

export function setFlag(mem: Memmap, page: Pfn, flag: PageFlag): void {
  mem.flags[page] |= flag;
}

export function clearFlag(mem: Memmap, page: Pfn, flag: PageFlag): void {
  mem.flags[page] &= ~flag;
}

/** Clears the flag and tells whether it was set: the one who saw it set owns what it stood for. */
export function testAndClearFlag(mem: Memmap, page: Pfn, flag: PageFlag): boolean {
  const was = (mem.flags[page] & flag) !== 0;
  mem.flags[page] &= ~flag;
  return was;
}
