/**
 * What an owner can do with its file's pages: the table, and who may call what under which lock.
 *
 * | operation          | folio lock on entry     | on return              | may sleep           |
 * |--------------------|-------------------------|------------------------|---------------------|
 * | writepage          | held                    | given up (see outcome) | yes                 |
 * | readFolio          | held                    | given up, then or later| yes                 |
 * | writepages         | none                    | none                   | yes                 |
 * | dirtyFolio         | none, a reference or pte| as it was              | spins only          |
 * | readahead          | each held               | given up, then or later| yes                 |
 * | writeBegin         | none                    | held                   | yes                 |
 * | writeEnd           | held                    | given up               | yes                 |
 * | fault              | none                    | held                   | yes                 |
 * | allocFolio         | none                    | none                   | yes                 |
 * | truncateRange      | none                    | none                   | yes                 |
 * | pageMkwrite        | none, a reference       | held, if "locked"      | yes                 |
 * | invalidateFolio    | held                    | held                   | yes (buffers)       |
 * | releaseFolio       | held                    | held                   | spins only          |
 * | freeFolio          | held, out of the file   | held                   | no                  |
 * | migrateFolio       | both held               | both held              | not in mode "async" |
 * | launderFolio       | held                    | held                   | yes                 |
 * | isPartiallyUptodate| held                    | held                   | no                  |
 *
 * `invalidateLock` is held shared around `readahead` and the `readFolio` of a read, exclusively
 * around an `invalidateFolio` of a truncate. Linux: `struct address_space_operations`,
 * Documentation/filesystems/locking.rst, 6.1.
 */
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import type { AddressSpace } from "./address-space.ts";
import type { Readahead } from "./readahead-control.ts";
import type { WritebackControl } from "./writeback-control.ts";

/** How much a migration may wait. Linux: `enum migrate_mode`, in its order. */
export type MigrateMode = "async" | "sync-light" | "sync" | "sync-no-copy";

/** How an owner's move ended: done, worth another try, or not for this call. */
export type MigrateOutcome = "moved" | "EAGAIN" | "EBUSY" | "EINVAL" | "EIO";

/**
 * Moves one folio, contents and private state, from `src` to `dst`.
 *
 * Both are locked on entry and on return, `src` is unmapped, off the LRU and not under writeback.
 * After "moved" there is no way back; after anything else `src` must be as it was. Must not sleep
 * in mode "async". `mapping` is null for anonymous folios outside the swap cache.
 */
export type MigrateFolio = (
  mem: Memory,
  mapping: AddressSpace | null,
  dst: Folio,
  src: Folio,
  mode: MigrateMode,
) => Blocking<MigrateOutcome>;

/**
 * How `writepage` left the folio: unlocked, with its write begun or failed; or locked as it was, by
 * an owner that cannot write it now. Linux: `AOP_WRITEPAGE_ACTIVATE`.
 */
export type WritepageOutcome = "started" | "EIO" | "activate";

/** How a read was begun: unlocked when it ends; or at once, for an error. */
export type ReadOutcome = "started" | "EIO";

/** What most operations get. */
type OnFolio<T> = (mem: Memory, mapping: AddressSpace, folio: Folio) => T;

