/**
 * Writing to a file with buffers: only what is overwritten in part is read, only what is written
 * becomes dirty.
 *
 * Linux: `block_write_begin()`, `generic_write_end()`, fs/buffer.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { PAGE_SIZE } from "../../memory/constants.ts";
import { folioUnlock } from "../../memory/folio-lock.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import { type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { AddressSpace } from "../address-space.ts";
import { pageOffset } from "../new-folio.ts";
import { filemapGrabFolio, type WriteError } from "../write.ts";
import { folioZeroRange } from "../zero-range.ts";
import { BH, type BufferHead } from "./buffer-head.ts";
import { markBufferDirty } from "./dirty-buffers.ts";
import { folioBuffers } from "./folio-buffers.ts";
import { folioMappedBuffers, type GetBlock } from "./map-buffers.ts";
import { readBuffer } from "./read-buffers.ts";

/** The folio of a stretch, locked, with what stays of the stretch's buffers read. */
export function* blockWriteBegin(
  mem: Memory,
  mapping: AddressSpace,
  posBytes: number,
  lengthBytes: number,
  getBlock: GetBlock,
): Blocking<Folio | WriteError> {
  const { device } = mapping;
  assert(device !== null, "a file without a device is written:", mapping.name);
  const folio = yield* filemapGrabFolio(mem, mapping, pageOffset(posBytes));
  if (typeof folio === "string") return folio;
  const from = posBytes - mem.index[folio] * PAGE_SIZE;
  const to = from + lengthBytes;
  const ring = yield* folioMappedBuffers(mem, mapping, folio, getBlock);
  for (const bh of touched(ring, from, to)) {
    if (testFlag(mem, folio, PG.uptodate)) bh.state |= BH.uptodate;
    const end = bh.offsetBytes + bh.sizeBytes;
    const isWhole = from <= bh.offsetBytes && end <= to;
    if (isWhole || (bh.state & BH.uptodate) !== 0) continue;
    if ((bh.state & BH.mapped) === 0) folioZeroRange(mem, folio, bh.offsetBytes, end);
    else if ((yield* readBuffer(device, bh)) === "EIO") {
      folioUnlock(mem, folio);
      folioPut(mem, folio);
      return "EIO";
    }
  }
  return folio;
}

/** The bytes are there: dirties the buffers of the stretch and the folio, unlocks, puts. */
export function* blockWriteEnd(
  mem: Memory,
  mapping: AddressSpace,
  posBytes: number,
  lengthBytes: number,
  folio: Folio,
): Blocking<void> {
  const from = posBytes - mem.index[folio] * PAGE_SIZE;
  const ring = folioBuffers(mem, mapping.buffers, folio)?.ring() ?? [];
  for (const bh of touched(ring, from, from + lengthBytes)) {
    bh.state |= BH.uptodate;
    bh.get();
    yield* markBufferDirty(mem, mapping, bh);
    bh.put();
  }
  if (ring.every(({ state }) => (state & BH.uptodate) !== 0)) setFlag(mem, folio, PG.uptodate);
  mapping.sizeBytes = Math.max(mapping.sizeBytes, posBytes + lengthBytes);
  folioUnlock(mem, folio);
  folioPut(mem, folio);
}

/** The buffers that lie in a stretch of the folio, if only in part. */
function touched(ring: readonly BufferHead[], from: number, to: number): BufferHead[] {
  return ring.filter(
    ({ offsetBytes, sizeBytes }) => offsetBytes < to && from < offsetBytes + sizeBytes,
  );
}
