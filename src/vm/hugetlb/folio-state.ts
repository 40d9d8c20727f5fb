/**
 * What a hugetlb folio says of itself beyond its flag word.
 *
 * The head's `private` column holds the bits below (so a move must not clear it), the second tail's
 * `index` the subpool that it is charged to. Linux: `enum hugetlb_page_flags`, and
 * `hugetlb_page_subpool()`, 6.1.
 *
 * | state    | bits               | references | list                        |
 * |----------|--------------------|------------|-----------------------------|
 * | free     | freed              | 0          | its node's free list        |
 * | in fault | none, restore-     | 1          | the active list             |
 * |          | reserve            |            |                             |
 * | in use   | migratable         | 1 or more  | the active list             |
 * | isolated | none               | one more   | its isolator's              |
 *
 * A temporary one, made to be moved to, is on no list until a move has made it permanent.
 */
import { type Folio, type Memmap, testFlag } from "../../memory/memmap.ts";
import { PG } from "../../memory/page-flags.ts";

export const HPG = {
  /** It was taken out of the reserve, which gets it back if nobody comes to use it. */
  restoreReserve: 0x1,
  /** In use, and may be isolated: set once a fault has mapped it. */
  migratable: 0x2,
  /** Not the pool's: freed to the allocator when its last user is gone. */
  temporary: 0x4,
  /** On a free list. */
  freed: 0x8,
} as const;

type HugetlbBit = (typeof HPG)[keyof typeof HPG];

/** The head of a hugetlb folio. Linux: `folio_test_hugetlb()`. */
export function folioTestHugetlb(mem: Memmap, folio: Folio): boolean {
  return testFlag(mem, folio, PG.hugetlb);
}

export function testHugetlbBit(mem: Memmap, folio: Folio, bit: HugetlbBit): boolean {
  return (mem.private[folio] & bit) !== 0;
}

export function setHugetlbBit(mem: Memmap, folio: Folio, bit: HugetlbBit): void {
  mem.private[folio] |= bit;
}

export function clearHugetlbBit(mem: Memmap, folio: Folio, bit: HugetlbBit): void {
  mem.private[folio] &= ~bit;
}

/** Index in `Hstate.subpools`, or -1. */
export function folioSubpool(mem: Memmap, folio: Folio): number {
  return mem.index[folio + 2] - 1;
}

/** `subpool` is -1 for none. */
export function setFolioSubpool(mem: Memmap, folio: Folio, subpool: number): void {
  mem.index[folio + 2] = subpool + 1;
}
