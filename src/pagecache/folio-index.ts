/**
 * The index of an address space: folio by page offset, and three marks a folio.
 *
 * A tree of nodes of 64 slots; the deeper, the fewer pages a slot stands for. A folio is one entry:
 * one slot of the lowest level, or for order n a run of slots in the level whose slots stand for
 * 64^floor(n / 6) pages, all holding the folio. Marks are on the first slot of an entry, and on
 * each slot above it while anything below is marked, so that what is marked is found without a look
 * at the rest. Whoever replaces a folio in its slot, as a migration does, leaves the marks there.
 *
 * Offsets are from 0 to 2^32 - 1; a folio lies at a multiple of its size. Every function is atomic:
 * the `i_pages` lock. Linux: `i_pages`, an XArray (`xas_store()`, `xas_find_marked()`).
 */
import { assert } from "../base/assert.ts";
import type { Folio } from "../memory/memmap.ts";

const SLOT_BITS = 6;
const SLOTS = 64;
const SLOT_MASK = 63;

/** What a slot holds when no folio is there; pfn 0 is never cached. */
const EMPTY = 0;

/** Linux: `PAGECACHE_TAG_DIRTY`, `PAGECACHE_TAG_WRITEBACK`, `PAGECACHE_TAG_TOWRITE`. */
export const MARK = {
  dirty: 0,
  writeback: 1,
  towrite: 2,
} as const;

export type Mark = (typeof MARK)[keyof typeof MARK];

const MARKS = 3;

/** Linux: `struct xa_node`. */
class IndexNode {
  /** Bits of the offset below those that choose a slot. */
  readonly shift: number;
  parent: IndexNode | null;
  /** Folios by slot; behind them two words of bits a mark. */
  readonly words: Int32Array = new Int32Array(SLOTS + 2 * MARKS);
  /** By slot; of the lowest level none. A slot holds a folio or a child. */
  readonly children: (IndexNode | null)[] | null;
  /** Slots in use. */
  count = 0;

  constructor(shift: number, parent: IndexNode | null) {
    this.shift = shift;
    this.parent = parent;
    this.children = shift === 0 ? null : Array.from({ length: SLOTS }, () => null);
  }

  slotOf(offset: number): number {
    return (offset >>> this.shift) & SLOT_MASK;
  }

  isMarked(slot: number, mark: Mark): boolean {
    return (this.words[SLOTS + mark * 2 + (slot >>> 5)] & (1 << (slot & 31))) !== 0;
  }

  mark(slot: number, mark: Mark): void {
    this.words[SLOTS + mark * 2 + (slot >>> 5)] |= 1 << (slot & 31);
  }

  unmark(slot: number, mark: Mark): void {
    this.words[SLOTS + mark * 2 + (slot >>> 5)] &= ~(1 << (slot & 31));
  }

  anyMarked(mark: Mark): boolean {
    const at = SLOTS + mark * 2;
    return (this.words[at] | this.words[at + 1]) !== 0;
  }
}

export class FolioIndex {
  /** Pages present. Linux: `nrpages`. */
  pageCount = 0;
  private root: IndexNode | null = null;

  /** The folio at `offset`, or null. */
  load(offset: number): Folio | null {
    let node = this.root;
    if (node === null || offset >= reachOf(node)) return null;
    for (;;) {
      const slot: number = (offset >>> node.shift) & SLOT_MASK;
      const folio = node.words[slot];
      if (folio !== EMPTY) return folio as Folio;
      if (node.children === null) return null;
      node = node.children[slot];
      if (node === null) return null;
    }
  }

  /**
   * The node whose `words`, at its `slotOf(offset)`, hold the folio at `offset`; null for none.
   *
   * For who looks twice: a slot that still holds the folio has held it all the time, or again. A
   * node that has left the tree is empty. Linux: `xas_load()`, for `xas_reload()`.
   */
  walk(offset: number): IndexNode | null {
    return this.nodeAt(offset);
  }

