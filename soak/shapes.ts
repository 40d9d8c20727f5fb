/** Machines for the soak: small, so that everything meets everything. */
import type { Release } from "../src/base/profile.ts";
import type { SmallMemoryShape } from "../src/memory/small-memory.ts";

export interface SoakShape {
  readonly name: string;
  readonly memory: SmallMemoryShape;
  /** Processes that there may be at once. */
  readonly processes: number;
  /** Few enough, and memory runs out. */
  readonly swapSlots: number;
  readonly release: Release;
  /** Whether a process uses huge pages that were set aside. */
  readonly hasPools?: true;
  /** Whether processors remember translations, and processes have a thread more and a guest. */
  readonly hasTlbs?: true;
}

const NEAR_AND_FAR = [
  [10, 20],
  [20, 10],
];

export const SHAPES: readonly SoakShape[] = [
  {
    name: "one node, two processors, no reserve",
    memory: { pageCount: 896, nodeOfCpu: [0, 0] },
    processes: 4,
    swapSlots: 8,
    release: "6.1",
  },
  {
    name: "two nodes, three processors, per-CPU lists",
    memory: {
      pageCount: 3072,
      nodeOfCpu: [0, 1, 1],
      distances: NEAR_AND_FAR,
      zones: [
        { startPfn: 0, spanned: 1536, ...marks(16), pcp: { high: 24, batch: 6 } },
        { startPfn: 1536, spanned: 1536, node: 1, ...marks(16), pcp: { high: 24, batch: 6 } },
      ],
    },
    processes: 6,
    swapSlots: 4096,
    release: "6.3",
  },
  {
    name: "two nodes, the second movable only",
    memory: {
      pageCount: 2048,
      nodeOfCpu: [0, 0],
      distances: NEAR_AND_FAR,
      zones: [
        { startPfn: 0, spanned: 1024, ...marks(8) },
        { startPfn: 1024, spanned: 1024, node: 1, type: "Movable", ...marks(8) },
      ],
    },
    processes: 5,
    swapSlots: 4096,
    release: "6.18",
  },
  {
    name: "two nodes with pools of huge pages",
    memory: {
      pageCount: 8192,
      nodeOfCpu: [0, 1],
      distances: NEAR_AND_FAR,
      zones: [
        { startPfn: 0, spanned: 4096, ...marks(16) },
        { startPfn: 4096, spanned: 4096, node: 1, ...marks(16) },
      ],
    },
    processes: 4,
    swapSlots: 4096,
    release: "6.1",
    hasPools: true,
  },
  {
    name: "two nodes, four processors with TLBs",
    memory: {
      pageCount: 4096,
      nodeOfCpu: [0, 0, 1, 1],
      distances: NEAR_AND_FAR,
      zones: [
        { startPfn: 0, spanned: 2048, ...marks(16) },
        { startPfn: 2048, spanned: 2048, node: 1, ...marks(16), pcp: { high: 24, batch: 6 } },
      ],
    },
    processes: 6,
    swapSlots: 4096,
    release: "6.1",
    hasTlbs: true,
  },
  {
    name: "one node, as the first kernel that moved pages",
    memory: {
      pageCount: 1024,
      nodeOfCpu: [0],
      zones: [{ startPfn: 0, spanned: 1024, ...marks(8) }],
    },
    processes: 3,
    swapSlots: 64,
    release: "2.6.15",
  },
];

/** Watermarks: the lowest, and the same again above it twice. */
function marks(min: number): {
  readonly watermarkMin: number;
  readonly watermarkLow: number;
  readonly watermarkHigh: number;
} {
  return { watermarkMin: min, watermarkLow: 2 * min, watermarkHigh: 3 * min };
}
