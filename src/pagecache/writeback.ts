/**
 * Writing a folio to its storage: the marks that it carries on the way.
 *
 * dirty -> (`folioClearDirtyForIo`, locked) -> writeback, before any I/O is begun
 * (`folioStartWriteback`) -> neither (`folioEndWriteback`). Who dirties it meanwhile has it written
 * again. The page tables must not have it writable and clean; a folio that is being moved is in
 * none. Linux: mm/page-writeback.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import { type Folio, setFlag, testAndClearFlag, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";

/** True if it was dirty: the caller must write it now. Linux: `folio_clear_dirty_for_io()`. */
export function folioClearDirtyForIo(mem: Memory, folio: Folio): boolean {
  assert(testFlag(mem, folio, PG.locked), "a folio to be written is not locked:", folio);
  return testAndClearFlag(mem, folio, PG.dirty);
}

/** Linux: `folio_start_writeback()`. */
export function folioStartWriteback(mem: Memory, folio: Folio): void {
  assert(!testFlag(mem, folio, PG.writeback), "two writebacks of one folio:", folio);
  setFlag(mem, folio, PG.writeback);
}
