/**
 * A page of a driver that packs small objects: a header in its first words, and one object.
 *
 * Users have handles. Who maps a handle gets the address of the object, and no lock: a count in
 * the header says that the page must stay. The header's words are as the bytes of any page: a copy
 * of the page is a copy of its header. `lock` keeps both from changing; it is the driver's and not
 * in the page. Linux: z3fold (removed in 2025), with one page, one object and no lists.
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

/** The word of the object; the header is before it. */
const OBJECT = 1;

export class BuddiedPage {
  /** Where the page is. */
  page: Folio;
  /** Who has an address in the page. Linux: `mapped_count`. */
  mappedCount = 0;
  private readonly machine: Machine;
  private readonly lock: SpinLock = new SpinLock("the page's header");
  private readonly ops: MovableOperations = {
    name: "a driver of small objects",
    isolatePage: () => this.isolate(),
    migratePage: (_mem, dst, src, mode) => this.migrate(dst, src, mode),
    putbackPage: () => this.putBack(),
  };

  constructor(machine: Machine) {
    const { mem } = machine;
    this.machine = machine;
    const page = folioAlloc(mem, movableRequest(0));
    assert(page !== null && folioTrylock(mem, page), "a new page is nobody else's");
    this.page = page;
    setPageMovable(machine.vm.cache, page, this.ops);
    folioUnlock(mem, page);
  }

  /** The object, as one reads it who maps it now. */
  get object(): number {
    return this.machine.mem.frames.readWord(this.page, OBJECT);
  }

  /** Maps the object, and writes to where it is. Linux: `z3fold_map()`, `z3fold_unmap()`. */
  *write(value: number): Steps<void> {
    yield* this.lock.lock();
    const { page } = this;
    this.mappedCount++;
    this.lock.unlock();
    yield "object-mapped";
    this.machine.mem.frames.writeWord(page, OBJECT, value);
    yield* this.lock.lock();
    this.mappedCount--;
    this.lock.unlock();
  }

  /** The object is freed, and its page with it; nobody has it isolated. */
  *free(): Blocking<void> {
    const { page } = this;
    const { mem } = this.machine;
    yield* folioLock(mem, page);
    clearPageMovable(mem, page);
    folioUnlock(mem, page);
    folioPut(mem, page);
  }

  private *isolate(): Steps<boolean> {
    yield* this.lock.lock();
    const isMapped = this.mappedCount > 0;
    this.lock.unlock();
    return !isMapped;
  }

  private *putBack(): Steps<void> {
    yield "object-page-put-back";
  }

  private *migrate(dst: Folio, src: Folio, mode: MigrateMode): Blocking<MigrateOutcome> {
    const { mem, vm } = this.machine;
    if (mode === "sync-no-copy") return "EINVAL";
    yield* this.lock.lock();
    if (this.mappedCount > 0) {
      this.lock.unlock();
      return "EBUSY";
    }
    mem.frames.copy(dst, src);
    yield "object-copied";
    this.page = dst;
    this.lock.unlock();
    setPageMovable(vm.cache, dst, this.ops);
    folioGet(mem, dst);
    clearPageMovable(mem, src);
    folioPut(mem, src);
    return "moved";
  }
}
