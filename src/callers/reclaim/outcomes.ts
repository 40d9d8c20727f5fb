/**
 * What becomes of a folio that reclaim has isolated, by name.
 *
 * The kernel counts a few of these and tells nobody of the rest. "activate": the folio goes to the
 * active list, where it is left alone for a while; "keep": back to the inactive one.
 */

/** By name: where the folio goes, and why in a sentence. */
export const FOLIO_OUTCOMES = {
  freed: ["free", "nobody needs the page any more"],
  demoted: ["free", "its contents live on a slower node from now on"],
  locked: ["keep", "another task holds the folio lock"],
  unevictable: ["activate", "mlock or its file keeps it in memory"],
  writeback_immediate: ["activate", "came round again before its write was over"],
  writeback: ["activate", "is being written, and is freed when that is over"],
  referenced: ["activate", "is in use"],
  referenced_once: ["keep", "was used once, as every page is at first"],
  no_io: ["keep", "the request that needs memory may not start input or output"],
  pinned: ["keep", "a device may be using it"],
  unsplittable: ["activate", "is large, and somebody holds a part of it"],
  swap_full: ["activate", "no room is left in swap"],
  split_failed: ["keep", "is large and of shared memory, and somebody holds a part of it"],
  still_mapped: ["activate", "a page table entry could not be taken away"],
  dirty: ["activate", "is dirty, and is freed when it has been written"],
  dirty_referenced: ["keep", "was used lately, and is dirty"],
  no_fs: ["keep", "the request that needs memory may not call filesystems"],
  no_writepage: ["keep", "this round writes nothing"],
  no_storage: ["keep", "is dirty and belongs to no file"],
  cannot_write: ["activate", "its owner cannot write it, or not now"],
  held_dirty: ["keep", "is dirty, and somebody holds a reference"],
  write_begun: ["keep", "its write has just begun"],
  private_busy: ["activate", "its owner would not give up the private state"],
  held: ["keep", "somebody holds a reference, or has made it dirty"],
} as const;

export type FolioOutcome = keyof typeof FOLIO_OUTCOMES;

/** One of each, at zero. */
export function newOutcomeCounts(): Record<FolioOutcome, number> {
  const names = Object.keys(FOLIO_OUTCOMES) as FolioOutcome[];
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<FolioOutcome, number>;
}
