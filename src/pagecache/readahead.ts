/**
 * Readahead: pages are read before anybody asks for them.
 *
 * A miss begins a window (`pageCacheSyncRa`), the folio marked `PG.readahead` in it begins the next
 * (`pageCacheAsyncRa`). New folios are entered locked, in a row, as long as none is cached yet;
 * then the owner is asked for all of the row at once. `invalidateLock` is held shared, so that none
 * of them is cut off before it is read. Left out: windows found by what is cached already, and
 * windows of large folios. Linux: mm/readahead.c, 6.1.
 */

import { folioUnlock } from "../memory/folio-lock.ts";
import { folioGet, folioPut } from "../memory/folio-ref.ts";
import { clearFlag, type Folio, setFlag, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Blocking } from "../sched/blocking.ts";
import type { AddressSpace } from "./address-space.ts";
import type { FileReadahead } from "./file-readahead.ts";
import { filemapNewFolio, pageOffset } from "./new-folio.ts";
import { filemapRemoveFolio } from "./page-cache.ts";
import { Readahead } from "./readahead-control.ts";

/** The page at `index` is not cached, and `pages` are wanted. Linux: `page_cache_sync_ra()`. */
export function* pageCacheSyncRa(
  mem: Memory,
  mapping: AddressSpace,
  state: FileReadahead,
  index: number,
  pages: number,
): Blocking<void> {
  if (state.pagesMax === 0) return;
  const isNext = index === state.start + state.size - state.asyncSize;
  const isBehind = index === state.start + state.size;
  if (index > 0 && (isNext || isBehind)) goOn(state);
  else if (index === 0 || pages > state.pagesMax || goesOnFrom(state.previous, index)) {
    begin(state, index, pages);
  } else {
    // Somewhere else: what is wanted and no more.
    yield* pageCacheRa(mem, mapping, index, pages, 0);
    return;
  }
  yield* readWindow(mem, mapping, state, index);
}

/** Whoever reads has come to a marked folio. Linux: `page_cache_async_ra()`. */
export function* pageCacheAsyncRa(
  mem: Memory,
  mapping: AddressSpace,
  state: FileReadahead,
  folio: Folio,
  pages: number,
): Blocking<void> {
  // The flag has another meaning while the folio is under writeback.
  if (state.pagesMax === 0 || testFlag(mem, folio, PG.writeback)) return;
  clearFlag(mem, folio, PG.readahead);
  const index = mem.index[folio];
  if (index === state.start + state.size - state.asyncSize) goOn(state);
  else {
    const miss = nextMiss(mapping, index + 1, state.pagesMax);
    if (miss === null) return;
    state.start = miss;
    state.size = miss - index + pages;
    state.size = state.nextSize;
    state.asyncSize = state.size;
  }
  yield* readWindow(mem, mapping, state, index);
}

function goesOnFrom(previous: number, index: number): boolean {
  return index === previous || index === previous + 1;
}

function begin(state: FileReadahead, index: number, pages: number): void {
  state.start = index;
  state.size = state.firstSize(pages);
  state.asyncSize = state.size > pages ? state.size - pages : state.size;
}

function goOn(state: FileReadahead): void {
  const size = state.nextSize;
  state.start += state.size;
  state.size = size;
  state.asyncSize = size;
}

function* readWindow(
  mem: Memory,
  mapping: AddressSpace,
  state: FileReadahead,
  index: number,
): Blocking<void> {
  if (index === state.start && state.size === state.asyncSize) {
    // The marked folio would be the very one that is wanted now: take the next window along.
    const more = state.nextSize;
    if (state.size + more <= state.pagesMax) {
      state.asyncSize = more;
      state.size += more;
    } else {
      state.size = state.pagesMax;
      state.asyncSize = state.pagesMax >> 1;
    }
  }
  yield* pageCacheRa(mem, mapping, state.start, state.size, state.asyncSize);
}

/** Linux: `do_page_cache_ra()`. */
function* pageCacheRa(
  mem: Memory,
  mapping: AddressSpace,
  index: number,
  pages: number,
  lookahead: number,
): Blocking<void> {
  const beyond = pageOffset(mapping.sizeBytes + 4095);
  const wanted = Math.min(pages, beyond - index);
  if (wanted > 0) yield* pageCacheRaUnbounded(mem, mapping, index, wanted, lookahead);
}

/**
 * Reads `pages` from `index`, whatever the file's size, and marks the one `lookahead` before the
 * end. Linux: `page_cache_ra_unbounded()`.
 */
export function* pageCacheRaUnbounded(
  mem: Memory,
  mapping: AddressSpace,
  index: number,
  pages: number,
  lookahead: number,
): Blocking<void> {
  yield* mapping.invalidateLock.lockShared();
  let row = new Readahead(mem, index);
  for (let at = 0; at < pages; at++) {
    const isCached = mapping.folios.load(index + at) !== null;
    const folio = isCached ? "EEXIST" : yield* filemapNewFolio(mem, mapping, index + at);
    if (folio === "ENOMEM") break;
    if (folio === "EEXIST") {
      yield* readPages(mem, mapping, row);
      row = new Readahead(mem, index + at + 1);
      continue;
    }
    if (at === pages - lookahead) setFlag(mem, folio, PG.readahead);
    row.add(folio);
  }
  yield* readPages(mem, mapping, row);
  mapping.invalidateLock.unlockShared();
}

/** Has the owner read a row; what it leaves is not cached. Linux: `read_pages()`. */
function* readPages(mem: Memory, mapping: AddressSpace, row: Readahead): Blocking<void> {
  const { readahead, readFolio } = mapping.ops;
  if (readahead !== undefined) {
    yield* readahead(mem, mapping, row);
  } else if (readFolio !== undefined) {
    for (let folio = row.next(); folio !== null; folio = row.next()) {
      yield* readFolio(mem, mapping, folio);
    }
  }
  for (let folio = row.next(); folio !== null; folio = row.next()) {
    folioGet(mem, folio);
    filemapRemoveFolio(mem, mapping, folio);
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  }
}

/** The first offset that is not cached of `pages` from `from`, or null. */
function nextMiss(mapping: AddressSpace, from: number, pages: number): number | null {
  for (let at = from; at < from + pages; at++) if (mapping.folios.load(at) === null) return at;
  return null;
}
