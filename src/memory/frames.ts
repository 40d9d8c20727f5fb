/**
 * What the pages hold: real bytes, or one token a page that moves as the bytes would.
 *
 * A frame comes into being when it is filled, written or copied to, and ends when its page is
 * freed: then it is poisoned, so that a use after free reads garbage and not the old contents.
 * A copy is always made; frames are never exchanged. Linux: `copy_highpage()`, page poisoning.
 */
import { mix32 } from "../base/random.ts";
import type { Pfn } from "./memmap.ts";

export interface Frames {
  readonly contents: "bytes" | "tokens";
  /** Copies the whole page. `dst` holds nothing afterwards if `src` never held anything. */
  copy(dst: Pfn, src: Pfn): void;
  /** Ends the frame of a page that is being freed. */
  poison(pfn: Pfn): void;
  /** Writes zeros, as a new page of a process holds. Linux: `clear_highpage()`. */
  clear(pfn: Pfn): void;
  /** Writes the contents that `key` stands for. */
  fill(pfn: Pfn, key: number): void;
  /** Whether the page holds exactly what `fill` wrote for `key`, every byte compared. */
  holds(pfn: Pfn, key: number): boolean;
  /** One 4-byte word; `word` counts words from the start of the page. Tokens have word 0 only. */
  readWord(pfn: Pfn, word: number): number;
  writeWord(pfn: Pfn, word: number, value: number): void;
}

/** Written over freed frames, in 4-byte words: no fill starts with it. Linux: 0xaa. */
export const POISON_WORD = -0x55555556;

/** 4-byte words in a page. */
export const PAGE_WORDS = 1024;

/**
 * A token for each page: 4 bytes where the machine's memory would be 4096.
 *
 * The token is the fill's key, mixed, so that a page never filled (0) is told from any that was.
 */
export class TokenFrames implements Frames {
  readonly contents: Frames["contents"] = "tokens";
  private readonly tokens: Int32Array;

  constructor(pageCount: number) {
    this.tokens = new Int32Array(pageCount);
  }

  copy(dst: Pfn, src: Pfn): void {
    this.tokens[dst] = this.tokens[src];
  }

  poison(pfn: Pfn): void {
    this.tokens[pfn] = POISON_WORD;
  }

  clear(pfn: Pfn): void {
    this.tokens[pfn] = 0;
  }

  fill(pfn: Pfn, key: number): void {
    this.tokens[pfn] = tokenOf(key);
  }

  holds(pfn: Pfn, key: number): boolean {
    return this.tokens[pfn] === tokenOf(key);
  }

  readWord(pfn: Pfn, _word: number): number {
    return this.tokens[pfn];
  }

  writeWord(pfn: Pfn, _word: number, value: number): void {
    this.tokens[pfn] = value;
  }
}

/** Never the poison and never 0. */
function tokenOf(key: number): number {
  const token = mix32(key);
  return token === POISON_WORD || token === 0 ? 1 : token;
}
