/**
 * One cached page of a block device, with four blocks, and those who use them.
 *
 * A user of a block has a count on its buffer. It reads and writes the bytes at the address that
 * the buffer told it, with no reference to the folio and without its lock.
 */
import { assert } from "../../src/base/assert.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { type Folio, testFlag } from "../../src/memory/memmap.ts";
import { PG } from "../../src/memory/page-flags.ts";
import type { AddressSpace, MigrateFolio } from "../../src/pagecache/address-space.ts";
import { BH, type BufferHead } from "../../src/pagecache/buffers/buffer-head.ts";
import { markBufferDirty } from "../../src/pagecache/buffers/dirty-buffers.ts";
import { findGetBlock } from "../../src/pagecache/buffers/find-block.ts";
import { attachBuffers, SMALL_BLOCK_BYTES } from "../../src/pagecache/buffers/small-buffers.ts";
import type { Blocking, Steps } from "../../src/sched/blocking.ts";
import { cachedFolio } from "../../src/vm/small-vm.ts";

/** The block that everybody uses, and another of the same page. */
const BLOCK = 1;
const OTHER_BLOCK = 2;

export class BlockDevicePage {
  readonly machine: Machine;
  readonly device: AddressSpace;
  /** Where the page is before it moves. */
  readonly folio: Folio;
  readonly ring: readonly BufferHead[];

  /** The device's owner moves its pages by `migrateFolio`. */
  constructor(machine: Machine, migrateFolio: MigrateFolio) {
    const { mem, vm } = machine;
    this.machine = machine;
    this.device = vm.cache.createMapping("a device", { migrateFolio });
    this.folio = cachedFolio(vm, this.device, 0, 1);
    this.ring = attachBuffers(mem, this.device, this.folio);
  }

  /** The first word of the page, wherever that is now; -1 if the device has none in the cache. */
  get word(): number {
    const folio = this.device.folios.load(0);
    return folio === null ? -1 : this.machine.mem.frames.readWord(folio, 0);
  }

  /** Somebody moves it, or is about to. */
  get isMoving(): boolean {
    return testFlag(this.machine.mem, this.folio, PG.locked);
  }

  /** Somebody uses the block. */
  get isHeld(): boolean {
    return this.ring[BLOCK].count > 0;
  }

  /** The block is being read or written. */
  get isInUse(): boolean {
    return (this.ring[BLOCK].state & BH.locked) !== 0;
  }
}

/** With a count, which the caller puts. */
function* findBlock({ machine, device }: BlockDevicePage, block: number): Steps<BufferHead> {
  const bh = yield* findGetBlock(machine.mem, device, block, SMALL_BLOCK_BYTES);
  assert(bh !== null, "a block of a cached page is not found:", block);
  return bh;
}

/** A filesystem writes to the block, as it does to bitmaps: with the count alone. */
export function* writeBlock(page: BlockDevicePage, value: number): Blocking<void> {
  const { machine, device } = page;
  const bh = yield* findBlock(page, BLOCK);
  const address = bh.folio;
  yield "has-the-address";
  machine.mem.frames.writeWord(address, 0, value);
  yield* markBufferDirty(machine.mem, device, bh);
  bh.put();
}

/** A journal writes to the block under its lock, and looks another one up meanwhile. */
export function* writeBlockLocked(page: BlockDevicePage, value: number): Blocking<void> {
  const { machine } = page;
  const bh = yield* findBlock(page, BLOCK);
  yield* bh.lock();
  const address = bh.folio;
  const other = yield* findBlock(page, OTHER_BLOCK);
  machine.mem.frames.writeWord(address, 0, value);
  other.put();
  bh.unlock();
  bh.put();
}

/** The device reads the block, and puts the bytes where it was told to when that began. */
export function* readBlock({ machine, ring }: BlockDevicePage, value: number): Blocking<void> {
  const bh = ring[BLOCK];
  yield* bh.lock();
  const address = bh.folio;
  yield "device-at-work";
  machine.mem.frames.writeWord(address, 0, value);
  bh.unlock();
}
