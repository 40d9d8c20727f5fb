/**
 * Address spaces: a file's cached pages, and what its owner can do with them.
 *
 * An owner is a table of optional operations, as in the kernel: a member that is missing means
 * what it means there (no `migrateFolio`: the fallback, writeout and all). On a machine without
 * migration every owner's `migrateFolio` is missing, whatever its table says.
 *
 * Lock order: `inodeLock` of the file, which keeps writes and cuts apart; in it `invalidateLock`,
 * which keeps truncate and reads into the cache apart; in it the folio's own lock, for as long as
 * its place in the mapping must hold; in it `privateLock`, which keeps rings of buffer heads; in it
 * `i_pages` (each change of the index here is atomic). Linux: `struct address_space`.
 */
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { RwSemaphore } from "../sched/rw-semaphore.ts";
import { SpinLock } from "../sched/spin-lock.ts";
import type { AddressSpaceOperations } from "./address-space-operations.ts";
import type { BufferHeads } from "./buffers/buffer-heads.ts";
import type { BlockDevice } from "./device/block-device.ts";
import { FileReadahead } from "./file-readahead.ts";
import { FolioIndex } from "./folio-index.ts";
import { InvalidateLock } from "./invalidate-lock.ts";
import type { Mappers } from "./mappers.ts";

export type * from "./address-space-operations.ts";

/** Bits of `AddressSpace.flags`. Linux: `enum mapping_flags`. */
export const AS = {
  /** A write failed since the last fsync. */
  eio: 0x1,
  /** All pages stay in memory: not for the LRU's evictable lists. */
  unevictable: 0x8,
  /** `PG.writeback` is set without the mark in the index: the swap cache. */
  noWritebackTags: 0x20,
  /** Folios of order 1 and more may be entered. */
  largeFolioSupport: 0x40,
  /** New folios have swap for storage: shmem, which sets that itself in Linux. */
  swapBacked: 0x100,
  /** The kernel must not read the bytes. 6.1 knows such VMAs by vm_ops; later AS_INACCESSIBLE. */
  inaccessible: 0x200,
  /** `releaseFolio` is called for folios without private state too. */
  releaseAlways: 0x80,
} as const;

/** What is said of a file when it is made; all of it may be left out. */
export interface AddressSpaceTraits {
  /** Bits of AS. */
  readonly flags?: number;
  /** Linux: `i_size`. */
  readonly sizeBytes?: number;
  /** Where the bytes are when memory is not. */
  readonly device?: BlockDevice | null;
  /** Bytes of a block of its storage, for owners with buffers. Linux: `i_blkbits`. */
  readonly blockBytes?: number;
  /** Whether dirty pages are counted and written; by default, whether the owner can write. */
  readonly canWriteback?: boolean;
  /** Pages of the largest window of readahead; 0 for none. Linux: `ra_pages`. */
  readonly readaheadPages?: number;
}

/** What all files of one machine share. */
export interface SharedByFiles {
  readonly mem: Memory;
  readonly buffers: BufferHeads;
  mappers: Mappers | null;
  /** Told of a folio that comes back, and what its eviction left. Linux: `workingset_refault()`. */
  workingsetRefault: ((folio: Folio, shadow: number) => void) | null;
}

export class AddressSpace {
  /** Index in `PageCache.mappings`; what the mapping word carries. */
  readonly id: number;
  /** Whose pages these are, as refusals print it. */
  readonly name: string;
  readonly ops: AddressSpaceOperations;
  /** Bits of AS. */
  flags: number;
  /** Where the file ends; what lies behind is not read, written or mapped. Linux: `i_size`. */
  sizeBytes: number;
  readonly device: BlockDevice | null;
  /** 0 for an owner without buffers. */
  readonly blockBytes: number;
  /** Dirty pages are counted, and written back. Linux: `mapping_can_writeback()`. */
  readonly canWriteback: boolean;
  /** By page offset. Holds one reference for each page. */
  readonly folios: FolioIndex = new FolioIndex();
  /** Of those who read by mapping the file. (In Linux each open file has its own.) */
  readonly faultReadahead: FileReadahead;
  /** By page offset, what evicted pages left for their return; null while there is nothing. */
  shadows: Map<number, number> | null = null;
  /**
   * By page offset, the slots of pages that are in swap and not here: entries of swap, of shmem
   * alone. Null while there has been none. Linux: value entries of `i_pages`.
   */
  swapped: Map<number, number> | null = null;
  /** It has no name: when nobody maps it any more it goes. Linux: `i_nlink` is 0. */
  isUnlinked = false;
  /** Where a background writeback goes on. Linux: `writeback_index`. */
  writebackIndex = 0;

  /** Rings of this machine's files; `private` of a folio with `PG.private` may name one. */
  readonly buffers: BufferHeads;
  /** Keeps every ring in this file from being found, freed or dirtied. Linux: `private_lock`. */
  readonly privateLock: SpinLock;
  /** Who writes to the file, or cuts it, keeps others from both. Linux: `i_rwsem`. */
  readonly inodeLock: RwSemaphore;
  /** Linux: `invalidate_lock`. */
  readonly invalidateLock: InvalidateLock;
  private readonly shared: SharedByFiles;

  constructor(
    id: number,
    name: string,
    ops: AddressSpaceOperations,
    shared: SharedByFiles,
    traits: AddressSpaceTraits = {},
  ) {
    this.id = id;
    this.name = name;
    this.ops = shared.mem.features.migration ? ops : withoutMigration(ops);
    this.shared = shared;
    this.buffers = shared.buffers;
    this.flags = traits.flags ?? 0;
    this.sizeBytes = traits.sizeBytes ?? 0;
    this.device = traits.device ?? null;
    this.blockBytes = traits.blockBytes ?? 0;
    const canWrite = ops.writepage !== undefined || ops.writepages !== undefined;
    this.faultReadahead = new FileReadahead(traits.readaheadPages);
    this.canWriteback = traits.canWriteback ?? canWrite;
    this.privateLock = new SpinLock("private_lock");
    this.inodeLock = new RwSemaphore("i_rwsem");
    this.invalidateLock = new InvalidateLock("invalidate_lock");
  }

  /** Those who map pages of files: processes, if there are any. */
  get mappers(): Mappers | null {
    return this.shared.mappers;
  }

  get workingsetRefault(): SharedByFiles["workingsetRefault"] {
    return this.shared.workingsetRefault;
  }
}

/** The same table as a kernel without migration compiles it. */
function withoutMigration(ops: AddressSpaceOperations): AddressSpaceOperations {
  const { migrateFolio: _, ...others } = ops;
  return others;
}
