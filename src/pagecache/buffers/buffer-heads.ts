/**
 * All rings of buffer heads of one machine, by the number that a folio's `private` word carries.
 *
 * Numbers begin at 1 and come round: a `private` word of 0 under `PG.private` is state of which
 * nothing is known, as in a machine that was built from a snapshot.
 */
import { assert } from "../../base/assert.ts";
import type { Memory } from "../../memory/memory.ts";
import { BhLrus } from "./bh-lru.ts";
import type { BufferHead } from "./buffer-head.ts";

export class BufferHeads {
  readonly lrus: BhLrus;
  private readonly rings: Map<number, BufferHead> = new Map();
  private lastId = 0;

  constructor(mem: Memory) {
    this.lrus = new BhLrus(mem);
  }

  /** How many folios have a ring. */
  get ringCount(): number {
    return this.rings.size;
  }

  add(head: BufferHead): number {
    do this.lastId = (this.lastId + 1) & 0x7fff_ffff;
    while (this.lastId === 0 || this.rings.has(this.lastId));
    this.rings.set(this.lastId, head);
    return this.lastId;
  }

  /** The ring of that number, or null if it is no ring's. */
  get(id: number): BufferHead | null {
    return this.rings.get(id) ?? null;
  }

  remove(id: number): void {
    assert(this.rings.delete(id), "no ring of buffers has the number", id);
  }
}