/** Linux: `struct address_space_operations`. */
export interface AddressSpaceOperations {
  /**
   * Begins to write a locked folio of which the caller has taken the dirty mark
   * (`folioClearDirtyForIo`). Called by writeback, by reclaim and by the fallback of a migration,
   * both with `sync` "none": what the owner would have to wait for may be left dirty. For "all" it
   * must be on its way, with what was on its way already, when the folio's writeback ends.
   */
  readonly writepage?: (
    mem: Memory,
    mapping: AddressSpace,
    folio: Folio,
    sync: WritebackControl["sync"],
  ) => Blocking<WritepageOutcome>;
  /** Begins to read a locked folio that is not uptodate; it is unlocked when the read ends. */
  readonly readFolio?: OnFolio<Blocking<ReadOutcome>>;
  /** Writes dirty folios of a stretch. By default `writeCachePages` with `writepage`. */
  readonly writepages?: (
    mem: Memory,
    mapping: AddressSpace,
    control: WritebackControl,
  ) => Blocking<"done" | "EIO">;
  /**
   * Says that the bytes are newer than the storage; true if they were not so before. The caller
   * holds the folio's lock, or an entry of a page table under its lock: the folio is not truncated
   * meanwhile. Missing: `blockDirtyFolio`, as it was before 5.18.
   */
  readonly dirtyFolio?: OnFolio<Steps<boolean>>;
  /** Reads the folios that it takes from `readahead`, locked; may leave some. */
  readonly readahead?: (mem: Memory, mapping: AddressSpace, readahead: Readahead) => Blocking<void>;
  /** Gives the folio that covers the stretch: in the cache, locked, held, what stays of it read. */
  readonly writeBegin?: (
    mem: Memory,
    mapping: AddressSpace,
    posBytes: number,
    lengthBytes: number,
  ) => Blocking<Folio | "ENOMEM" | "EIO">;
  /** The bytes are there: dirties the folio, lets the file grow, unlocks and puts the folio. */
  readonly writeEnd?: (
    mem: Memory,
    mapping: AddressSpace,
    posBytes: number,
    lengthBytes: number,
    folio: Folio,
  ) => Blocking<void>;
  /**
   * The folio with the page at an offset, uptodate, locked and held; or why there is none. Missing:
   * `filemapFault`. Linux: `fault` of `struct vm_operations_struct`.
   */
  readonly fault?: (
    mem: Memory,
    mapping: AddressSpace,
    offset: number,
  ) => Blocking<Folio | "SIGBUS">;
  /**
   * Memory for a new folio. Missing: by the policy of the task that asks. Linux:
   * `shmem_alloc_folio()`, which asks the policy of the file.
   */
  readonly allocFolio?: (
    mem: Memory,
    mapping: AddressSpace,
    offset: number,
    order: number,
  ) => Blocking<Folio | null>;
  /**
   * Gives up the pages of a stretch of bytes, wherever they are, and zeroes parts of pages. For
   * owners whose pages may be elsewhere than in the cache. Missing: `truncateInodePages`, with
   * parts zeroed by a write. Linux: `shmem_truncate_range()`.
   */
  readonly truncateRange?: (
    mem: Memory,
    mapping: AddressSpace,
    startBytes: number,
    endBytes: number,
  ) => Blocking<void>;
  /**
   * A process is about to write to a page that it maps, which must be made ready: "locked" and
   * dirty, or "truncated", and the fault starts over. Missing: nothing to make ready.
   * Linux: `page_mkwrite` of `struct vm_operations_struct`.
   */
  readonly pageMkwrite?: OnFolio<Blocking<"locked" | "truncated" | "EIO">>;
  /**
   * A part of a locked folio is cut off, or all: private state for it must go. The folio is not
   * under writeback. Missing: `blockInvalidateFolio`.
   */
  readonly invalidateFolio?: (
    mem: Memory,
    mapping: AddressSpace,
    folio: Folio,
    offsetBytes: number,
    lengthBytes: number,
  ) => Blocking<void>;
  /**
   * Gives up the private state and its reference; false if it is in use. Called by reclaim, by
   * invalidation, by the split of a large folio and by the fallback of a migration.
   */
  readonly releaseFolio?: OnFolio<Steps<boolean>>;
  /** The folio has left the file and is about to lose the cache's references. */
  readonly freeFolio?: (mem: Memory, folio: Folio) => void;
  readonly migrateFolio?: MigrateFolio;
  /** Writes a dirty folio before it is invalidated, and waits. Missing: nothing is done. */
  readonly launderFolio?: OnFolio<Blocking<"done" | "EIO">>;
  /** Whether a stretch of a folio that is not uptodate as a whole can be read. */
  readonly isPartiallyUptodate?: (
    mem: Memory,
    mapping: AddressSpace,
    folio: Folio,
    fromBytes: number,
    lengthBytes: number,
  ) => boolean;
}
