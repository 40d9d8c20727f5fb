/**
 * Cutting a file off: pages behind the new end leave the cache for good, dirty or not.
 *
 * Order of steps: the new size, so that nobody brings a page back; entries of page tables go, of
 * private copies too; each folio, locked and not under writeback, loses its private state, its
 * dirty mark and its place; the rest of the last page is zeroed. Then entries again, as a private
 * copy may have been made meanwhile. A large folio over the border is split, and its pages are
 * looked at one by one; where it cannot be split it is kept whole if it is dirty, with zeros behind
 * the border, and dropped if not. Callers hold `invalidateLock`. Linux: `truncate_setsize()`,
 * `truncate_inode_pages_range()`, mm/truncate.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import { PAGE_SIZE } from "../memory/constants.ts";
import { folioMapped, folioNrPages, folioTestLarge } from "../memory/folio.ts";
import { folioUnlock, folioWaitWriteback } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { clearFlag, type Folio, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Blocking } from "../sched/blocking.ts";
import type { AddressSpace } from "./address-space.ts";
import { blockInvalidateFolio } from "./buffers/invalidate-buffers.ts";
import { folioCancelDirty } from "./dirty-account.ts";
import { findGetFolio, lockInFile } from "./find-folio.ts";
import { LAST_OFFSET, pageOffset } from "./new-folio.ts";
import { filemapRemoveFolio, forgetEvictions } from "./page-cache.ts";
import { genericPerformWrite, type WriteError } from "./write.ts";
import { folioSize, folioZeroRange } from "./zero-range.ts";

/** Sets the size, in bytes, a multiple of 4; growing leaves a hole. */
function* truncateSetsize(mem: Memory, mapping: AddressSpace, sizeBytes: number): Blocking<void> {
  const shrinks = sizeBytes < mapping.sizeBytes;
  mapping.sizeBytes = sizeBytes;
  if (!shrinks) return;
  const first = Math.ceil(sizeBytes / PAGE_SIZE);
  const { mappers } = mapping;
  yield "truncate-size-set";
  if (mappers !== null) yield* mappers.unmapMappingRange(mapping, first, LAST_OFFSET, "all");
  yield* truncateRange(mem, mapping, sizeBytes, (LAST_OFFSET + 1) * PAGE_SIZE);
  if (mappers !== null) yield* mappers.unmapMappingRange(mapping, first, LAST_OFFSET, "all");
}

/**
 * What a filesystem does for `ftruncate(2)` and `fallocate(2)`: under the file's locks, with parts
 * of pages zeroed by a write, so that storage gets the zeros. Blocks are the owner's to free.
 */
export function* truncateFile(
  mem: Memory,
  mapping: AddressSpace,
  sizeBytes: number,
): Blocking<"done" | WriteError> {
  yield* mapping.inodeLock.lock();
  yield* mapping.invalidateLock.lock();
  const pageEnd = Math.ceil(sizeBytes / PAGE_SIZE) * PAGE_SIZE;
  const zeroed = yield* zeroPart(mem, mapping, sizeBytes, pageEnd);
  if (zeroed === "done") yield* truncateSetsize(mem, mapping, sizeBytes);
  mapping.invalidateLock.unlock();
  mapping.inodeLock.unlock();
  return zeroed;
}

/** A hole from one byte up to another: reads find zeros. Linux: `truncate_pagecache_range()`. */
export function* punchHole(
  mem: Memory,
  mapping: AddressSpace,
  startBytes: number,
  endBytes: number,
): Blocking<"done" | WriteError> {
  yield* mapping.inodeLock.lock();
  yield* mapping.invalidateLock.lock();
  const firstPageEnd = Math.min(endBytes, Math.ceil(startBytes / PAGE_SIZE) * PAGE_SIZE);
  const lastPageStart = Math.max(startBytes, pageOffset(endBytes) * PAGE_SIZE);
  let zeroed = yield* zeroPart(mem, mapping, startBytes, firstPageEnd);
  if (zeroed === "done") zeroed = yield* zeroPart(mem, mapping, lastPageStart, endBytes);
  if (zeroed === "done") yield* removeHole(mem, mapping, startBytes, endBytes);
  mapping.invalidateLock.unlock();
  mapping.inodeLock.unlock();
  return zeroed;
}

/** Zeros by a write, as far as the file goes. Linux: `iomap_zero_range()`. */
function* zeroPart(
  mem: Memory,
  mapping: AddressSpace,
  startBytes: number,
  endBytes: number,
): Blocking<"done" | WriteError> {
  const end = Math.min(endBytes, mapping.sizeBytes);
  if (startBytes >= end || mapping.ops.truncateRange !== undefined) return "done";
  const zeros = new Int32Array((end - startBytes) / 4);
  const written = yield* genericPerformWrite(mem, mapping, startBytes, zeros);
  return typeof written === "string" ? written : "done";
}

