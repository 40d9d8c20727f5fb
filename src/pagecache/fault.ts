/**
 * What a fault on a mapped file needs of the cache: the page, and leave to write to it.
 *
 * Linux: `filemap_fault()`, `filemap_page_mkwrite()`, mm/filemap.c, 6.1.
 */
import { PAGE_SIZE } from "../memory/constants.ts";
import { folioLock, folioUnlock, folioWaitWriteback } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Blocking } from "../sched/blocking.ts";
import type { AddressSpace } from "./address-space.ts";
import { folioMarkDirty } from "./mark-dirty.ts";
import { filemapNewFolio } from "./new-folio.ts";
import { filemapGetFolio } from "./page-cache.ts";
import { isInFile, readLockedFolio } from "./read.ts";
import { pageCacheAsyncRa, pageCacheRaUnbounded } from "./readahead.ts";

/** The folio with the page at `offset`, held, locked and uptodate; or why there is none. */
export function* filemapFault(
  mem: Memory,
  mapping: AddressSpace,
  offset: number,
): Blocking<Folio | "SIGBUS"> {
  for (;;) {
    if (offset * PAGE_SIZE >= mapping.sizeBytes || mapping.ops.readFolio === undefined) {
      return "SIGBUS";
    }
    const folio = yield* findOrRead(mem, mapping, offset);
    if (folio === "EEXIST") continue;
    if (folio === "ENOMEM") return "SIGBUS";
    yield* folioLock(mem, folio);
    const isStill = isInFile(mem, mapping, folio);
    if (isStill && !testFlag(mem, folio, PG.uptodate)) {
      yield* readLockedFolio(mem, mapping, folio);
      const isRead = testFlag(mem, folio, PG.uptodate);
      folioPut(mem, folio);
      if (!isRead) return "SIGBUS";
      continue;
    }
    // The size again, now that the lock keeps truncate from the folio.
    if (isStill && offset * PAGE_SIZE < mapping.sizeBytes) return folio;
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  }
}

/** Held, and being read perhaps. */
function* findOrRead(
  mem: Memory,
  mapping: AddressSpace,
  offset: number,
): Blocking<Folio | "ENOMEM" | "EEXIST"> {
  const found = yield* filemapGetFolio(mem, mapping, offset);
  if (found !== null) {
    const { faultReadahead } = mapping;
    if (testFlag(mem, found, PG.readahead)) {
      yield* pageCacheAsyncRa(mem, mapping, faultReadahead, found, 1);
    }
    return found;
  }
  yield* readAround(mem, mapping, offset);
  const read = yield* filemapGetFolio(mem, mapping, offset);
  if (read !== null) return read;
  yield* mapping.invalidateLock.lockShared();
  const folio = yield* filemapNewFolio(mem, mapping, offset);
  if (typeof folio !== "string") folioUnlock(mem, folio);
  mapping.invalidateLock.unlockShared();
  return folio;
}

/** What lies around a page that was touched is touched next. Linux: `do_sync_mmap_readahead()`. */
function* readAround(mem: Memory, mapping: AddressSpace, offset: number): Blocking<void> {
  const { faultReadahead: state, sizeBytes } = mapping;
  if (state.pagesMax === 0) return;
  state.start = Math.max(0, offset - state.pagesMax / 2);
  state.size = state.pagesMax;
  state.asyncSize = state.pagesMax / 4;
  const beyond = Math.ceil(sizeBytes / PAGE_SIZE);
  const pages = Math.min(state.size, beyond - state.start);
  yield* pageCacheRaUnbounded(mem, mapping, state.start, pages, state.asyncSize);
}

/**
 * Makes a page ready to be written to by a process: locked, dirty, and not on its way to storage.
 *
 * For owners with nothing else to prepare. Linux: `filemap_page_mkwrite()`.
 */
export function* filemapPageMkwrite(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
): Blocking<"locked" | "truncated"> {
  yield* folioLock(mem, folio);
  if (!isInFile(mem, mapping, folio)) {
    folioUnlock(mem, folio);
    return "truncated";
  }
  // Dirty before the entry is writable: a writeback in between cleans both.
  yield* folioMarkDirty(mem, mapping, folio);
  yield* folioWaitWriteback(mem, folio);
  return "locked";
}
