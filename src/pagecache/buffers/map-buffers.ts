/**
 * A folio's ring, with each buffer on the block where the file has it.
 *
 * `GetBlock` is the owner's: the block of the device for a block of the file, or null for a hole.
 * Linux: `get_block_t`, `folio_create_buffers()`.
 */
import { assert } from "../../base/assert.ts";
import { PAGE_SIZE } from "../../memory/constants.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import type { Steps } from "../../sched/blocking.ts";
import type { AddressSpace } from "../address-space.ts";
import { BH, type BufferHead } from "./buffer-head.ts";
import { createEmptyBuffers, folioBuffers } from "./folio-buffers.ts";

/** Where a block of the file lies: the device's address space by id, and the block there. */
export type GetBlock = (
  mapping: AddressSpace,
  fileBlock: number,
) => { readonly device: number; readonly block: number } | null;

/** All buffers of a locked folio, made if there are none; those without a block are mapped. */
export function* folioMappedBuffers(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  getBlock: GetBlock,
): Steps<BufferHead[]> {
  const size = mapping.blockBytes;
  assert(size > 0, "a file without a size of blocks has no buffers:", mapping.name);
  const head =
    folioBuffers(mem, mapping.buffers, folio) ??
    (yield* createEmptyBuffers(mem, mapping, folio, size));
  const ring = head.ring();
  const first = (mem.index[folio] * PAGE_SIZE) / size;
  for (const [at, bh] of ring.entries()) {
    if ((bh.state & BH.mapped) !== 0) continue;
    const place = getBlock(mapping, first + at);
    if (place !== null) bh.mapTo(place.device, place.block);
  }
  return ring;
}
