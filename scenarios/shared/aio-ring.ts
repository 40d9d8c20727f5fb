/**
 * The ring of events of asynchronous I/O, as its owner keeps it: one page of a file of its own.
 *
 * The kernel writes events into the page, by its frame, as I/O ends; the process reads them. The
 * page is in the page cache so that it can move: the file's private data name the context, and
 * the context the page, with a reference. `privateLock` keeps the context alive while it is in the
 * file; `completionLock` keeps the page where it is while an event is written.
 * Linux: `struct kioctx`, `aio_migrate_folio()`, fs/aio.c, with one page and one process.
 */
import { assert } from "../../src/base/assert.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { folioGet, folioPut } from "../../src/memory/folio-ref.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import { folioMigrateMapping } from "../../src/migrate/folio-mapping.ts";
import { folioMigrateCopy } from "../../src/migrate/folio-state.ts";
import type {
  AddressSpace,
  MigrateMode,
  MigrateOutcome,
} from "../../src/pagecache/address-space.ts";
import { truncateFile } from "../../src/pagecache/truncate.ts";
import type { Blocking, Steps } from "../../src/sched/blocking.ts";
import { SpinLock } from "../../src/sched/spin-lock.ts";
import { cachedFolio } from "../../src/vm/small-vm.ts";

/** Bytes of the file: its one page. */
const SIZE_BYTES = 4096;

/** Beside the cache's reference and the isolation's: the context's. */
const CONTEXT_REFS = 1;

/** What events are written to. */
class Context {
  readonly completionLock: SpinLock = new SpinLock("completion_lock");
  isFreed = false;
  private place: Folio;

  constructor(page: Folio) {
    this.place = page;
  }

  get page(): Folio {
    assert(!this.isFreed, "a context is used that has been freed");
    return this.place;
  }

  set page(page: Folio) {
    assert(!this.isFreed, "a context is used that has been freed");
    this.place = page;
  }
}

export class AioRing {
  readonly machine: Machine;
  readonly file: AddressSpace;
  readonly context: Context;
  /** What the file's private data name; null once the context is on its way out. */
  private ofFile: Context | null;

  constructor(machine: Machine) {
    const { vm, mem } = machine;
    this.machine = machine;
    const traits = { sizeBytes: SIZE_BYTES };
    const ops = { migrateFolio: this.migrateFolio.bind(this) };
    this.file = vm.cache.createMapping("an aio ring", ops, traits);
    const page = cachedFolio(vm, this.file, 0, 0);
    folioGet(mem, page);
    this.context = new Context(page);
    this.ofFile = this.context;
  }

  /** The last event, as the process sees it by way of the file; -1 without a page. */
  get lastEvent(): number {
    const page = this.file.folios.load(0);
    return page === null ? -1 : this.machine.mem.frames.readWord(page, 0);
  }

  /** Some I/O has ended. Linux: `aio_complete()`. */
  *complete(event: number): Steps<void> {
    const { context } = this;
    yield* context.completionLock.lock();
    const { page } = context;
    yield "aio-has-the-page";
    this.machine.mem.frames.writeWord(page, 0, event);
    context.completionLock.unlock();
  }

  /** The process ends. Linux: `aio_free_ring()`. */
  *exit(): Blocking<void> {
    const { mem } = this.machine;
    const { context, file } = this;
    yield* file.privateLock.lock();
    this.ofFile = null;
    file.privateLock.unlock();
    yield "aio-out-of-the-file";
    folioPut(mem, context.page);
    context.isFreed = true;
    yield* truncateFile(mem, file, 0);
  }

  private *migrateFolio(
    mem: Machine["mem"],
    mapping: AddressSpace | null,
    dst: Folio,
    src: Folio,
    mode: MigrateMode,
  ): Blocking<MigrateOutcome> {
    if (mode === "sync-no-copy") return "EINVAL";
    yield* this.file.privateLock.lock();
    const context = this.ofFile;
    const outcome = context === null ? "EINVAL" : yield* this.move(mem, context, dst, src);
    this.file.privateLock.unlock();
    assert(mapping === this.file, "a page of another file");
    return outcome;
  }

  private *move(
    mem: Machine["mem"],
    context: Context,
    dst: Folio,
    src: Folio,
  ): Steps<"moved" | "EAGAIN"> {
    const outcome = yield* folioMigrateMapping(mem, this.file, dst, src, CONTEXT_REFS);
    if (outcome !== "moved") return outcome;
    folioGet(mem, dst);
    yield* context.completionLock.lock();
    folioMigrateCopy(mem, dst, src);
    yield "aio-copied";
    context.page = dst;
    context.completionLock.unlock();
    folioPut(mem, src);
    return outcome;
  }
}
