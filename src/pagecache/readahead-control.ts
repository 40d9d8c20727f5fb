/**
 * A stretch of new folios that an owner is asked to read, handed out one by one.
 *
 * Each is in the cache and locked, and not uptodate; the cache's reference keeps it while the lock
 * is held, so the owner gets none of its own. What the owner does not take is given up again by the
 * caller. Linux: `struct readahead_control`, `readahead_folio()`.
 */
import { folioNrPages } from "../memory/folio.ts";
import { folioPut } from "../memory/folio-ref.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";

export class Readahead {
  /** Page offset of the next folio. Linux: `readahead_index()`. */
  index: number;
  /** Locked, each with a reference of the allocation, in order of their offsets. */
  private readonly folios: Folio[] = [];
  private readonly mem: Memory;

  constructor(mem: Memory, index: number) {
    this.mem = mem;
    this.index = index;
  }

  /** Folios not yet handed out. */
  get folioCount(): number {
    return this.folios.length;
  }

  /** Adds the next folio; the caller's reference is this object's from now on. */
  add(folio: Folio): void {
    this.folios.push(folio);
  }

  /** The next folio to read, or null; it must be unlocked when it has been read. */
  next(): Folio | null {
    const folio = this.folios.shift();
    if (folio === undefined) return null;
    this.index += folioNrPages(this.mem, folio);
    folioPut(this.mem, folio);
    return folio;
  }
}
