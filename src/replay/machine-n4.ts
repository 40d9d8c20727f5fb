/**
 * The machine of the call records: nodes 0, 1 and 3 with memory, node 2 without; processors on 0,
 * 1 and 2. Frames are all free and movable: no record of a call says which the kernel had taken.
 */
import { Machine } from "../machine/machine.ts";
import { placeFreeBlock } from "../memory/buddy.ts";
import { MIGRATE } from "../memory/constants.ts";
import { TokenFrames } from "../memory/frames.ts";
import type { Pfn } from "../memory/memmap.ts";
import type { MemoryShape } from "../memory/memory.ts";

const NODE_MIB = [768, 768, 0, 256];
const PAGES_PER_MIB = 256;
const PAGE_COUNT = NODE_MIB.reduce((sum, mib) => sum + mib * PAGES_PER_MIB, 0);
const DISTANCES = [0, 1, 2, 3].map((from) => [0, 1, 2, 3].map((to) => (from === to ? 10 : 20)));
const LARGEST_ORDER = 10;

/** A new machine with all of its memory free. */
export function machineN4(): Machine {
  const machine = new Machine(shapeN4(), new TokenFrames(PAGE_COUNT));
  freeAll(machine);
  return machine;
}

function shapeN4(): MemoryShape {
  let startPfn = 0;
  const zones = NODE_MIB.flatMap((mib, node) => {
    const spanned = mib * PAGES_PER_MIB;
    if (spanned === 0) return [];
    const zone = {
      type: "Normal" as const,
      node,
      startPfn,
      spanned,
      present: spanned,
      managed: spanned,
      watermarkMin: 512,
      watermarkLow: 640,
      watermarkHigh: 768,
      lowmemReserve: [],
      pcp: [0, 1, 2].map(() => ({ high: 458, batch: 15 })),
    };
    startPfn += spanned;
    return [zone];
  });
  return { pageCount: PAGE_COUNT, nodeOfCpu: [0, 1, 2], distances: DISTANCES, zones };
}

function freeAll({ mem }: Machine): void {
  mem.flags.fill(0);
  mem.pageblockFlags.fill(MIGRATE.movable);
  const block = 1 << LARGEST_ORDER;
  for (let pfn = 0; pfn < mem.pageCount; pfn += block) {
    placeFreeBlock(mem, mem.zoneOf(pfn as Pfn), pfn as Pfn, LARGEST_ORDER, MIGRATE.movable);
  }
}