  /** The first folio at `first` or behind it, up to `last`; with `mark`, the first that has it. */
  find(first: number, last: number, mark?: Mark): Folio | null {
    for (let offset = first; offset <= last; ) {
      let node = this.root;
      if (node === null || offset >= reachOf(node)) return null;
      for (;;) {
        const slot: number = node.slotOf(offset);
        const folio = node.words[slot];
        const head = folio === EMPTY ? slot : firstSlot(node, slot);
        const isWanted = mark === undefined || node.isMarked(head, mark);
        if (isWanted && folio !== EMPTY) return folio as Folio;
        const child: IndexNode | null = node.children === null ? null : node.children[slot];
        if (!isWanted || child === null) break;
        node = child;
      }
      const size = 2 ** node.shift;
      offset = (Math.floor(offset / size) + 1) * size;
    }
    return null;
  }

  /** Enters a folio of `pageCount` pages, a power of two, where none is. */
  insert(offset: number, folio: Folio, pageCount: number): void {
    assert(offset % pageCount === 0, "a folio not at a multiple of its size:", offset, pageCount);
    const node = this.makeNode(offset, levelOf(pageCount));
    const first = node.slotOf(offset);
    const end = first + pageCount / 2 ** node.shift;
    for (let slot = first; slot < end; slot++) {
      const isFree = node.words[slot] === EMPTY && (node.children?.[slot] ?? null) === null;
      assert(isFree, "page offset is cached already:", offset + (slot - first) * 2 ** node.shift);
    }
    node.words.fill(folio, first, end);
    node.count += end - first;
    this.pageCount += pageCount;
  }

  /** Puts `dst` in the place of `src`; marks stay. Linux: `xas_store()`. */
  replace(offset: number, src: Folio, dst: Folio, pageCount: number): void {
    const node = this.nodeAt(offset);
    assert(node !== null, "no folio to replace at page offset", offset);
    const first = node.slotOf(offset);
    const end = first + pageCount / 2 ** node.shift;
    for (let slot = first; slot < end; slot++) {
      assert(node.words[slot] === (src as number), "another folio at page offset", offset);
    }
    node.words.fill(dst, first, end);
  }

  /** Gives each page of the folio an entry of its own, with the marks of the one. */
  split(offset: number, folio: Folio, pageCount: number): void {
    const marks = ALL_MARKS.filter((mark) => this.isMarked(offset, mark));
    this.remove(offset, pageCount);
    for (let at = 0; at < pageCount; at++) {
      this.insert(offset + at, (folio + at) as Folio, 1);
      for (const mark of marks) this.setMark(offset + at, mark);
    }
  }

  /** Takes out the entry at `offset`, of `pageCount` pages, with its marks. */
  remove(offset: number, pageCount: number): void {
    const node = this.nodeAt(offset);
    assert(node !== null, "nothing cached at", offset);
    const first = node.slotOf(offset);
    const end = first + pageCount / 2 ** node.shift;
    assert(lastSlot(node, first) + 1 >= end, "nothing cached at", offset, pageCount);
    for (const mark of ALL_MARKS) this.clearMark(offset, mark);
    node.words.fill(EMPTY, first, end);
    node.count -= end - first;
    this.pageCount -= pageCount;
    this.prune(node, offset);
  }

  /** Marks the folio that begins at `offset`. Linux: `xas_set_mark()`. */
  setMark(offset: number, mark: Mark): void {
    let node = this.nodeAt(offset);
    assert(node !== null, "a mark where nothing is cached:", offset);
    for (; node !== null && !node.isMarked(node.slotOf(offset), mark); node = node.parent) {
      node.mark(node.slotOf(offset), mark);
    }
  }

  clearMark(offset: number, mark: Mark): void {
    let node = this.nodeAt(offset);
    assert(node !== null, "a mark where nothing is cached:", offset);
    for (; node !== null; node = node.parent) {
      node.unmark(node.slotOf(offset), mark);
      if (node.anyMarked(mark)) return;
    }
  }

