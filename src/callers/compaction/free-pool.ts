/**
 * What the free scanner holds for the migration to use.
 *
 * Through 6.8 every free block is split into single pages at once, and the last page isolated is
 * handed out first. From 6.9 on blocks are kept whole by order, the first isolated is handed out
 * first, and a larger one is split as needed: so that a large folio finds a block of its size.
 *
 * Pages in a pool are off the free lists and not counted as free. Whoever holds a pool empties it
 * with `release`. Linux: `cc->freepages`, `split_map_pages()`, `release_free_list()`.
 */
import { assert } from "../../base/assert.ts";
import { MAX_ORDER } from "../../memory/constants.ts";
import { folioOrder, prepCompound, unprepCompound } from "../../memory/folio.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import type { Folio, PageList, Pfn } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { prepNewPage } from "../../memory/page-alloc.ts";
import { freePages } from "../../memory/page-free.ts";
import {
  listAdd,
  listAddTail,
  listDel,
  listEmpty,
  listFirst,
  listSplice,
} from "../../memory/page-list.ts";

export interface FreePool {
  /** Pages held. */
  readonly count: number;
  /** Takes the blocks of a list over, each with its order in `private`. */
  add(blocks: PageList): void;
  /** A folio of that order with one reference, or null. */
  take(order: number): Folio | null;
  /** Takes a folio back that was not used. */
  giveBack(folio: Folio): void;
  /** Frees all that is held and gives the lists back; the highest frame, or 0. */
  release(): number;
}

/** The pool of the kernel's release. */
export function createFreePool(mem: Memory): FreePool {
  return mem.profile.compactsLargeFolios ? new BlocksByOrder(mem) : new SinglePages(mem);
}

/** Single pages, each with one reference. */
class SinglePages implements FreePool {
  count = 0;
  private readonly mem: Memory;
  private readonly pages: PageList;

  constructor(mem: Memory) {
    this.mem = mem;
    this.pages = mem.takeList();
  }

  add(blocks: PageList): void {
    const { mem } = this;
    const split = mem.takeList();
    while (!listEmpty(mem, blocks)) {
      const first = listFirst(mem, blocks);
      const end = first + (1 << mem.private[first]);
      listDel(mem, first);
      this.count += end - first;
      for (let page = first; page < end; page = (page + 1) as Pfn) {
        prepNewPage(mem, page);
        listAdd(mem, split, page);
      }
    }
    listSplice(mem, split, this.pages);
    mem.releaseList(split);
  }

  take(order: number): Folio | null {
    const { mem, pages } = this;
    assert(order === 0, "a pool of single pages is asked for order", order);
    if (listEmpty(mem, pages)) return null;
    const page = listFirst(mem, pages);
    listDel(mem, page);
    this.count--;
    return page as Folio;
  }

  giveBack(folio: Folio): void {
    listAdd(this.mem, this.pages, folio);
    this.count++;
  }

  release(): number {
    const { mem, pages } = this;
    let highest = 0;
    while (!listEmpty(mem, pages)) {
      const page = listFirst(mem, pages);
      listDel(mem, page);
      highest = Math.max(highest, page);
      folioPut(mem, page as Folio);
    }
    this.count = 0;
    mem.releaseList(pages);
    return highest;
  }
}

/** Blocks without references, a list for each order, the order in `private`. */
class BlocksByOrder implements FreePool {
  count = 0;
  private readonly mem: Memory;
  private readonly lists: readonly PageList[];

  constructor(mem: Memory) {
    this.mem = mem;
    this.lists = Array.from({ length: MAX_ORDER }, () => mem.takeList());
  }

  add(blocks: PageList): void {
    const { mem } = this;
    while (!listEmpty(mem, blocks)) {
      const block = listFirst(mem, blocks);
      const order = mem.private[block];
      listDel(mem, block);
      listAddTail(mem, this.lists[order], block);
      this.count += 1 << order;
    }
  }

  take(order: number): Folio | null {
    const { mem, lists } = this;
    let size = order;
    while (size < MAX_ORDER && listEmpty(mem, lists[size])) size++;
    if (size === MAX_ORDER) return null;
    const block = listFirst(mem, lists[size]);
    listDel(mem, block);
    for (size--; size >= order; size--) this.put((block + (1 << size)) as Pfn, size);
    this.count -= 1 << order;
    prepNewPage(mem, block);
    return order > 0 ? prepCompound(mem, block, order) : (block as Folio);
  }

  giveBack(folio: Folio): void {
    const { mem } = this;
    assert(mem.refcount[folio] > 0, "a folio comes back that nobody holds:", folio);
    // Who found it by its frame number holds it, and frees it in the end. Linux: compaction_free().
    if (--mem.refcount[folio] > 0) return;
    const order = folioOrder(mem, folio);
    if (order > 0) unprepCompound(mem, folio);
    this.put(folio, order);
    this.count += 1 << order;
  }

  release(): number {
    const { mem } = this;
    let highest = 0;
    for (const [order, list] of this.lists.entries()) {
      while (!listEmpty(mem, list)) {
        const block = listFirst(mem, list);
        listDel(mem, block);
        highest = Math.max(highest, block);
        freePages(mem, block, order);
      }
      mem.releaseList(list);
    }
    this.count = 0;
    return highest;
  }

  private put(block: Pfn, order: number): void {
    this.mem.private[block] = order;
    listAdd(this.mem, this.lists[order], block);
  }
}
