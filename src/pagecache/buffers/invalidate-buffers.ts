/**
 * What truncate does to a ring of buffers: no block of it will ever be written again.
 *
 * Each buffer is waited for, as I/O needs the bytes until it ends. A buffer that somebody holds
 * keeps the ring; the folio then leaves its file with the ring on it. Linux: fs/buffer.c, 6.1.
 */
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { AddressSpace } from "../address-space.ts";
import { filemapReleaseFolio } from "../page-cache.ts";
import { folioSize } from "../zero-range.ts";
import { BH, type BufferHead } from "./buffer-head.ts";
import { folioBuffers } from "./folio-buffers.ts";

/**
 * The buffers that lie in a stretch of a locked folio that is not under writeback; if it is all of
 * the folio, the ring goes unless somebody holds a buffer. Linux: `block_invalidate_folio()`.
 */
export function* blockInvalidateFolio(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  offsetBytes: number,
  lengthBytes: number,
): Blocking<void> {
  const ring = folioBuffers(mem, mapping.buffers, folio)?.ring() ?? [];
  const end = offsetBytes + lengthBytes;
  for (const bh of ring) {
    // A buffer that lies in the stretch in part keeps the other part.
    const isWithin = bh.offsetBytes >= offsetBytes && bh.offsetBytes + bh.sizeBytes <= end;
    if (isWithin) yield* discardBuffer(bh);
  }
  if (lengthBytes === folioSize(mem, folio)) yield* filemapReleaseFolio(mem, mapping, folio);
}

/** Linux: `discard_buffer()`. */
function* discardBuffer(bh: BufferHead): Blocking<void> {
  yield* bh.lock();
  bh.state &= ~(BH.dirty | BH.mapped);
  bh.device = -1;
  bh.block = -1;
  bh.unlock();
}
