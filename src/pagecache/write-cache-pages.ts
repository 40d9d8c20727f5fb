/**
 * Writing a file's dirty pages: all that are dirty now, or some.
 *
 * A sync of all first gives every dirty folio the mark `towrite` and then writes those alone, so
 * that who dirties pages meanwhile cannot keep it going for ever. Per folio: lock, still in the
 * file, still dirty, wait for a writeback that is on (or pass over it), take the dirty mark, have
 * it written. An error of a sync is kept, and the rest is written all the same.
 * Linux: `write_cache_pages()`, `do_writepages()`, mm/page-writeback.c, 6.1.
 */
import { folioNrPages } from "../memory/folio.ts";
import { folioUnlock, folioWaitWriteback } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import {
  type AddressSpace,
  type AddressSpaceOperations,
  AS,
  type WritepageOutcome,
} from "./address-space.ts";
import { findGetFolio, lockInFile } from "./find-folio.ts";
import { MARK } from "./folio-index.ts";
import { LAST_OFFSET } from "./new-folio.ts";
import { folioClearDirtyForIo, mappingSetError } from "./writeback.ts";
import type { WritebackControl } from "./writeback-control.ts";

/** By the owner's `writepages`, or by its `writepage`; an owner with neither writes nothing. */
export function* doWritepages(
  mem: Memory,
  mapping: AddressSpace,
  control: WritebackControl,
): Blocking<"done" | "EIO"> {
  const { writepages, writepage } = mapping.ops;
  if (writepages !== undefined) return yield* writepages(mem, mapping, control);
  if (writepage === undefined) return "done";
  return yield* writeCachePages(mem, mapping, control, writepage);
}

type WriteFolio = NonNullable<AddressSpaceOperations["writepage"]>;

/** Has `writeFolio` write the dirty folios of a stretch; the first error, if there was one. */
function* writeCachePages(
  mem: Memory,
  mapping: AddressSpace,
  control: WritebackControl,
  writeFolio: WriteFolio,
): Blocking<"done" | "EIO"> {
  const isAll = control.sync === "all";
  const last = control.cyclic ? LAST_OFFSET : control.last;
  let at = control.cyclic ? mapping.writebackIndex : control.first;
  if (isAll) yield* tagForWriteback(mem, mapping, at, last);
  let error: "done" | "EIO" = "done";
  for (;;) {
    const folio = yield* findGetFolio(mem, mapping, at, last, isAll ? MARK.towrite : MARK.dirty);
    if (folio === null) break;
    at = mem.index[folio] + folioNrPages(mem, folio);
    if (!(yield* lockInFile(mem, mapping, folio))) continue;
    const pages = folioNrPages(mem, folio);
    const outcome = yield* writeLocked(mem, mapping, folio, control, writeFolio);
    folioPut(mem, folio);
    if (outcome === "EIO") {
      error = "EIO";
      mappingSetError(mapping);
      if (!isAll) break;
    }
    if (outcome !== "skipped") control.pagesToWrite -= pages;
    if (control.pagesToWrite <= 0 && !isAll) {
      if (control.cyclic) mapping.writebackIndex = at;
      return error;
    }
  }
  if (control.cyclic) mapping.writebackIndex = 0;
  return error;
}

function* writeLocked(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  { sync }: WritebackControl,
  writeFolio: WriteFolio,
): Blocking<WritepageOutcome | "skipped"> {
  const isDirty = testFlag(mem, folio, PG.dirty);
  const waits = sync === "all" && isDirty;
  if (waits) yield* folioWaitWriteback(mem, folio);
  const mayWrite = isDirty && !testFlag(mem, folio, PG.writeback);
  if (!mayWrite || !(yield* folioClearDirtyForIo(mem, mapping, folio))) {
    folioUnlock(mem, folio);
    return "skipped";
  }
  const outcome = yield* writeFolio(mem, mapping, folio, sync);
  if (outcome === "activate") folioUnlock(mem, folio);
  return outcome;
}

/** What is dirty now is to be written by this sync. Linux: `tag_pages_for_writeback()`. */
function* tagForWriteback(
  mem: Memory,
  mapping: AddressSpace,
  first: number,
  last: number,
): Steps<void> {
  const { folios } = mapping;
  for (let at = first; ; ) {
    const folio = folios.find(at, last, MARK.dirty);
    if (folio === null) return;
    folios.setMark(mem.index[folio], MARK.towrite);
    at = mem.index[folio] + folioNrPages(mem, folio);
    yield "tagged-for-writeback";
  }
}

/** Waits for every writeback of a stretch that is on. Linux: `filemap_fdatawait_range()`. */
function* filemapFdatawait(
  mem: Memory,
  mapping: AddressSpace,
  first: number,
  last: number,
): Blocking<void> {
  for (let at = first; ; ) {
    const folio = yield* findGetFolio(mem, mapping, at, last, MARK.writeback);
    if (folio === null) return;
    at = mem.index[folio] + folioNrPages(mem, folio);
    yield* folioWaitWriteback(mem, folio);
    folioPut(mem, folio);
  }
}

/**
 * Writes all of a stretch and waits; "EIO" if any write since the last call failed, and only once.
 *
 * What fsync does. Linux: `file_write_and_wait_range()`, `filemap_check_errors()`.
 */
export function* filemapWriteAndWait(
  mem: Memory,
  mapping: AddressSpace,
  first = 0,
  last: number = LAST_OFFSET,
): Blocking<"done" | "EIO"> {
  const control: WritebackControl = { sync: "all", first, last, pagesToWrite: LAST_OFFSET };
  yield* doWritepages(mem, mapping, control);
  yield* filemapFdatawait(mem, mapping, first, last);
  const failed = (mapping.flags & AS.eio) !== 0;
  mapping.flags &= ~AS.eio;
  return failed ? "EIO" : "done";
}

/**
 * Writes up to `pages` dirty pages of the files, each from where it left off, and waits for none.
 *
 * Linux: `wb_writeback()` for a background writeback.
 */
export function* backgroundWriteback(
  mem: Memory,
  mappings: readonly AddressSpace[],
  pages: number,
): Blocking<number> {
  let left = pages;
  for (const mapping of mappings) {
    if (left <= 0) break;
    if (!mapping.canWriteback || !mapping.folios.anyMarked(MARK.dirty)) continue;
    const control: WritebackControl = {
      sync: "none",
      first: 0,
      last: LAST_OFFSET,
      pagesToWrite: left,
      cyclic: true,
    };
    yield* doWritepages(mem, mapping, control);
    left = control.pagesToWrite;
  }
  return pages - left;
}
