/**
 * The mapping word: who owns a folio, in one column.
 *
 * The low two bits say which table the rest of the word is an index of (plus one, so that zero is
 * "nobody"). Linux: the low bits of `page->mapping`, where the rest is a pointer.
 *
 * | low bits | owner               | table                             |
 * |----------|---------------------|-----------------------------------|
 * | 00       | file, shmem         | address spaces                    |
 * | 01       | anonymous           | anon_vmas                         |
 * | 10       | movable, off the LRU| movable operations; without one,  |
 * |          |                     | its driver has let go of it       |
 * | 11       | KSM                 | stable nodes                      |
 */
import type { Memmap, Pfn } from "./memmap.ts";

export const MAPPING_ANON = 0x1;
export const MAPPING_MOVABLE = 0x2;
export const MAPPING_KSM = 0x3;
export const MAPPING_FLAGS = 0x3;

export type MappingKind = 0 | typeof MAPPING_ANON | typeof MAPPING_MOVABLE | typeof MAPPING_KSM;

/** The word for entry `id` of the table that `kind` names. */
export function mappingWord(id: number, kind: MappingKind): number {
  return ((id + 1) << 2) | kind;
}

/** The index that a non-zero word carries; -1 for a movable page that was let go of. */
export function mappingId(word: number): number {
  return (word >>> 2) - 1;
}

/** Anonymous, KSM included. Linux: `folio_test_anon()`. */
export function folioTestAnon(mem: Memmap, page: Pfn): boolean {
  return (mem.mapping[page] & MAPPING_ANON) !== 0;
}

/**
 * A driver's page, or one that was: a look at the word, without lock or reference, that may be out
 * of date and holds for pages that only look so.
 *
 * Linux: `__folio_test_movable()`, `__PageMovable()`.
 */
export function folioTestMovable(mem: Memmap, page: Pfn): boolean {
  return (mem.mapping[page] & MAPPING_FLAGS) === MAPPING_MOVABLE;
}

/** Linux: `folio_test_ksm()`. */
export function folioTestKsm(mem: Memmap, page: Pfn): boolean {
  return (mem.mapping[page] & MAPPING_FLAGS) === MAPPING_KSM;
}
