/**
 * Saying that a folio's bytes are newer than its storage.
 *
 * Callers hold the folio's lock, or found it in a page table whose entry they have just changed:
 * so it is not cut off from its file meanwhile. The file's owner decides what has to be done;
 * `filemapDirtyFolio` is for owners without buffers, `noopDirtyFolio` for those whose storage is
 * memory. Linux: `folio_mark_dirty()`, mm/page-writeback.c, 6.1.
 */
import { clearFlag, type Folio, setFlag, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Steps } from "../sched/blocking.ts";
import type { AddressSpace } from "./address-space.ts";
import { blockDirtyFolio } from "./buffers/dirty-buffers.ts";
import { markDirtyInIndex } from "./dirty-account.ts";

/** True if it was clean. `mapping` is null for what belongs to no file. */
export function* folioMarkDirty(
  mem: Memory,
  mapping: AddressSpace | null,
  folio: Folio,
): Steps<boolean> {
  if (mapping === null) return setDirty(mem, folio);
  // In use again: no longer to be freed as soon as it is written.
  clearFlag(mem, folio, PG.reclaim);
  const { dirtyFolio } = mapping.ops;
  if (dirtyFolio === undefined) return yield* blockDirtyFolio(mem, mapping, folio);
  return yield* dirtyFolio(mem, mapping, folio);
}

/** The flag, then count and mark. Linux: `filemap_dirty_folio()`. */
export function* filemapDirtyFolio(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
): Steps<boolean> {
  if (!setDirty(mem, folio)) return false;
  yield "dirty-not-yet-marked";
  markDirtyInIndex(mem, mapping, folio);
  return true;
}

/** The flag alone: nothing will ever write the folio. Linux: `noop_dirty_folio()`. */
export function* noopDirtyFolio(mem: Memory, _mapping: AddressSpace, folio: Folio): Steps<boolean> {
  yield "noop-dirty-folio";
  return setDirty(mem, folio);
}

function setDirty(mem: Memory, folio: Folio): boolean {
  if (testFlag(mem, folio, PG.dirty)) return false;
  setFlag(mem, folio, PG.dirty);
  return true;
}
