/**
 * The folio of a page of shmem, wherever the page is.
 *
 * In the cache: locked. In swap: brought back. A hole: a new folio of zeroes, or none for who only
 * reads. Truncate may run meanwhile: the file's size is looked at again at the end, with the folio
 * locked, and a folio that is new behind it leaves the file.
 * Linux: `shmem_get_folio_gfp()` with `enum sgp_type`, `shmem_fault()`, `shmem_write_begin()`,
 * `shmem_file_read_iter()`, mm/shmem.c, 6.1.
 */
import { assert } from "../../base/assert.ts";
import { PAGE_SIZE } from "../../memory/constants.ts";
import { folioUnlock } from "../../memory/folio-lock.ts";
import { folioPut } from "../../memory/folio-ref.ts";
import { folioMarkAccessed } from "../../memory/lru-moves.ts";
import { type Folio, setFlag, testFlag } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";
import { PG } from "../../memory/page-flags.ts";
import type { AddressSpace } from "../../pagecache/address-space.ts";
import { lockInFile } from "../../pagecache/find-folio.ts";
import { filemapNewFolio, pageOffset } from "../../pagecache/new-folio.ts";
import { filemapGetFolio, filemapRemoveFolio } from "../../pagecache/page-cache.ts";
import { folioSize, folioZeroRange } from "../../pagecache/zero-range.ts";
import type { Blocking } from "../../sched/blocking.ts";
import type { SwapEntry } from "../../vm/swap/swap-entry.ts";
import type { Vm } from "../../vm/vm.ts";
import { shmemSwapIn } from "./swap-in.ts";

/**
 * What the folio is for. "read": holes stay holes. "cache": for a page table. "write": also behind
 * the file's end, and a new one is not zeroed yet. Linux: SGP_READ, SGP_CACHE, SGP_WRITE.
 */
export type ShmemUse = "read" | "cache" | "write";

/** Why there is no folio. "EINVAL": behind the end of the file. */
export type ShmemError = "EINVAL" | "ENOMEM" | "EIO";

/** The folio with the page at `offset`, locked and held. */
export function* shmemGetFolio(
  vm: Vm,
  mapping: AddressSpace,
  offset: number,
  use: ShmemUse,
): Blocking<Folio | "hole" | ShmemError> {
  const { mem } = vm;
  for (;;) {
    if (use !== "write" && isBehindEnd(mapping, offset)) return "EINVAL";
    const found = yield* findOrBringBack(vm, mapping, offset);
    if (found === "EEXIST") continue;
    if (typeof found === "string") return found;
    if (found === null && use === "read") return "hole";
    const folio = found ?? (yield* filemapNewFolio(mem, mapping, offset));
    if (folio === "EEXIST") continue;
    if (folio === "ENOMEM") return folio;
    if (use !== "write" && isBehindEnd(mapping, offset)) {
      if (found === null) filemapRemoveFolio(mem, mapping, folio);
      folioUnlock(mem, folio);
      folioPut(mem, folio);
      return "EINVAL";
    }
    if (found === null && use === "cache") {
      folioZeroRange(mem, folio, 0, folioSize(mem, folio));
      setFlag(mem, folio, PG.uptodate);
    }
    return folio;
  }
}

function isBehindEnd({ sizeBytes }: AddressSpace, offset: number): boolean {
  return offset * PAGE_SIZE >= sizeBytes;
}

/** Null for a hole; "EEXIST": the page has gone elsewhere, look again. */
function* findOrBringBack(
  vm: Vm,
  mapping: AddressSpace,
  offset: number,
): Blocking<Folio | "EEXIST" | "ENOMEM" | "EIO" | null> {
  const { mem, swap } = vm;
  const found = yield* filemapGetFolio(mem, mapping, offset);
  if (found !== null) return (yield* lockInFile(mem, mapping, found)) ? found : "EEXIST";
  const slot = mapping.swapped?.get(offset);
  if (slot === undefined) return null;
  assert(swap !== null, "a page in swap on a machine without:", offset);
  return yield* shmemSwapIn(vm, swap, mapping, offset, slot as SwapEntry);
}

/** Linux: `shmem_fault()`. */
export function* shmemFault(
  vm: Vm,
  mapping: AddressSpace,
  offset: number,
): Blocking<Folio | "SIGBUS"> {
  const folio = yield* shmemGetFolio(vm, mapping, offset, "cache");
  return typeof folio === "string" ? "SIGBUS" : folio;
}

/** What the write leaves of a new folio is zeroed. Linux: `shmem_write_begin()`. */
export function* shmemWriteBegin(
  vm: Vm,
  mapping: AddressSpace,
  posBytes: number,
  lengthBytes: number,
): Blocking<Folio | "ENOMEM" | "EIO"> {
  const { mem } = vm;
  const folio = yield* shmemGetFolio(vm, mapping, pageOffset(posBytes), "write");
  if (folio === "ENOMEM" || folio === "EIO") return folio;
  assert(folio !== "hole" && folio !== "EINVAL", "a write finds no folio at", posBytes);
  if (testFlag(mem, folio, PG.uptodate)) return folio;
  const from = posBytes - mem.index[folio] * PAGE_SIZE;
  folioZeroRange(mem, folio, 0, from);
  folioZeroRange(mem, folio, from + lengthBytes, folioSize(mem, folio));
  return folio;
}

/**
 * Reads 4-byte words from byte `posBytes` on into `words`; how many, or why none. Holes read as
 * zeroes and stay holes. Linux: `shmem_file_read_iter()`.
 */
export function* shmemFileRead(
  vm: Vm,
  mapping: AddressSpace,
  posBytes: number,
  words: Int32Array,
): Blocking<number | "ENOMEM" | "EIO"> {
  assert(posBytes % 4 === 0, "a read that is not aligned:", posBytes);
  let done = 0;
  while (done < words.length) {
    const at = posBytes + done * 4;
    const folio = yield* shmemGetFolio(vm, mapping, pageOffset(at), "read");
    if (folio === "EINVAL") break;
    if (folio === "ENOMEM" || folio === "EIO") return done > 0 ? done : folio;
    if (folio !== "hole") folioUnlock(vm.mem, folio);
    yield "shmem-read-found";
    const inPage = (at % PAGE_SIZE) / 4;
    // The size again: what was cut off since is not returned.
    const left = Math.floor((mapping.sizeBytes - at) / 4);
    const count = Math.max(0, Math.min(words.length - done, PAGE_SIZE / 4 - inPage, left));
    const got = words.subarray(done, done + count);
    if (folio === "hole") got.fill(0);
    else copyOut(vm.mem, folio, at, got);
    done += count;
    if (count === 0) break;
  }
  return done;
}

/** Copies from a held folio, and lets go of it. */
function copyOut(mem: Memory, folio: Folio, posBytes: number, words: Int32Array): void {
  const page = mem.pfn(folio + (pageOffset(posBytes) - mem.index[folio]));
  const first = (posBytes % PAGE_SIZE) / 4;
  for (let at = 0; at < words.length; at++) words[at] = mem.frames.readWord(page, first + at);
  folioMarkAccessed(mem, folio);
  folioPut(mem, folio);
}
