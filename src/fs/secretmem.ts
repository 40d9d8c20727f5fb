/**
 * memfd_secret: memory that its processes see and the kernel does not.
 *
 * The pages are out of the kernel's own map: it can neither read nor copy them. They stay in memory
 * (the mapping is unevictable, its VMAs are locked), nobody gets at them through a process
 * (`followPage` finds nothing), and they do not move. What leaves the file is zeroed first, as it
 * comes back into the kernel's map. Linux: mm/secretmem.c, 6.1.
 */
import {
  type AddressSpace,
  type AddressSpaceOperations,
  AS,
  type MigrateOutcome,
} from "../pagecache/address-space.ts";
import { noopDirtyFolio } from "../pagecache/mark-dirty.ts";
import type { PageCache } from "../pagecache/page-cache.ts";
import type { Steps } from "../sched/blocking.ts";
import { readHole } from "./read-hole.ts";

/** The bytes cannot be copied, however often somebody asks. */
function* secretmemMigrateFolio(): Steps<MigrateOutcome> {
  yield "secretmem-refuses";
  return "EBUSY";
}

/** Linux: `secretmem_aops`. */
const SECRETMEM_AOPS: AddressSpaceOperations = {
  dirtyFolio: noopDirtyFolio,
  readFolio: readHole,
  migrateFolio: secretmemMigrateFolio,
  freeFolio(mem, folio) {
    mem.frames.clear(folio);
  },
};

/** A new file without pages. Linux: `memfd_secret()`, `ftruncate()`. */
export function createSecretmem(cache: PageCache, sizeBytes: number): AddressSpace {
  const flags = AS.unevictable | AS.inaccessible;
  return cache.createMapping("secretmem", SECRETMEM_AOPS, { flags, sizeBytes, readaheadPages: 0 });
}
