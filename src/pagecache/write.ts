/**
 * Writing to a file: into the cache, whose dirty pages go to storage later.
 *
 * The way of one page: `writeBegin` gives its folio, locked, with what will not be overwritten
 * read; the bytes are copied; `writeEnd` dirties the folio, lets the file grow and unlocks. Owners
 * without these two get `filemapWriteBegin` and `filemapWriteEnd`, for files without buffers.
 * Positions and lengths are bytes, in multiples of 4; `genericFileWrite` takes the file's own lock
 * against other writers. Linux: `generic_perform_write()`, mm/filemap.c, 6.1.
 */
import { assert } from "../base/assert.ts";
import { PAGE_SIZE } from "../memory/constants.ts";
import { folioUnlock } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { folioMarkAccessed } from "../memory/lru-moves.ts";
import { type Folio, setFlag, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Blocking } from "../sched/blocking.ts";
import type { AddressSpace } from "./address-space.ts";
import { lockInFile } from "./find-folio.ts";
import { folioMarkDirty } from "./mark-dirty.ts";
import { filemapNewFolio, pageOffset } from "./new-folio.ts";
import { filemapGetFolio } from "./page-cache.ts";
import { readLockedFolio } from "./read.ts";
import { folioSize, folioZeroRange } from "./zero-range.ts";

export type WriteError = "EIO" | "ENOMEM";

/**
 * Writes words as `genericPerformWrite` does, with no other write to the file, and no cut, under
 * way. Linux: `generic_file_write_iter()`.
 */
export function* genericFileWrite(
  mem: Memory,
  mapping: AddressSpace,
  posBytes: number,
  words: Int32Array,
): Blocking<number | WriteError> {
  yield* mapping.inodeLock.lock();
  const written = yield* genericPerformWrite(mem, mapping, posBytes, words);
  mapping.inodeLock.unlock();
  return written;
}

/** Writes 4-byte words from byte `posBytes` on; how many, or why none. */
export function* genericPerformWrite(
  mem: Memory,
  mapping: AddressSpace,
  posBytes: number,
  words: Int32Array,
): Blocking<number | WriteError> {
  assert(posBytes % 4 === 0, "a write that is not aligned:", posBytes);
  const { writeBegin = filemapWriteBegin, writeEnd = filemapWriteEnd } = mapping.ops;
  let done = 0;
  while (done < words.length) {
    const at = posBytes + done * 4;
    const inPage = (at % PAGE_SIZE) / 4;
    const count = Math.min(words.length - done, PAGE_SIZE / 4 - inPage);
    const folio = yield* writeBegin(mem, mapping, at, count * 4);
    if (typeof folio === "string") return done > 0 ? done : folio;
    const page = mem.pfn(folio + (pageOffset(at) - mem.index[folio]));
    for (let word = 0; word < count; word++) {
      mem.frames.writeWord(page, inPage + word, words[done + word]);
    }
    yield "write-copied";
    folioMarkAccessed(mem, folio);
    yield* writeEnd(mem, mapping, at, count * 4, folio);
    done += count;
  }
  return done;
}

/** The folio at `offset`, in the cache, locked and held. Linux: `pagecache_get_page()`. */
export function* filemapGrabFolio(
  mem: Memory,
  mapping: AddressSpace,
  offset: number,
): Blocking<Folio | "ENOMEM"> {
  for (;;) {
    const found = yield* filemapGetFolio(mem, mapping, offset);
    if (found !== null) {
      if (yield* lockInFile(mem, mapping, found)) return found;
      continue;
    }
    const folio = yield* filemapNewFolio(mem, mapping, offset);
    if (folio !== "EEXIST") return folio;
  }
}

/** Reads what the write leaves of a folio that is not uptodate; behind the end are zeros. */
function* filemapWriteBegin(
  mem: Memory,
  mapping: AddressSpace,
  posBytes: number,
  lengthBytes: number,
): Blocking<Folio | WriteError> {
  for (;;) {
    const folio = yield* filemapGrabFolio(mem, mapping, pageOffset(posBytes));
    if (typeof folio === "string" || testFlag(mem, folio, PG.uptodate)) return folio;
    const startBytes = mem.index[folio] * PAGE_SIZE;
    const size = folioSize(mem, folio);
    if (lengthBytes === size) return folio;
    if (startBytes >= mapping.sizeBytes || mapping.ops.readFolio === undefined) {
      folioZeroRange(mem, folio, 0, posBytes - startBytes);
      folioZeroRange(mem, folio, posBytes - startBytes + lengthBytes, size);
      return folio;
    }
    yield* readLockedFolio(mem, mapping, folio);
    const isRead = testFlag(mem, folio, PG.uptodate);
    if (!isRead) {
      folioPut(mem, folio);
      return "EIO";
    }
    if (yield* lockInFile(mem, mapping, folio)) return folio;
  }
}

function* filemapWriteEnd(
  mem: Memory,
  mapping: AddressSpace,
  posBytes: number,
  lengthBytes: number,
  folio: Folio,
): Blocking<void> {
  setFlag(mem, folio, PG.uptodate);
  mapping.sizeBytes = Math.max(mapping.sizeBytes, posBytes + lengthBytes);
  yield* folioMarkDirty(mem, mapping, folio);
  folioUnlock(mem, folio);
  folioPut(mem, folio);
}
