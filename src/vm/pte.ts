/**
 * Page table entries: two words, the frame and the bits.
 *
 * A present entry maps a page. An entry that is not present but not empty either is of the swap
 * type: the three kinds of migration entry, which carry the frame of the SOURCE and the bits that
 * must survive the move, and the entry of a page that is in swap.
 *
 * Linux: `pte_t`, `swp_entry_t`, include/linux/swapops.h.
 */
export const PTE = {
  present: 0x1,
  write: 0x2,
  dirty: 0x4,
  young: 0x8,
  softDirty: 0x10,
  uffdWp: 0x20,
  /** Maps a page that nobody may touch: mprotect(PROT_NONE). Linux: `pte_protnone()`. */
  protNone: 0x40,
  /** Maps the zero page: neither counted nor held. Linux: `pte_special()`. */
  special: 0x80,
  /** Migration entries: the page was not writable, was exclusive, was writable. */
  migrationRead: 0x100,
  migrationReadExclusive: 0x200,
  migrationWrite: 0x400,
  /** Maps 512 pages from the frame on, or is the migration entry for them. Linux: _PAGE_PSE. */
  huge: 0x800,
  /** Names a slot in swap, in the place of the frame: a `SwapEntry`. */
  swap: 0x1000,
  /** Of such an entry: the page was its process's alone. Linux: `pte_swp_exclusive()`. */
  swapExclusive: 0x2000,
} as const;

/** Any of the three kinds. Linux: `is_migration_entry()`. */
export const PTE_MIGRATION = 0x700;

/** No page and no entry. */
export const PTE_NONE = 0;
