/**
 * What memory must hold, word by word, kept apart from the machine.
 *
 * A page that is absent here holds zeros. Pages are numbered as their owner numbers them: virtual
 * pages of a process, or offsets of a file.
 */

import { type Frames, PAGE_WORDS } from "../src/memory/frames.ts";
import type { Pfn } from "../src/memory/memmap.ts";

export class Shadow {
  private readonly pages: Map<number, Int32Array> = new Map();

  write(page: number, word: number, value: number): void {
    let words = this.pages.get(page);
    if (words === undefined) {
      words = new Int32Array(PAGE_WORDS);
      this.pages.set(page, words);
    }
    words[word] = value;
  }

  read(page: number, word: number): number {
    return this.pages.get(page)?.[word] ?? 0;
  }

  has(page: number): boolean {
    return this.pages.has(page);
  }

  /** Every page that was written, in the order of first writes. */
  written(): number[] {
    return [...this.pages.keys()];
  }

  /** From `start` up to `end` every page holds zeros again. */
  forget(start: number, end: number): void {
    for (let page = start; page < end; page++) this.pages.delete(page);
  }

  /** What `page` holds becomes what `from` holds in its page of that number. */
  copyPage(page: number, from: Shadow, fromPage: number): void {
    const words = from.pages.get(fromPage);
    if (words === undefined) this.pages.delete(page);
    else this.pages.set(page, words.slice());
  }

  copy(): Shadow {
    const copy = new Shadow();
    for (const page of this.pages.keys()) copy.copyPage(page, this, page);
    return copy;
  }

  /** The first word in which a frame differs from what the page must hold, or -1. */
  differsAt(page: number, frames: Frames, pfn: Pfn): number {
    const words = this.pages.get(page);
    for (let word = 0; word < PAGE_WORDS; word++) {
      if (frames.readWord(pfn, word) !== (words?.[word] ?? 0)) return word;
    }
    return -1;
  }
}
