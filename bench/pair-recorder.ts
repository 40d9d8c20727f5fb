/** Which pages a run copied, so that the bare copies can be made again without it. */
import type { Frames } from "../src/memory/frames.ts";
import type { Pfn } from "../src/memory/memmap.ts";
import { time } from "./measure.ts";

/** Passes everything on and keeps the pairs of pages copied. */
export class PairRecorder implements Frames {
  readonly contents: Frames["contents"];
  private readonly src: Int32Array;
  private readonly dst: Int32Array;
  private count = 0;
  private readonly frames: Frames;

  /** For up to `pagesMax` copies. */
  constructor(frames: Frames, pagesMax: number) {
    this.frames = frames;
    this.src = new Int32Array(pagesMax);
    this.dst = new Int32Array(pagesMax);
    this.contents = frames.contents;
  }

  copy(dst: Pfn, src: Pfn): void {
    this.src[this.count] = src;
    this.dst[this.count++] = dst;
    this.frames.copy(dst, src);
  }

  /** Makes every copy again, bare. Nanoseconds a page. */
  copyAgain(): number {
    const { frames, dst, src, count } = this;
    const copyAll = (): void => {
      for (let at = 0; at < count; at++) frames.copy(dst[at] as Pfn, src[at] as Pfn);
    };
    return time(copyAll) / count;
  }

  poison(pfn: Pfn): void {
    this.frames.poison(pfn);
  }

  clear(pfn: Pfn): void {
    this.frames.clear(pfn);
  }

  fill(pfn: Pfn, key: number): void {
    this.frames.fill(pfn, key);
  }

  holds(pfn: Pfn, key: number): boolean {
    return this.frames.holds(pfn, key);
  }

  readWord(pfn: Pfn, word: number): number {
    return this.frames.readWord(pfn, word);
  }

  writeWord(pfn: Pfn, word: number, value: number): void {
    this.frames.writeWord(pfn, word, value);
  }
}
