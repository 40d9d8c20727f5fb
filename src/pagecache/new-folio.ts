/**
 * A new folio of a file: allocated, locked, entered, on its way to the LRU.
 *
 * The allocation may sleep; somebody else may have entered a folio by then, who has won. What is
 * returned is locked and not uptodate, and held by the caller. Linux: `filemap_alloc_folio()` and
 * `filemap_add_folio()`, mm/filemap.c, 6.1.
 */
import { PAGE_SIZE } from "../memory/constants.ts";
import { folioTrylock } from "../memory/folio-lock.ts";
import { folioPut } from "../memory/folio-ref.ts";
import { GFP_HIGHUSER_MOVABLE, gfpRequest } from "../memory/gfp.ts";
import { folioAddLru } from "../memory/lru.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { folioAllocGfp } from "../memory/page-alloc.ts";
import { PG } from "../memory/page-flags.ts";
import type { Blocking } from "../sched/blocking.ts";
import { type AddressSpace, AS } from "./address-space.ts";
import { filemapAddFolio } from "./page-cache.ts";

/** "EEXIST": some page of it is cached by now. */
export type NewFolioError = "ENOMEM" | "EEXIST";

/** The folio of `order` that begins at `offset`. */
export function* filemapNewFolio(
  mem: Memory,
  mapping: AddressSpace,
  offset: number,
  order = 0,
): Blocking<Folio | NewFolioError> {
  const folio = yield* allocFolio(mem, mapping, offset, order);
  if (folio === null) return "ENOMEM";
  yield "new-folio-allocated";
  if (!isVacant(mapping, offset, offset + (1 << order) - 1)) {
    folioPut(mem, folio);
    return "EEXIST";
  }
  folioTrylock(mem, folio);
  if ((mapping.flags & AS.swapBacked) !== 0) mem.flags[folio] |= PG.swapbacked;
  filemapAddFolio(mem, mapping, folio, offset);
  folioAddLru(mem, folio);
  return folio;
}

/** By the owner's policy or that of the task; else from its processor's node. */
function* allocFolio(
  mem: Memory,
  mapping: AddressSpace,
  offset: number,
  order: number,
): Blocking<Folio | null> {
  const { allocFolio: alloc } = mapping.ops;
  if (alloc !== undefined) return yield* alloc(mem, mapping, offset, order);
  const { taskAlloc } = mem;
  if (taskAlloc !== null) return yield* taskAlloc(order, GFP_HIGHUSER_MOVABLE, null);
  const request = gfpRequest(GFP_HIGHUSER_MOVABLE, order, mem.nodeOfCpu[mem.cpu]);
  return yield* folioAllocGfp(mem, request);
}

/** No page from `first` to `last` is in the cache, or in swap. */
function isVacant({ folios, swapped }: AddressSpace, first: number, last: number): boolean {
  if (folios.find(first, last) !== null) return false;
  if (swapped === null || swapped.size === 0) return true;
  if (first === last) return !swapped.has(first);
  for (const offset of swapped.keys()) if (first <= offset && offset <= last) return false;
  return true;
}

/** No page of a file lies behind it. */
export const LAST_OFFSET = 0x7fff_ffff;

/** The page offset in the file of a byte. */
export function pageOffset(posBytes: number): number {
  return Math.floor(posBytes / PAGE_SIZE);
}
