/**
 * Compaction of machines, 40% in use at random, as `compact_memory` does it: a process's pages, a
 * file's clean pages, and a file's pages that have dirty buffers.
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
import { fragmentedFile, fragmentedMachine } from "./machines.ts";
import { type Benchmark, time } from "./measure.ts";
import { PairRecorder } from "./pair-recorder.ts";

const PAGES = 1 << 19;
/** Fewer where each page has four buffers. */
const FILE_PAGES = 1 << 17;
const SHARE = 0.4;
const ROUNDS = 7;
/** Tokens are soon copied: more rounds cost little and quiet the median. */
const TOKEN_ROUNDS = 15;

export function compactBytes(): Benchmark {
  return againstBareCopies("compact-bytes", PAGES, (frames) => {
    return fragmentedMachine(PAGES, SHARE, frames);
  });
}

/** Pages of a file that is cached and clean, with `filemapMigrateFolio`. */
export function fileClean(): Benchmark {
  return againstBareCopies("file-clean", FILE_PAGES, (frames) => {
    return fragmentedFile(FILE_PAGES, SHARE, frames, "clean");
  });
}

/** Pages of a file with four dirty buffers each, with `bufferMigrateFolio`. */
export function fileDirtyBuffers(): Benchmark {
  return againstBareCopies("file-dirty-buffers", FILE_PAGES, (frames) => {
    return fragmentedFile(FILE_PAGES, SHARE, frames, "dirty buffers");
  });
}

type MakeMachine = (frames: Frames) => Machine;

/** Compacts machines with real bytes, all over one arena. */
function againstBareCopies(name: string, pages: number, make: MakeMachine): Benchmark {
  const frames = new DirectFrames(pages, POISON_BYTES_DEFAULT / 4);
  for (let pfn = 0; pfn < pages; pfn++) frames.fill(pfn as Pfn, pfn);
  const pairs = new PairRecorder(frames, pages);
  compactOnce(make(pairs));
  return {
    name,
    unit: "ns/page",
    rounds: ROUNDS,
    round: () => compactOnce(make(frames)),
    against: { name: "memcpy-pairs", round: () => pairs.copyAgain() },
  };
}

export function compactTokens(): Benchmark {
  return {
    name: "compact-tokens",
    unit: "ns/page",
    rounds: TOKEN_ROUNDS,
    round: () => compactOnce(fragmentedMachine(PAGES, SHARE, new TokenFrames(PAGES))),
  };
}

/**
 * The last machine. Code that V8 has optimised for the shape of objects is thrown away when the
 * last of them is collected; this one keeps the shapes, as a program with one machine does.
 */
let kept: Machine | null = null;

/** Nanoseconds a page moved. */
function compactOnce(machine: Machine): number {
  kept = machine;
  const nanoseconds = time(() => runToEnd(compactMemory(machine.vm, machine.sysctl)));
  return nanoseconds / kept.mem.events.vmstat.snapshot().pgmigrate_success;
}
