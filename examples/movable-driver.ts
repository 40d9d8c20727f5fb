/**
 * A driver whose pages are off the LRU and may be moved under it: one page for each handle.
 *
 * Users have handles and never pages, so a page may lie anywhere. `pages` says where each lies, and
 * `lock` keeps it there: a user reads and writes under it, and a move copies and switches under it.
 * A page knows its handle by `private`. Lock order: a page's lock, then `lock`.
 *
 * The VM calls `ops` with the page locked: it isolates a page, moves it or puts it back. A page may
 * be freed at any time, while it is isolated too; then the VM is told "moved", for there is nothing
 * left to move. Linux: Documentation/mm/page_migration.rst, "Non-LRU page migration".
 */
import {
  type Blocking,
  clearPageMovable,
  type Folio,
  folioAlloc,
  folioGet,
  folioLock,
  folioPut,
  folioTrylock,
  folioUnlock,
  type Machine,
  type MigrateMode,
  type MigrateOutcome,
  type MovableOperations,
  movableRequest,
  PG,
  SpinLock,
  type Steps,
  setPageMovable,
  testFlag,
} from "godwit/steps";

export class Driver {
  readonly ops: MovableOperations = {
    name: "driver",
    isolatePage: (_mem, page) => this.isolate(page),
    migratePage: (_mem, dst, src, mode) => this.migrate(dst, src, mode),
    putbackPage: (_mem, page) => this.putBack(page),
  };
  /** Pages that the VM has. */
  isolated = 0;
  private readonly machine: Machine;
  private readonly lock = new SpinLock("the driver's lock");
  private readonly pages = new Map<number, Folio>();
  private nextHandle = 1;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** A new page that holds `value`; its handle. */
  add(value: number): number {
    const { mem, vm } = this.machine;
    const page = folioAlloc(mem, movableRequest(0));
    if (page === null) throw new Error("no memory for a page of the driver");
    const handle = this.nextHandle++;
    mem.frames.writeWord(page, 0, value);
    mem.private[page] = handle;
    this.pages.set(handle, page);
    // Nobody else knows the page: its lock is free.
    folioTrylock(mem, page);
    setPageMovable(vm.cache, page, this.ops);
    folioUnlock(mem, page);
    return handle;
  }

  *write(handle: number, value: number): Steps<void> {
    yield* this.lock.lock();
    const page = this.pageOf(handle);
    yield "driver-found-the-page";
    this.machine.mem.frames.writeWord(page, 0, value);
    this.lock.unlock();
  }

  *read(handle: number): Steps<number> {
    yield* this.lock.lock();
    const value = this.machine.mem.frames.readWord(this.pageOf(handle), 0);
    this.lock.unlock();
    return value;
  }

  /** Frees the page of a handle, whoever has it. */
  *free(handle: number): Blocking<void> {
    const { mem } = this.machine;
    const page = yield* this.lockPageOf(handle);
    // Under the page's lock: the VM asks, and gives back, only pages that are still movable then.
    if (testFlag(mem, page, PG.isolated)) this.isolated--;
    yield* this.lock.lock();
    this.pages.delete(handle);
    this.lock.unlock();
    yield "driver-forgot-the-page";
    clearPageMovable(mem, page);
    mem.private[page] = 0;
    folioUnlock(mem, page);
    // The reference of `lockPageOf`, and the driver's own.
    folioPut(mem, page);
    folioPut(mem, page);
  }

  /** The page of a handle with its lock and a reference; it may have moved on the way. */
  private *lockPageOf(handle: number): Blocking<Folio> {
    const { mem } = this.machine;
    for (;;) {
      yield* this.lock.lock();
      const page = this.pageOf(handle);
      folioGet(mem, page);
      this.lock.unlock();
      yield* folioLock(mem, page);
      if (this.pageOf(handle) === page) return page;
      folioUnlock(mem, page);
      folioPut(mem, page);
    }
  }

  /** Where the page of a handle lies now. */
  pageOf(handle: number): Folio {
    const page = this.pages.get(handle);
    if (page === undefined) throw new Error(`no such handle: ${handle}`);
    return page;
  }

  private *isolate(_page: Folio): Steps<boolean> {
    yield "driver-asked-for-a-page";
    this.isolated++;
    return true;
  }

  private *putBack(_page: Folio): Steps<void> {
    yield "driver-gets-a-page-back";
    this.isolated--;
  }

  private *migrate(dst: Folio, src: Folio, mode: MigrateMode): Blocking<MigrateOutcome> {
    const { mem, vm } = this.machine;
    // The copy is made under the driver's lock, so that nobody else can make it later.
    if (mode === "sync-no-copy") return "EINVAL";
    const handle = mem.private[src];
    yield* this.lock.lock();
    mem.frames.copy(dst, src);
    yield "driver-copied";
    mem.private[dst] = handle;
    this.pages.set(handle, dst);
    this.lock.unlock();
    setPageMovable(vm.cache, dst, this.ops);
    folioGet(mem, dst);
    this.isolated--;
    clearPageMovable(mem, src);
    mem.private[src] = 0;
    folioPut(mem, src);
    return "moved";
  }
}
