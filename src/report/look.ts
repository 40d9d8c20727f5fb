/**
 * The answer of `godwit look` as data: what `--json` prints and the text is made from.
 */
import { MAX_ORDER, MIGRATETYPE_NAMES, PAGE_SIZE } from "../memory/constants.ts";
import { PG } from "../memory/page-flags.ts";
import { PAGE_KIND, PAGE_KINDS } from "../snapshot/page-kinds.ts";
import { type Finding, freeHugePages, NO_BLOCK, type Snapshot } from "../snapshot/snapshot.ts";
import { zoneSegments } from "../snapshot/zones.ts";
import { type BlockCensus, type KindCensus, takeCensus } from "./census.ts";

/** One zone and its free lists. */
export interface LookZone {
  readonly node: number;
  readonly type: string;
  readonly startPfn: number;
  /** Pages. */
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
  readonly free: number;
  readonly perCpu: number;
  readonly watermarks: { readonly min: number; readonly low: number; readonly high: number };
  /** By order, 0 to 10. */
  readonly freeBlocks: readonly number[];
  /** By migratetype: its pageblocks, and its free blocks by order. Types without any left out. */
  readonly types: readonly LookType[];
}

export interface LookType {
  readonly type: string;
  readonly pageblocks: number;
  readonly freeBlocks: readonly number[];
}

export type LookKind = { readonly kind: string } & Readonly<KindCensus>;

export interface Look {
  readonly name: string;
  readonly side: string;
  readonly kernel: string | null;
  /** Frames with memory behind them. */
  readonly pages: number;
  readonly bytes: number;
  readonly nodes: number;
  readonly zones: readonly LookZone[];
  /** Kinds that occur, most pages first. */
  readonly kinds: readonly LookKind[];
  readonly pageblocks: Readonly<BlockCensus>;
  /** Free 2 MiB blocks; an order-10 block counts two. */
  readonly hugePages: number;
  readonly findings: readonly Finding[];
}

export function lookAt(snapshot: Snapshot): Look {
  const census = takeCensus(snapshot);
  const pages = snapshot.pageCount - census.kinds[PAGE_KIND.hole].pages;
  const kinds = PAGE_KINDS.filter(({ kind }) => kind !== PAGE_KIND.hole)
    .map(({ kind, key }) => ({ kind: key, ...census.kinds[kind] }))
    .filter((entry) => entry.pages > 0)
    .sort((a, b) => b.pages - a.pages);
  return {
    name: snapshot.name,
    side: snapshot.side,
    kernel: snapshot.kernel,
    pages,
    bytes: pages * PAGE_SIZE,
    nodes: new Set(snapshot.zones.map(({ node }) => node)).size,
    zones: lookZones(snapshot),
    kinds,
    pageblocks: census.blocks,
    hugePages: freeHugePages(snapshot.freeBlocks),
    findings: snapshot.findings,
  };
}

function lookZones(snapshot: Snapshot): LookZone[] {
  const types = typeTables(snapshot);
  return snapshot.zones.map((zone, number) => ({
    node: zone.node,
    type: zone.type,
    startPfn: zone.startPfn,
    spanned: zone.spanned,
    present: zone.present,
    managed: zone.managed,
    free: zone.free,
    perCpu: zone.pcp.reduce((sum, { count }) => sum + count, 0),
    watermarks: { min: zone.watermarkMin, low: zone.watermarkLow, high: zone.watermarkHigh },
    freeBlocks: snapshot.freeBlocks[number],
    types: types[number].filter(({ pageblocks }) => pageblocks > 0),
  }));
}

/** By zone and migratetype. A free block lies on the list of the pageblock that it starts in. */
function typeTables(snapshot: Snapshot): LookType[][] {
  const { flags, order, blockType, zones } = snapshot;
  const tables = zones.map(() =>
    MIGRATETYPE_NAMES.map((type) => ({
      type,
      pageblocks: 0,
      freeBlocks: new Array<number>(MAX_ORDER).fill(0),
    })),
  );
  for (const { zone, start, end } of zoneSegments(zones)) {
    for (let block = Math.floor(start / 512); block < Math.ceil(end / 512); block++) {
      const type = blockType[block];
      // A pageblock that two zones share is counted where it starts.
      if (type === NO_BLOCK) continue;
      const entry = tables[zone][type];
      entry.pageblocks++;
      for (let pfn = block * 512; pfn < (block + 1) * 512; pfn++) {
        if ((flags[pfn] & PG.buddy) !== 0) entry.freeBlocks[order[pfn]]++;
      }
    }
  }
  return tables;
}
