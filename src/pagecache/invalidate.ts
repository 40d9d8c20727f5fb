/**
 * Dropping what is cached of a file: what nobody needs, or, for a change behind the cache's back,
 * everything.
 *
 * `invalidateMappingPages` takes clean, unmapped folios that nobody else holds and waits for
 * nothing; `invalidateInodePages2` waits, unmaps, has the owner launder what is dirty, and says
 * whether something stayed. Linux: mm/truncate.c, `remove_mapping()` in mm/vmscan.c, 6.1.
 */
import { folioMapped, folioNrPages } from "../memory/folio.ts";
import { folioTrylock, folioUnlock, folioWaitWriteback } from "../memory/folio-lock.ts";
import { folioPut, folioRefFreeze, folioRefUnfreeze } from "../memory/folio-ref.ts";
import { type Folio, testFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import type { AddressSpace } from "./address-space.ts";
import { findGetFolio, lockInFile } from "./find-folio.ts";
import { filemapReleaseFolio, filemapRemoveFolio } from "./page-cache.ts";

/** How many pages left the cache, of those from `first` to `last`. */
export function* invalidateMappingPages(
  mem: Memory,
  mapping: AddressSpace,
  first: number,
  last: number,
): Steps<number> {
  let dropped = 0;
  for (let at = first; at <= last; ) {
    const folio = yield* findGetFolio(mem, mapping, at, last);
    if (folio === null) break;
    const pages = folioNrPages(mem, folio);
    at = mem.index[folio] + pages;
    yield "invalidate-held";
    if (folioTrylock(mem, folio)) {
      if (yield* mappingEvictFolio(mem, mapping, folio)) dropped += pages;
      folioUnlock(mem, folio);
    }
    folioPut(mem, folio);
  }
  return dropped;
}

/** A locked folio of which the caller holds one reference. Linux: `mapping_evict_folio()`. */
function* mappingEvictFolio(mem: Memory, mapping: AddressSpace, folio: Folio): Steps<boolean> {
  const flags = mem.flags[folio];
  if (mem.mapping[folio] === 0 || (flags & (PG.dirty | PG.writeback)) !== 0) return false;
  const own = 1 + folioNrPages(mem, folio) + ((flags & PG.private) !== 0 ? 1 : 0);
  if (mem.refcount[folio] > own) return false;
  if (!(yield* filemapReleaseFolio(mem, mapping, folio))) return false;
  return yield* removeMapping(mem, mapping, folio);
}

/**
 * Takes a locked, clean folio that only its file and the caller hold out of the file.
 *
 * The count is frozen first: who finds the folio now fails and comes again. What is dirty by then
 * stays: the flag is looked at after the freeze, as a user may dirty it and go.
 * Linux: `remove_mapping()`.
 */
export function* removeMapping(mem: Memory, mapping: AddressSpace, folio: Folio): Steps<boolean> {
  const expected = 1 + folioNrPages(mem, folio);
  yield "remove-mapping-freeze";
  if (!folioRefFreeze(mem, folio, expected)) return false;
  const isClean = !testFlag(mem, folio, PG.dirty);
  folioRefUnfreeze(mem, folio, expected);
  if (isClean) filemapRemoveFolio(mem, mapping, folio);
  return isClean;
}

/** "EBUSY" if a page from `first` to `last` stayed. Linux: `invalidate_inode_pages2_range()`. */
export function* invalidateInodePages2(
  mem: Memory,
  mapping: AddressSpace,
  first: number,
  last: number,
): Blocking<"done" | "EBUSY" | "EIO"> {
  const { mappers } = mapping;
  let outcome: "done" | "EBUSY" | "EIO" = "done";
  if (mappers !== null) yield* mappers.unmapMappingRange(mapping, first, last, "cached");
  for (let at = first; at <= last; ) {
    const folio = yield* findGetFolio(mem, mapping, at, last);
    if (folio === null) break;
    if (!(yield* lockInFile(mem, mapping, folio))) continue;
    at = mem.index[folio] + folioNrPages(mem, folio);
    yield* folioWaitWriteback(mem, folio);
    const dropped = yield* launderAndDrop(mem, mapping, folio);
    if (dropped !== "done") outcome = dropped;
    folioUnlock(mem, folio);
    folioPut(mem, folio);
  }
  return outcome;
}

function* launderAndDrop(
  mem: Memory,
  mapping: AddressSpace,
  folio: Folio,
): Blocking<"done" | "EBUSY" | "EIO"> {
  const { mappers, ops } = mapping;
  const first = mem.index[folio];
  const last = first + folioNrPages(mem, folio) - 1;
  if (mappers !== null && folioMapped(mem, folio)) {
    yield* mappers.unmapMappingRange(mapping, first, last, "cached");
  }
  if (testFlag(mem, folio, PG.dirty) && ops.launderFolio !== undefined) {
    const laundered = yield* ops.launderFolio(mem, mapping, folio);
    if (laundered === "EIO") return "EIO";
  }
  const isReleased = yield* filemapReleaseFolio(mem, mapping, folio);
  yield "invalidate-released";
  // References of others do not matter here: they keep the page, not its place.
  if (!isReleased || testFlag(mem, folio, PG.dirty)) return "EBUSY";
  filemapRemoveFolio(mem, mapping, folio);
  return "done";
}
