/**
 * A group of pages that hold small objects together, and the worker that frees it when it is empty.
 *
 * The pages are a chain, as of 2022: `index` of each is the next, and a move builds the chain anew
 * with the new page in the old one's place. `migrateLock` keeps the chain; a page's lock keeps it
 * from moving, and so in the chain. Lock order: a page's lock, then `migrateLock`; who holds that
 * one may only try the other. Linux: `struct zspage`, mm/zsmalloc.c, 6.1, with one reader at most.
 */
import { assert } from "../../src/base/assert.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { folioLock, folioTrylock, folioUnlock } from "../../src/memory/folio-lock.ts";
import { folioGet, folioPut } from "../../src/memory/folio-ref.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import { folioAlloc, movableRequest } from "../../src/memory/page-alloc.ts";
import { clearPageMovable, setPageMovable } from "../../src/migrate/movable-page.ts";
import type { MigrateMode, MigrateOutcome } from "../../src/pagecache/address-space.ts";
import type { MovableOperations } from "../../src/pagecache/movable-operations.ts";
import type { Blocking, Steps } from "../../src/sched/blocking.ts";
import { SpinLock } from "../../src/sched/spin-lock.ts";

/** The link of the last page of a chain. */
const NO_PAGE = -1;

export class Zspage {
  /** How many of the pages the worker has locked; all of them, before it frees one. */
  lockedPages = 0;
  private readonly machine: Machine;
  private readonly migrateLock: SpinLock = new SpinLock("the zspage's migrate lock");
  private first: number = NO_PAGE;
  private readonly ops: MovableOperations = {
    name: "a zspage",
    *isolatePage(): Steps<boolean> {
      yield "zspage-asked-for-a-page";
      return true;
    },
    migratePage: (_mem, dst, src, mode) => this.migrate(dst, src, mode),
    *putbackPage(): Steps<void> {
      yield "zspage-gets-a-page-back";
    },
  };

  constructor(machine: Machine, pageCount: number) {
    const { mem } = machine;
    this.machine = machine;
    const pages = Array.from({ length: pageCount }, () => {
      const page = folioAlloc(mem, movableRequest(0));
      assert(page !== null && folioTrylock(mem, page), "a new page is nobody else's");
      setPageMovable(machine.vm.cache, page, this.ops);
      folioUnlock(mem, page);
      return page;
    });
    this.link(pages);
  }

  /** The pages, in their order. */
  get pages(): Folio[] {
    const pages: Folio[] = [];
    for (let page = this.first; page !== NO_PAGE; page = this.machine.mem.index[page]) {
      pages.push(page as Folio);
    }
    return pages;
  }

  /** Frees all pages, of which no object is in use. Linux: `async_free_zspage()`. */
  *free(): Blocking<void> {
    const { mem } = this.machine;
    yield* this.lockPages();
    const { pages } = this;
    assert(this.lockedPages === pages.length, "pages locked, not all:", this.lockedPages);
    this.first = NO_PAGE;
    for (const page of pages) {
      this.letGo(page);
      folioUnlock(mem, page);
      folioPut(mem, page);
    }
  }

  /** Locks every page. One that is locked cannot move; the others may, meanwhile. */
  private *lockPages(): Blocking<void> {
    const { mem } = this.machine;
    yield* this.migrateLock.lock();
    for (let last = NO_PAGE; ; ) {
      const page = (last === NO_PAGE ? this.first : mem.index[last]) as Folio;
      if ((page as number) === NO_PAGE) break;
      if (folioTrylock(mem, page)) {
        this.lockedPages++;
        last = page;
        yield "zspage-page-locked";
        continue;
      }
      folioGet(mem, page);
      this.migrateLock.unlock();
      yield* folioLock(mem, page);
      folioUnlock(mem, page);
      folioPut(mem, page);
      yield* this.migrateLock.lock();
    }
    this.migrateLock.unlock();
  }

  private *migrate(dst: Folio, src: Folio, mode: MigrateMode): Blocking<MigrateOutcome> {
    const { mem, vm } = this.machine;
    if (mode === "sync-no-copy") return "EINVAL";
    yield "zspage-asked-to-move";
    yield* this.migrateLock.lock();
    mem.frames.copy(dst, src);
    this.link(this.pages.map((page) => (page === src ? dst : page)));
    setPageMovable(vm.cache, dst, this.ops);
    this.migrateLock.unlock();
    yield "zspage-relinked";
    folioGet(mem, dst);
    this.letGo(src);
    folioPut(mem, src);
    return "moved";
  }

  private link(pages: readonly Folio[]): void {
    const { mem } = this.machine;
    this.first = pages[0];
    for (const [at, page] of pages.entries()) mem.index[page] = pages[at + 1] ?? NO_PAGE;
  }

  /** The page, which is locked, is nobody's; it is linked to none. Linux: `reset_page()`. */
  private letGo(page: Folio): void {
    const { mem } = this.machine;
    clearPageMovable(mem, page);
    mem.index[page] = NO_PAGE;
  }
}
