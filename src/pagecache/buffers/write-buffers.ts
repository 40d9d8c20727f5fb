/**
 * Writing buffers to their device: all of a folio's, or one.
 *
 * A folio's: lock each buffer, keep those that are dirty and take their mark, mark the folio as
 * under writeback before the first request is made, unlock the folio. The last request to end ends
 * the writeback; nobody holds the buffers, as writeback keeps the folio. One buffer is written
 * without the folio's lock, held by a count. Linux: `__block_write_full_page()`,
 * `write_dirty_buffer()`, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { folioUnlock } from "../../memory/folio-lock.ts";
import { type Folio, setFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { AddressSpace } from "../address-space.ts";
import type { BlockDevice, BlockResult } from "../device/block-device.ts";
import { filemapDirtyFolio } from "../mark-dirty.ts";
import { folioEndWriteback, folioStartWriteback, mappingSetError } from "../writeback.ts";
import type { WritebackControl } from "../writeback-control.ts";
import { BH, type BufferHead } from "./buffer-head.ts";
import { folioBuffers } from "./folio-buffers.ts";

/**
 * Begins to write a locked folio whose dirty mark the caller has taken; unlocks it.
 *
 * A buffer that is locked already, perhaps as it is being written or read: for fsync it is waited
 * for; who only wants memory clean leaves it, and the folio dirty.
 * Linux: `__block_write_full_page()`.
 */
export function* blockWriteFullFolio(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  device: BlockDevice,
  sync: WritebackControl["sync"],
): Blocking<"started"> {
  const ring = folioBuffers(mem, mapping.buffers, folio)?.ring() ?? [];
  assert(ring.length > 0, "a folio to be written has no buffers:", folio);
  const taken: BufferHead[] = [];
  for (const bh of ring) {
    if ((bh.state & (BH.mapped | BH.dirty)) === 0) continue;
    yield "write-lock-buffer";
    if (sync === "all") yield* bh.lock();
    else if (!bh.trylock()) {
      yield* filemapDirtyFolio(mem, mapping, folio);
      continue;
    }
    if ((bh.state & BH.dirty) === 0) {
      bh.unlock();
      continue;
    }
    bh.state &= ~BH.dirty;
    taken.push(bh);
  }
  folioStartWriteback(mem, mapping, folio);
  let left = taken.length;
  for (const bh of taken) {
    submitBuffer(device, bh, (result) => {
      if (result === "EIO") {
        setFlag(mem, folio, PG.error);
        mappingSetError(mapping);
      }
      left--;
      if (left === 0) folioEndWriteback(mem, mapping, folio);
    });
  }
  folioUnlock(mem, folio);
  if (taken.length === 0) folioEndWriteback(mem, mapping, folio);
  return "started";
}

/** Begins to write one buffer, by who holds it; sleeps for its lock. */
export function* writeDirtyBuffer(device: BlockDevice, bh: BufferHead): Blocking<void> {
  yield* bh.lock();
  if ((bh.state & BH.dirty) === 0) {
    bh.unlock();
    return;
  }
  bh.state &= ~BH.dirty;
  bh.get();
  submitBuffer(device, bh, () => bh.put());
}

/** The buffer is locked, and unlocked when the write has ended. Linux: `submit_bh()`. */
function submitBuffer(
  device: BlockDevice,
  bh: BufferHead,
  ended: (result: BlockResult) => void,
): void {
  assert((bh.state & BH.mapped) !== 0, "a buffer to be written has no block:", bh.offsetBytes);
  const { block, sizeBytes, folio, offsetBytes } = bh;
  device.submit({
    kind: "write",
    block,
    sizeBytes,
    folio,
    offsetBytes,
    done(result) {
      if (result === "EIO") bh.state &= ~BH.uptodate;
      bh.unlock();
      ended(result);
    },
  });
}
