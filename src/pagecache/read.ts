/**
 * Reading a file: from the cache, and into it what is not there.
 *
 * The way of one page: find its folio, or have a window read; at a marked folio begin the next
 * window; if the folio is not uptodate, wait for whoever reads it, or read it; copy, without the
 * folio's lock. The file's size is looked at again before the copy: what was cut off since is not
 * returned. Positions, lengths and sizes are bytes, in multiples of 4. Linux: `filemap_read()`,
 * mm/filemap.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import { PAGE_SIZE } from "../memory/constants.ts";
import { folioLock, folioUnlock } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { folioMarkAccessed } from "../memory/lru-moves.ts";
import { mappingWord } from "../memory/mapping-word.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Blocking } from "../sched/blocking.ts";
import type { AddressSpace } from "./address-space.ts";
import type { FileReadahead } from "./file-readahead.ts";
import { filemapNewFolio, pageOffset } from "./new-folio.ts";
import { filemapGetFolio } from "./page-cache.ts";
import { pageCacheAsyncRa, pageCacheSyncRa } from "./readahead.ts";

export type ReadError = "EIO" | "ENOMEM";

/**
 * Reads 4-byte words from byte `posBytes` on into `words`; how many, or why none.
 *
 * `state` is that of the open file. Linux: `filemap_read()`.
 */
export function* filemapRead(
  mem: Memory,
  mapping: AddressSpace,
  state: FileReadahead,
  posBytes: number,
  words: Int32Array,
): Blocking<number | ReadError> {
  assert(posBytes % 4 === 0, "a read that is not aligned:", posBytes);
  let done = 0;
  while (done < words.length && posBytes + done * 4 < mapping.sizeBytes) {
    const at = posBytes + done * 4;
    const offset = pageOffset(at);
    const wanted = pageOffset(posBytes + words.length * 4 - 1) - offset + 1;
    const folio = yield* filemapGetUptodate(mem, mapping, state, offset, wanted);
    if (typeof folio === "string") return done > 0 ? done : folio;
    yield "read-uptodate";
    const inPage = (at % PAGE_SIZE) / 4;
    const left = Math.min(words.length - done, Math.floor((mapping.sizeBytes - at) / 4));
    const count = Math.max(0, Math.min(PAGE_SIZE / 4 - inPage, left));
    const page = mem.pfn(folio + (offset - mem.index[folio]));
    for (let word = 0; word < count; word++) {
      words[done + word] = mem.frames.readWord(page, inPage + word);
    }
    if (state.previous !== offset) folioMarkAccessed(mem, folio);
    folioPut(mem, folio);
    state.previous = offset;
    if (count === 0) break;
    done += count;
  }
  return done;
}

/**
 * The folio at `offset`, held and uptodate; `pages` says how much the caller will want.
 *
 * Linux: `filemap_get_pages()`.
 */
function* filemapGetUptodate(
  mem: Memory,
  mapping: AddressSpace,
  state: FileReadahead,
  offset: number,
  pages: number,
): Blocking<Folio | ReadError> {
  for (;;) {
    let folio = yield* filemapGetFolio(mem, mapping, offset);
    if (folio === null) {
      yield* pageCacheSyncRa(mem, mapping, state, offset, pages);
      folio = yield* filemapGetFolio(mem, mapping, offset);
    }
    if (folio === null) {
      const created = yield* createFolio(mem, mapping, offset);
      if (created === "EEXIST") continue;
      if (typeof created === "string") return created;
      folio = created;
    } else if (testFlag(mem, folio, PG.readahead)) {
      yield* pageCacheAsyncRa(mem, mapping, state, folio, pages);
    }
    if (testFlag(mem, folio, PG.uptodate)) return folio;
    const outcome = yield* updateFolio(mem, mapping, folio);
    if (outcome === "uptodate") return folio;
    folioPut(mem, folio);
    if (outcome === "EIO") return "EIO";
  }
}

/** A single page, without readahead. Linux: `filemap_create_folio()`. */
function* createFolio(
  mem: Memory,
  mapping: AddressSpace,
  offset: number,
): Blocking<Folio | ReadError | "EEXIST"> {
  yield* mapping.invalidateLock.lockShared();
  const folio = yield* filemapNewFolio(mem, mapping, offset);
  if (typeof folio !== "string") yield* readLockedFolio(mem, mapping, folio);
  mapping.invalidateLock.unlockShared();
  return folio;
}

/** Waits for the folio's read, or reads it. Linux: `filemap_update_page()`. */
function* updateFolio(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
): Blocking<"uptodate" | "truncated" | "EIO"> {
  yield* mapping.invalidateLock.lockShared();
  yield* folioLock(mem, folio);
  if (!isInFile(mem, mapping, folio)) {
    folioUnlock(mem, folio);
    mapping.invalidateLock.unlockShared();
    return "truncated";
  }
  if (testFlag(mem, folio, PG.uptodate)) folioUnlock(mem, folio);
  else yield* readLockedFolio(mem, mapping, folio);
  mapping.invalidateLock.unlockShared();
  return testFlag(mem, folio, PG.uptodate) ? "uptodate" : "EIO";
}

/** Reads a locked folio and waits until it is unlocked. Linux: `filemap_read_folio()`. */
export function* readLockedFolio(mem: Memory, mapping: AddressSpace, folio: Folio): Blocking<void> {
  const { readFolio } = mapping.ops;
  if (readFolio === undefined) {
    folioUnlock(mem, folio);
    return;
  }
  if ((yield* readFolio(mem, mapping, folio)) === "EIO") return;
  yield* folioLock(mem, folio);
  folioUnlock(mem, folio);
}

/** Whether a locked folio has not been cut off since it was found. */
export function isInFile(mem: Memory, mapping: AddressSpace, folio: Folio): boolean {
  return mem.mapping[folio] === mappingWord(mapping.id, 0);
}
