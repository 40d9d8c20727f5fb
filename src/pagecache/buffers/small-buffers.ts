/**
 * A folio with buffers as a filesystem would leave it, for tests and for scenarios.
 */

import { assert } from "../../base/assert.ts";
import { folioTrylock, folioUnlock } from "../../memory/folio-lock.ts";
import type { Folio } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { runToEnd } from "../../sched/run.ts";
import type { AddressSpace } from "../address-space.ts";
import type { BufferHead } from "./buffer-head.ts";
import { createEmptyBuffers } from "./folio-buffers.ts";

/** Bytes of a block: four to a page. */
export const SMALL_BLOCK_BYTES = 1024;

/** Gives an unlocked folio a ring whose buffers lie on `mapping`'s own blocks, as a device's do. */
export function attachBuffers(mem: Memory, mapping: AddressSpace, folio: Folio): BufferHead[] {
  assert(folioTrylock(mem, folio), "a folio that gets buffers is locked:", folio);
  const head = runToEnd(createEmptyBuffers(mem, mapping, folio, SMALL_BLOCK_BYTES));
  const ring = head.ring();
  const firstBlock = mem.index[folio] * ring.length;
  for (const [at, bh] of ring.entries()) bh.mapTo(mapping.id, firstBlock + at);
  folioUnlock(mem, folio);
  return ring;
}
