/**
 * Address spaces: a file's cached pages, and what its owner can do with them.
 *
 * An owner is a table of optional operations, as in the kernel: a member that is missing means
 * what it means there (no `migrateFolio`: the fallback, writeout and all).
 *
 * Locks: the folio's own lock for as long as its place in the mapping must hold; in it
 * `privateLock`, which keeps rings of buffer heads; in it `i_pages` (each change of the index here
 * is atomic). Linux: `struct address_space`, `struct address_space_operations`.
 */
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import { SpinLock } from "../sched/spin-lock.ts";
import type { BufferHeads } from "./buffer-heads.ts";
import { FolioIndex } from "./folio-index.ts";

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

/** Linux: `struct address_space_operations`. */
export interface AddressSpaceOperations {
  readonly migrateFolio?: MigrateFolio;
  /** Begins to write a locked folio of which the caller has taken the dirty mark. */
  readonly writepage?: (
    mem: Memory,
    mapping: AddressSpace,
    folio: Folio,
  ) => Blocking<WritepageOutcome>;
  /** Gives up the private state and its reference; false if it is in use. The folio is locked. */
  readonly releaseFolio?: (mem: Memory, mapping: AddressSpace, folio: Folio) => Steps<boolean>;
}

export class AddressSpace {
  /** Index in `PageCache.mappings`; what the mapping word carries. */
  readonly id: number;
  /** Whose pages these are, as refusals print it. */
  readonly name: string;
  readonly ops: AddressSpaceOperations;
  /** By page offset. Holds one reference for each page. */
  readonly folios: FolioIndex = new FolioIndex();

  /** Rings of this machine's files; `private` of a folio with `PG.private` may name one. */
  readonly buffers: BufferHeads;
  /** Keeps every ring in this file from being found, freed or dirtied. Linux: `private_lock`. */
  readonly privateLock: SpinLock;

  constructor(id: number, name: string, ops: AddressSpaceOperations, buffers: BufferHeads) {
    this.id = id;
    this.name = name;
    this.ops = ops;
    this.buffers = buffers;
    this.privateLock = new SpinLock("private_lock");
  }
}
