/**
 * A small memory, for tests and for scenarios that are run many times.
 *
 * One node, one Normal zone and one processor unless the shape says otherwise; every frame is free,
 * pageblocks are movable, watermarks are zero and per-CPU lists hold nothing, so that what is freed
 * is on the buddy lists at once. Frame 0 is reserved, as on every real machine: no folio ever has
 * number 0.
 */
import { freeOneBlock } from "./buddy.ts";
import { MAX_ORDER, MIGRATE } from "./constants.ts";
import { type Frames, TokenFrames } from "./frames.ts";
import { Memory, type MemoryShape } from "./memory.ts";
import { PG } from "./page-flags.ts";
import { pageblockMigratetype } from "./pageblock.ts";
import type { ZoneShape } from "./zone.ts";

/** What a zone of a small memory has when nothing else is said. */
const ZONE_DEFAULTS = {
  type: "Normal",
  node: 0,
  watermarkMin: 0,
  watermarkLow: 0,
  watermarkHigh: 0,
  lowmemReserve: [0, 0, 0, 0, 0],
} as const satisfies Partial<ZoneShape>;

/** Where a zone lies, and what is unlike the defaults; `pcp` holds for each processor. */
export type SmallZone = { readonly startPfn: number; readonly spanned: number } & Partial<
  Omit<ZoneShape, "pcp">
> & { readonly pcp?: { readonly high: number; readonly batch: number } };

export interface SmallMemoryShape {
  readonly pageCount: number;
  /** Without them one zone has all frames. */
  readonly zones?: readonly SmallZone[];
  /** By processor: its node. */
  readonly nodeOfCpu?: readonly number[];
  readonly distances?: readonly (readonly number[])[];
  readonly frames?: Frames;
  /** "none": the allocator has nothing, and the test frees what it wants to be free. */
  readonly free?: "all" | "none";
}

export function smallMemory(shape: SmallMemoryShape): Memory {
  const mem = new Memory(fullShape(shape), framesOf(shape));
  openMemory(mem, shape);
  return mem;
}

/** With the defaults filled in. */
export function fullShape(shape: SmallMemoryShape): MemoryShape {
  const { pageCount, nodeOfCpu = [0], distances = [[10]] } = shape;
  const zones = zonesOf(shape).map((zone) => ({
    present: zone.spanned,
    managed: zone.spanned,
    ...ZONE_DEFAULTS,
    ...zone,
    pcp: nodeOfCpu.map(() => zone.pcp ?? { high: 0, batch: 1 }),
  }));
  return { pageCount, nodeOfCpu, distances, zones };
}

/** Tokens unless the shape says otherwise. */
export function framesOf({ frames, pageCount }: SmallMemoryShape): Frames {
  return frames ?? new TokenFrames(pageCount);
}

/** Gives the frames of a new memory their first state. */
export function openMemory(mem: Memory, shape: SmallMemoryShape): void {
  mem.pageblockFlags.fill(MIGRATE.movable);
  for (const { startPfn, spanned } of zonesOf(shape)) {
    mem.flags.fill(0, startPfn, startPfn + spanned);
    if (shape.free !== "none") freeFrames(mem, Math.max(startPfn, 1), startPfn + spanned);
  }
  mem.flags[0] |= PG.reserved;
}

function zonesOf({ zones, pageCount }: SmallMemoryShape): readonly SmallZone[] {
  return zones ?? [{ startPfn: 0, spanned: pageCount }];
}

/** Gives frames to the allocator, in the largest blocks that fit. */
function freeFrames(mem: Memory, start: number, end: number): void {
  for (let pfn = start; pfn < end; ) {
    let order = 0;
    while (order < MAX_ORDER - 1 && pfn % (2 << order) === 0 && pfn + (2 << order) <= end) order++;
    const page = mem.pfn(pfn);
    freeOneBlock(mem, mem.zoneOf(page), page, order, pageblockMigratetype(mem, page));
    pfn += 1 << order;
  }
}
