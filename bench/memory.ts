/**
 * The allocator and the scanner by themselves.
 */

import { Random } from "../src/base/random.ts";
import { compactMemory } from "../src/callers/compaction/compact-zone.ts";
import { freeOneBlock, takeSmallest } from "../src/memory/buddy.ts";
import { MIGRATE } from "../src/memory/constants.ts";
import { TokenFrames } from "../src/memory/frames.ts";
import type { Pfn } from "../src/memory/memmap.ts";
import { PG } from "../src/memory/page-flags.ts";
import { runToEnd } from "../src/sched/run.ts";
import { freeMachine } from "./machines.ts";
import { type Benchmark, time } from "./measure.ts";

const BUDDY_PAGES = 1 << 18;
const BUDDY_CALLS = 1 << 20;
const SCAN_PAGES = 1 << 22;

/** One allocation and one free of single pages, in random order, with all splits and merges. */
export function buddyAllocFree(): Benchmark {
  const { mem } = freeMachine(BUDDY_PAGES, new TokenFrames(BUDDY_PAGES));
  const zone = mem.zones[0];
  const held = Array.from({ length: BUDDY_PAGES >> 1 }, () =>
    takeSmallest(mem, zone, 0, MIGRATE.movable),
  );
  const random = new Random(1);
  const swapAll = (): void => {
    for (let call = 0; call < BUDDY_CALLS; call++) {
      const at = random.below(held.length);
      freeOneBlock(mem, zone, held[at], 0, MIGRATE.movable);
      held[at] = takeSmallest(mem, zone, 0, MIGRATE.movable);
    }
  };
  return {
    name: "buddy-alloc-free",
    unit: "ns",
    rounds: 9,
    round: () => time(swapAll) / BUDDY_CALLS,
  };
}

/** The migrate scanner over memory in which every page is in use and none can move. */
export function scan(): Benchmark {
  const { mem, vm, sysctl } = freeMachine(SCAN_PAGES, new TokenFrames(SCAN_PAGES));
  const zone = mem.zones[0];
  for (let taken = takeSmallest(mem, zone, 10, MIGRATE.movable); taken !== -1; ) {
    for (let pfn = taken as Pfn; pfn < taken + 1024; pfn = (pfn + 1) as Pfn) {
      mem.refcount[pfn] = 1;
      mem.flags[pfn] = PG.slab;
    }
    taken = takeSmallest(mem, zone, 10, MIGRATE.movable);
  }
  const scanAll = (): void => void runToEnd(compactMemory(vm, sysctl));
  return {
    name: "scan",
    unit: "ns/page",
    rounds: 9,
    round: () => time(scanAll) / SCAN_PAGES,
  };
}
