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
import { BH, type BufferHead } from "./buffer-head.ts";
import { folioBuffers } from "./folio-buffers.ts";

/** Of a locked folio that is not under writeback; false if it keeps its private state. */
export function* blockInvalidateFolio(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
): Blocking<boolean> {
  const ring = folioBuffers(mem, mapping.buffers, folio)?.ring() ?? [];
  for (const bh of ring) yield* discardBuffer(bh);
  return yield* filemapReleaseFolio(mem, mapping, folio);
}

/** Linux: `discard_buffer()`. */
function* discardBuffer(bh: BufferHead): Blocking<void> {
  yield* bh.lock();
  bh.state &= ~(BH.dirty | BH.mapped);
  bh.device = -1;
  bh.block = -1;
  bh.unlock();
}
