/**
 * Finding a device's block by its number, as filesystems do for what is not a file's data.
 *
 * The caller gets a count on the buffer and nothing else: it reads and writes the bytes with
 * neither the folio's lock nor a reference to it. `privateLock` is all that keeps the ring where it
 * is from the match to the count. Linux: `__find_get_block()`, fs/buffer.c, 6.1.
 */

import { folioPut } from "../../memory/folio-ref.ts";
import { PAGE_WORDS } from "../../memory/frames.ts";
import type { Memory } from "../../memory/memory.ts";
import type { Steps } from "../../sched/blocking.ts";
import type { AddressSpace } from "../address-space.ts";
import { filemapGetFolio } from "../page-cache.ts";
import type { BufferHead } from "./buffer-head.ts";
import { folioBuffers } from "./folio-buffers.ts";

/**
 * The cached buffer of block `block` of `device`, with a count that the caller puts; or null.
 *
 * `device` is the address space of a block device, `sizeBytes` the size of its blocks.
 */
export function* findGetBlock(
  mem: Memory,
  device: AddressSpace,
  block: number,
  sizeBytes: number,
): Steps<BufferHead | null> {
  const { lrus } = device.buffers;
  const recent = lrus.lookup(device.id, block, sizeBytes);
  if (recent !== null) return recent;
  const bh = yield* findGetBlockSlow(mem, device, block, sizeBytes);
  if (bh !== null) lrus.install(bh);
  return bh;
}

/** Linux: `__find_get_block_slow()`. */
function* findGetBlockSlow(
  mem: Memory,
  device: AddressSpace,
  block: number,
  sizeBytes: number,
): Steps<BufferHead | null> {
  const offset = Math.floor((block * sizeBytes) / (PAGE_WORDS * 4));
  const folio = yield* filemapGetFolio(mem, device, offset);
  if (folio === null) return null;
  yield* device.privateLock.lock();
  const ring = folioBuffers(mem, device.buffers, folio)?.ring() ?? [];
  const bh = ring.find((each) => each.block === block && each.device === device.id) ?? null;
  yield "find-block-matched";
  bh?.get();
  device.privateLock.unlock();
  folioPut(mem, folio);
  return bh;
}
