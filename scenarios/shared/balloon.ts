/**
 * A balloon: pages that a guest has given back to its host, and takes again when it needs them.
 *
 * `pages` are those that nobody has isolated; `pagesLock` keeps the list. Lock order: a page's
 * lock, then `pagesLock`; who holds that may only try the other, and passes over a page that the VM
 * is about to take. What is in a page is of no matter, so none is copied.
 * Linux: mm/balloon_compaction.c, 6.1, without the host.
 */
import { assert } from "../../src/base/assert.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { folioTrylock, folioUnlock } from "../../src/memory/folio-lock.ts";
import { folioGet, folioPut } from "../../src/memory/folio-ref.ts";
import { type Folio, NOT_LINKED, type PageList } from "../../src/memory/memmap.ts";
import { folioAlloc, movableRequest } from "../../src/memory/page-alloc.ts";
import { listAdd, listDel, listFirst, listIsEnd, listLength } from "../../src/memory/page-list.ts";
import { clearPageMovable, setPageMovable } from "../../src/migrate/movable-page.ts";
import type { MigrateOutcome } from "../../src/pagecache/address-space.ts";
import type { MovableOperations } from "../../src/pagecache/movable-operations.ts";
import type { Steps } from "../../src/sched/blocking.ts";
import { runToEnd } from "../../src/sched/run.ts";
import { SpinLock } from "../../src/sched/spin-lock.ts";

export class Balloon {
  /** Pages that the VM has: on no list of the balloon. */
  isolatedPages = 0;
  private readonly machine: Machine;
  private readonly pages: PageList;
  private readonly pagesLock: SpinLock = new SpinLock("pages_lock");
  private readonly ops: MovableOperations = {
    name: "a balloon",
    isolatePage: (_mem, page) => this.isolate(page),
    migratePage: (_mem, dst, src) => this.migrate(dst, src),
    putbackPage: (_mem, page) => this.putBack(page),
  };

  constructor(machine: Machine) {
    this.machine = machine;
    this.pages = machine.mem.takeList();
  }

  /** Pages of the balloon at rest. */
  get size(): number {
    return listLength(this.machine.mem, this.pages);
  }

  /** Gives one more page to the host. Linux: `balloon_page_enqueue()`. */
  inflate(): Folio {
    const { mem } = this.machine;
    const page = folioAlloc(mem, movableRequest(0));
    assert(page !== null && folioTrylock(mem, page), "a new page is nobody else's");
    this.insert(page);
    folioUnlock(mem, page);
    return page;
  }

  /** Takes a page that nobody has from the host. Linux: `balloon_page_dequeue()`. */
  *deflate(): Steps<"deflated" | "none"> {
    const { mem } = this.machine;
    yield* this.pagesLock.lock();
    const page = yield* this.findUnlocked();
    if (page !== null) listDel(mem, page);
    this.pagesLock.unlock();
    if (page === null) return "none";
    clearPageMovable(mem, page);
    folioUnlock(mem, page);
    folioPut(mem, page);
    return "deflated";
  }

  /** Takes all pages. The balloon is of no use afterwards. */
  close(): void {
    while (runToEnd(this.deflate()) === "deflated");
    this.machine.mem.releaseList(this.pages);
  }

  /** The first page that can be locked, locked; `pagesLock` is held. */
  private *findUnlocked(): Steps<Folio | null> {
    const { mem } = this.machine;
    let page = listFirst(mem, this.pages);
    while (!listIsEnd(this.pages, page)) {
      yield "balloon-walk-at-a-page";
      if (folioTrylock(mem, page as Folio)) return page as Folio;
      const next = mem.next[page];
      assert(next !== NOT_LINKED, "a walk stands on a page that has left the list:", page);
      page = next as Folio;
    }
    return null;
  }

  /** The page is locked; `pagesLock` is held, or nobody else knows of the page. */
  private insert(page: Folio): void {
    listAdd(this.machine.mem, this.pages, page);
    setPageMovable(this.machine.vm.cache, page, this.ops);
  }

  private *isolate(page: Folio): Steps<boolean> {
    yield "balloon-asked-for-a-page";
    yield* this.pagesLock.lock();
    listDel(this.machine.mem, page);
    this.isolatedPages++;
    this.pagesLock.unlock();
    return true;
  }

  private *putBack(page: Folio): Steps<void> {
    yield* this.pagesLock.lock();
    listAdd(this.machine.mem, this.pages, page);
    this.isolatedPages--;
    this.pagesLock.unlock();
  }

  private *migrate(dst: Folio, src: Folio): Steps<MigrateOutcome> {
    const { mem } = this.machine;
    folioGet(mem, dst);
    yield* this.pagesLock.lock();
    this.insert(dst);
    this.isolatedPages--;
    this.pagesLock.unlock();
    clearPageMovable(mem, src);
    folioPut(mem, src);
    return "moved";
  }
}
