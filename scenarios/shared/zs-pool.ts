/**
 * A pool of small objects, of one page and one object, and the worker that frees pages for it.
 *
 * As of 2019: while its page is isolated, an empty pool's page is left alone, and whoever ends the
 * isolation has the worker free it. `isolationsOver` and `workDone` wake who destroys the pool.
 * Linux: `struct zs_pool`, mm/zsmalloc.c, before isolated pages stayed on the pool's lists (5.17).
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
import { WaitQueue } from "../../src/sched/wait-queue.ts";

export class ZsPool {
  /** Where the page lies at first. */
  readonly firstPage: Folio;
  /** Where the page of the pool is; null once it is freed. */
  page: Folio | null;
  /** Linux: `isolated_pages`. */
  isolatedPages = 0;
  /** Whether the pool is about to go, or has gone. */
  state: "in use" | "being destroyed" | "destroyed" = "in use";
  private readonly machine: Machine;
  private hasObject = true;
  private isWorkQueued = false;
  private readonly workQueued: WaitQueue = new WaitQueue("work for the pool");
  private readonly workDone: WaitQueue = new WaitQueue("the pool's work");
  private readonly isolationsOver: WaitQueue = new WaitQueue("the last isolated page of the pool");
  private readonly ops: MovableOperations = {
    name: "a pool",
    isolatePage: () => this.isolate(),
    migratePage: (_mem, dst, src, mode) => this.migrate(dst, src, mode),
    putbackPage: () => this.endIsolation(),
  };

  constructor(machine: Machine) {
    const { mem } = machine;
    this.machine = machine;
    const page = folioAlloc(mem, movableRequest(0));
    assert(page !== null && folioTrylock(mem, page), "a new page is nobody else's");
    this.firstPage = page;
    this.page = page;
    setPageMovable(machine.vm.cache, page, this.ops);
    folioUnlock(mem, page);
  }

  /** Frees the object, then the pool. Linux: `zs_free()`, `zs_destroy_pool()`. */
  *destroy(): Blocking<void> {
    this.hasObject = false;
    if (this.isolatedPages === 0) this.queueWork();
    yield "pool-empty";
    this.state = "being destroyed";
    while (this.isolatedPages > 0) yield this.isolationsOver;
    while (this.isWorkQueued) yield this.workDone;
    this.state = "destroyed";
  }

  /** The worker: frees the page of an empty pool. Never ends. Linux: `async_free_zspage()`. */
  *work(): Blocking<void> {
    for (;;) {
      while (!this.isWorkQueued) yield this.workQueued;
      yield* this.freePage();
      this.isWorkQueued = false;
      this.workDone.wakeAll();
    }
  }

  private queueWork(): void {
    assert(this.state !== "destroyed", "work is queued for a pool that has been destroyed");
    this.isWorkQueued = true;
    this.workQueued.wakeAll();
  }

  private *freePage(): Blocking<void> {
    const { mem } = this.machine;
    const { page } = this;
    assert(this.state !== "destroyed", "the worker works for a pool that has been destroyed");
    assert(page !== null, "the page of a pool is freed twice");
    yield* folioLock(mem, page);
    this.page = null;
    clearPageMovable(mem, page);
    folioUnlock(mem, page);
    folioPut(mem, page);
  }

  /** A page without an object is about to be freed: it is not worth a move. */
  private *isolate(): Steps<boolean> {
    yield "pool-asked-for-a-page";
    if (this.hasObject) this.isolatedPages++;
    return this.hasObject;
  }

  private *migrate(dst: Folio, src: Folio, mode: MigrateMode): Blocking<MigrateOutcome> {
    const { mem, vm } = this.machine;
    if (mode === "sync-no-copy") return "EINVAL";
    yield "pool-asked-to-move";
    mem.frames.copy(dst, src);
    this.page = dst;
    setPageMovable(vm.cache, dst, this.ops);
    folioGet(mem, dst);
    clearPageMovable(mem, src);
    folioPut(mem, src);
    yield* this.endIsolation();
    return "moved";
  }

  /** Linux: `putback_zspage_deferred()`, `zs_pool_dec_isolated()`. */
  private *endIsolation(): Steps<void> {
    yield "pool-gets-a-page-back";
    this.isolatedPages--;
    if (!this.hasObject) this.queueWork();
    this.isolationsOver.wakeAll();
  }
}
