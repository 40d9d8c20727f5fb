/**
 * What the page cache needs of those who map its pages: declared here, supplied by the room above.
 *
 * Truncate must take pages out of every page table, and large folios apart; writeback must have
 * entries write-protected before it begins, and both must know whether anybody maps a folio at all.
 * A cache without processes has none.
 */
import type { Folio } from "../memory/memmap.ts";
import type { Steps } from "../sched/blocking.ts";
import type { AddressSpace } from "./address-space.ts";

/** "cached": entries that map the file's own pages. "all": private copies of them too. */
export type UnmapKind = "cached" | "all";

export interface Mappers {
  /**
   * Empties every entry that maps a page from `first` to `last`.
   *
   * Linux: `unmap_mapping_range()`.
   */
  readonly unmapMappingRange: (
    mapping: AddressSpace,
    first: number,
    last: number,
    kind: UnmapKind,
  ) => Steps<void>;
  /**
   * Write-protects and cleans every entry of a locked folio; true if one of them was dirty.
   * The next write of a process then faults, and says so. Linux: `folio_mkclean()`.
   */
  readonly folioMkclean: (mapping: AddressSpace, folio: Folio) => Steps<boolean>;
  /**
   * Makes each page of a locked large folio, of which the caller holds one reference, a folio of
   * its own; the caller keeps lock and reference of the first. False, with the folio whole, if
   * somebody else holds it. Linux: `split_folio()`.
   */
  readonly splitFolio: (folio: Folio) => Steps<boolean>;
}