  /** Whether the folio that begins at `offset` has the mark. */
  isMarked(offset: number, mark: Mark): boolean {
    const node = this.nodeAt(offset);
    return node?.isMarked(node.slotOf(offset), mark) ?? false;
  }

  /** Whether any folio has the mark. Linux: `mapping_tagged()`. */
  anyMarked(mark: Mark): boolean {
    return this.root?.anyMarked(mark) ?? false;
  }

  /** Calls `visit` for each page present, in ascending order; it may remove what it is shown. */
  forEach(visit: (offset: number, folio: Folio) => void): void {
    if (this.root !== null) visitNode(this.root, 0, visit);
  }

  /** The node in which the entry at `offset` is, or null. */
  private nodeAt(offset: number): IndexNode | null {
    let node = this.root;
    if (node === null || offset >= reachOf(node)) return null;
    for (;;) {
      const slot: number = (offset >>> node.shift) & SLOT_MASK;
      if (node.words[slot] !== EMPTY) return node;
      if (node.children === null) return null;
      node = node.children[slot];
      if (node === null) return null;
    }
  }

  /** The node for an entry of the level `shift` at `offset`, with all above it. */
  private makeNode(offset: number, shift: number): IndexNode {
    this.root ??= new IndexNode(shift, null);
    while (offset >= reachOf(this.root) || this.root.shift < shift) this.root = raise(this.root);
    let node = this.root;
    while (node.shift > shift) {
      const slot = node.slotOf(offset);
      assert(node.words[slot] === EMPTY, "page offset is cached already:", offset);
      const { children } = node;
      assert(children !== null, "a node of the lowest level has no children:", offset);
      let child = children[slot];
      if (child === null) {
        child = new IndexNode(node.shift - SLOT_BITS, node);
        children[slot] = child;
        node.count++;
      }
      node = child;
    }
    return node;
  }

  /** Drops nodes without entries, from `node` upwards. */
  private prune(from: IndexNode, offset: number): void {
    let node = from;
    while (node.count === 0) {
      const { parent } = node;
      if (parent === null) {
        this.root = null;
        return;
      }
      if (parent.children !== null) parent.children[parent.slotOf(offset)] = null;
      parent.count--;
      node = parent;
    }
  }
}

const ALL_MARKS: readonly Mark[] = [MARK.dirty, MARK.writeback, MARK.towrite];

/** One past the last offset below a root. */
function reachOf(node: IndexNode): number {
  return 2 ** (node.shift + SLOT_BITS);
}

/** The shift of the level that takes entries of `pageCount` pages. */
function levelOf(pageCount: number): number {
  const order = 31 - Math.clz32(pageCount);
  return order - (order % SLOT_BITS);
}

/** A new root above `node`. Linux: `xas_expand()`. */
function raise(node: IndexNode): IndexNode {
  const root = new IndexNode(node.shift + SLOT_BITS, null);
  if (node.count === 0 || root.children === null) return root;
  root.children[0] = node;
  root.count = 1;
  node.parent = root;
  for (const mark of ALL_MARKS) if (node.anyMarked(mark)) root.mark(0, mark);
  return root;
}

/** Where the entry begins that `slot` is part of. */
function firstSlot(node: IndexNode, slot: number): number {
  let first = slot;
  while (first > 0 && node.words[first - 1] === node.words[slot]) first--;
  return first;
}

function lastSlot(node: IndexNode, slot: number): number {
  let last = slot;
  while (last + 1 < SLOTS && node.words[last + 1] === node.words[slot]) last++;
  return last;
}

function visitNode(
  node: IndexNode,
  start: number,
  visit: (offset: number, folio: Folio) => void,
): void {
  const size = 2 ** node.shift;
  for (let slot = 0; slot < SLOTS; slot++) {
    const folio = node.words[slot];
    const from = start + slot * size;
    if (folio !== EMPTY) {
      for (let at = from; at < from + size && node.words[slot] === folio; at++) {
        visit(at, folio as Folio);
      }
    } else {
      const child = node.children?.[slot] ?? null;
      if (child !== null) visitNode(child, from, visit);
    }
  }
}