function* removeHole(
  mem: Memory,
  mapping: AddressSpace,
  startBytes: number,
  endBytes: number,
): Blocking<void> {
  const first = Math.ceil(startBytes / PAGE_SIZE);
  const last = pageOffset(endBytes) - 1;
  const { mappers } = mapping;
  if (mappers !== null && first <= last) {
    yield* mappers.unmapMappingRange(mapping, first, last, "cached");
  }
  yield* truncateRange(mem, mapping, startBytes, endBytes);
}

/** By way of the owner, if it has one of its own. */
function* truncateRange(
  mem: Memory,
  mapping: AddressSpace,
  startBytes: number,
  endBytes: number,
): Blocking<void> {
  const { truncateRange: truncate = truncateInodePages } = mapping.ops;
  yield* truncate(mem, mapping, startBytes, endBytes);
}

/** Takes every page of a stretch of bytes out; zeroes parts. `truncate_inode_pages_range()`. */
function* truncateInodePages(
  mem: Memory,
  mapping: AddressSpace,
  startBytes: number,
  endBytes: number,
): Blocking<void> {
  assert(startBytes % 4 === 0 && endBytes % 4 === 0, "a cut that is not aligned:", startBytes);
  const last = Math.ceil(endBytes / PAGE_SIZE) - 1;
  forgetEvictions(mapping, Math.ceil(startBytes / PAGE_SIZE), last);
  for (let at = pageOffset(startBytes); at <= last; ) {
    const folio = yield* findGetFolio(mem, mapping, at, last);
    if (folio === null) return;
    if (!(yield* lockInFile(mem, mapping, folio))) continue;
    yield* folioWaitWriteback(mem, folio);
    at = Math.max(at, yield* truncateFolio(mem, mapping, folio, startBytes, endBytes));
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  }
}

/**
 * All of a locked folio, or the part of it that is in the stretch; returns the offset at which to
 * go on. If the folio was split that is its second page's, at which another folio begins.
 *
 * Linux: `truncate_inode_partial_folio()`.
 */
export function* truncateFolio(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  startBytes: number,
  endBytes: number,
): Blocking<number> {
  const offset = mem.index[folio];
  const folioStart = offset * PAGE_SIZE;
  const size = folioSize(mem, folio);
  const from = Math.max(0, startBytes - folioStart);
  const to = Math.min(size, endBytes - folioStart);
  const behind = offset + size / PAGE_SIZE;
  if (from === 0 && to === size) {
    yield* truncateInodeFolio(mem, mapping, folio);
    return behind;
  }
  folioZeroRange(mem, folio, from, to);
  if (testFlag(mem, folio, PG.private)) {
    yield* invalidateFolio(mem, mapping, folio, from, to - from);
  }
  if (!folioTestLarge(mem, folio)) return behind;
  const { mappers } = mapping;
  if (mappers !== null && (yield* mappers.splitFolio(folio))) return offset + 1;
  // Where it lies on storage too, what is left can be read again.
  if (!testFlag(mem, folio, PG.dirty)) yield* truncateInodeFolio(mem, mapping, folio);
  return behind;
}

/** Out of the file: a locked folio that is not under writeback. `truncate_inode_folio()`. */
function* truncateInodeFolio(mem: Memory, mapping: AddressSpace, folio: Folio): Blocking<void> {
  const { mappers } = mapping;
  const first = mem.index[folio];
  const last = first + folioNrPages(mem, folio) - 1;
  if (mappers !== null && folioMapped(mem, folio)) {
    yield* mappers.unmapMappingRange(mapping, first, last, "cached");
  }
  if (testFlag(mem, folio, PG.private)) {
    yield* invalidateFolio(mem, mapping, folio, 0, folioSize(mem, folio));
  }
  folioCancelDirty(mem, mapping, folio);
  clearFlag(mem, folio, PG.mappedToDisk);
  yield "truncate-remove-folio";
  filemapRemoveFolio(mem, mapping, folio);
}

/** Linux: `folio_invalidate()`. */
function* invalidateFolio(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
  offsetBytes: number,
  lengthBytes: number,
): Blocking<void> {
  const { invalidateFolio: invalidate = blockInvalidateFolio } = mapping.ops;
  yield* invalidate(mem, mapping, folio, offsetBytes, lengthBytes);
}
