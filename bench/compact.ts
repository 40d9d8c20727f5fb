/**
 * Compaction of a machine of 2^19 pages, 40% in use at random, as `compact_memory` does it.
 *
 * Held against the bare copies of the same pages in the same order and the same memory: what is
 * above that is the engine's own work. Each round compacts a new machine over the same arena.
 */
import { compactMemory } from "../src/callers/compaction/compact-zone.ts";
import type { Machine } from "../src/machine/machine.ts";
import { DirectFrames, POISON_BYTES_DEFAULT } from "../src/memory/byte-frames.ts";
import { type Frames, TokenFrames } from "../src/memory/frames.ts";
import type { Pfn } from "../src/memory/memmap.ts";
import { runToEnd } from "../src/sched/run.ts";
import { fragmentedMachine } from "./machines.ts";
import { type Benchmark, time } from "./measure.ts";

const PAGES = 1 << 19;
const SHARE = 0.4;
const ROUNDS = 7;
/** Tokens are soon copied: more rounds cost little and quiet the median. */
const TOKEN_ROUNDS = 15;

export function compactBytes(): Benchmark {
  const frames = new DirectFrames(PAGES, POISON_BYTES_DEFAULT / 4);
  for (let pfn = 0; pfn < PAGES; pfn++) frames.fill(pfn as Pfn, pfn);
  const pairs = new PairRecorder(frames);
  compactOnce(pairs);
  const { src, dst, count } = pairs;
  return {
    name: "compact-bytes",
    unit: "ns/page",
    rounds: ROUNDS,
    round: () => compactOnce(frames),
    against: {
      name: "memcpy-pairs",
      round: () => {
        const copyAll = (): void => {
          for (let at = 0; at < count; at++) frames.copy(dst[at] as Pfn, src[at] as Pfn);
        };
        return time(copyAll) / count;
      },
    },
  };
}

export function compactTokens(): Benchmark {
  return {
    name: "compact-tokens",
    unit: "ns/page",
    rounds: TOKEN_ROUNDS,
    round: () => compactOnce(new TokenFrames(PAGES)),
  };
}

/**
 * The last machine. Code that V8 has optimised for the shape of objects is thrown away when the
 * last of them is collected; this one keeps the shapes, as a program with one machine does.
 */
let kept: Machine | null = null;

/** Nanoseconds a page moved; the machine is made beforehand. */
function compactOnce(frames: Frames): number {
  const machine: Machine = fragmentedMachine(PAGES, SHARE, frames);
  kept = machine;
  const nanoseconds = time(() => runToEnd(compactMemory(machine.vm, machine.sysctl)));
  return nanoseconds / kept.mem.events.vmstat.snapshot().pgmigrate_success;
}

/** Passes everything on and keeps the pairs of pages copied. */
class PairRecorder implements Frames {
  readonly contents: Frames["contents"];
  readonly src: Int32Array = new Int32Array(PAGES);
  readonly dst: Int32Array = new Int32Array(PAGES);
  count = 0;
  private readonly frames: Frames;

  constructor(frames: Frames) {
    this.frames = frames;
    this.contents = frames.contents;
  }

  copy(dst: Pfn, src: Pfn): void {
    this.src[this.count] = src;
    this.dst[this.count++] = dst;
    this.frames.copy(dst, src);
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
