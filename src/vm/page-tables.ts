/**
 * Page tables: leaves of 512 entries out of one pool, and a process's way to them.
 *
 * An entry has a number of its own in the pool, so that a walk returns one integer and reading or
 * changing the entry is two array accesses. The levels above a leaf are plain directories: no page
 * of the machine is spent on them, as a snapshot already holds the tables' own frames.
 *
 * Protection: the page table lock; each function here is atomic.
 * Linux: mm/memory.c, mm/pgtable-generic.c.
 */
import { assert } from "../base/assert.ts";

/** Entries of a leaf, and leaves of a middle directory. */
const FANOUT = 512;
const FANOUT_SHIFT = 9;
const FANOUT_MASK = 511;

/** Entries of one chunk of the pool: 256 leaves, 1 MiB. */
const CHUNK_SHIFT = 17;
const CHUNK_ENTRIES = 1 << CHUNK_SHIFT;
const CHUNK_MASK = CHUNK_ENTRIES - 1;

/** The first chunk begins with two leaves and doubles: small machines are made by the thousand. */
const FIRST_ENTRIES = 2 * FANOUT;

/** One past the largest virtual page number of a process: 8 TiB, to fit a small integer. */
export const TASK_SIZE_PAGES = 0x8000_0000;

/** No table leads to the page. */
export const NO_ENTRY = -1;

/** The pool of leaves of one machine. */
export class PageTables {
  private readonly chunks: Int32Array[] = [];
  private readonly idle: number[] = [];
  private leafCount = 0;

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

  get leavesInUse(): number {
    return this.leafCount - this.idle.length;
  }
}

/** The directories of one process. */
export class PageDirectory {
  private readonly tables: PageTables;
  /** By the upper bits of the virtual page number: leaves, as the first entry + 1, or 0. */
  private readonly middles: (Int32Array | undefined)[] = [];

  constructor(tables: PageTables) {
    this.tables = tables;
  }

  /** The entry for a virtual page, or NO_ENTRY where no table is. */
  find(vpn: number): number {
    const middle = this.middles[vpn >>> (2 * FANOUT_SHIFT)];
    if (middle === undefined) return NO_ENTRY;
    const leaf = middle[(vpn >>> FANOUT_SHIFT) & FANOUT_MASK];
    return leaf === 0 ? NO_ENTRY : leaf - 1 + (vpn & FANOUT_MASK);
  }

  /** The entry for a virtual page, with the tables that it takes. */
  make(vpn: number): number {
    const upper = vpn >>> (2 * FANOUT_SHIFT);
    this.middles[upper] ??= new Int32Array(FANOUT);
    const middle = this.middles[upper];
    const slot = (vpn >>> FANOUT_SHIFT) & FANOUT_MASK;
    if (middle[slot] === 0) middle[slot] = this.tables.takeLeaf() + 1;
    return middle[slot] - 1 + (vpn & FANOUT_MASK);
  }

  /** Gives every leaf back; all entries must be empty. */
  release(): void {
    for (const middle of this.middles) {
      for (const leaf of middle ?? []) if (leaf !== 0) this.tables.releaseLeaf(leaf - 1);
    }
    this.middles.length = 0;
  }
}
