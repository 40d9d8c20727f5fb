/**
 * Page tables: leaves of 512 entries out of one pool, and a process's way to them.
 *
 * An entry has a number of its own in the pool, so that a walk returns one integer and reading or
 * changing the entry is two array accesses. The levels above a leaf are plain directories: no page
 * of the machine is spent on them, as a snapshot already holds the tables' own frames.
 *
 * A huge entry stands in the place of a leaf and maps 512 pages by itself. It has a number of the
 * same pool, and `PTE.huge` among its bits. Whoever looks for a single entry (`find`) does not see
 * it; whoever must not miss it asks `findHuge`, or `lookUp` for either. Its number is given away
 * again once it is cleared or split: look it up anew after being preempted.
 *
 * Protection: the page table lock; each function here is atomic.
 * Linux: mm/memory.c, mm/pgtable-generic.c.
 */
import { assert } from "../base/assert.ts";
import { PTE } from "./pte.ts";

/** Entries of a leaf, leaves of a middle directory, pages of a huge entry. */
const FANOUT = 512;
const FANOUT_SHIFT = 9;
const FANOUT_MASK = 511;

/** Entries of one chunk of the pool: 256 leaves, 1 MiB. */
const CHUNK_SHIFT = 17;
const CHUNK_ENTRIES = 1 << CHUNK_SHIFT;
const CHUNK_MASK = CHUNK_ENTRIES - 1;

/** The first chunk begins with two leaves and doubles: small machines are made by the thousand. */
const FIRST_ENTRIES = 2 * FANOUT;

/** Pages that a huge entry maps, as many as a leaf has entries. Linux: `HPAGE_PMD_NR`. */
export const HUGE_PAGES = 512;

/** The first of the virtual pages that share a leaf or a huge entry with `vpn`. */
export function hugeStart(vpn: number): number {
  return vpn - (vpn & FANOUT_MASK);
}

/** One past the largest virtual page number of a process: 8 TiB, to fit a small integer. */
export const TASK_SIZE_PAGES = 0x8000_0000;

/** No table leads to the page. */
export const NO_ENTRY = -1;

/** The pool of leaves of one machine. */
export class PageTables {
  private readonly chunks: Int32Array[] = [];
  private readonly idle: number[] = [];
  private readonly idleHuge: number[] = [];
  private leafCount = 0;
  /** Leaves cut up into huge entries; they stay so. */
  private hugeLeafCount = 0;

  /** PTE bits of the entry. */
  bits(entry: number): number {
    return this.chunks[entry >>> CHUNK_SHIFT][((entry & CHUNK_MASK) << 1) | 1];
  }

  /** Frame that the entry maps, or that its migration entry stands for. */
  pfn(entry: number): number {
    return this.chunks[entry >>> CHUNK_SHIFT][(entry & CHUNK_MASK) << 1];
  }

  set(entry: number, pfn: number, bits: number): void {
    const chunk = this.chunks[entry >>> CHUNK_SHIFT];
    const at = (entry & CHUNK_MASK) << 1;
    chunk[at] = pfn;
    chunk[at | 1] = bits;
  }

  /** An empty leaf: the number of its first entry. */
  takeLeaf(): number {
    const idle = this.idle.pop();
    if (idle !== undefined) return idle;
    const first = this.leafCount++ * FANOUT;
    if (first === 0) this.chunks.push(new Int32Array(FIRST_ENTRIES * 2));
    else if ((first & CHUNK_MASK) === 0) this.chunks.push(new Int32Array(CHUNK_ENTRIES * 2));
    else if (first * 2 === this.chunks[0].length) this.growFirstChunk();
    return first;
  }

  private growFirstChunk(): void {
    const [old] = this.chunks;
    this.chunks[0] = new Int32Array(old.length * 2);
    this.chunks[0].set(old);
  }

  releaseLeaf(first: number): void {
    for (let entry = first; entry < first + FANOUT; entry++) {
      assert(this.bits(entry) === 0, "release of a page table that maps a page:", entry);
    }
    this.idle.push(first);
  }

  /** An empty huge entry. */
  takeHuge(): number {
    if (this.idleHuge.length === 0) {
      const first = this.takeLeaf();
      this.hugeLeafCount++;
      for (let entry = first + FANOUT - 1; entry >= first; entry--) this.idleHuge.push(entry);
    }
    const entry = this.idleHuge.pop();
    assert(entry !== undefined, "no huge entry in a leaf cut up for them");
    return entry;
  }

  releaseHuge(entry: number): void {
    assert(this.bits(entry) === 0, "release of a huge entry that maps a folio:", entry);
    this.idleHuge.push(entry);
  }

  get leavesInUse(): number {
    return this.leafCount - this.hugeLeafCount - this.idle.length;
  }

