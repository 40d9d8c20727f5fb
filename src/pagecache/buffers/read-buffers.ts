/**
 * Reading buffers from their device: all of a folio's, or one.
 *
 * A folio's: what is a hole is zeroed, the others are locked and then read; the last to end makes
 * the folio uptodate, if all buffers are, and unlocks it: it is locked for the whole read. One
 * buffer is read by who holds it, without the folio's lock. Linux: `block_read_full_folio()`,
 * `end_buffer_async_read()`, `bh_read()`, fs/buffer.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { folioUnlock } from "../../memory/folio-lock.ts";
import { type Folio, setFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { AddressSpace, ReadOutcome } from "../address-space.ts";
import type { BlockDevice, BlockResult } from "../device/block-device.ts";
import { folioZeroRange } from "../zero-range.ts";
import { BH, type BufferHead } from "./buffer-head.ts";
import { folioMappedBuffers, type GetBlock } from "./map-buffers.ts";

/** A locked folio that is not uptodate. */
export function* blockReadFullFolio(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  getBlock: GetBlock,
): Blocking<ReadOutcome> {
  const { device } = mapping;
  assert(device !== null, "a file without a device is read:", mapping.name);
  const ring = yield* folioMappedBuffers(mem, mapping, folio, getBlock);
  const wanted: BufferHead[] = [];
  for (const bh of ring) {
    if ((bh.state & BH.uptodate) !== 0) continue;
    if ((bh.state & BH.mapped) !== 0) wanted.push(bh);
    else {
      folioZeroRange(mem, folio, bh.offsetBytes, bh.offsetBytes + bh.sizeBytes);
      bh.state |= BH.uptodate;
    }
  }
  for (const bh of wanted) yield* bh.lock();
  let left = wanted.length;
  const ended = (): void => {
    if (ring.every(({ state }) => (state & BH.uptodate) !== 0)) setFlag(mem, folio, PG.uptodate);
    folioUnlock(mem, folio);
  };
  for (const bh of wanted) {
    submitRead(device, bh, (result) => {
      if (result === "EIO") setFlag(mem, folio, PG.error);
      left--;
      if (left === 0) ended();
    });
  }
  if (wanted.length === 0) ended();
  return "started";
}

/** One buffer, by who holds it; "EIO" if it cannot be read. Linux: `bh_read()`. */
export function* readBuffer(device: BlockDevice, bh: BufferHead): Blocking<BlockResult> {
  yield* bh.lock();
  bh.get();
  submitRead(device, bh, () => bh.put());
  yield* bh.lock();
  bh.unlock();
  return (bh.state & BH.uptodate) !== 0 ? "done" : "EIO";
}

/** The buffer is locked, and unlocked when the read has ended, or was found needless. */
function submitRead(
  device: BlockDevice,
  bh: BufferHead,
  ended: (result: BlockResult) => void,
): void {
  const done = (result: BlockResult): void => {
    if (result === "done") bh.state |= BH.uptodate;
    bh.unlock();
    ended(result);
  };
  // Somebody read it, or wrote to it, while its lock was waited for.
  if ((bh.state & BH.uptodate) !== 0) {
    done("done");
    return;
  }
  const { block, sizeBytes, folio, offsetBytes } = bh;
  device.submit({ kind: "read", block, sizeBytes, folio, offsetBytes, done });
}
