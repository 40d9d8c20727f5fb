/**
 * Dirtying by buffers: one block, or all of a folio.
 *
 * A buffer is dirtied before its folio, so that who finds the folio dirty finds what to write.
 * Neither takes the folio's lock. One block is dirtied by who holds it, which keeps it from being
 * freed and, on a device, from moving; a whole folio under `privateLock`, because freeing a ring
 * cleans the folio and must not do so to what was dirtied since. Linux: fs/buffer.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { Steps } from "../../sched/blocking.ts";
import type { AddressSpace } from "../address-space.ts";
import { markDirtyInIndex } from "../dirty-account.ts";
import { BH, type BufferHead } from "./buffer-head.ts";
import { folioBuffers } from "./folio-buffers.ts";

/** One block, by who holds it. Linux: `mark_buffer_dirty()`. */
export function* markBufferDirty(mem: Memory, mapping: AddressSpace, bh: BufferHead): Steps<void> {
  assert(bh.count > 0, "a buffer is dirtied that nobody holds:", bh.block);
  if ((bh.state & BH.dirty) !== 0) return;
  bh.state |= BH.dirty;
  const { folio } = bh;
  yield "buffer-dirty-folio-not-yet";
  if (testFlag(mem, folio, PG.dirty)) return;
  setFlag(mem, folio, PG.dirty);
  markDirtyInIndex(mem, mapping, folio);
}

/** All of a folio; true if it was clean. Linux: `block_dirty_folio()`. */
export function* blockDirtyFolio(mem: Memory, mapping: AddressSpace, folio: Folio): Steps<boolean> {
  yield* mapping.privateLock.lock();
  for (const bh of folioBuffers(mem, mapping.buffers, folio)?.ring() ?? []) bh.state |= BH.dirty;
  yield "buffers-dirty-folio-not-yet";
  const wasClean = !testFlag(mem, folio, PG.dirty);
  setFlag(mem, folio, PG.dirty);
  mapping.privateLock.unlock();
  yield "dirty-not-yet-marked";
  if (wasClean) markDirtyInIndex(mem, mapping, folio);
  return wasClean;
}
