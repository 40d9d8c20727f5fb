/**
 * The first page of a cached file, found and locked the way filesystems do it.
 */
import { assert } from "../../src/base/assert.ts";
import type { Machine } from "../../src/machine/machine.ts";
import { folioUnlock } from "../../src/memory/folio-lock.ts";
import { folioPut } from "../../src/memory/folio-ref.ts";
import type { Folio } from "../../src/memory/memmap.ts";
import type { AddressSpace } from "../../src/pagecache/address-space.ts";
import { lockInFile } from "../../src/pagecache/find-folio.ts";
import { filemapGetFolio } from "../../src/pagecache/page-cache.ts";
import type { Blocking } from "../../src/sched/blocking.ts";

/** Has `use` work on the page while it is locked, wherever it is by then. */
export function* withLockedPage<T>(
  { mem }: Machine,
  file: AddressSpace,
  use: (page: Folio) => T,
): Blocking<T> {
  for (;;) {
    const page = yield* filemapGetFolio(mem, file, 0);
    assert(page !== null, "a page of the file is cached");
    if (!(yield* lockInFile(mem, file, page))) continue;
    const result = use(page);
    folioUnlock(mem, page);
    folioPut(mem, page);
    return result;
  }
}
