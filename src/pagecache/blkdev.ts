/**
 * A block device as a file: where filesystems keep what is not a file's data.
 *
 * Its blocks are found by number and used by who holds a count on their buffers, without the
 * folio's lock: so a folio of it may only move by `bufferMigrateFolioNorefs`, which whoever opens
 * the device passes along. Linux: `def_blk_aops`, `__getblk()`, `__bread()`, 6.1.
 */
import { assert } from "../base/assert.ts";
import { PAGE_SIZE } from "../memory/constants.ts";
import { folioUnlock } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import type { Blocking } from "../sched/blocking.ts";
import type { AddressSpace, MigrateFolio, ReadOutcome, WritepageOutcome } from "./address-space.ts";
import { BH, type BufferHead } from "./buffers/buffer-head.ts";
import { blockDirtyFolio } from "./buffers/dirty-buffers.ts";
import { findGetBlock } from "./buffers/find-block.ts";
import { folioBuffers } from "./buffers/folio-buffers.ts";
import { blockInvalidateFolio } from "./buffers/invalidate-buffers.ts";
import { folioMappedBuffers, type GetBlock } from "./buffers/map-buffers.ts";
import { blockReadFullFolio, readBuffer } from "./buffers/read-buffers.ts";
import { blockWriteBegin, blockWriteEnd } from "./buffers/write-begin.ts";
import { blockWriteFullFolio } from "./buffers/write-buffers.ts";
import type { BlockDevice } from "./device/block-device.ts";
import type { PageCache } from "./page-cache.ts";
import { filemapGrabFolio } from "./write.ts";
import type { WritebackControl } from "./writeback-control.ts";

export interface BlkdevShape {
  readonly name: string;
  readonly device: BlockDevice;
  readonly sizeBytes: number;
  /** From 512 to 4096, a power of two. */
  readonly blockBytes: number;
}

/** The device's address space. */
export function openBlkdev(
  cache: PageCache,
  { name, device, sizeBytes, blockBytes }: BlkdevShape,
  migrateFolio: MigrateFolio,
): AddressSpace {
  const ops = {
    migrateFolio,
    readFolio,
    writepage,
    writeBegin,
    writeEnd: blockWriteEnd,
    dirtyFolio: blockDirtyFolio,
    invalidateFolio: blockInvalidateFolio,
  };
  return cache.createMapping(name, ops, { device, sizeBytes, blockBytes });
}

/** Block n of the device is its own block n. Linux: `blkdev_get_block()`. */
const getBlock: GetBlock = ({ id }, block) => ({ device: id, block });

function* readFolio(mem: Memory, mapping: AddressSpace, folio: Folio): Blocking<ReadOutcome> {
  return yield* blockReadFullFolio(mem, mapping, folio, getBlock);
}

function* writepage(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  sync: WritebackControl["sync"],
): Blocking<WritepageOutcome> {
  const { device } = mapping;
  assert(device !== null, "a file without a device is written:", mapping.name);
  const hadBuffers = folioBuffers(mem, mapping.buffers, folio) !== null;
  const ring = yield* folioMappedBuffers(mem, mapping, folio, getBlock);
  // Its buffers were freed before it became dirty: then all of it is.
  if (!hadBuffers) for (const bh of ring) bh.state |= BH.uptodate | BH.dirty;
  return yield* blockWriteFullFolio(mem, mapping, folio, device, sync);
}

function* writeBegin(
  mem: Memory,
  mapping: AddressSpace,
  posBytes: number,
  lengthBytes: number,
): Blocking<Folio | "ENOMEM" | "EIO"> {
  return yield* blockWriteBegin(mem, mapping, posBytes, lengthBytes, getBlock);
}

/**
 * The buffer of a block, made if it is not cached, held by the caller; its bytes may not be the
 * device's yet. Linux: `__getblk()`.
 */
export function* getblk(
  mem: Memory,
  device: AddressSpace,
  block: number,
): Blocking<BufferHead | "ENOMEM"> {
  for (;;) {
    const found = yield* findGetBlock(mem, device, block, device.blockBytes);
    if (found !== null) return found;
    const offset = Math.floor((block * device.blockBytes) / PAGE_SIZE);
    const folio = yield* filemapGrabFolio(mem, device, offset);
    if (folio === "ENOMEM") return folio;
    yield* folioMappedBuffers(mem, device, folio, getBlock);
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  }
}

/** The same, read. The caller gives it back with `put` (`brelse()`). Linux: `__bread()`. */
export function* bread(
  mem: Memory,
  mapping: AddressSpace,
  block: number,
): Blocking<BufferHead | "ENOMEM" | "EIO"> {
  const { device } = mapping;
  assert(device !== null, "a file without a device is read:", mapping.name);
  const bh = yield* getblk(mem, mapping, block);
  if (bh === "ENOMEM" || (bh.state & BH.uptodate) !== 0) return bh;
  if ((yield* readBuffer(device, bh)) === "done") return bh;
  bh.put();
  return "EIO";
}
