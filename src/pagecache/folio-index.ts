/**
 * The index of an address space: folio by page offset.
 *
 * Nodes of 64 slots, found by the upper bits of the offset, so that a file that is cached in full
 * costs 4 bytes a page and a sparse one only where it is. A large folio fills the slot of each of
 * its pages. Linux: `i_pages`, an XArray with one multi-index entry for a large folio.
 */
import { assert } from "../base/assert.ts";
import type { Folio } from "../memory/memmap.ts";

const NODE_SHIFT = 6;
const NODE_SLOTS = 64;
const NODE_MASK = 63;

/** What a slot holds when no folio is there; pfn 0 is never cached. */
const EMPTY = 0;

export class FolioIndex {
  /** Pages present. Linux: `nrpages`. */
  pageCount = 0;
  private readonly nodes: Map<number, Int32Array> = new Map();

  /** The folio at `offset`, or null. */
  load(offset: number): Folio | null {
    const node = this.nodes.get(offset >>> NODE_SHIFT);
    if (node === undefined) return null;
    const folio = node[offset & NODE_MASK];
    return folio === EMPTY ? null : (folio as Folio);
  }

  /** Enters a folio of `pageCount` pages where none is. */
  insert(offset: number, folio: Folio, pageCount: number): void {
    for (let at = offset; at < offset + pageCount; at++) {
      const node = this.nodeFor(at);
      assert(node[at & NODE_MASK] === EMPTY, "page offset is cached already:", at);
      node[at & NODE_MASK] = folio;
    }
    this.pageCount += pageCount;
  }

  /** Puts `dst` in the place of `src`, in each of its slots. Linux: `xas_store()`. */
  replace(offset: number, src: Folio, dst: Folio, pageCount: number): void {
    for (let at = offset; at < offset + pageCount; at++) {
      const node = this.nodes.get(at >>> NODE_SHIFT);
      assert(node !== undefined, "no folio to replace at page offset", at);
      assert(node[at & NODE_MASK] === (src as number), "another folio at page offset", at);
      node[at & NODE_MASK] = dst;
    }
  }

  remove(offset: number, pageCount: number): void {
    for (let at = offset; at < offset + pageCount; at++) {
      const node = this.nodes.get(at >>> NODE_SHIFT);
      assert(node !== undefined && node[at & NODE_MASK] !== EMPTY, "nothing cached at", at);
      node[at & NODE_MASK] = EMPTY;
    }
    this.pageCount -= pageCount;
  }

  /** Calls `visit` for each slot in use, in no set order; it may remove what it is shown. */
  forEach(visit: (offset: number, folio: Folio) => void): void {
    for (const [upper, node] of this.nodes) {
      for (let slot = 0; slot < NODE_SLOTS; slot++) {
        if (node[slot] !== EMPTY) visit(upper * NODE_SLOTS + slot, node[slot] as Folio);
      }
    }
  }

  private nodeFor(offset: number): Int32Array {
    const upper = offset >>> NODE_SHIFT;
    let node = this.nodes.get(upper);
    if (node === undefined) {
      node = new Int32Array(NODE_SLOTS);
      this.nodes.set(upper, node);
    }
    return node;
  }
}
