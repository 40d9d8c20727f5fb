/**
 * Frames with real bytes, in arenas of 1 GiB.
 *
 * One array ends at 4 GiB, so a frame is a slot in one of several arenas. A memory that fits one
 * arena has slot = pfn, as a machine has. A larger one gives slots only to pages that hold
 * something: a slot is taken at the first write or copy and goes back when the page is freed, which
 * lets a 24 GiB machine with 1 GiB in use run in 1 GiB.
 */
import { assert } from "../base/assert.ts";
import { mix32 } from "../base/random.ts";
import { PAGE_SIZE } from "./constants.ts";
import { type Frames, PAGE_WORDS, POISON_WORD } from "./frames.ts";
import type { Pfn } from "./memmap.ts";

/** Slots of one arena: 1 GiB. */
const ARENA_SLOTS_SHIFT = 18;
const ARENA_SLOTS = 1 << ARENA_SLOTS_SHIFT;

/** Most pages of a memory in which slot = pfn: 2 GiB, one array that every engine can make. */
const DIRECT_PAGES_MAX = 1 << 19;

/** The first bytes are the ones that a use after free is likely to read. */
export const POISON_BYTES_DEFAULT = 64;

/** Frames of real bytes for a memory of that many pages, all of them or as they are used. */
export function byteFrames(pageCount: number, poisonBytes: number = POISON_BYTES_DEFAULT): Frames {
  assert(poisonBytes > 0 && poisonBytes <= PAGE_SIZE, "poison bytes are 1 to 4096:", poisonBytes);
  const poisonWords = Math.ceil(poisonBytes / 4);
  return pageCount <= DIRECT_PAGES_MAX
    ? new DirectFrames(pageCount, poisonWords)
    : new SlotFrames(pageCount, poisonWords);
}

/** Slot = pfn, one arena. */
export class DirectFrames implements Frames {
  readonly contents: Frames["contents"] = "bytes";
  private readonly words: Int32Array;
  private readonly poisonWords: number;

  constructor(pageCount: number, poisonWords: number) {
    this.words = new Int32Array(pageCount * PAGE_WORDS);
    this.poisonWords = poisonWords;
  }

  copy(dst: Pfn, src: Pfn): void {
    const from = src * PAGE_WORDS;
    this.words.copyWithin(dst * PAGE_WORDS, from, from + PAGE_WORDS);
  }

  poison(pfn: Pfn): void {
    writePoison(this.words, pfn * PAGE_WORDS, this.poisonWords);
  }

  clear(pfn: Pfn): void {
    const start = pfn * PAGE_WORDS;
    this.words.fill(0, start, start + PAGE_WORDS);
  }

  fill(pfn: Pfn, key: number): void {
    writePattern(this.words, pfn * PAGE_WORDS, key);
  }

  holds(pfn: Pfn, key: number): boolean {
    return matchesPattern(this.words, pfn * PAGE_WORDS, key);
  }

  readWord(pfn: Pfn, word: number): number {
    return this.words[pfn * PAGE_WORDS + word];
  }

  writeWord(pfn: Pfn, word: number, value: number): void {
    this.words[pfn * PAGE_WORDS + word] = value;
  }
}

/** Slots on demand. */
export class SlotFrames implements Frames {
  readonly contents: Frames["contents"] = "bytes";
  private readonly arenas: Int32Array[] = [];
  /** By page: slot + 1, or 0 while the page holds nothing. */
  private readonly slots: Int32Array;
  /** Slots given back, the last one on top. Grown by doubling. */
  private idle: Int32Array = new Int32Array(1024);
  private idleCount = 0;
  private slotCount = 0;
  private readonly poisonWords: number;

  constructor(pageCount: number, poisonWords: number) {
    this.slots = new Int32Array(pageCount);
    this.poisonWords = poisonWords;
  }

  copy(dst: Pfn, src: Pfn): void {
    const held = this.slots[src];
    if (held === 0) {
      this.poison(dst);
      return;
    }
    const from = held - 1;
    const to = this.slotFor(dst);
    const source = this.arenas[from >>> ARENA_SLOTS_SHIFT];
    const target = this.arenas[to >>> ARENA_SLOTS_SHIFT];
    const start = wordOf(from);
    if (source === target) target.copyWithin(wordOf(to), start, start + PAGE_WORDS);
    else target.set(source.subarray(start, start + PAGE_WORDS), wordOf(to));
  }

  poison(pfn: Pfn): void {
    const held = this.slots[pfn];
    if (held === 0) return;
    const slot = held - 1;
    writePoison(this.arenas[slot >>> ARENA_SLOTS_SHIFT], wordOf(slot), this.poisonWords);
    this.slots[pfn] = 0;
    if (this.idleCount === this.idle.length) this.idle = grown(this.idle);
    this.idle[this.idleCount++] = slot;
  }

  clear(pfn: Pfn): void {
    const slot = this.slotFor(pfn);
    const start = wordOf(slot);
    this.arenas[slot >>> ARENA_SLOTS_SHIFT].fill(0, start, start + PAGE_WORDS);
  }

  fill(pfn: Pfn, key: number): void {
    const slot = this.slotFor(pfn);
    writePattern(this.arenas[slot >>> ARENA_SLOTS_SHIFT], wordOf(slot), key);
  }

  holds(pfn: Pfn, key: number): boolean {
    const slot = this.slots[pfn] - 1;
    return slot >= 0 && matchesPattern(this.arenas[slot >>> ARENA_SLOTS_SHIFT], wordOf(slot), key);
  }

  readWord(pfn: Pfn, word: number): number {
    const slot = this.slots[pfn] - 1;
    return slot < 0 ? 0 : this.arenas[slot >>> ARENA_SLOTS_SHIFT][wordOf(slot) + word];
  }

  writeWord(pfn: Pfn, word: number, value: number): void {
    const slot = this.slotFor(pfn);
    this.arenas[slot >>> ARENA_SLOTS_SHIFT][wordOf(slot) + word] = value;
  }

  private slotFor(pfn: Pfn): number {
    const held = this.slots[pfn];
    if (held !== 0) return held - 1;
    const slot = this.idleCount > 0 ? this.idle[--this.idleCount] : this.newSlot();
    this.slots[pfn] = slot + 1;
    return slot;
  }

  private newSlot(): number {
    const slot = this.slotCount++;
    if ((slot & (ARENA_SLOTS - 1)) === 0) {
      this.arenas.push(new Int32Array(ARENA_SLOTS * PAGE_WORDS));
    }
    return slot;
  }
}

/** Where a slot starts in its arena, in words. */
function wordOf(slot: number): number {
  return (slot & (ARENA_SLOTS - 1)) * PAGE_WORDS;
}

function grown(old: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(old.length * 2);
  larger.set(old);
  return larger;
}

/** A loop: for a cache line it is faster than calling `fill`. */
function writePoison(words: Int32Array, start: number, count: number): void {
  for (let at = start; at < start + count; at++) words[at] = POISON_WORD;
}

/** xorshift32 from the key on: no two words of a page and no two keys repeat in step. */
function writePattern(words: Int32Array, start: number, key: number): void {
  let x = mix32(key) || 1;
  for (let at = start; at < start + PAGE_WORDS; at++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[at] = x;
  }
}

function matchesPattern(words: Int32Array, start: number, key: number): boolean {
  let x = mix32(key) || 1;
  for (let at = start; at < start + PAGE_WORDS; at++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    if (words[at] !== x) return false;
  }
  return true;
}
