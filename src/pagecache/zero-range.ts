/**
 * Zeros in a part of a folio: behind a file's end, in a hole, around what a write brings.
 */
import { PAGE_SIZE } from "../memory/constants.ts";
import { folioNrPages } from "../memory/folio.ts";
import type { Folio } from "../memory/memmap.ts";
import type { Memory } from "../memory/memory.ts";

/** Writes zeros from one byte of a folio up to another, both multiples of 4. */
export function folioZeroRange(mem: Memory, folio: Folio, from: number, to: number): void {
  const { frames } = mem;
  for (let at = from; at < to; ) {
    const page = mem.pfn(folio + Math.floor(at / PAGE_SIZE));
    const inPage = at % PAGE_SIZE;
    const end = Math.min(to, at - inPage + PAGE_SIZE);
    // A token stands for a whole page: what remains of the page keeps it.
    if (inPage === 0 && end - at === PAGE_SIZE) frames.clear(page);
    else if (frames.contents === "bytes") {
      for (let byte = inPage; byte < inPage + (end - at); byte += 4) {
        frames.writeWord(page, byte / 4, 0);
      }
    }
    at = end;
  }
}

/** Bytes of a folio. Linux: `folio_size()`. */
export function folioSize(mem: Memory, folio: Folio): number {
  return folioNrPages(mem, folio) * PAGE_SIZE;
}