  get hugeInUse(): number {
    return this.hugeLeafCount * FANOUT - this.idleHuge.length;
  }
}

/** The frame that an entry of either size has for `vpn`, which it covers. */
export function entryPfn(tables: PageTables, entry: number, vpn: number): number {
  const pfn = tables.pfn(entry);
  return (tables.bits(entry) & PTE.huge) === 0 ? pfn : pfn + (vpn & FANOUT_MASK);
}

/** The directories of one process. */
export class PageDirectory {
  private readonly tables: PageTables;
  /**
   * By the upper bits of the virtual page number, then by the next 9: a leaf as its first entry
   * + 1, a huge entry as its complement, which is negative, or 0.
   */
  private readonly middles: (Int32Array | undefined)[] = [];

  constructor(tables: PageTables) {
    this.tables = tables;
  }

  /** The entry for a virtual page, or NO_ENTRY where no table is; a huge entry is not one. */
  find(vpn: number): number {
    const middle = this.middles[vpn >>> (2 * FANOUT_SHIFT)];
    if (middle === undefined) return NO_ENTRY;
    const leaf = middle[(vpn >>> FANOUT_SHIFT) & FANOUT_MASK];
    return leaf <= 0 ? NO_ENTRY : leaf - 1 + (vpn & FANOUT_MASK);
  }

  /** The huge entry that covers a virtual page, or NO_ENTRY. Linux: `pmd_offset()`. */
  findHuge(vpn: number): number {
    const slot = this.slotOf(vpn);
    return slot < 0 ? ~slot : NO_ENTRY;
  }

  /** The entry of either size that covers a virtual page, or NO_ENTRY. */
  lookUp(vpn: number): number {
    const slot = this.slotOf(vpn);
    if (slot === 0) return NO_ENTRY;
    return slot < 0 ? ~slot : slot - 1 + (vpn & FANOUT_MASK);
  }

  /** Whether neither a leaf nor a huge entry covers the virtual page. Linux: `pmd_none()`. */
  isVacant(vpn: number): boolean {
    return this.slotOf(vpn) === 0;
  }

  /** The entry for a virtual page, with the tables that it takes; no huge entry may be there. */
  make(vpn: number): number {
    const middle = this.makeMiddle(vpn);
    const slot = (vpn >>> FANOUT_SHIFT) & FANOUT_MASK;
    assert(middle[slot] >= 0, "a single entry inside a huge one at", vpn);
    if (middle[slot] === 0) middle[slot] = this.tables.takeLeaf() + 1;
    return middle[slot] - 1 + (vpn & FANOUT_MASK);
  }

  /** The huge entry that covers a virtual page, empty if new; no leaf may be there. */
  makeHuge(vpn: number): number {
    const middle = this.makeMiddle(vpn);
    const slot = (vpn >>> FANOUT_SHIFT) & FANOUT_MASK;
    assert(middle[slot] <= 0, "a huge entry where a page table is, at", vpn);
    if (middle[slot] === 0) middle[slot] = ~this.tables.takeHuge();
    return ~middle[slot];
  }

  /** Empties the huge entry that covers a virtual page, and leaves nothing in its place. */
  clearHuge(vpn: number): void {
    this.dropHuge(vpn, 0);
  }

  /**
   * Puts an empty leaf in the place of a huge entry, whatever that holds; returns its first entry.
   *
   * The caller fills it in with what the huge entry said. Linux: `pmd_populate()` of a split.
   */
  splitHuge(vpn: number): number {
    const first = this.tables.takeLeaf();
    this.dropHuge(vpn, first + 1);
    return first;
  }

  /** Gives every table back; all entries must be empty. */
  release(): void {
    for (const middle of this.middles) {
      for (const slot of middle ?? []) {
        if (slot > 0) this.tables.releaseLeaf(slot - 1);
        else if (slot < 0) this.tables.releaseHuge(~slot);
      }
    }
    this.middles.length = 0;
  }

  private slotOf(vpn: number): number {
    const middle = this.middles[vpn >>> (2 * FANOUT_SHIFT)];
    return middle === undefined ? 0 : middle[(vpn >>> FANOUT_SHIFT) & FANOUT_MASK];
  }

  private makeMiddle(vpn: number): Int32Array {
    const upper = vpn >>> (2 * FANOUT_SHIFT);
    this.middles[upper] ??= new Int32Array(FANOUT);
    return this.middles[upper];
  }

  private dropHuge(vpn: number, slot: number): void {
    const entry = this.findHuge(vpn);
    assert(entry !== NO_ENTRY, "no huge entry at", vpn);
    const middle = this.makeMiddle(vpn);
    middle[(vpn >>> FANOUT_SHIFT) & FANOUT_MASK] = slot;
    this.tables.set(entry, 0, 0);
    this.tables.releaseHuge(entry);
  }
}
