/**
 * What a fault finds in a file that has no storage behind it: zeroes.
 *
 * Linux has no `read_folio` for such files; their `fault` allocates a page and zeroes it
 * (`shmem_fault()`, `secretmem_fault()`), which comes to the same.
 */
import { folioUnlock } from "../memory/folio-lock.ts";
import { type Folio, setFlag } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";
import { PG } from "../memory/page-flags.ts";
import type { AddressSpace, ReadOutcome } from "../pagecache/address-space.ts";
import type { Steps } from "../sched/blocking.ts";

/** As `readFolio`: gives up the lock. */
export function* readHole(mem: Memory, _mapping: AddressSpace, folio: Folio): Steps<ReadOutcome> {
  yield "read-hole";
  mem.frames.clear(folio);
  setFlag(mem, folio, PG.uptodate);
  folioUnlock(mem, folio);
  return "started";
}
