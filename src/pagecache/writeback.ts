/**
 * Writing a folio to its storage: the marks that it carries on the way.
 *
 * dirty -> (`folioClearDirtyForIo`, locked) -> writeback, before any I/O is begun
 * (`folioStartWriteback`) -> neither (`folioEndWriteback`). Who dirties it meanwhile has it written
 * again: the page tables have it write-protected and clean from the first step on, so a process
 * that writes faults and says so. Linux: mm/page-writeback.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import { folioNrPages } from "../memory/folio.ts";
import { folioClearWriteback } from "../memory/folio-lock.ts";
import { folioRotateReclaimable } from "../memory/lru-moves.ts";
import { type Folio, setFlag, testAndClearFlag, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Steps } from "../sched/blocking.ts";
import { type AddressSpace, AS } from "./address-space.ts";
import { folioAccountCleaned } from "./dirty-account.ts";
import { MARK } from "./folio-index.ts";
import { folioMarkDirty } from "./mark-dirty.ts";

/** True if it was dirty: the caller must write it now. Linux: `folio_clear_dirty_for_io()`. */
export function* folioClearDirtyForIo(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
): Steps<boolean> {
  assert(testFlag(mem, folio, PG.locked), "a folio to be written is not locked:", folio);
  if (mapping.canWriteback) {
    // The folio is dirty until every entry is clean: else a write in between would be forgotten.
    const { mappers } = mapping;
    if (mappers !== null && (yield* mappers.folioMkclean(mapping, folio))) {
      yield* folioMarkDirty(mem, mapping, folio);
    }
    yield "clear-dirty-for-io";
  }
  if (!testAndClearFlag(mem, folio, PG.dirty)) return false;
  folioAccountCleaned(mem, mapping, folio);
  return true;
}

/** Before the first request is made; the folio is locked. Linux: `folio_start_writeback()`. */
export function folioStartWriteback(mem: Memory, mapping: AddressSpace, folio: Folio): void {
  assert(!testFlag(mem, folio, PG.writeback), "two writebacks of one folio:", folio);
  setFlag(mem, folio, PG.writeback);
  countWriteback(mem, folio, folioNrPages(mem, folio));
  if ((mapping.flags & AS.noWritebackTags) !== 0) return;
  const { folios } = mapping;
  const offset = mem.index[folio];
  folios.setMark(offset, MARK.writeback);
  if (!testFlag(mem, folio, PG.dirty)) folios.clearMark(offset, MARK.dirty);
  folios.clearMark(offset, MARK.towrite);
}

/** Storage has the bytes; may be called from I/O completion. Linux: `folio_end_writeback()`. */
export function folioEndWriteback(mem: Memory, mapping: AddressSpace, folio: Folio): void {
  const pages = folioNrPages(mem, folio);
  countWriteback(mem, folio, -pages);
  if ((mapping.flags & AS.noWritebackTags) === 0) {
    mapping.folios.clearMark(mem.index[folio], MARK.writeback);
  }
  // Reclaim began the write: the folio is the next that it looks at.
  if (testAndClearFlag(mem, folio, PG.reclaim)) folioRotateReclaimable(mem, folio);
  folioClearWriteback(mem, folio);
  mem.nodeOf(folio).writebackThrottle.noteWritten(pages);
}

/** A write failed: the next fsync tells. Linux: `mapping_set_error()`. */
export function mappingSetError(mapping: AddressSpace): void {
  mapping.flags |= AS.eio;
}

function countWriteback(mem: Memory, folio: Folio, pages: number): void {
  const zone = mem.zoneOf(folio);
  zone.pgdat.writebackPages += pages;
  zone.writePendingPages += pages;
}
