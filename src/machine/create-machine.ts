/**
 * A machine by its size: nodes of equal memory, all of it free, set up as a kernel would at boot.
 *
 * Each node is one zone, Normal, whose pageblocks are movable. Watermarks follow min_free_kbytes,
 * and per-CPU lists the size of the zone, by Linux's own rules; what khugepaged adds to
 * min_free_kbytes is left out, and nothing is reserved for the kernel's image but frame 0.
 * For zones of any other kind make a `Machine` by its shape. Linux: `init_per_zone_wmark_min()`,
 * `__setup_per_zone_wmarks()`, `zone_batchsize()`, `zone_highsize()`, mm/page_alloc.c, 6.1.
 */
import { ALL_FEATURES, type Features } from "../base/features.ts";
import { InputError } from "../base/input-error.ts";
import { PROFILES, type Release } from "../base/profile.ts";
import { byteFrames } from "../memory/byte-frames.ts";
import { MAX_ORDER, PAGE_SIZE } from "../memory/constants.ts";
import { TokenFrames } from "../memory/frames.ts";
import type { SmallZone } from "../memory/small-memory.ts";
import type { Machine } from "./machine.ts";
import { smallMachine } from "./small-machine.ts";

export interface MachineOptions {
  /** Of all nodes together. Each node gets an equal share, a multiple of 4 MiB. */
  readonly memoryMiB: number;
  /** NUMA nodes; 1 if not said. */
  readonly nodes?: number;
  /** 1 if not said. */
  readonly cpusPerNode?: number;
  /** From each node to each; 10 to itself and 20 to others if not said. */
  readonly distances?: readonly (readonly number[])[];
  /**
   * What pages hold: real bytes, or a token of 4 bytes a page that moves as the bytes would, for
   * machines larger than this one's memory. "bytes" if not said.
   */
  readonly contents?: "bytes" | "tokens";
  /** The release of Linux to act as; "6.1" if not said. */
  readonly kernel?: Release;
  /** What its kernel is built with; everything if not said. */
  readonly features?: Features;
}

const PAGES_PER_MIB: number = (1 << 20) / PAGE_SIZE;
/** Pages of the largest free block: a node of whole ones has no odd end. */
const LARGEST_BLOCK_PAGES: number = 1 << (MAX_ORDER - 1);
/** Frame numbers in 4-byte columns, with room for those that mean nothing. */
const PAGES_MAX = 2 ** 30;

/** Bounds of min_free_kbytes that the kernel sets for itself. */
const MIN_FREE_KBYTES = { least: 128, most: 262_144 } as const;
/** Between watermarks, in parts of 10,000 of the zone. Linux: `watermark_scale_factor`. */
const WATERMARK_SCALE_FACTOR = 10;
/** A batch is of at most a quarter of so many bytes. */
const BATCH_BYTES_MAX = 1 << 20;

/** Throws an `InputError` for a machine that cannot be. */
export function createMachine(options: MachineOptions): Machine {
  const { memoryMiB, nodes = 1, cpusPerNode = 1, contents = "bytes" } = options;
  checkCount("nodes", nodes);
  checkCount("cpusPerNode", cpusPerNode);
  const pageCount = memoryMiB * PAGES_PER_MIB;
  const nodePages = pageCount / nodes;
  if (!(memoryMiB > 0) || nodePages % LARGEST_BLOCK_PAGES !== 0 || pageCount > PAGES_MAX) {
    const expected = `a multiple of 4 for each of ${nodes} nodes, of 4 TiB at most`;
    throw new InputError("memoryMiB", String(memoryMiB), expected);
  }
  const ids = Array.from({ length: nodes }, (_, node) => node);
  const distances = options.distances ?? ids.map((from) => ids.map((to) => distance(from, to)));
  if (distances.length !== nodes || distances.some((row) => row.length !== nodes)) {
    const sizes = distances.map((row) => row.length).join(", ");
    throw new InputError("distances", `rows of ${sizes}`, `${nodes} rows of ${nodes} each`);
  }
  const machine = smallMachine(
    {
      pageCount,
      zones: ids.map((node) => zoneOf(node, nodePages, nodes, cpusPerNode)),
      nodeOfCpu: ids.flatMap((node) => Array<number>(cpusPerNode).fill(node)),
      distances,
      frames: contents === "bytes" ? byteFrames(pageCount) : new TokenFrames(pageCount),
    },
    options.features ?? ALL_FEATURES,
  );
  machine.mem.profile = PROFILES[options.kernel ?? "6.1"];
  return machine;
}

function checkCount(name: string, count: number): void {
  if (Number.isInteger(count) && count > 0) return;
  throw new InputError(name, String(count), "a whole number from 1 on");
}

function distance(from: number, to: number): number {
  return from === to ? 10 : 20;
}

function zoneOf(node: number, pages: number, nodes: number, cpus: number): SmallZone {
  const min = Math.floor(minFreePages(pages * nodes) / nodes);
  const gap = Math.max(Math.floor(min / 4), Math.floor((pages * WATERMARK_SCALE_FACTOR) / 10_000));
  const low = min + gap;
  const batch = batchOf(pages);
  return {
    startPfn: node * pages,
    spanned: pages,
    node,
    watermarkMin: min,
    watermarkLow: low,
    watermarkHigh: low + gap,
    pcp: { high: Math.max(Math.floor(low / cpus), batch * 4), batch },
  };
}

/** Of the whole machine, in pages: min_free_kbytes grows with the root of memory. */
function minFreePages(pages: number): number {
  const kbytes = Math.floor(Math.sqrt(((pages * PAGE_SIZE) / 1024) * 16));
  const { least, most } = MIN_FREE_KBYTES;
  return Math.min(Math.max(kbytes, least), most) / (PAGE_SIZE / 1024);
}

/** One less than a power of two: so that pages of batches do not lie in step in a cache. */
function batchOf(pages: number): number {
  const quarter = Math.floor(Math.min(pages >> 10, BATCH_BYTES_MAX / PAGE_SIZE) / 4);
  const room = Math.max(quarter, 1) * 1.5;
  return Math.max(2 ** Math.floor(Math.log2(room)) - 1, 1);
}
