/**
 * What memory must hold, word by word, kept apart from the machine.
 *
 * Pages are numbered as their owner numbers them: virtual pages of a process, or offsets of a file.
 * A page that was never written holds what it held to begin with: zeros, unless the owner says.
 */
import { type Frames, PAGE_WORDS } from "../src/memory/frames.ts";
import type { Pfn } from "../src/memory/memmap.ts";

/** A word of a page that nobody has written. */
export type FirstContents = (page: number, word: number) => number;

const ZEROS: FirstContents = () => 0;

export class Shadow {
  private readonly pages: Map<number, Int32Array> = new Map();
  private readonly first: FirstContents;

  constructor(first: FirstContents = ZEROS) {
    this.first = first;
  }

  write(page: number, word: number, value: number): void {
    const words = this.pages.get(page) ?? this.wordsOf(page);
    words[word] = value;
    this.pages.set(page, words);
  }

  read(page: number, word: number): number {
    return this.pages.get(page)?.[word] ?? this.first(page, word);
  }

  /** Whether it was written. */
  has(page: number): boolean {
    return this.pages.has(page);
  }

  /** From `start` up to `end` every page holds what it held to begin with. */
  forget(start: number, end: number): void {
    for (let page = start; page < end; page++) this.pages.delete(page);
  }

  /** From `start` up to `end` every page holds zeros. */
  clear(start: number, end: number): void {
    for (let page = start; page < end; page++) this.pages.set(page, new Int32Array(PAGE_WORDS));
  }

  isZero(page: number): boolean {
    return this.wordsOf(page).every((word) => word === 0);
  }

  /** `page` holds from now on what a page of `from` holds. */
  copyPage(page: number, from: Shadow, fromPage: number): void {
    this.pages.set(page, from.wordsOf(fromPage));
  }

  /** Written pages from `start` up to `end` are found `by` pages further up. */
  move(start: number, end: number, by: number): void {
    const moved: [number, Int32Array][] = [];
    for (let page = start; page < end; page++) {
      const words = this.pages.get(page);
      if (words !== undefined) moved.push([page + by, words]);
    }
    this.forget(start, end);
    for (const [page, words] of moved) this.pages.set(page, words);
  }

  copy(): Shadow {
    const copy = new Shadow(this.first);
    for (const [page, words] of this.pages) copy.pages.set(page, words.slice());
    return copy;
  }

  /** The first word in which a frame differs from what the page must hold, or -1. */
  differsAt(page: number, frames: Pick<Frames, "readWord">, pfn: Pfn): number {
    const words = this.pages.get(page);
    for (let word = 0; word < PAGE_WORDS; word++) {
      const expected = words === undefined ? this.first(page, word) : words[word];
      if (frames.readWord(pfn, word) !== expected) return word;
    }
    return -1;
  }

  private wordsOf(page: number): Int32Array {
    const words = this.pages.get(page);
    if (words !== undefined) return words.slice();
    return Int32Array.from({ length: PAGE_WORDS }, (_, word) => this.first(page, word));
  }
}
