/**
 * Finding a file's folios one after another, held or locked, while others come and go.
 *
 * As with `filemapGetFolio`, the count is taken without a lock, so the index is looked at again.
 * Linux: `find_get_entries()`, `filemap_get_folios_tag()`, mm/filemap.c.
 */
import { folioLock, folioUnlock } from "../memory/folio-lock.ts";
import { folioPut, folioTryGet } from "../memory/folio-ref.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import type { Blocking, Steps } from "../sched/blocking.ts";
import type { AddressSpace } from "./address-space.ts";
import type { Mark } from "./folio-index.ts";
import { isInFile } from "./read.ts";

/** The first folio from `first` to `last`, with `mark` if one is named, held; or null. */
export function* findGetFolio(
  mem: Memory,
  mapping: AddressSpace,
  first: number,
  last: number,
  mark?: Mark,
): Steps<Folio | null> {
  const { folios } = mapping;
  for (;;) {
    const folio = folios.find(first, last, mark);
    if (folio === null) return null;
    yield "find-folio-loaded";
    if (!folioTryGet(mem, folio)) continue;
    if (folios.find(first, last, mark) === folio) return folio;
    folioPut(mem, folio);
  }
}

/** Takes the lock of a held folio; false, and no longer held, if it has left the file by then. */
export function* lockInFile(mem: Memory, mapping: AddressSpace, folio: Folio): Blocking<boolean> {
  yield* folioLock(mem, folio);
  if (isInFile(mem, mapping, folio)) return true;
  folioUnlock(mem, folio);
  folioPut(mem, folio);
  return false;
}
