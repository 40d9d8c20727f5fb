/**
 * A driver of movable pages at its plainest, for tests and for scenarios that are run many times.
 *
 * Its users have handles, never pages: a page holds the number of its handle in `private`, and
 * moves under them. Every page is on the driver's list unless the VM has isolated it.
 *
 * Lock order: page lock -> the driver's lock. A user who has a handle and wants the page lock must
 * therefore look the page up, let go, take the page lock and look again.
 */
import { assert } from "../base/assert.ts";
import { folioLock, folioTrylock, folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { type Folio, type PageList, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAlloc, movableRequest } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import { listAdd, listDel } from "../memory/page-list.ts";
import type { MigrateMode, MigrateOutcome } from "../pagecache/address-space.ts";
import type { MovableOperations } from "../pagecache/movable-operations.ts";
import type { PageCache } from "../pagecache/page-cache.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import { runToEnd } from "../sched/run.ts";
import { SpinLock } from "../sched/spin-lock.ts";
import { clearPageMovable, setPageMovable } from "./movable-page.ts";

export class SmallDriver {
  readonly ops: MovableOperations;
  readonly list: PageList;
  /** Pages that the VM has: in no list of the driver. */
  isolated = 0;
  /** What the next calls answer, in order; then "moved". */
  readonly answers: MigrateOutcome[] = [];
  /** Whether a page may be isolated now. */
  isWilling = true;
  private readonly cache: PageCache;
  private readonly lock: SpinLock = new SpinLock("the driver's lock");
  private readonly pages: Map<number, Folio> = new Map();
  private nextHandle = 1;

  /** `ops` take the place of the driver's own. */
  constructor(cache: PageCache, ops: Partial<MovableOperations> = {}) {
    this.cache = cache;
    this.list = cache.mem.takeList();
    this.ops = {
      name: "a driver",
      isolatePage: (_mem, page) => this.isolate(page),
      migratePage: (_mem, dst, src, mode) => this.migrate(dst, src, mode),
      putbackPage: (_mem, page) => this.putBack(page),
      ...ops,
    };
  }

  get mem(): Memory {
    return this.cache.mem;
  }

  /** A new page that holds `value`; returns its handle. */
  add(value: number): number {
    const page = folioAlloc(this.mem, movableRequest(0));
    assert(page !== null, "no memory for a driver's page");
    this.mem.frames.writeWord(page, 0, value);
    return this.adopt(page);
  }

  /** Makes a page, and the one reference to it, the driver's; returns its handle. */
  adopt(page: Folio): number {
    const { mem } = this;
    assert(folioTrylock(mem, page), "a page that nobody else knows is locked:", page);
    const handle = this.nextHandle++;
    this.keep(page, handle);
    folioUnlock(mem, page);
    return handle;
  }

  /** Where the page of a handle lies now. */
  pageOf(handle: number): Folio {
    const page = this.pages.get(handle);
    assert(page !== undefined, "no such handle:", handle);
    return page;
  }

  /** A user reads and writes by way of the handle: the lock keeps the page where it is. */
  *write(handle: number, value: number): Steps<void> {
    yield* this.lock.lock();
    const page = this.pageOf(handle);
    yield "driver-has-the-address";
    this.mem.frames.writeWord(page, 0, value);
    this.lock.unlock();
  }

  read(handle: number): number {
    return this.mem.frames.readWord(this.pageOf(handle), 0);
  }

  /** Frees a page, wherever it is and whoever has it. */
  *free(handle: number): Blocking<"freed" | "freed while isolated"> {
    const { mem } = this;
    const page = yield* this.lockPageOf(handle);
    const isIsolated = testFlag(mem, page, PG.isolated);
    yield* this.lock.lock();
    this.pages.delete(handle);
    // The links of an isolated page are the VM's.
    if (isIsolated) this.isolated--;
    else listDel(mem, page);
    this.lock.unlock();
    yield "driver-unlisted";
    clearPageMovable(mem, page);
    mem.private[page] = 0;
    folioUnlock(mem, page);
    folioPut(mem, page);
    yield "driver-let-go";
    folioPut(mem, page);
    return isIsolated ? "freed while isolated" : "freed";
  }

  /** Frees every page. The driver is of no use afterwards. */
  close(): void {
    for (const handle of [...this.pages.keys()]) runToEnd(this.free(handle));
    assert(this.isolated === 0, "a driver is closed while pages are isolated:", this.isolated);
    this.mem.releaseList(this.list);
  }

  /** The page of a handle, locked and with a reference. */
  private *lockPageOf(handle: number): Blocking<Folio> {
    const { mem } = this;
    for (;;) {
      yield* this.lock.lock();
      const page = this.pageOf(handle);
      folioGet(mem, page);
      this.lock.unlock();
      yield* folioLock(mem, page);
      // It may have moved on the way.
      if (this.pageOf(handle) === page) return page;
      folioUnlock(mem, page);
      folioPut(mem, page);
    }
  }

  /** Both need the page lock and the driver's, or a page and a driver that nobody else sees. */
  private keep(page: Folio, handle: number): void {
    const { mem } = this;
    mem.private[page] = handle;
    this.pages.set(handle, page);
    listAdd(mem, this.list, page);
    setPageMovable(this.cache, page, this.ops);
  }

  private *isolate(page: Folio): Steps<boolean> {
    if (!this.isWilling) return false;
    yield* this.lock.lock();
    listDel(this.mem, page);
    this.isolated++;
    this.lock.unlock();
    return true;
  }

  private *putBack(page: Folio): Steps<void> {
    yield* this.lock.lock();
    listAdd(this.mem, this.list, page);
    this.isolated--;
    this.lock.unlock();
  }

  private *migrate(dst: Folio, src: Folio, mode: MigrateMode): Blocking<MigrateOutcome> {
    const { mem } = this;
    if (mode === "sync-no-copy") return "EINVAL";
    const answer = this.answers.shift() ?? "moved";
    if (answer !== "moved") return answer;
    const handle = mem.private[src];
    yield "driver-asked-to-move";
    yield* this.lock.lock();
    mem.frames.copy(dst, src);
    yield "driver-copied";
    this.keep(dst, handle);
    folioGet(mem, dst);
    this.isolated--;
    this.lock.unlock();
    clearPageMovable(mem, src);
    mem.private[src] = 0;
    folioPut(mem, src);
    return "moved";
  }
}
