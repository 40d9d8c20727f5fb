/**
 * One cached page of a block device, with four blocks, and a filesystem that uses them.
 */
import type { Machine } from "../../src/machine/machine.ts";
import { type Folio, testFlag } from "../../src/memory/memmap.ts";
import { PG } from "../../src/memory/page-flags.ts";
import type { AddressSpace, MigrateFolio } from "../../src/pagecache/address-space.ts";
import type { BufferHead } from "../../src/pagecache/buffers/buffer-head.ts";
import { markBufferDirty } from "../../src/pagecache/buffers/dirty-buffers.ts";
import { findGetBlock } from "../../src/pagecache/buffers/find-block.ts";
import { attachBuffers, SMALL_BLOCK_BYTES } from "../../src/pagecache/buffers/small-buffers.ts";
import type { Blocking } from "../../src/sched/blocking.ts";
import { cachedFolio } from "../../src/vm/small-vm.ts";

const BLOCK = 1;

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

  /** The block that everybody uses. */
  get block(): BufferHead {
    return this.ring[BLOCK];
  }

  /** The first word of the device's page, wherever that is now; -1 if it is not cached. */
  get word(): number {
    const folio = this.device.folios.load(0);
    return folio === null ? -1 : this.machine.mem.frames.readWord(folio, 0);
  }

  get isMoving(): boolean {
    return testFlag(this.machine.mem, this.folio, PG.locked);
  }
}

/** Finds the block, and returns it with a count; the caller puts it. */
function* findBlock({ machine, device }: BlockDevicePage): Blocking<BufferHead> {
  for (;;) {
    const bh = yield* findGetBlock(machine.mem, device, BLOCK, SMALL_BLOCK_BYTES);
    if (bh !== null) return bh;
    yield "block-not-found";
  }
}

/** Writes to the block by its address, with a count on it and no lock, as filesystems do. */
export function* writeHeldBlock(page: BlockDevicePage, value: number): Blocking<void> {
  const { machine, device } = page;
  const bh = yield* findBlock(page);
  const address = bh.folio;
  yield "has-the-address";
  machine.mem.frames.writeWord(address, 0, value);
  yield* markBufferDirty(machine.mem, device, bh);
  bh.put();
}
