/**
 * What KSM knows of a page's contents: a checksum to find its equals by, and whether two are equal.
 *
 * Linux: `calc_checksum()`, `pages_identical()`.
 */
import { mix32 } from "../../base/random.ts";
import { PAGE_WORDS } from "../../memory/frames.ts";
import type { Pfn } from "../../memory/memmap.ts";
import type { Memory } from "../../memory/memory.ts";

function wordCount({ frames }: Memory): number {
  return frames.contents === "tokens" ? 1 : PAGE_WORDS;
}

export function pageChecksum(mem: Memory, page: Pfn): number {
  let sum = 0;
  const words = wordCount(mem);
  for (let word = 0; word < words; word++) sum = mix32(sum ^ mem.frames.readWord(page, word));
  return sum;
}

export function pagesIdentical(mem: Memory, one: Pfn, other: Pfn): boolean {
  const words = wordCount(mem);
  for (let word = 0; word < words; word++) {
    if (mem.frames.readWord(one, word) !== mem.frames.readWord(other, word)) return false;
  }
  return true;
}
